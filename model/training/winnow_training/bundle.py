"""Builds a bundle from a checkpoint: graph, tokenizer, calibration, thresholds, figures, card and manifest.

No training framework is needed. The graph in fp32 is held against the checkpoint's own function (winnow_training.reference)
on up to 2,000 pairs; a quantised graph is held against the one in fp32. A bundle that fails either is not written.
"""

import argparse
import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
from tokenizers import Tokenizer

from winnow_training import engine
from winnow_training.card import card_of
from winnow_training.checkpoint import Checkpoint, UnsupportedCheckpoint
from winnow_training.deberta import Deberta
from winnow_training.metrics import SEVERE, report, softmax
from winnow_training.pairs import DATA, LABELS, Pair, read_pairs, read_split, select
from winnow_training.parity import PARITY, SERVED, largest_difference
from winnow_training.quantise import Quantisation, RefusedBundle, quantised
from winnow_training.thresholds import APPROVED, REVIEW, Thresholds, choose, decisions, fit_temperature

PARITY_PAIRS = 2000


@dataclass(frozen=True)
class Calibrated:
    """Logits of one engine on the labelled parts, and what was fitted on those of validation."""

    logits: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    temperature: float
    thresholds: Thresholds

    def probabilities(self, part: str) -> np.ndarray:
        return softmax(self.logits[part] / self.temperature)


def calibrated(logits: dict[str, np.ndarray], labels: dict[str, np.ndarray], missed: float, risk: float) -> Calibrated:
    temperature = fit_temperature(logits["validation"], labels["validation"])
    thresholds = choose(softmax(logits["validation"] / temperature), labels["validation"], missed, risk)
    return Calibrated(logits, labels, temperature, thresholds)


def figures_of(fitted: Calibrated) -> dict[str, float]:
    """What is reported of the test part, which nothing was fitted on."""
    labels, probabilities = fitted.labels["test"], fitted.probabilities("test")
    decided, severe = decisions(probabilities, fitted.thresholds), labels == SEVERE
    return {
        "pairs": len(labels),
        **report(fitted.logits["test"] / fitted.temperature, labels),
        "false_approval_rate": float((decided[severe] == APPROVED).mean()),
        "review_rate": float((decided == REVIEW).mean()),
    }


def file_entry(path: Path) -> dict:
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def special_tokens(tokenizer: Tokenizer) -> dict[str, int]:
    ids = {name: tokenizer.token_to_id(f"[{name.upper()}]") for name in ("cls", "sep", "pad", "unk")}
    missing = [name for name, value in ids.items() if value is None]
    if missing:
        raise UnsupportedCheckpoint(f"tokenizer.json has no {', '.join(missing)} token")
    return ids


def unpadded(file: Path) -> str:
    """A tokenizer.json that cuts and pads nothing: whoever assembles a pair and its batch does that."""
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    return json.dumps(tokenizer | {"truncation": None, "padding": None}, ensure_ascii=False, separators=(",", ":"))


def parse_label(text: str) -> tuple[str, str]:
    name, _, label = text.rpartition("=")
    if not name or label not in LABELS:
        raise argparse.ArgumentTypeError(f"{text!r} must be NAME=LABEL, LABEL one of {', '.join(LABELS)}")
    return name, label


def options_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle; replaced if it holds one")
    parser.add_argument("--name", default="starter")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--arithmetic", choices=("fp32", "int8"), default="fp32")
    parser.add_argument(
        "--label", type=parse_label, action="append", default=[], help="NAME=LABEL: what a checkpoint's label means"
    )
    parser.add_argument("--pairs", type=Path, default=DATA / "judged_pairs.csv")
    parser.add_argument("--split", type=Path, default=DATA / "split.csv")
    parser.add_argument(
        "--missed-severe", type=float, default=0.02, help="bound on the share of severe pairs that are approved"
    )
    parser.add_argument("--risk", type=float, default=0.02, help="bound on the share of wrong decisions among those made")
    return parser.parse_args()


