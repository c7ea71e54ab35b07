"""The text of a bundle's card.md."""

CARD = """# {name}

A DeBERTa-v2 cross-encoder of {layers} layers, {hidden} wide, that reads a carousel's theme and one product title and
says whether the product is relevant, weak (off-theme but harmless) or severe (must never be shown under this heading).

**Use**: themes and titles of the language and the kind that it was trained on. It reads the title alone, not the
ingredients.

**Made from**: {base} ({base_licence}), fine-tuned on {training_pairs} pairs: {data}
({data_licence}). The figures say how well it agrees with whoever labelled them.

**Arithmetic**: {arithmetic}

**Figures** on {test_pairs} pairs of {test_themes} themes that were never trained on. Themes were split, never pairs;
titles recur across themes, as they do in a shop.

| figure | value |
|---|---|
| severe AUC | {severe_auc:.3f} |
| severe average precision | {severe_average_precision:.3f} |
| macro F1 over the three labels | {macro_f1:.3f} |
| severe pairs that the thresholds would approve | {false_approval_rate:.1%} of {test_positives} |
| pairs sent to review | {review_rate:.1%} |
| expected calibration error | {expected_calibration_error:.3f} |
| largest logit difference of the graph in fp32 to the checkpoint, over {parity_pairs} pairs | {parity:.1e} |

**Thresholds**: temperature {temperature:.3f}; a product with P(severe) of {severe:.3f} or more is a violation, from
{review:.3f} up to there it is uncertain. Chosen on {validation_pairs} pairs of {validation_themes} other themes, of
which {positives} are severe.
{method}.
"""

FP32 = """fp32, so a pair's score does not depend on the batch it is scored in. Weights are stored as int8 with one
scale a row and expanded when the graph is loaded."""

INT8 = """{products} of {all_products} matrix products take 8-bit inputs with a scale for every row of its own, so a
pair's score does not depend on the batch it is scored in: over {batches} random batches one pair's logits
moved by {spread:.1g}. Against the same checkpoint in fp32, {flips:.2%} of {flip_pairs} decisions differ
({severe_to_approved:.2%} from severe to approved) and no logit by more than {logit_difference:.2f}."""


def card_of(manifest: dict, config: dict, themes: dict[str, int], test_positives: int) -> str:
    """manifest: all of it but files. themes: how many themes each part holds."""
    figures, thresholds, training = manifest["metrics"], manifest["thresholds"], manifest["training"]
    arithmetic = FP32
    if quantisation := manifest.get("quantisation"):
        arithmetic = INT8.format(
            products=quantisation["products"],
            all_products=quantisation["products"] + len(quantisation["kept_fp32"]),
            batches=quantisation["batches"],
            spread=quantisation["spread"],
            flips=quantisation["decision_flips"],
            flip_pairs=quantisation["pairs"],
            severe_to_approved=quantisation["severe_to_approved"],
            logit_difference=quantisation["largest_logit_difference"],
        )
    return CARD.format(
        **figures,
        **{key: thresholds[key] for key in ("severe", "review", "positives", "method")},
        **{key: training[key] for key in ("base", "base_licence", "data", "data_licence")},
        name=manifest["name"],
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        arithmetic=arithmetic,
        training_pairs=training["pairs"],
        test_pairs=figures["pairs"],
        test_themes=themes["test"],
        test_positives=test_positives,
        parity=manifest["parity"]["largest_logit_difference"],
        parity_pairs=manifest["parity"]["pairs"],
        temperature=manifest["calibration"]["temperature"],
        validation_pairs=thresholds["pairs"],
        validation_themes=themes["validation"],
    )
