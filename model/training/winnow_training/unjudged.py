"""Writes pairs that nobody judged, for a teacher to label: training themes and recombinations of their parts, each with
titles near the theme, titles that break its constraint, and a few at random.

No theme of the validation or test part is written, whatever is recombined.
"""

import argparse
import csv
import random
from pathlib import Path

import numpy as np

from winnow_training.foods import FoodFacts
from winnow_training.pairs import DATA, read_pairs, read_products, read_split, select

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


def titles_for(near: np.ndarray, breaking: np.ndarray | None, count: int, generator: random.Random) -> list[int]:
    """Indices of titles: half of count near the theme, a third near it and breaking its constraint, the rest at random.

    near: the indices of all titles, nearest first. breaking: (titles,) whether each breaks the theme's constraint; None: it
    states none, and a quarter at random joins the half.
    """
    chosen = set(generator.sample(near[: count * 8].tolist(), count // 2))
    random_share = count // 4
    if breaking is not None:
        candidates = near[breaking[near]][: count * 12].tolist()
        chosen.update(generator.sample(candidates, min(count // 3, len(candidates))))
        random_share = count - len(chosen)
    chosen.update(generator.sample(range(len(near)), random_share))
    return sorted(chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recombined", type=int, default=2500, help="how many of the recombined themes")
    parser.add_argument("--titles", type=int, default=16, help="how many titles a theme")
    parser.add_argument("--pairs", type=Path, default=DATA / "judged_pairs.csv")
    parser.add_argument("--split", type=Path, default=DATA / "split.csv")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    from winnow_training.embed import embed  # needs torch, which recombining does not

    generator, facts = random.Random(options.seed), FoodFacts()
    pairs, split = read_pairs(options.pairs), read_split(options.split)
    training = sorted({pair.theme for pair in select(pairs, split, "train")})
    held = {theme.lower() for theme, part in split.items() if part != "train"}
    made = [theme for theme in recombined(training, list(facts.constraints)) if theme.lower() not in held]
    constrained = [theme for theme in made if facts.constraint_of(theme)]
    plain = [theme for theme in made if not facts.constraint_of(theme)]
    half = options.recombined // 2
    themes = (
        training
        + generator.sample(constrained, min(half, len(constrained)))
        + generator.sample(plain, min(half, len(plain)))
    )
    titles = sorted({product["title"] for product in read_products()})
    judged = {(pair.theme, pair.title) for pair in pairs}
    near = np.argsort(-embed(themes) @ embed(titles).T, axis=1)
    breaking = {name: np.array([facts.breaks(name, title) for title in titles]) for name in facts.constraints}
    written = 0
    with open(options.out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["theme", "title"])
        for theme, nearest in zip(themes, near, strict=True):
            broken = breaking.get(facts.constraint_of(theme))
            for index in titles_for(nearest, broken, options.titles, generator):
                if (theme, titles[index]) not in judged:
                    writer.writerow([theme, titles[index]])
                    written += 1
    print(f"{options.out}: {written} pairs of {len(training)} training and {len(themes) - len(training)} recombined themes")


if __name__ == "__main__":
    main()
