"""Writes the demo's shelves: themes that were never trained on, with titles by their judged label."""

import argparse
import json
from pathlib import Path

from winnow_training.pairs import DATA, LABELS, Pair, read_pairs, read_split, select, theme_hash

WHOLE = ("traffic", "proposals", "stores")  # families of whole placements: every theme
OTHERS = ("audience", "brands", "diet_allergen", "diet_animal", "dishes", "nonfood", "occasion", "wording")
THEMES_OF_OTHERS = 5  # of each, for variety
FEWEST = 8  # products of a placement that breaks nothing

Shelf = dict[str, str | list[str]]


def shelves_of(family: str, split: dict[str, str]) -> list[Shelf]:
    """The test themes of a family that can fill a placement, in the order of their hashes."""
    pairs = select(read_pairs(DATA / "realistic" / f"{family}.csv"), split, "test")
    themes: dict[str, list[Pair]] = {}
    for pair in pairs:
        themes.setdefault(pair.theme, []).append(pair)
    shelves = [
        {"theme": theme, **{name: [pair.title for pair in found if LABELS[pair.label] == name] for name in LABELS}}
        for theme, found in sorted(themes.items(), key=lambda item: theme_hash(item[0]))
    ]
    return [shelf for shelf in shelves if len(shelf["relevant"]) + len(shelf["weak"]) >= FEWEST]


def chosen() -> list[Shelf]:
    """Every theme of whole placements, and of other families those that can be broken, the fullest first."""
    split = read_split(DATA / "split.csv")
    shelves = [shelf for family in WHOLE for shelf in shelves_of(family, split)]
    for family in OTHERS:
        breakable = [shelf for shelf in shelves_of(family, split) if shelf["severe"]]
        shelves += sorted(breakable, key=lambda shelf: -len(shelf["relevant"]))[:THEMES_OF_OTHERS]
    return shelves


def text(shelves: list[Shelf]) -> str:
    rows = ",\n".join(json.dumps(shelf, ensure_ascii=False) for shelf in shelves)
    return f"[\n{rows}\n]\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    shelves = chosen()
    options.out.write_text(text(shelves), encoding="utf-8")
    print(f"{options.out}: {len(shelves)} themes, {sum(bool(shelf['severe']) for shelf in shelves)} that a product breaks")


if __name__ == "__main__":
    main()
