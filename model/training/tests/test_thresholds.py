import numpy as np
import pytest

from winnow_training.metrics import SEVERE, softmax
from winnow_training.pairs import LABELS
from winnow_training.thresholds import (
    RELEVANT,
    WEAK,
    Bounds,
    Calibration,
    Prior,
    choose,
    fit_calibration,
    review_of,
    severe_of,
    weak_of,
)

TRAFFIC = Prior(relevant=0.84, weak=0.12, severe=0.04)
EVEN = Prior(1 / 3, 1 / 3, 1 / 3)


def sample(pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is calibrated: the labels are drawn from it."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(pairs, 3)) * 2
    labels = np.array([random.choice(3, p=row) for row in softmax(logits)])
    return logits, labels


def test_temperature_undoes_an_overconfident_scale():
    logits, labels = sample(6000, 0)
    found = fit_calibration(logits * 3, labels, EVEN)
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert found.biases == pytest.approx((0, 0, 0), abs=0.15)


def test_probabilities_are_those_of_traffic_and_not_of_the_labelled_mix():
    """In the labelled mix a third is severe; where 4 % are, the same scores mean less."""
    logits, labels = sample(8000, 1)
    found = fit_calibration(logits, labels, TRAFFIC)
    weights = TRAFFIC.weights(labels)
    meant = (weights[:, None] * found.probabilities(logits)).sum(axis=0) / weights.sum()
    assert meant == pytest.approx([TRAFFIC.relevant, TRAFFIC.weak, TRAFFIC.severe], abs=0.01)
    assert Calibration(1.0, (0.0, 0.0, 0.0)).probabilities(logits)[:, SEVERE].mean() > 0.3


def test_the_bound_on_missed_severe_pairs_holds_on_unseen_data():
    """Conformal risk control bounds the expectation: the mean over many draws stays at or under the bound."""
    missed = []
    for seed in range(60):
        logits, labels = sample(600, seed)
        chosen = review_of(softmax(logits), labels, missed=0.05)
        fresh_logits, fresh_labels = sample(3000, 1000 + seed)
        scores = softmax(fresh_logits)[fresh_labels == SEVERE, SEVERE]
        missed.append((scores < chosen.value).mean())
    assert np.mean(missed) <= 0.052


def test_the_bound_on_missed_severe_pairs_holds_in_each_kind_of_titles():
    easy, hard = sample(900, 2), sample(900, 3)
    easy_probabilities, hard_probabilities = softmax(easy[0] * 3), softmax(hard[0] / 3)
    kinds = {"easy": (easy_probabilities, easy[1]), "hard": (hard_probabilities, hard[1])}
    chosen = choose(kinds, "hard", EVEN, Bounds(missed=0.05, precision=0.4, lost=0.05))
    for probabilities, labels in kinds.values():
        assert (probabilities[labels == SEVERE, SEVERE] < chosen.review.value).mean() <= 0.05


def test_violations_are_as_often_right_as_asked_where_traffic_holds_few_severe_products():
    """The precision of the labelled mix would flatter: it is asked for at the share that traffic has."""
    logits, labels = sample(6000, 4)
    probabilities = softmax(logits)
    chosen = severe_of(probabilities, labels, TRAFFIC, 0.6, least=0.01)
    fresh_logits, fresh_labels = sample(40000, 5)
    above = softmax(fresh_logits)[:, SEVERE] >= chosen.value
    severe = fresh_labels == SEVERE
    right, wrong = TRAFFIC.severe * above[severe].mean(), (1 - TRAFFIC.severe) * above[~severe].mean()
    assert right / (right + wrong) == pytest.approx(0.6, abs=0.08)
    assert (fresh_labels[above] == SEVERE).mean() > 0.9
    assert chosen.interval[0] < chosen.reached < chosen.interval[1]
    assert chosen.severe_share == TRAFFIC.severe


def test_no_more_relevant_pairs_than_allowed_are_called_weak():
    logits, labels = sample(4000, 6)
    chosen = weak_of(softmax(logits), labels, lost=0.05)
    fresh_logits, fresh_labels = sample(20000, 7)
    weak = softmax(fresh_logits)[:, WEAK] >= chosen.value
    assert weak[fresh_labels == RELEVANT].mean() == pytest.approx(0.05, abs=0.01)
    assert weak[fresh_labels == WEAK].mean() > 0.3


def test_no_calibration_pair_lies_on_a_threshold():
    logits, labels = sample(500, 3)
    probabilities = softmax(logits)
    chosen = choose({"own": (probabilities, labels)}, "own", EVEN, Bounds(0.05, 0.8, 0.05))
    assert chosen.review.value not in probabilities[:, SEVERE]
    assert chosen.severe.value not in probabilities[:, SEVERE]
    assert chosen.weak.value not in probabilities[:, WEAK]
    assert 0 < chosen.review.value <= chosen.severe.value


def test_thresholds_without_positives_are_refused():
    logits, labels = sample(100, 1)
    labels[labels == SEVERE] = 0
    with pytest.raises(ValueError, match="no severe pair"):
        review_of(softmax(logits), labels, missed=0.05)


def test_too_few_positives_for_the_bound_are_refused():
    logits, labels = sample(20, 1)
    with pytest.raises(ValueError, match="label more pairs"):
        review_of(softmax(logits), labels, missed=0.01)


def test_a_precision_that_no_threshold_reaches_is_refused():
    logits, labels = sample(500, 6)
    probabilities = softmax(logits)
    labels[np.argsort(-probabilities[:, SEVERE])[:20]] = RELEVANT  # the most certain ones are all wrong
    with pytest.raises(ValueError, match="no severe threshold is right in 90% of its violations where 4% of products"):
        severe_of(probabilities, labels, TRAFFIC, 0.9, least=0.01)


def test_without_a_relevant_pair_nothing_is_called_weak():
    logits, labels = sample(200, 8)
    labels[labels == RELEVANT] = LABELS.index("weak")
    assert weak_of(softmax(logits), labels, lost=0.05).value == 1.0
