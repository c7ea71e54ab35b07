"""What foods hold, read from their titles by words: a second opinion on whether a title breaks a theme's constraint.

The table is data/food_facts.json: per food the words that show it and the words that say otherwise, and per constraint the
foods that break it. It knows only what a title says, so its silence means nothing.
"""

import json
import re
from pathlib import Path

from winnow_training.pairs import DATA


def _any_of(words: list[str]) -> re.Pattern:
    return re.compile(r"(?<![\w'-])(?:" + "|".join(map(re.escape, words)) + r")(?![\w'-])", re.IGNORECASE)


class FoodFacts:
    def __init__(self, path: Path = DATA / "food_facts.json"):
        table = json.loads(path.read_text(encoding="utf-8"))
        self.constraints: dict[str, list[str]] = table["constraints"]
        unknown = {food for foods in self.constraints.values() for food in foods} - table["foods"].keys()
        if unknown:
            raise ValueError(f"{path}: constraints name foods that it does not describe: {', '.join(sorted(unknown))}")
        self._foods = {name: (_any_of(food["words"]), _any_of(food["unless"])) for name, food in table["foods"].items()}

    def constraint_of(self, theme: str) -> str | None:
        """The constraint that a theme states, or None."""
        return next((constraint for constraint in self.constraints if constraint in theme.lower()), None)

    def holds(self, food: str, text: str) -> bool:
        shows, otherwise = self._foods[food]
        return bool(shows.search(text)) and not otherwise.search(text)

    def breaks(self, constraint: str, text: str) -> bool:
        """Whether a title (with its ingredients, where they are known) shows a food that breaks constraint."""
        if constraint.replace("-", " ") in text.lower().replace("-", " "):
            return False  # a title that claims the constraint is believed
        return any(self.holds(food, text) for food in self.constraints[constraint])
