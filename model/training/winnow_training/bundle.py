"""Builds a bundle from a checkpoint: graph, tokenizer, calibration, thresholds, figures, card and manifest."""

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from tokenizers import Tokenizer

from winnow_training import engine, graph
from winnow_training.metrics import SEVERE, report, softmax
from winnow_training.pairs import DATA, LABELS, read_pairs, read_split, select
from winnow_training.thresholds import choose, fit_temperature

CARD = """# {name}

A DeBERTa-v2 cross-encoder of {layers} layers, {hidden} wide, that reads a carousel's theme and one product title and
says whether the product is relevant, weak (off-theme but harmless) or severe (must never be shown under this heading).

**Use**: English grocery titles under carousel themes. It has seen nothing else. It reads the title alone, not the
ingredients, and it knows no script but Latin.

**Made from**: the weights of {base} ({base_licence}), fine-tuned on {training_pairs} judged pairs of USDA FoodData
Central product titles (public domain). The judgements were made by a language model under a written rubric, one a
pair, without a human check: the figures below say how well this model agrees with that judge.

**Storage**: weights as int8 with one scale a row, expanded when the graph is loaded; arithmetic is fp32, so a pair's
score does not depend on the batch it is scored in.

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
| largest logit difference to the checkpoint in PyTorch | {largest_logit_difference:.1e} |

**Thresholds**: temperature {temperature:.3f}; a product with P(severe) of {severe:.3f} or more is a violation, from
{review:.3f} up to there it is uncertain. Chosen on {validation_pairs} pairs of {validation_themes} other themes, of
which {positives} are severe: {method}.
"""

BASE = "sentence-transformers/all-MiniLM-L6-v2"
BASE_LICENCE = "Apache-2.0"


def file_entry(path: Path) -> dict:
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def special_tokens(tokenizer: Tokenizer) -> dict[str, int]:
    ids = {name: tokenizer.token_to_id(f"[{name.upper()}]") for name in ("cls", "sep", "pad", "unk")}
    missing = [name for name, value in ids.items() if value is None]
    if missing:
        raise graph.UnsupportedCheckpoint(f"tokenizer.json has no {', '.join(missing)} token")
    return ids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle; replaced if it exists")
    parser.add_argument("--name", default="starter")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--pairs", type=Path, default=DATA / "judged_pairs.csv")
    parser.add_argument("--split", type=Path, default=DATA / "split.csv")
    parser.add_argument("--missed-severe", type=float, default=0.03, help="bound on severe pairs below the review band")
    parser.add_argument("--severe-precision", type=float, default=0.9, help="precision at the severe threshold")
    options = parser.parse_args()

    from winnow_training.parity import largest_difference  # needs torch, which reading figures back does not

    if (named := graph.Checkpoint(options.checkpoint).labels) != list(LABELS):
        raise SystemExit(f"{options.checkpoint}: config.json names the labels {named}, must be {list(LABELS)} in this order")
    model = graph.build(options.checkpoint, options.max_tokens)
    serialized = model.SerializeToString()
    tokenizer = engine.load_tokenizer(options.checkpoint / "tokenizer.json", options.max_tokens)
    pairs, split = read_pairs(options.pairs), read_split(options.split)
    parts = {part: select(pairs, split, part) for part in ("train", "validation", "test")}
    logits = {part: engine.logits_of(serialized, tokenizer, parts[part]) for part in ("validation", "test")}
    labels = {part: np.array([pair.label for pair in parts[part]]) for part in ("validation", "test")}

    temperature = fit_temperature(logits["validation"], labels["validation"])
    chosen = choose(
        softmax(logits["validation"] / temperature),
        labels["validation"],
        options.missed_severe,
        options.severe_precision,
    )
    method = (
        f"conformal risk control bounds severe pairs below the review band at {options.missed_severe:.0%}; "
        f"precision at the severe threshold is at least {options.severe_precision:.0%}"
    )
    scores, severe = softmax(logits["test"] / temperature)[:, SEVERE], labels["test"] == SEVERE
    figures = {
        "pairs": len(parts["test"]),
        **report(logits["test"] / temperature, labels["test"]),
        "false_approval_rate": float((scores[severe] < chosen.review).mean()),
        "review_rate": float(((scores >= chosen.review) & (scores < chosen.severe)).mean()),
        "largest_logit_difference": largest_difference(options.checkpoint, logits["test"], parts["test"]),
    }

    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    onnx.save(model, options.out / "model.onnx")
    shutil.copyfile(options.checkpoint / "tokenizer.json", options.out / "tokenizer.json")
    config = json.loads((options.checkpoint / "config.json").read_text())
    themes = {part: len({pair.theme for pair in parts[part]}) for part in parts}
    (options.out / "card.md").write_text(
        CARD.format(
            **figures,
            name=options.name,
            layers=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            base=BASE,
            base_licence=BASE_LICENCE,
            training_pairs=len(parts["train"]),
            test_pairs=len(parts["test"]),
            test_themes=themes["test"],
            test_positives=int(severe.sum()),
            validation_pairs=len(parts["validation"]),
            validation_themes=themes["validation"],
            temperature=temperature,
            severe=chosen.severe,
            review=chosen.review,
            positives=chosen.positives,
            method=method,
        )
    )
    manifest = {
        "format": 1,
        "name": options.name,
        "labels": list(LABELS),
        "max_tokens": options.max_tokens,
        "special_tokens": special_tokens(tokenizer),
        "calibration": {"temperature": temperature, "method": "temperature scaling on the validation themes"},
        "thresholds": {
            "severe": chosen.severe,
            "review": chosen.review,
            "method": method,
            "positives": chosen.positives,
        },
        "training": {
            "base": BASE,
            "base_licence": BASE_LICENCE,
            "data": "judged pairs of USDA FoodData Central product titles",
            "data_licence": "CC0-1.0",
            "pairs": len(parts["train"]),
        },
        "metrics": figures,
        "files": {name: file_entry(options.out / name) for name in ("model.onnx", "tokenizer.json", "card.md")},
    }
    (options.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(json.dumps({**figures, "temperature": temperature, **vars(chosen)}, indent=2))


if __name__ == "__main__":
    main()
