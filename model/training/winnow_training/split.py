"""Writes data/split.csv: every theme and the part (train, validation, test) that it belongs to."""

import argparse
import csv
from pathlib import Path

from winnow_training.pairs import DATA, part_of, read_pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, default=DATA / "judged_pairs.csv")
    parser.add_argument("--out", type=Path, default=DATA / "split.csv")
    options = parser.parse_args()
    themes = sorted({pair.theme for pair in read_pairs(options.pairs)})
    with open(options.out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["theme", "part"])
        writer.writerows([theme, part_of(theme)] for theme in themes)
    print(f"{len(themes)} themes -> {options.out}")


if __name__ == "__main__":
    main()
