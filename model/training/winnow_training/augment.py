"""Writes synthetic judged pairs, made from the training themes' judgements: an augmentation whose worth is measured apart.

- Constraint swaps: the theme's constraint is replaced by another one. Where the title, or its ingredients, show a food that
  breaks the new constraint, the label flips to severe; else it stays what it was. A pair that was severe and breaks
  nothing new is left out: nobody knows what it would be.
- Shuffled titles: the brand is replaced or dropped and a size is added; the label stays.

No theme of the validation or test part is written.
"""

import argparse
import csv
import random
from collections import Counter
from pathlib import Path

from winnow_training.foods import FoodFacts
from winnow_training.pairs import DATA, LABELS, Pair, read_pairs, read_products, read_split, select

SIZES = ("{} OZ", "{} oz bag", "{} ct", "{} Pack", "{} FL OZ", "NET WT {} OZ", "{}g", "Family Size", "Value Pack")


def swapped(pair: Pair, facts: FoodFacts, ingredients: dict[str, str], generator: random.Random) -> Pair | None:
    """pair under another constraint, or None where its label would be unknown or its theme states none at its start."""
    constraint = facts.constraint_of(pair.theme)
    if constraint is None or not pair.theme.lower().startswith(constraint + " "):
        return None
    text = f"{pair.title} {ingredients.get(pair.title, '')}"
    others = [other for other in facts.constraints if other != constraint]
    flipping = [other for other in others if facts.breaks(other, text)]
    severe = pair.label == LABELS.index("severe")
    if flipping and (severe or generator.random() < 0.5):
        chosen, label = generator.choice(flipping), LABELS.index("severe")
    elif severe:
        return None
    else:
        chosen, label = generator.choice([other for other in others if other not in flipping]), pair.label
    return Pair(chosen[0].upper() + chosen[1:] + pair.theme[len(constraint) :], pair.title, label)


def shuffled(pair: Pair, brands: list[str], brand: str, generator: random.Random) -> Pair:
    """pair with the title's brand replaced or dropped, where it starts with one, and a size behind it."""
    title = pair.title
    if brand and title.lower().startswith(brand.lower()):
        rest = title[len(brand) :].lstrip(" ,")
        title = generator.choice([rest, f"{generator.choice(brands)}, {rest}"]) or title
    size = generator.choice(SIZES).format(generator.choice((4, 6, 8, 10, 12, 16, 24, 32)))
    return Pair(pair.theme, f"{title}, {size}", pair.label)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shuffles", type=float, default=0.15, help="share of the judged pairs whose title is shuffled too")
    parser.add_argument("--pairs", type=Path, default=DATA / "judged_pairs.csv")
    parser.add_argument("--split", type=Path, default=DATA / "split.csv")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    generator, facts, split = random.Random(options.seed), FoodFacts(), read_split(options.split)
    products = read_products()
    ingredients = {product["title"]: product["ingredients"] for product in products}
    brand_of = {product["title"]: product["brand"] for product in products}
    brands = sorted({brand for brand in brand_of.values() if brand})
    held = {theme.lower() for theme, part in split.items() if part != "train"}
    written: Counter[str] = Counter()
    with open(options.out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["theme", "title", "label"])
        for pair in select(read_pairs(options.pairs), split, "train"):
            made = [swapped(pair, facts, ingredients, generator) for _ in range(2)]
            if generator.random() < options.shuffles:
                made.append(shuffled(pair, brands, brand_of.get(pair.title, ""), generator))
            for new in dict.fromkeys(made):
                if new is not None and new.theme.lower() not in held:
                    writer.writerow([new.theme, new.title, LABELS[new.label]])
                    written[LABELS[new.label]] += 1
    print(f"{options.out}: {dict(written)}")


if __name__ == "__main__":
    main()
