import numpy as np
import pytest

from winnow_training.metrics import SEVERE, softmax
from winnow_training.thresholds import choose, fit_temperature, risk_coverage


def sample(pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is calibrated: the labels are drawn from it."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(pairs, 3)) * 2
    labels = np.array([random.choice(3, p=row) for row in softmax(logits)])
    return logits, labels


def test_temperature_undoes_an_overconfident_scale():
    logits, labels = sample(4000, 0)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3, rel=0.1)


def test_the_bound_on_missed_severe_pairs_holds_on_unseen_data():
    """Conformal risk control bounds the expectation: the mean over many draws stays at or under the bound."""
    missed = []
    for seed in range(60):
        logits, labels = sample(600, seed)
        chosen = choose(softmax(logits), labels, missed=0.05, risk=0.2)
        fresh_logits, fresh_labels = sample(3000, 1000 + seed)
        scores = softmax(fresh_logits)[fresh_labels == SEVERE, SEVERE]
        missed.append((scores < chosen.review).mean())
    assert np.mean(missed) <= 0.052


def test_no_calibration_pair_lies_on_a_threshold():
    logits, labels = sample(500, 3)
    probabilities = softmax(logits)
    chosen = choose(probabilities, labels, missed=0.05, risk=0.2)
    assert chosen.review not in probabilities[:, SEVERE]
    assert chosen.severe not in probabilities[:, SEVERE]
    assert 0 < chosen.review <= chosen.severe


def test_thresholds_without_positives_are_refused():
    logits, labels = sample(100, 1)
    labels[labels == SEVERE] = 0
    with pytest.raises(ValueError, match="no severe pair"):
        choose(softmax(logits), labels, missed=0.05, risk=0.2)


def test_too_few_positives_for_the_bound_are_refused():
    logits, labels = sample(20, 1)
    with pytest.raises(ValueError, match="label more pairs"):
        choose(softmax(logits), labels, missed=0.01, risk=0.2)


def test_the_review_band_is_the_narrowest_that_keeps_the_risk():
    logits, labels = sample(2000, 5)
    probabilities = softmax(logits)
    chosen = choose(probabilities, labels, missed=0.05, risk=0.1)
    assert chosen.risk <= 0.1
    wider = choose(probabilities, labels, missed=0.05, risk=0.05)
    assert wider.severe > chosen.severe and wider.coverage < chosen.coverage
    curve = risk_coverage(probabilities[:, SEVERE], labels == SEVERE, chosen.review)
    assert all(risk > 0.1 for severe, coverage, risk in curve if coverage > chosen.coverage)


def test_a_risk_that_no_threshold_keeps_is_refused():
    logits, labels = sample(500, 6)
    with pytest.raises(ValueError, match="no severe threshold keeps the risk at 0"):
        choose(softmax(logits), labels, missed=0.05, risk=0.0)
