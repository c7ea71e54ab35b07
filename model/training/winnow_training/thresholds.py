"""Calibration and thresholds, fitted on the logits of the engine that will serve them."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from winnow_training.metrics import SEVERE, softmax


@dataclass(frozen=True)
class Thresholds:
    """Of P(severe): below review a pair is approved, from severe on it is a violation, between the two a person decides."""

    severe: float
    review: float
    positives: int  # severe pairs behind both
    coverage: float  # share of the calibration pairs that are decided without a person
    risk: float  # share of those decisions that are wrong: a severe pair approved, or another one called a violation


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that minimises the negative log likelihood of labels."""

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits / np.exp(log_temperature))
        return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def choose(probabilities: np.ndarray, labels: np.ndarray, missed: float, risk: float) -> Thresholds:
    """Both thresholds lie midway between two scores of the calibration pairs, so that none of those sits on the edge.

    review: the highest threshold at which the share of severe pairs below it, corrected for a finite sample, stays
    at or under `missed` (conformal risk control: (n * risk + 1) / (n + 1) <= missed, Angelopoulos et al. 2022).
    severe: of the risk-coverage curve that this leaves, the point of the largest coverage whose risk stays at or under
    `risk`.
    """
    severe = labels == SEVERE
    scores, positives = probabilities[:, SEVERE], int(severe.sum())
    if positives == 0:
        raise ValueError("no severe pair to choose thresholds by: label some pairs severe")
    allowed = int(np.floor(missed * (positives + 1) - 1))
    if allowed < 0:
        raise ValueError(
            f"{positives} severe pairs cannot bound the missed share at {missed}: label more pairs, or allow more"
        )
    review = midway_below(scores, np.sort(scores[severe])[allowed])
    curve = risk_coverage(scores, severe, review)
    within = [point for point in curve if point[2] <= risk]
    if not within:
        least = min(point[2] for point in curve)
        raise ValueError(
            f"no severe threshold keeps the risk at {risk}: the least is {least:.4f}; allow more, or train further"
        )
    chosen, coverage, reached = max(within, key=lambda point: (point[1], point[0]))
    return Thresholds(severe=chosen, review=review, positives=positives, coverage=coverage, risk=reached)


def risk_coverage(scores: np.ndarray, severe: np.ndarray, review: float) -> list[tuple[float, float, float]]:
    """(severe threshold, coverage, risk) for every threshold that tells the calibration pairs apart, review and up."""
    curve = []
    approved = scores < review
    for score in [*np.unique(scores[~approved]), np.nextafter(scores.max(), 2)]:
        threshold = max(midway_below(scores, score), review)
        violation = scores >= threshold
        decided = approved | violation
        wrong = (approved & severe) | (violation & ~severe)
        curve.append((min(threshold, 1.0), float(decided.mean()), float(wrong.sum() / max(decided.sum(), 1))))
    return curve


def midway_below(scores: np.ndarray, score: float) -> float:
    """The middle between score and the next lower one; a threshold there treats every pair as one at score would."""
    below = scores[scores < score]
    return float((score + (below.max() if len(below) else 0)) / 2)


APPROVED, REVIEW, VIOLATION = 0, 1, 2


def decisions(probabilities: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """APPROVED, REVIEW or VIOLATION of each pair alone."""
    scores = probabilities[:, SEVERE]
    return np.where(scores >= thresholds.severe, VIOLATION, np.where(scores >= thresholds.review, REVIEW, APPROVED))
