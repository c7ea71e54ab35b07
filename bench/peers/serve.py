"""What every Python peer shares: the pairs it reads, the logits it writes once, and the protocol by which it is timed.

A peer loads, scores all pairs once (its warm-up, whose logits are written for the comparison), prints {"ready": true},
and then answers each line "score" with the seconds of one more pass. Loading is never timed.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

BATCH = 32

Pairs = list[tuple[str, str]]
Rows = list[list[float]]


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True, help="CSV file with the columns theme and title")
    parser.add_argument("--logits", type=Path, required=True, help="where the logits go, as JSON")
    parser.add_argument("--model", type=Path, required=True, help="folder with the model")
    parser.add_argument("--max-tokens", type=int, required=True)
    return parser


def read_pairs(path: Path) -> Pairs:
    with open(path, newline="", encoding="utf-8") as file:
        return [(row["theme"], row["title"]) for row in csv.DictReader(file)]


def serve(options: argparse.Namespace, score: Callable[[Pairs], Rows]) -> None:
    pairs = read_pairs(options.pairs)
    options.logits.write_text(json.dumps(score(pairs)))
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        score(pairs)
        print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


def by_length(score: Callable[[Pairs], Rows]) -> Callable[[Pairs], Rows]:
    """Scores the pairs in the order of their length, which saves padding, and returns the rows in the pairs' own."""

    def scored(pairs: Pairs) -> Rows:
        order = sorted(range(len(pairs)), key=lambda at: len(pairs[at][0]) + len(pairs[at][1]))
        rows: Rows = [[]] * len(pairs)
        for at, row in zip(order, score([pairs[at] for at in order]), strict=True):
            rows[at] = row
        return rows

    return scored
