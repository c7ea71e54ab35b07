"""The figures by which a checkpoint is chosen and reported."""

import numpy as np
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from winnow_training.pairs import LABELS, Pair

SEVERE = LABELS.index("severe")
REPORTED = ("severe_auc", "severe_average_precision", "macro_f1", "expected_calibration_error")


def softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def report(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """logits: (pairs, 3); labels: (pairs,). Calibration error: ten equal bins of the top class's confidence."""
    probabilities = softmax(logits)
    severe = labels == SEVERE
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * 10).astype(int), 9)
    error = sum(
        abs(confidence[bins == bin].mean() - correct[bins == bin].mean()) * (bins == bin).mean()
        for bin in range(10)
        if (bins == bin).any()
    )
    return {
        "severe_auc": float(roc_auc_score(severe, probabilities[:, SEVERE])),
        "severe_average_precision": float(average_precision_score(severe, probabilities[:, SEVERE])),
        "macro_f1": float(f1_score(labels, probabilities.argmax(axis=1), average="macro")),
        "expected_calibration_error": float(error),
    }


def by_source(logits: dict[str, np.ndarray], pairs: dict[str, list[Pair]]) -> dict[str, dict[str, float]]:
    """source -> the figures of its pairs; a source without a severe pair is left out."""
    labels = {source: np.array([pair.label for pair in pairs[source]]) for source in logits}
    return {source: report(logits[source], labels[source]) for source in logits if (labels[source] == SEVERE).any()}
