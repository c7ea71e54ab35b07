"""Measures checkpoints on the held themes, by source and family, and writes the figures as JSON."""

import argparse
import json
from pathlib import Path

import numpy as np
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from winnow_training.families import figures_of
from winnow_training.finetune import encode, logits_of
from winnow_training.pairs import DATA, Pair, few, read_judged, read_split, select


def held(part: str, sample: int | None) -> list[Pair]:
    judged, split = read_judged(("usda", "realistic")), read_split(DATA / "split.csv")
    return [pair for pairs in judged.values() for pair in few(select(pairs, split, part), sample)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder: figures.json, and every checkpoint's logits")
    parser.add_argument("--sample", type=int, help="no more pairs of each source, for a trial of the recipe")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    figures: dict[str, dict] = {}
    for checkpoint in options.checkpoint:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        model = AutoModelForSequenceClassification.from_pretrained(checkpoint)
        figures[checkpoint.name] = {}
        for part in ("validation", "test"):
            pairs = held(part, options.sample)
            logits = logits_of(model, encode(tokenizer, pairs), tokenizer.pad_token_id)
            np.save(options.out / f"{checkpoint.name}.{part}.npy", logits)
            figures[checkpoint.name][part] = figures_of(logits, pairs)
        short = {
            part: {
                name: (round(of["severe_auc"], 3), round(of["severe_average_precision"], 3), round(of["macro_f1"], 3))
                for name, of in groups.items()
                if name in ("usda", "realistic", "like traffic")
            }
            for part, groups in figures[checkpoint.name].items()
        }
        print(checkpoint.name, short, flush=True)
    (options.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
