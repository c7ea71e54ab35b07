"""Builds a bundle from a checkpoint: graph, tokenizer, calibration, thresholds, figures, card and manifest.

No training framework is needed. The graph in fp32 is held against the checkpoint's own function (winnow_training.reference)
on up to 2,000 pairs; a quantised graph is held against the one in fp32. A bundle that fails either is not written.
"""

import argparse
import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx

from winnow_training import engine
from winnow_training.card import card_of
from winnow_training.checkpoint import Checkpoint
from winnow_training.config import UnsupportedCheckpoint
from winnow_training.deberta import Deberta
from winnow_training.fitted import Fitted, figures_of, fit
from winnow_training.labelled import read_labelled
from winnow_training.pairs import DATA, LABELS, Pair
from winnow_training.parity import PARITY, SERVED, largest_difference
from winnow_training.place import refuse_place, swapped_in
from winnow_training.quantise import Quantisation, RefusedBundle, quantised
from winnow_training.thresholds import (
    Bounds,
    Prior,
)

PARITY_PAIRS = 2000
LEAST_TOKENS, MOST_TOKENS = 5, 512  # as model/pair.go: the frame and a token a side; what DeBERTa's positions cover


def file_entry(path: Path) -> dict:
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def unpadded(file: Path) -> str:
    """A tokenizer.json that cuts and pads nothing: whoever assembles a pair and its batch does that."""
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    return json.dumps(tokenizer | {"truncation": None, "padding": None}, ensure_ascii=False, separators=(",", ":"))


def parse_label(text: str) -> tuple[str, str]:
    name, _, label = text.rpartition("=")
    if not name or label not in LABELS:
        raise argparse.ArgumentTypeError(f"{text!r} must be NAME=LABEL, LABEL one of {', '.join(LABELS)}")
    return name, label


def parse_name(text: str) -> str:
    if not text or "@" in text or any(char.isspace() for char in text):
        raise argparse.ArgumentTypeError(f"{text!r} is empty or holds an @ or white space: a verdict names NAME@DIGEST")
    return text


def parse_tokens(text: str) -> int:
    if not text.isdecimal() or not LEAST_TOKENS <= int(text) <= MOST_TOKENS:
        raise argparse.ArgumentTypeError(f"{text!r} must be {LEAST_TOKENS} to {MOST_TOKENS}")
    return int(text)


def parse_share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = float("nan")
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a share, 0 to 1")
    return share


def parse_place(text: str) -> Path:
    try:
        refuse_place(Path(text))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return Path(text)


def options_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument(
        "--out", type=parse_place, required=True, help="folder of the bundle; if it holds one, that is replaced at the end"
    )
    parser.add_argument("--name", type=parse_name, default="starter")
    parser.add_argument("--max-tokens", type=parse_tokens, default=128, help=f"{LEAST_TOKENS} to {MOST_TOKENS}")
    parser.add_argument("--arithmetic", choices=("fp32", "int8"), default="fp32")
    parser.add_argument(
        "--label", type=parse_label, action="append", default=[], help="NAME=LABEL: what a checkpoint's label means"
    )
    parser.add_argument("--pairs", type=Path, help="your labelled pairs instead of those of data/")
    parser.add_argument("--sample", type=int, help="labelled pairs of each part and kind, for a trial of the recipe")
    parser.add_argument("--split", type=Path, default=DATA / "split.csv")
    parser.add_argument(
        "--missed-severe",
        type=parse_share,
        default=0.03,
        help="bound on the share of severe pairs below the review threshold",
    )
    parser.add_argument(
        "--severe-precision", type=parse_share, default=0.8, help="bound on the share of violations that are right"
    )
    parser.add_argument("--severe-share", type=parse_share, default=0.04, help="share of severe products in traffic")
    parser.add_argument("--weak-share", type=parse_share, default=0.12, help="share of weak products in traffic")
    parser.add_argument(
        "--lost-relevant", type=parse_share, default=0.02, help="bound on the share of relevant pairs called weak"
    )
    options = parser.parse_args()
    if not min(options.severe_share, options.weak_share) > 0 or not options.severe_share + options.weak_share < 1:
        parser.error("--severe-share and --weak-share must each be above 0 and together below 1: the rest is relevant")
    return options