def main() -> None:
    options = options_of()
    try:
        build(options)
    except (UnsupportedCheckpoint, RefusedBundle, ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


def build(options: argparse.Namespace) -> None:
    checkpoint = Checkpoint(options.checkpoint, dict(options.label))
    tokenizer = engine.load_tokenizer(checkpoint.file("tokenizer.json"), options.max_tokens)
    specials = special_tokens(tokenizer)
    pairs, split = read_pairs(options.pairs), read_split(options.split)
    parts = {part: select(pairs, split, part) for part in ("train", "validation", "test")}
    labels = {part: np.array([pair.label for pair in parts[part]]) for part in ("validation", "test")}
    for part, found in labels.items():
        if SEVERE not in found:
            raise ValueError(f"{options.pairs}: the themes of the {part} part hold no severe pair: label more themes")
    held: list[Pair] = [*parts["test"], *parts["validation"], *parts["train"]][:PARITY_PAIRS]

    def logits_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
        serialized = model.SerializeToString()
        return {part: engine.logits_of(serialized, tokenizer, parts[part]) for part in labels}

    print("building the graph in fp32", flush=True)
    model = Deberta(checkpoint, options.max_tokens).build()
    print(f"parity with the checkpoint on {len(held)} pairs", flush=True)
    meant = engine.logits_of(model.SerializeToString(), tokenizer, held, operators=False)
    difference = largest_difference(checkpoint, meant, tokenizer, held)
    if difference > PARITY:
        raise RefusedBundle(
            f"the graph's logits differ by {difference:.1e} from the checkpoint's, at most {PARITY:.0e} is allowed"
        )
    moved = float(np.abs(engine.logits_of(model.SerializeToString(), tokenizer, held) - meant).max())
    if moved > SERVED:
        raise RefusedBundle(
            f"the operators of {os.environ.get(engine.OPERATORS)} move a logit by {moved:.1e}, at most {SERVED:.0e} is "
            f"allowed: build the library anew (make native)"
        )
    logits = logits_of(model)
    quantisation: Quantisation | None = None
    if options.arithmetic == "int8":
        if engine.OPERATORS not in os.environ:
            print(f"note: {engine.OPERATORS} is not set: thresholds are fitted on the operators' functions", flush=True)
        print("quantising", flush=True)
        exact = logits

        def fit(found: dict[str, np.ndarray]) -> Calibrated:
            return calibrated(found, labels, options.missed_severe, options.risk)

        model, logits, quantisation = quantised(
            checkpoint, options.max_tokens, tokenizer, parts["train"], exact, logits_of, fit
        )
    fitted = calibrated(logits, labels, options.missed_severe, options.risk)
    write(
        options,
        checkpoint,
        model,
        fitted,
        {
            "special_tokens": specials,
            "parity": {"pairs": len(held), "largest_logit_difference": difference},
            "quantisation": asdict(quantisation) if quantisation else None,
            "themes": {part: len({pair.theme for pair in parts[part]}) for part in parts},
            "training_pairs": len(parts["train"]),
        },
    )


def write(
    options: argparse.Namespace, checkpoint: Checkpoint, model: onnx.ModelProto, fitted: Calibrated, facts: dict
) -> None:
    out: Path = options.out
    if out.exists() and any(out.iterdir()) and not (out / "manifest.json").exists():
        raise RefusedBundle(f"{out} holds files but no manifest.json: not replacing what is no bundle")
    manifest = {
        "format": 1,
        "name": options.name,
        "labels": list(LABELS),
        "max_tokens": options.max_tokens,
        "arithmetic": options.arithmetic,
        "special_tokens": facts["special_tokens"],
        "calibration": {"temperature": fitted.temperature, "method": "temperature scaling on the validation themes"},
        "thresholds": {
            "severe": fitted.thresholds.severe,
            "review": fitted.thresholds.review,
            "method": (
                f"review: conformal risk control bounds the share of severe pairs that are approved at "
                f"{options.missed_severe:.1%}; "
                f"severe: the largest coverage of the risk-coverage curve whose risk is at most {options.risk:.1%}"
            ),
            "positives": fitted.thresholds.positives,
            "pairs": len(fitted.labels["validation"]),
            "missed_severe_bound": options.missed_severe,
            "coverage": fitted.thresholds.coverage,
            "risk": fitted.thresholds.risk,
        },
        "parity": facts["parity"],
        **({"quantisation": facts["quantisation"]} if facts["quantisation"] else {}),
        "training": read_training(checkpoint, facts),
        "metrics": figures_of(fitted),
    }
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    onnx.save(model, out / "model.onnx")
    (out / "tokenizer.json").write_text(unpadded(checkpoint.file("tokenizer.json")), encoding="utf-8")
    (out / "card.md").write_text(
        card_of(manifest, checkpoint.config, facts["themes"], int((fitted.labels["test"] == SEVERE).sum()))
    )
    manifest["files"] = {name: file_entry(out / name) for name in ("model.onnx", "tokenizer.json", "card.md")}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(json.dumps({key: manifest[key] for key in ("calibration", "thresholds", "parity", "metrics")}, indent=2))
    if "quantisation" in manifest:
        print(json.dumps(manifest["quantisation"], indent=2))


def read_training(checkpoint: Checkpoint, facts: dict) -> dict:
    """Where the weights come from, as finetune noted it beside the checkpoint."""
    file = checkpoint.folder / "training.json"
    noted = json.loads(file.read_text()) if file.exists() else {}
    return {
        "base": noted.get("base", checkpoint.config.get("_name_or_path") or "unknown"),
        "base_licence": noted.get("base_licence", "unknown"),
        "data": noted.get("data", "unknown"),
        "data_licence": noted.get("data_licence", "unknown"),
        "pairs": facts["training_pairs"],
    }


if __name__ == "__main__":
    main()
