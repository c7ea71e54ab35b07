"""Judged pairs by the kind of their theme, and placements made of them."""

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from winnow_training.metrics import SEVERE, report
from winnow_training.pairs import LABELS, Pair
from winnow_training.thresholds import RELEVANT, WEAK, Prior, Thresholds

TRAFFIC = ("proposals", "stores", "traffic")  # families of data/realistic that come near the shares of traffic
LIKE_TRAFFIC = "like traffic"  # the three together
MIN_PRODUCTS = 3  # of the default policy
DRAWS = 20  # placements made of each theme


def groups_of(pairs: Iterable[Pair]) -> dict[str, list[int]]:
    """Name -> indices: every family. Beside usda also all of data/realistic, and those with the shares of traffic."""
    families: dict[str, list[int]] = defaultdict(list)
    for index, pair in enumerate(pairs):
        families["usda" if pair.family == "judged_pairs" else pair.family].append(index)
    if "usda" not in families:
        return dict(families)
    realistic = sorted(index for name, indices in families.items() if name != "usda" for index in indices)
    like_traffic = sorted(index for name in TRAFFIC for index in families.get(name, []))
    return {"usda": families.pop("usda"), "realistic": realistic, LIKE_TRAFFIC: like_traffic, **families}


def figures_of(logits: np.ndarray, pairs: list[Pair]) -> dict[str, dict[str, float]]:
    """The figures of every group that holds severe pairs and others."""
    labels = np.array([pair.label for pair in pairs])
    return {
        name: {"pairs": len(indices), **report(logits[indices], labels[indices])}
        for name, indices in groups_of(pairs).items()
        if 0 < (labels[indices] == SEVERE).sum() < len(indices)
    }


@dataclass(frozen=True)
class Placements:
    """Figures of placements of one size under the default policy, without rules."""

    products: int
    placements: int
    clean_approved: float
    clean_killed: float
    clean_held: float
    severe_shown: float
    relevant_kept: float


def drawn(themes: dict[str, list[int]], labels: np.ndarray, size: int, prior: Prior, seed: int = 0) -> list[list[int]]:
    """DRAWS placements of size products of each theme, labels drawn by the prior from those that the theme has; a product
    stands twice only where the theme has too few."""
    generator = random.Random(seed)
    placements = []
    for _, indices in sorted(themes.items()):
        by_label = {label: [index for index in indices if labels[index] == label] for label in range(len(LABELS))}
        has = [label for label in by_label if by_label[label]]
        weights = [getattr(prior, LABELS[label]) for label in has]
        for _ in range(DRAWS):
            left = {label: generator.sample(by_label[label], len(by_label[label])) for label in has}
            chosen = []
            for label in generator.choices(has, weights, k=size):
                chosen.append(left[label].pop() if left[label] else generator.choice(by_label[label]))
            placements.append(chosen)
    return placements


def judged(placements: list[list[int]], labels: np.ndarray, probabilities: np.ndarray, thresholds: Thresholds) -> Placements:
    severe = probabilities[:, SEVERE]
    violation = severe >= thresholds.severe.value
    good = (severe < thresholds.review.value) & (probabilities[:, WEAK] < thresholds.weak.value)
    count: dict[str, int] = defaultdict(int)
    for placement in placements:
        killed, kept = violation[placement].any(), good[placement]
        approved = not killed and kept.sum() >= MIN_PRODUCTS
        of = labels[placement]
        clean = not (of == SEVERE).any()
        count["clean"] += clean
        count["approved"] += clean and approved
        count["killed"] += clean and killed
        count["severe"] += int((of == SEVERE).sum())
        count["shown"] += int((kept & (of == SEVERE)).sum()) if approved else 0
        count["relevant"] += int((of == RELEVANT).sum()) if approved else 0
        count["kept"] += int((kept & (of == RELEVANT)).sum()) if approved else 0
    clean_ones = max(count["clean"], 1)
    return Placements(
        products=len(placements[0]),
        placements=len(placements),
        clean_approved=count["approved"] / clean_ones,
        clean_killed=count["killed"] / clean_ones,
        clean_held=(count["clean"] - count["approved"] - count["killed"]) / clean_ones,
        severe_shown=count["shown"] / max(count["severe"], 1),
        relevant_kept=count["kept"] / max(count["relevant"], 1),
    )
