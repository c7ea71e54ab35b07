"""Writes the demo's shelves: themes that were never trained on, with titles by their judged label."""

import argparse
import json
from collections import defaultdict
from pathlib import Path

from winnow_training.pairs import DATA, LABELS, read_pairs, read_split, select

FEWEST_RELEVANT = 3  # fewer could never be approved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    shelves: dict[str, dict[str, list[str]]] = defaultdict(lambda: {label: [] for label in LABELS})
    for pair in select(read_pairs(DATA / "judged_pairs.csv"), read_split(DATA / "split.csv"), "test"):
        shelves[pair.theme][LABELS[pair.label]].append(pair.title)
    chosen = [
        {"theme": theme, **titles} for theme, titles in sorted(shelves.items()) if len(titles["relevant"]) >= FEWEST_RELEVANT
    ]
    rows = ",\n".join(json.dumps(shelf, ensure_ascii=False) for shelf in chosen)
    options.out.write_text(f"[\n{rows}\n]\n", encoding="utf-8")
    print(f"{options.out}: {len(chosen)} themes, {sum(bool(shelf['severe']) for shelf in chosen)} with violations")


if __name__ == "__main__":
    main()
