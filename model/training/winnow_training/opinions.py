"""Opinions beside a teacher's: what the food facts see in a title, and what the letters of data/knowledge.txt say of it."""

import numpy as np

from winnow_training.foods import FoodFacts
from winnow_training.metrics import SEVERE
from winnow_training.pairs import LABELS

TRUST = 0.97  # how often the letters are taken to be right: an assumption, nobody measured it


def opinion_of_facts(facts: FoodFacts, parts: list) -> np.ndarray:
    """Label shares among training pairs that the facts call broken: what their word is worth."""
    labels = [pair.label for pair in parts if breaks(facts, pair)]
    return np.bincount(labels, minlength=len(LABELS)) / len(labels)


def with_letters(probabilities: np.ndarray, broken: list[bool | None]) -> np.ndarray:
    """probabilities where the letters are silent; elsewhere their mean with what the letters say."""
    says = np.array([np.nan if answer is None else TRUST if answer else 1 - TRUST for answer in broken])
    severe = probabilities[:, SEVERE]
    moved = np.where(np.isnan(says), severe, (severe + says) / 2)
    result = np.maximum(probabilities, 1e-6)  # a teacher that is sure leaves the others their proportion
    result[:, SEVERE] = 0
    result *= ((1 - moved) / result.sum(axis=1))[:, None]
    result[:, SEVERE] = moved
    return result


def breaks(facts: FoodFacts, pair) -> bool:
    constraint = facts.constraint_of(pair.theme)
    return constraint is not None and facts.breaks(constraint, pair.title)
