"""Calibration and thresholds, fitted on the logits of the engine that will serve them.

Labelled pairs hold far more severe ones than traffic does. So whatever depends on the mix is computed under a Prior, the
shares that traffic has: pairs of a label count in proportion to the label's share there.
"""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import beta

from winnow_training.metrics import SEVERE, softmax
from winnow_training.pairs import LABELS

WEAK, RELEVANT = LABELS.index("weak"), LABELS.index("relevant")


@dataclass(frozen=True)
class Prior:
    """Shares of the labels among products of traffic."""

    relevant: float
    weak: float
    severe: float

    def weights(self, labels: np.ndarray) -> np.ndarray:
        """One weight a pair; those of a label sum to its share."""
        counts = np.bincount(labels, minlength=len(LABELS))
        return (np.array([getattr(self, label) for label in LABELS]) / np.maximum(counts, 1))[labels]


@dataclass(frozen=True)
class Calibration:
    """Probabilities are softmax(logits / temperature + biases)."""

    temperature: float
    biases: tuple[float, ...]  # by label, in the order of LABELS; that of relevant is 0

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return softmax(logits / self.temperature + np.array(self.biases))


@dataclass(frozen=True)
class Threshold:
    """A probability and why it is that one; the manifest holds it as it stands here."""

    value: float
    method: str
    bound: float
    reached: float
    interval: tuple[float, float]  # 95 %, Clopper-Pearson
    severe_share: float  # 0 where the bound does not depend on it
    positives: int  # pairs of the label that the bound counts: severe ones, or relevant ones
    pairs: int


@dataclass(frozen=True)
class Thresholds:
    severe: Threshold  # of P(severe): from here on a violation
    review: Threshold  # of P(severe): from here up to there uncertain
    weak: Threshold  # of P(weak): from here on weak

    def manifest(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Bounds:
    missed: float  # share of severe pairs below the review threshold
    precision: float  # of violations under the prior
    lost: float  # share of relevant pairs from the weak threshold on


def fit_calibration(logits: np.ndarray, labels: np.ndarray, prior: Prior) -> Calibration:
    """The temperature and biases that minimise the negative log likelihood of labels under the prior."""
    weights = prior.weights(labels)

    def loss(parameters: np.ndarray) -> float:
        log_temperature, *biases = parameters
        probabilities = softmax(logits / np.exp(log_temperature) + np.array([0, *biases]))
        return float(-(weights * np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12))).sum())

    found = minimize(loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-7, "maxiter": 4000})
    log_temperature, *biases = found.x
    return Calibration(float(np.exp(np.clip(log_temperature, -2, 2))), (0.0, *map(float, biases)))


def choose(kinds: dict[str, tuple[np.ndarray, np.ndarray]], like_traffic: str, prior: Prior, bounds: Bounds) -> Thresholds:
    """kinds: kind of titles -> (probabilities, labels). The review threshold keeps its bound in each kind; what depends on
    the mix is fitted on the kind that is like traffic.

    Every threshold lies midway between two scores, so that none of those sits on the edge.
    """
    review = min((review_of(*kind, bounds.missed) for kind in kinds.values()), key=lambda found: found.value)
    probabilities, labels = kinds[like_traffic]
    severe = severe_of(probabilities, labels, prior, bounds.precision, review.value)
    return Thresholds(severe, review, weak_of(probabilities, labels, bounds.lost))


def review_of(probabilities: np.ndarray, labels: np.ndarray, missed: float) -> Threshold:
    """The highest threshold at which the share of severe pairs below it, corrected for a finite sample, is at most missed.

    Conformal risk control: (n * risk + 1) / (n + 1) <= missed, Angelopoulos et al. 2022.
    """
    scores, severe = probabilities[:, SEVERE], labels == SEVERE
    positives = int(severe.sum())
    if positives == 0:
        raise ValueError("no severe pair to choose thresholds by: label some pairs severe")
    allowed = min(int(np.floor(missed * (positives + 1) - 1)), positives - 1)
    if allowed < 0:
        raise ValueError(
            f"{positives} severe pairs cannot bound the missed share at {missed}: label more pairs, or allow more"
        )
    value = midway_below(scores, np.sort(scores[severe])[allowed])
    below = int((scores[severe] < value).sum())
    method = (
        f"conformal risk control: of severe pairs like these the expected share below it is at most {missed:.1%}; "
        "it assumes that those of traffic are exchangeable with these"
    )
    return Threshold(value, method, missed, below / positives, interval(below, positives), 0.0, positives, len(labels))