def main() -> None:
    options = options_of()
    try:
        build(options)
    except (UnsupportedCheckpoint, RefusedBundle, ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


def build(options: argparse.Namespace) -> None:
    checkpoint = Checkpoint(options.checkpoint, dict(options.label))
    tokenizer = engine.load_tokenizer(checkpoint.file("tokenizer.json"), options.max_tokens)
    checkpoint.check_vocabulary(tokenizer)
    specials, noted = engine.special_tokens(checkpoint.file("tokenizer.json"), tokenizer), checkpoint.training()
    pairs = read_labelled(options.pairs, options.split, tokenizer, options.sample)
    prior = Prior(1 - options.weak_share - options.severe_share, options.weak_share, options.severe_share)
    bounds = Bounds(options.missed_severe, options.severe_precision, options.lost_relevant)
    held: list[Pair] = [*pairs.held["test"], *pairs.held["validation"], *pairs.train][:PARITY_PAIRS]

    def logits_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
        serialized = model.SerializeToString()
        return {part: engine.logits_of(serialized, tokenizer, of) for part, of in pairs.held.items()}

    print("building the graph in fp32", flush=True)
    model = Deberta(checkpoint, options.max_tokens).build()
    print(f"parity with the checkpoint on {len(held)} pairs", flush=True)
    meant = engine.logits_of(model.SerializeToString(), tokenizer, held, operators=False)
    difference = largest_difference(checkpoint, meant, tokenizer, held)
    if not difference <= PARITY:  # a NaN is no parity
        raise RefusedBundle(
            f"the graph's logits differ by {difference:.1e} from the checkpoint's, at most {PARITY:.0e} is allowed"
        )
    moved = float(np.abs(engine.logits_of(model.SerializeToString(), tokenizer, held) - meant).max())
    if not moved <= SERVED:
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

        model, logits, quantisation = quantised(
            checkpoint,
            options.max_tokens,
            tokenizer,
            pairs.train,
            exact,
            logits_of,
            lambda found: fit(found, pairs, prior, bounds),
        )
    fitted = fit(logits, pairs, prior, bounds)
    write(
        options,
        checkpoint,
        model,
        fitted,
        {
            "special_tokens": specials,
            "prior": prior,
            "parity": {"pairs": len(held), "largest_logit_difference": difference},
            "quantisation": asdict(quantisation) if quantisation else None,
            "themes": {part: len({pair.theme for pair in of}) for part, of in pairs.held.items()},
            "training": noted,
            "training_pairs": len(pairs.train),
            "metrics": figures_of(logits["test"], pairs.held["test"], fitted, prior),
        },
    )


def write(options: argparse.Namespace, checkpoint: Checkpoint, model: onnx.ModelProto, fitted: Fitted, facts: dict) -> None:
    manifest = {
        "format": 2,
        "name": options.name,
        "labels": list(LABELS),
        "max_tokens": options.max_tokens,
        "arithmetic": options.arithmetic,
        "special_tokens": facts["special_tokens"],
        "calibration": {
            "temperature": fitted.calibration.temperature,
            "biases": fitted.calibration.biases,
            "prior": asdict(facts["prior"]),
            "method": "weighted likelihood on the validation themes, labels in the shares of traffic",
        },
        "thresholds": fitted.thresholds.manifest(),
        "parity": facts["parity"],
        **({"quantisation": facts["quantisation"]} if facts["quantisation"] else {}),
        "training": read_training(checkpoint, facts),
        "metrics": facts["metrics"],
    }
    card = card_of(manifest, checkpoint.config, facts["themes"])
    with swapped_in(options.out) as out:
        onnx.save(model, out / "model.onnx")
        (out / "tokenizer.json").write_text(unpadded(checkpoint.file("tokenizer.json")), encoding="utf-8")
        (out / "card.md").write_text(card, encoding="utf-8")
        manifest["files"] = {name: file_entry(out / name) for name in ("model.onnx", "tokenizer.json", "card.md")}
        (out / "manifest.json").write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n")
    print(json.dumps({key: manifest[key] for key in ("calibration", "thresholds", "parity", "metrics")}, indent=2))
    if "quantisation" in manifest:
        print(json.dumps(manifest["quantisation"], indent=2))


def read_training(checkpoint: Checkpoint, facts: dict) -> dict:
    """Where the weights come from, as finetune noted it beside the checkpoint."""
    noted = facts["training"]
    return {
        "base": noted.get("base", checkpoint.config.get("_name_or_path") or "unknown"),
        "base_licence": noted.get("base_licence", "unknown"),
        "data": noted.get("data", "unknown"),
        "data_licence": noted.get("data_licence", "unknown"),
        "pairs": facts["training_pairs"],
    }


if __name__ == "__main__":
    main()
