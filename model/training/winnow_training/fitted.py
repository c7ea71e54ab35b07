"""What is fitted on the validation part, and the figures that it reaches on the test part."""

from dataclasses import asdict, dataclass

import numpy as np

from winnow_training.families import drawn, groups_of, judged
from winnow_training.labelled import CATALOGUE_LIKE, Labelled
from winnow_training.metrics import REPORTED, SEVERE, report
from winnow_training.pairs import Pair
from winnow_training.thresholds import (
    APPROVED,
    REVIEW,
    Bounds,
    Calibration,
    Prior,
    Thresholds,
    choose,
    decisions,
    fit_calibration,
)

SIZES = (5, 10, 20)  # of the placements that are reported


@dataclass(frozen=True)
class Fitted:
    """Calibration and thresholds, fitted on the validation part of one engine's logits."""

    calibration: Calibration
    thresholds: Thresholds

    def decisions(self, logits: np.ndarray) -> np.ndarray:
        return decisions(self.calibration.probabilities(logits), self.thresholds)


def fit(logits: dict[str, np.ndarray], pairs: Labelled, prior: Prior, bounds: Bounds) -> Fitted:
    labels, groups = pairs.labels("validation"), pairs.groups("validation")
    like_traffic = CATALOGUE_LIKE if CATALOGUE_LIKE in groups else next(iter(groups))
    indices = groups[like_traffic]
    calibration = fit_calibration(logits["validation"][indices], labels[indices], prior)
    probabilities = calibration.probabilities(logits["validation"])
    kinds = {kind: (probabilities[indices], labels[indices]) for kind, indices in groups.items()}
    return Fitted(calibration, choose(kinds, like_traffic, prior, bounds))


def pair_figures(logits: np.ndarray, labels: np.ndarray, fitted: Fitted) -> dict[str, float]:
    decided, severe = fitted.decisions(logits), labels == SEVERE
    calibrated = logits / fitted.calibration.temperature + np.array(fitted.calibration.biases)
    ranked = report(calibrated, labels) if 0 < severe.sum() < len(severe) else dict.fromkeys(REPORTED, 0.0)
    return {
        "pairs": len(labels),
        "severe": int(severe.sum()),
        **ranked,
        "false_approval_rate": float((decided[severe] == APPROVED).mean()) if severe.any() else 0.0,
        "review_rate": float((decided == REVIEW).mean()),
    }


def figures_of(logits: np.ndarray, pairs: list[Pair], fitted: Fitted, prior: Prior) -> dict:
    """What is reported of the test part, which nothing was fitted on."""
    labels = np.array([pair.label for pair in pairs])
    groups = groups_of(pairs)
    themes: dict[str, list[int]] = {}
    for index in groups.get("realistic", range(len(pairs))):
        themes.setdefault(pairs[index].theme, []).append(index)
    probabilities = fitted.calibration.probabilities(logits)
    return {
        **pair_figures(logits, labels, fitted),
        "families": {name: pair_figures(logits[of], labels[of], fitted) for name, of in groups.items()},
        "placements": [
            asdict(judged(drawn(themes, labels, size, prior), labels, probabilities, fitted.thresholds)) for size in SIZES
        ],
    }
