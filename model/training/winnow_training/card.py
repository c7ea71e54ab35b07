"""The text of a bundle's card.md."""

from winnow_training.families import LIKE_TRAFFIC

CARD = """# {name}

A DeBERTa-v2 cross-encoder of {layers} layers, {hidden} wide, that reads a carousel's theme and one product title and
says whether the product is relevant, weak (off-theme but harmless) or severe (must never be shown under this heading).

**Use**: themes and titles of the language and the kind that it was trained on. It reads the title alone, not the
ingredients.

## Placements

Drawn from the labelled pairs of themes that were never trained on, in the wording of catalogues where there are such:
labels in the shares of traffic ({relevant_share:.0%} relevant, {weak_share:.0%} weak, {severe_share:.0%} severe), the
default policy, no rules.

| products of a placement | clean ones approved | killed | held | severe products shown | relevant ones kept |
|---|---|---|---|---|---|
{placements}

Clean is a placement without a severe product; kept are relevant products of approved placements. Labels are drawn in these
shares from those that a theme has, so a theme without a severe pair gives clean placements alone. A product stands twice
where its theme has too few, and is then not pruned as a duplicate, which the gate would do.

## Pairs

Each decided alone: {test_pairs} pairs of {test_themes} themes. Themes were split, never pairs; titles recur across
themes, as they do in a shop.

| themes | pairs | severe | severe AUC | severe AP | macro F1 | severe below review | uncertain |
|---|---|---|---|---|---|---|---|
{families}

Expected calibration error, by {calibrated_on}: {calibration_error:.3f}. Largest logit difference of the graph in fp32 to
the checkpoint, over {parity_pairs} pairs: {parity:.1e}.

## Thresholds

Fitted on {validation_themes} other themes. Probabilities are calibrated for the shares of traffic (temperature
{temperature:.3f}, biases {biases}).

| threshold | value | bound | reached (95 %) | by |
|---|---|---|---|---|
{thresholds}

{methods}

## Made from

{base} ({base_licence}), fine-tuned on {data} ({data_licence}). The figures say how well it agrees with whoever labelled
the pairs; {training_pairs} of those that this bundle was built from are of training themes.

**Arithmetic**: {arithmetic}
"""

FP32 = """fp32, so a pair's score does not depend on the batch it is scored in. Weights are stored as int8 with one
scale a row and expanded when the graph is loaded."""

INT8 = """{products} of {all_products} matrix products take 8-bit inputs with a scale for every row of its own, so a
pair's score does not depend on the batch it is scored in: over {batches} random batches one pair's logits
moved by {spread:.1g}. Against the same checkpoint in fp32, {flips:.2%} of {flip_pairs} decisions differ
({severe_to_approved:.2%} from severe to approved) and no logit by more than {logit_difference:.2f}."""


def card_of(manifest: dict, config: dict, themes: dict[str, int]) -> str:
    """manifest: all of it but files. themes: how many themes each held part has."""
    figures, training, calibration = manifest["metrics"], manifest["training"], manifest["calibration"]
    families, arithmetic = figures["families"], FP32
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
        **{key: training[key] for key in ("base", "base_licence", "data", "data_licence")},
        **{f"{label}_share": share for label, share in calibration["prior"].items()},
        name=manifest["name"],
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        arithmetic=arithmetic,
        training_pairs=training["pairs"],
        test_pairs=figures["pairs"],
        test_themes=themes["test"],
        calibrated_on="the pairs like traffic" if LIKE_TRAFFIC in families else "all pairs",
        calibration_error=families.get(LIKE_TRAFFIC, figures)["expected_calibration_error"],
        parity=manifest["parity"]["largest_logit_difference"],
        parity_pairs=manifest["parity"]["pairs"],
        temperature=calibration["temperature"],
        biases=", ".join(f"{bias:.3f}" for bias in calibration["biases"]),
        validation_themes=themes["validation"],
        placements="\n".join(placement_row(row) for row in figures["placements"]),
        families="\n".join(family_row(name, row) for name, row in {"all": figures, **families}.items()),
        thresholds="\n".join(threshold_row(name, of) for name, of in manifest["thresholds"].items()),
        methods="\n".join(f"- {name}: {of['method']}." for name, of in manifest["thresholds"].items()),
    )


def placement_row(row: dict) -> str:
    return (
        f"| {row['products']} | {row['clean_approved']:.1%} | {row['clean_killed']:.1%} | {row['clean_held']:.1%} | "
        f"{row['severe_shown']:.1%} | {row['relevant_kept']:.1%} |"
    )


def family_row(name: str, row: dict) -> str:
    ranked = "- | - | -"
    if row["severe"]:
        ranked = f"{row['severe_auc']:.3f} | {row['severe_average_precision']:.3f} | {row['macro_f1']:.3f}"
    return (
        f"| {name} | {row['pairs']} | {row['severe']} | {ranked} | {row['false_approval_rate']:.1%} | "
        f"{row['review_rate']:.1%} |"
    )


def threshold_row(name: str, of: dict) -> str:
    return (
        f"| {name} | {of['value']:.4f} | {of['bound']:.1%} | {of['reached']:.1%} "
        f"({of['interval'][0]:.1%} to {of['interval'][1]:.1%}) | {of['pairs']} pairs, {of['positives']} of them counted |"
    )
