"""Measures `winnow score` against plain Python: the same checkpoint's stock ONNX export on onnxruntime, the same pairs,
batches of 32 padded to the longest, in one run, by turns. Decisions are compared first.

Winnow's time is that of its whole process, loading included; Python's leaves loading out. See bench/README.md.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parent.parent
BATCH = 32


def read_pairs(path: Path, count: int) -> list[tuple[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        pairs = list(dict.fromkeys((row["theme"], row["title"]) for row in csv.DictReader(file)))
    return pairs[:count]


class Stock:
    def __init__(self, graph: Path, tokenizer: Path):
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.tokenizer.enable_truncation(128, strategy="longest_first")
        self.tokenizer.enable_padding(pad_id=self.tokenizer.token_to_id("[PAD]"))
        self.session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])

    def logits(self, pairs: list[tuple[str, str]]) -> np.ndarray:
        rows = []
        for start in range(0, len(pairs), BATCH):
            encodings = self.tokenizer.encode_batch(pairs[start : start + BATCH])
            feed = {
                "input_ids": np.array([encoding.ids for encoding in encodings], np.int64),
                "attention_mask": np.array([encoding.attention_mask for encoding in encodings], np.int64),
            }
            rows.append(self.session.run(["logits"], feed)[0])
        return np.concatenate(rows)


def decide(logits: np.ndarray, manifest: dict) -> list[str]:
    scaled = logits / manifest["calibration"]["temperature"]
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    severe = (weights / weights.sum(axis=1, keepdims=True))[:, manifest["labels"].index("severe")]
    low, high = manifest["thresholds"]["review"], manifest["thresholds"]["severe"]
    return ["severe" if p >= high else "review" if p >= low else "approved" for p in severe]


def winnow(lines: bytes) -> list[str]:
    # One product a placement and nothing pruned, so that a verdict is the decision on a pair.
    environment = os.environ | {"WINNOW_POLICY_MIN_PRODUCTS": "1", "WINNOW_POLICY_PRUNE_WEAK": "false"}
    done = subprocess.run(
        [ROOT / "bin" / "winnow", "score"], input=lines, stdout=subprocess.PIPE, env=environment, check=True
    )
    return [json.loads(line)["verdict"] for line in done.stdout.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stock", type=Path, required=True, help="graph written by winnow_training.stock")
    parser.add_argument("--pairs", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    bundle = ROOT / "model" / "starter"
    manifest = json.loads((bundle / "manifest.json").read_text())
    pairs = read_pairs(ROOT / "model" / "training" / "data" / "judged_pairs.csv", options.pairs)
    lines = b"".join(
        json.dumps({"placement_id": str(i), "theme": theme, "products": [{"product_id": "1", "title": title}]}).encode()
        + b"\n"
        for i, (theme, title) in enumerate(pairs)
    )
    stock = Stock(options.stock, bundle / "tokenizer.json")
    different = sum(a != b for a, b in zip(decide(stock.logits(pairs), manifest), winnow(lines), strict=True))
    print(f"{len(pairs)} distinct pairs, {different} decisions differ")
    ratios = []
    for _ in range(options.rounds):
        started = time.perf_counter()
        winnow(lines)
        ours = time.perf_counter() - started
        started = time.perf_counter()
        stock.logits(pairs)
        theirs = time.perf_counter() - started
        ratios.append(theirs / ours)
        speeds = f"winnow score {len(pairs) / ours:7.0f} pairs/s   stock onnxruntime {len(pairs) / theirs:7.0f} pairs/s"
        print(f"{speeds}   ratio {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