def severe_of(probabilities: np.ndarray, labels: np.ndarray, prior: Prior, precision: float, least: float) -> Threshold:
    """The lowest threshold, at or above least, from which on violations are right as often as precision asks."""
    scores, severe = probabilities[:, SEVERE], labels == SEVERE
    order = np.argsort(-scores, kind="stable")
    hit = prior.severe * np.cumsum(severe[order]) / severe.sum()
    said = hit + (1 - prior.severe) * np.cumsum(~severe[order]) / max((~severe).sum(), 1)
    last_of_score = np.append(scores[order][1:] != scores[order][:-1], True)
    within = np.flatnonzero(last_of_score & (hit / said >= precision) & (scores[order] >= least))
    if not len(within):
        raise ValueError(
            f"no severe threshold is right in {precision:.0%} of its violations where {prior.severe:.0%} of products are "
            f"severe: the most is {float((hit / said)[last_of_score].max()):.0%}; ask for less, or train further"
        )
    value = max(midway_below(scores, scores[order][within[-1]]), least)
    found, wrong = int((severe & (scores >= value)).sum()), int((~severe & (scores >= value)).sum())
    positives = int(severe.sum())
    reached = float((hit / said)[within[-1]])
    method = (
        f"the lowest from which on {precision:.0%} of violations are severe where {prior.severe:.1%} of products are; "
        f"it finds {found / positives:.1%} of the severe pairs"
    )
    share = weighted_interval(found, wrong, labels, prior)
    return Threshold(value, method, precision, reached, share, prior.severe, positives, len(labels))


def weighted_interval(found: int, wrong: int, labels: np.ndarray, prior: Prior) -> tuple[float, float]:
    """Of the precision: each end takes the ends of both shares, of severe pairs found and of others refused."""
    positives = int((labels == SEVERE).sum())
    right, false = interval(found, positives), interval(wrong, len(labels) - positives)

    def precision(hit: float, miss: float) -> float:
        return prior.severe * hit / max(prior.severe * hit + (1 - prior.severe) * miss, 1e-12)

    return precision(right[0], false[1]), precision(right[1], false[0])


def weak_of(probabilities: np.ndarray, labels: np.ndarray, lost: float) -> Threshold:
    """The lowest threshold that calls at most the share lost of relevant pairs weak."""
    scores, relevant = probabilities[:, WEAK], labels == RELEVANT
    count = int(relevant.sum())
    if not count:
        return Threshold(1.0, "no pair is relevant: nothing is called weak", lost, 0.0, (0.0, 0.0), 0.0, 0, len(labels))
    allowed = int(np.floor(lost * count))
    ranked = np.sort(scores[relevant])[::-1]
    # Just above the highest score of a relevant pair that must stay.
    above = scores[scores > ranked[min(allowed, count - 1)]]
    value = float((ranked[min(allowed, count - 1)] + (above.min() if len(above) else 1)) / 2)
    gone, weak = int((scores[relevant] >= value).sum()), labels == WEAK
    found = float((scores[weak] >= value).mean()) if weak.any() else 0.0
    method = f"the lowest that calls at most {lost:.1%} of relevant pairs weak; it finds {found:.1%} of the weak ones"
    return Threshold(value, method, lost, gone / count, interval(gone, count), 0.0, count, len(labels))


def interval(hits: int, of: int) -> tuple[float, float]:
    """Clopper-Pearson, 95 %."""
    low = float(beta.ppf(0.025, hits, of - hits + 1)) if hits else 0.0
    return low, float(beta.ppf(0.975, hits + 1, of - hits)) if hits < of else 1.0


def midway_below(scores: np.ndarray, score: float) -> float:
    """The middle between score and the next lower one; a threshold there treats every pair as one at score would."""
    below = scores[scores < score]
    return float((score + (below.max() if len(below) else 0)) / 2)


APPROVED, REVIEW, VIOLATION = 0, 1, 2


def decisions(probabilities: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """APPROVED, REVIEW or VIOLATION of each pair alone."""
    scores = probabilities[:, SEVERE]
    return np.where(
        scores >= thresholds.severe.value, VIOLATION, np.where(scores >= thresholds.review.value, REVIEW, APPROVED)
    )
