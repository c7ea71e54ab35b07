"""Calibration and thresholds, fitted on the logits of the engine that will serve them."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from winnow_training.metrics import SEVERE, softmax


@dataclass(frozen=True)
class Thresholds:
    severe: float
    review: float
    positives: int


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that minimises the negative log likelihood of labels."""

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits / np.exp(log_temperature))
        return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def choose(probabilities: np.ndarray, labels: np.ndarray, missed: float, precision: float) -> Thresholds:
    """Both thresholds lie midway between two scores of the calibration pairs, so that none of those sits on the edge.

    review: the highest threshold at which the share of severe pairs below it, corrected for a finite sample, stays
    at or under `missed` (conformal risk control: (n * risk + 1) / (n + 1) <= missed, Angelopoulos et al. 2022).
    severe: the lowest threshold at which at least `precision` of the pairs at or above it are severe, never below review.
    """
    severe = labels == SEVERE
    scores, positives = probabilities[:, SEVERE], int(severe.sum())
    if positives == 0:
        raise ValueError("no severe pair to choose thresholds by")
    allowed = int(np.floor(missed * (positives + 1) - 1))
    if allowed < 0:
        raise ValueError(f"{positives} severe pairs cannot bound the missed share at {missed}: label more pairs")
    review = midway_below(scores, np.sort(scores[severe])[allowed])
    order = np.argsort(-scores)
    shares = np.cumsum(severe[order]) / np.arange(1, len(order) + 1)
    reaching = np.flatnonzero(shares >= precision)
    if len(reaching) == 0:
        raise ValueError(f"no threshold reaches a precision of {precision}")
    chosen = midway_below(scores, scores[order][reaching[-1]])
    return Thresholds(severe=max(chosen, review), review=review, positives=positives)


def midway_below(scores: np.ndarray, score: float) -> float:
    """The middle between score and the next lower one; a threshold there treats every pair as one at score would."""
    below = scores[scores < score]
    return float((score + (below.max() if len(below) else 0)) / 2)
