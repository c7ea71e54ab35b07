"""Writes data/split.csv: every theme and the part (train, validation, test) that it belongs to.

Themes of data/realistic are split family by family; those of data/written and data/corrections are all for training. With
--pairs the themes of one file of yours are split.
"""

import argparse
import csv
from itertools import groupby
from pathlib import Path

from winnow_training.pairs import DATA, TRAINING_ALONE, part_of, parts_of_family, read_judged, read_pairs


def parts_of_all() -> dict[str, str]:
    judged = read_judged()
    parts = {pair.theme: part_of(pair.theme) for pair in judged["usda"]}
    for _, family in groupby(judged["realistic"], key=lambda pair: pair.family):
        parts |= parts_of_family(list(family))
    written = {pair.theme for source in TRAINING_ALONE for pair in judged[source]}
    held = {theme.lower() for theme in parts} & {theme.lower() for theme in written}
    if held:
        raise SystemExit(
            f"{', '.join(TRAINING_ALONE)} repeat {len(held)} themes of other sources, such as {min(held)!r}: word them anew"
        )
    return parts | dict.fromkeys(written, "train")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, help="a file of labelled pairs; without it, every file of data/")
    parser.add_argument("--out", type=Path, default=DATA / "split.csv")
    options = parser.parse_args()
    parts = {pair.theme: part_of(pair.theme) for pair in read_pairs(options.pairs)} if options.pairs else parts_of_all()
    with open(options.out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["theme", "part"])
        writer.writerows(sorted(parts.items()))
    print(f"{len(parts)} themes -> {options.out}")


if __name__ == "__main__":
    main()
