"""The 8-bit graph: what it computes is what was simulated, whatever is scored beside a pair; and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from node import run
from onnx import TensorProto

from winnow_training import engine, quantise
from winnow_training.checkpoint import Checkpoint
from winnow_training.deberta import Deberta
from winnow_training.fitted import Fitted
from winnow_training.graph import Quantiser
from winnow_training.grid import encode_rows
from winnow_training.pairs import Pair
from winnow_training.quantise import RefusedBundle, against, quantised, quantiser_of, simulated
from winnow_training.thresholds import Calibration, Threshold, Thresholds

TINY = Path(__file__).parent / "tiny" / "absolute"


def test_paired_codes_never_saturate_16_bits():
    weights = np.random.default_rng(0).normal(size=(64, 96)).astype(np.float32) ** 3
    codes, scales = encode_rows(weights, paired=True)
    wide = np.abs(codes.astype(int))
    assert (wide[:, 0::2] + wide[:, 1::2]).max() <= 128  # 255 * 128 fits 16 bits
    assert np.abs(codes * scales - weights).max() <= scales.max() * 0.51


def test_migration_tames_an_outlier_channel():
    generator = np.random.default_rng(1)
    inputs, weights = generator.normal(size=(400, 32)).astype(np.float32), generator.normal(size=(16, 32)).astype(np.float32)
    inputs[:, 5] *= 60
    weights[:, 5] /= 20
    quantiser = quantiser_of(inputs, weights)
    assert quantiser.migration[5] < 0.3 * np.median(quantiser.migration)
    exact = inputs @ weights.T
    assert ((simulated(inputs, weights, quantiser) - exact) ** 2).mean() / exact.var() < 1e-3


def test_a_rows_codes_depend_on_that_row_alone():
    generator = np.random.default_rng(3)
    inputs, weights = generator.normal(size=(50, 32)).astype(np.float32), generator.normal(size=(16, 32)).astype(np.float32)
    quantiser, before = quantiser_of(inputs, weights), inputs[:10].copy()
    inputs[10:] *= 1000
    among, alone = simulated(inputs, weights, quantiser)[:10], simulated(before, weights, quantiser)
    np.testing.assert_allclose(among, alone, atol=1e-5)  # numpy sums in an order that depends on the number of rows


class OneTokenAWord:
    """Stands in for a tokenizer: word i of a fixed vocabulary is id i."""

    def encode_batch(self, pairs):
        rows = [[1, *map(int, theme.split()), 2, *map(int, title.split()), 2] for theme, title in pairs]
        longest = max(map(len, rows))
        return [Encoding(row + [0] * (longest - len(row)), [1] * len(row) + [0] * (longest - len(row))) for row in rows]


class Encoding:
    def __init__(self, ids, attention_mask):
        self.ids, self.attention_mask = ids, attention_mask


def pairs(count: int) -> list[Pair]:
    generator = np.random.default_rng(2)
    words = lambda: " ".join(map(str, generator.integers(3, 40, generator.integers(2, 9))))  # noqa: E731
    return [Pair(words(), words(), int(generator.integers(3))) for _ in range(count)]


def test_a_pair_scores_the_same_in_every_batch():
    checkpoint, sample = Checkpoint(TINY), pairs(60)
    chosen = quantise.quantisers(checkpoint, 48, OneTokenAWord(), sample)
    model = Deberta(checkpoint, 48, chosen).build()
    assert len(chosen) == 5  # qkv, output and the two inner products; of the last layer key and value alone
    assert quantise.spread_over_batches(model.SerializeToString(), OneTokenAWord(), sample) < 1e-6
    kinds = {node.op_type for node in model.graph.node}
    assert "DynamicQuantizeLinear" not in kinds and "QuantiseRows" in kinds


def test_the_quantised_graph_stays_near_the_exact_one():
    checkpoint, sample = Checkpoint(TINY), pairs(60)
    chosen = quantise.quantisers(checkpoint, 48, OneTokenAWord(), sample)
    exact, near = (
        engine.logits_of(Deberta(checkpoint, 48, quantisers).build().SerializeToString(), OneTokenAWord(), sample)
        for quantisers in ({}, chosen)
    )
    assert 0 < np.abs(exact - near).max() < 0.1 * np.ptp(exact)


def at(value: float) -> Threshold:
    return Threshold(value, "", 0, 0, (0, 1), 0, 1, 1)


FITTED = Fitted(Calibration(1.0, (0.0, 0.0, 0.0)), Thresholds(severe=at(0.8), review=at(0.2), weak=at(1)))


def test_flips_are_counted_at_the_thresholds():
    sure, doubtful, harmless = [0, 0, 9], [0, 0, 0.5], [0, 9, 0]
    exact = {"test": np.array([sure, doubtful, harmless, sure], np.float32)}
    after = {"test": np.array([sure, sure, harmless, harmless], np.float32)}
    figures = against(exact, after, FITTED)
    assert figures["decision_flips"] == 0.5
    assert figures["severe_to_approved"] == 0.25


def test_a_graph_that_flips_too_many_decisions_is_refused():
    checkpoint, sample = Checkpoint(TINY), pairs(40)
    far = {"test": np.zeros((40, 3), np.float32)}
    answers = iter([{"test": np.full((40, 3), [0, 0, 9.0], np.float32)}] * 20)
    with pytest.raises(RefusedBundle, match=r"100\.00% of 40 decisions flip .* or build in fp32"):
        quantised(checkpoint, 48, OneTokenAWord(), sample, far, lambda _: next(answers), lambda _: FITTED)


def test_the_most_sensitive_product_returns_to_fp32_first():
    checkpoint, sample = Checkpoint(TINY), pairs(40)
    choices = quantise.quantisers(checkpoint, 48, OneTokenAWord(), sample)
    worst = sorted(choices)[2]
    choices[worst] = Quantiser(choices[worst].migration, 254)  # one code for everything above zero
    assert quantise.most_sensitive_first(checkpoint, 48, OneTokenAWord(), sample, choices)[0] == worst


def test_a_product_of_codes_that_could_overflow_is_refused_or_exact(monkeypatch):
    monkeypatch.setenv("WINNOW_OPERATORS_LEVEL", "avx2")  # where 16 bits hold sums, unless the processor has AVX-VNNI
    weights, codes = np.full((8, 3), 127, np.int8), np.full((2, 8), 255, np.uint8)
    given = {"weights": weights, "scales": np.ones(3, np.float32)}
    try:
        result = run("ProductOfCodes", {"codes": codes}, {"result": TensorProto.FLOAT}, given, zero_point=0)[0]
    except Exception as refused:
        assert "sum to more than 128" in str(refused)
    else:
        np.testing.assert_array_equal(result, np.full((2, 3), 8 * 255 * 127, np.float32))
