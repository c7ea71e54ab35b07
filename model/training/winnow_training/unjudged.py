"""Writes pairs that nobody judged, for a teacher to label: titles of every source under training themes, under
recombinations of their parts, and under the themes of data/themes.txt.

Each theme gets titles near it, titles that break its constraint, and some at random. Where data/ontology.txt and
data/knowledge.txt say what a title holds and data/themes.txt what a theme forbids, the column broken says whether the one
breaks the other. No theme of the validation or test part is written, whatever is recombined.
"""

import argparse
import csv
import random
from pathlib import Path

import numpy as np

from winnow_training import knowledge
from winnow_training.foods import FoodFacts
from winnow_training.knowledge import Product, Theme, breaks, read_themes
from winnow_training.pairs import BROKEN, DATA, Pair, read_judged, read_products, read_split, select

# Where a theme starts with one of these, what follows is an occasion or a kind of food, and any of them could stand there.
# fmt: off
STYLES = (
    "Bite-size", "Budget", "Chef-inspired", "Comforting", "Cozy", "Creamy", "Crunchy", "Festive", "Fresh", "Guilt-free",
    "Healthy", "Hearty", "Heart-healthy", "High-fiber", "High-protein", "Indulgent", "Low-calorie", "Low-fat",
    "Low-sodium", "Organic", "Quick", "Refreshing", "Rustic", "Smoky", "Spicy", "Tangy", "Zesty",
)
CUISINES = (
    "Brazilian", "British", "Cajun", "Caribbean", "Chinese", "Ethiopian", "Filipino", "French", "German", "Greek",
    "Hawaiian", "Indian", "Irish", "Italian", "Japanese", "Korean", "Lebanese", "Mexican", "Moroccan", "Peruvian",
    "Polish", "Scandinavian", "Southern", "Spanish", "Tex-Mex", "Thai", "Turkish", "Vietnamese",
)
# fmt: on
FRAMES = (
    "{} favorites",
    "{} lovers",
    "{} season",
    "{} under $5",
    "{} for the week",
    "{} and what goes with it",
    "All about {}",
    "Best of {}",
    "Quick {} fixes",
    "Stock up on {}",
)
NEAR = 4000  # titles that count as near a theme
MEALS = ("Breakfast", "Dinner", "Dessert", "Drinks", "Snacks", "Lunch")


def capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def recombined(themes: list[str], constraints: list[str]) -> list[str]:
    """Every theme that the parts of themes make: constraint or style with occasion, cuisine with course, frame with food."""
    names = {
        constraint: constraint.upper().replace("LOW ", "Low ") if "fodmap" in constraint else capitalised(constraint)
        for constraint in constraints
    }
    starts = [*names.values(), *STYLES]

    def after(prefixes: list[str]) -> set[str]:
        return {theme[len(prefix) + 1 :] for theme in themes for prefix in prefixes if theme.startswith(prefix + " ")}

    def between(frame: str) -> set[str]:
        before, behind = frame.split("{}")
        return {
            theme[len(before) : len(theme) - len(behind)]
            for theme in themes
            if theme.startswith(before) and theme.endswith(behind) and len(theme) > len(before) + len(behind)
        }

    foods = set().union(*(between(frame) for frame in FRAMES))
    made = {f"{start} {occasion}" for start in starts for occasion in after(starts)}
    made |= {f"{cuisine} {course}" for cuisine in CUISINES for course in after(CUISINES)}
    made |= {frame.format(food) for frame in FRAMES for food in foods}
    made |= {f"{meal} for {name.lower()} guests" for meal in MEALS for name in names.values()}
    return sorted(made - set(themes))


def titles_for(
    near: np.ndarray, breaking: np.ndarray | None, titles: int, count: int, generator: random.Random
) -> list[int]:
    """Indices of titles: half of count near the theme, a third near it and breaking its constraint, the rest at random.

    near: indices of titles near the theme, the nearest first. breaking: (titles,) whether each breaks the theme's
    constraint; None: it states none, and a quarter at random joins the half.
    """
    among = near[: count * 8].tolist()
    chosen = set(generator.sample(among, min(count // 2, len(among))))
    random_share = count // 4
    if breaking is not None:
        candidates = near[breaking[near]][: count * 12].tolist()
        chosen.update(generator.sample(candidates, min(count // 3, len(candidates))))
        random_share = count - len(chosen)
    chosen.update(generator.sample(range(titles), random_share))
    return sorted(chosen)


def ruled_titles(theme: Theme, products: list[Product], count: int, generator: random.Random) -> list[tuple[str, bool]]:
    """(title, broken) of up to count products that the letters judge: two fifths break the theme, and of either kind half
    stand in a place that the theme names."""
    judged = {True: [], False: []}
    for product in products:
        broken = breaks(theme, product)
        if broken is not None:
            judged[broken].append(product)
    chosen = []
    for broken, share in ((True, 0.4), (False, 0.6)):
        among, wanted = judged[broken], int(count * share)
        here = [product for product in among if product.places & theme.places]
        picked = generator.sample(here, min(wanted // 2, len(here)))
        picked += generator.sample(among, min(wanted - len(picked), len(among)))
        chosen += [(product.title, broken) for product in dict.fromkeys(picked)]
    return chosen


def themes_of_usda(pairs: list[Pair], facts: FoodFacts, held: set[str], count: int, generator: random.Random) -> list[str]:
    """The training themes of the USDA pairs and count recombinations of their parts."""
    training = sorted({pair.theme for pair in pairs})
    made = [theme for theme in recombined(training, list(facts.constraints)) if theme.lower() not in held]
    constrained = [theme for theme in made if facts.constraint_of(theme)]
    plain = [theme for theme in made if not facts.constraint_of(theme)]
    half = count // 2
    return (
        training
        + generator.sample(constrained, min(half, len(constrained)))
        + generator.sample(plain, min(half, len(plain)))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recombined", type=int, default=2500, help="how many of the recombined themes")
    parser.add_argument("--titles", type=int, default=40, help="how many titles a theme")
    parser.add_argument(
        "--ruled", type=int, default=60, help="how many titles whose letters judge them, a theme of themes.txt"
    )
    parser.add_argument("--sample", type=int, help="themes of each kind, for a trial of the recipe")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    from winnow_training.embed import nearest  # needs torch, which recombining does not

    generator, facts, split = random.Random(options.seed), FoodFacts(), read_split(DATA / "split.csv")
    judged = {source: select(pairs, split, "train") for source, pairs in read_judged().items()}
    held = {theme.lower() for theme, part in split.items() if part != "train"}
    ruled = [theme for theme in read_themes() if theme.text.lower() not in held]
    usda = themes_of_usda(judged["usda"], facts, held, options.recombined, generator)
    shops = sorted({pair.theme for source, pairs in judged.items() if source != "usda" for pair in pairs})
    if options.sample:
        usda, shops, ruled = (generator.sample(themes, min(options.sample, len(themes))) for themes in (usda, shops, ruled))
    products = knowledge.read_products()
    titles = sorted(
        {product["title"] for product in read_products()}
        | {pair.title for pairs in judged.values() for pair in pairs}
        | {product.title for product in products}
    )
    if options.sample:
        titles = generator.sample(titles, min(options.sample * 20, len(titles)))
    known = {(pair.theme, pair.title) for pairs in judged.values() for pair in pairs}
    themes = list(dict.fromkeys([*usda, *shops, *(theme.text for theme in ruled)]))
    near = nearest(themes, titles, NEAR)
    breaking = {name: np.array([facts.breaks(name, title) for title in titles]) for name in facts.constraints}
    written: dict[tuple[str, str], bool | None] = {}
    for theme, closest in zip(themes, near, strict=True):
        broken = breaking.get(facts.constraint_of(theme))
        for index in titles_for(closest, broken, len(titles), options.titles, generator):
            written[theme, titles[index]] = None
    for theme in ruled:
        for title, broken in ruled_titles(theme, products, options.ruled, generator):
            written[theme.text, title] = broken
    written = {pair: broken for pair, broken in written.items() if pair not in known}
    with open(options.out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["theme", "title", "broken"])
        says = {value: text for text, value in BROKEN.items()}
        writer.writerows([*pair, says[broken]] for pair, broken in written.items())
    count = {text: sum(value is broken for value in written.values()) for text, broken in BROKEN.items()}
    print(f"{options.out}: {len(written)} pairs under {len(themes)} themes; broken: {count}")


if __name__ == "__main__":
    main()
