"""The operators one by one: function and kernel mean the same, at awkward widths and with values that are not finite."""

import ctypes
import math
import mmap

import numpy as np
import pytest
from node import run
from onnx import TensorProto

from winnow_training.operators import SPARE

pytestmark = pytest.mark.usefixtures("runtime")


def floats(generator, *shape: int) -> np.ndarray:
    return generator.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("columns", [1, 3, 16, 33, 384])
def test_a_rows_codes_and_scale_give_the_row_back(columns):
    generator = np.random.default_rng(columns)
    values, factor = floats(generator, 2, 5, columns), np.abs(floats(generator, columns)) + 0.1
    codes, scale = run(
        "QuantiseRows",
        {"values": values, "factor": factor},
        {"codes": TensorProto.UINT8, "scale": TensorProto.FLOAT},
        zero_point=64,
    )
    assert np.abs((codes.astype(np.float32) - 64) * scale - values * factor).max() <= scale.max() * 0.51


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_row_that_is_not_finite_stays_so_in_8_bits(bad, count):
    values = np.ones((2, 8), np.float32)
    values[1, :count] = bad
    _, scale = run(
        "QuantiseRows",
        {"values": values, "factor": np.ones(8, np.float32)},
        {"codes": TensorProto.UINT8, "scale": TensorProto.FLOAT},
        zero_point=128,
    )
    assert np.isfinite(scale[0]).all() and np.isnan(scale[1]).all()


def attention(heads: int, size: int, length: int, mask: np.ndarray, bad: float | None = None) -> np.ndarray:
    generator = np.random.default_rng(heads * size)
    hidden, center = heads * size, 40
    values = floats(generator, len(mask), length, 3 * hidden)
    if bad is not None:
        values[0, 0, 0] = bad
    inputs = {
        "values": values,
        "scale": np.ones(1, np.float32),
        "bias": floats(generator, 3 * hidden),
        "mask": mask,
        "keys": floats(generator, heads, size, 2 * center + SPARE),
        "queries": floats(generator, heads, size, 2 * center + SPARE),
    }
    return run("Attention", inputs, {"context": TensorProto.FLOAT}, center=center)[0]


@pytest.mark.parametrize(("heads", "length"), [(1, 1), (3, 17)])
def test_attention_in_8_bits_is_attention_and_then_its_rows_in_8_bits(heads, length):
    generator, size, center, pairs = np.random.default_rng(length), 20, 40, 9
    hidden = heads * size
    mask = np.ones((pairs, length), np.int64)
    mask[1, length // 2 + 1 :] = 0
    inputs = {
        "values": floats(generator, pairs, length, 3 * hidden),
        "scale": np.abs(floats(generator, pairs, length, 1)),
        "bias": floats(generator, 3 * hidden),
        "mask": mask,
        "keys": floats(generator, heads, size, 2 * center + SPARE),
        "queries": floats(generator, heads, size, 2 * center + SPARE),
    }
    inputs["values"][6, 0, -1] = np.nan
    apart = run("Attention", inputs, {"context": TensorProto.FLOAT}, center=center)[0]
    held_to_rows_in_8_bits("QuantisedAttention", inputs, apart, center=center)


def held_to_rows_in_8_bits(kind: str, inputs: dict, apart: np.ndarray, left: tuple[str, ...] = (), **attributes) -> None:
    """An operator that leaves 8 bits leaves those of QuantiseRows; apart is what it makes before."""
    factor = np.abs(floats(np.random.default_rng(0), apart.shape[-1])) + 0.1
    coded = {"codes": TensorProto.UINT8, "scale": TensorProto.FLOAT}
    expected = run("QuantiseRows", {"values": apart, "factor": factor}, coded, zero_point=64)
    outputs = {name: TensorProto.FLOAT for name in left} | {"codes": TensorProto.UINT8, "steps": TensorProto.FLOAT}
    *others, codes, scale = run(kind, inputs | {"factor": factor}, outputs, zero_point=64, **attributes)
    for other in others:
        np.testing.assert_array_equal(other, apart)
    finite = np.isfinite(expected[1])
    assert finite.any() and not finite.all() and (np.isfinite(scale) == finite).all()
    np.testing.assert_allclose(scale[finite], expected[1][finite], rtol=1e-5)
    rows = finite[..., 0]
    # A code next to a half may fall either way where the function and the kernel differ in the last bit.
    assert np.abs(codes[rows].astype(int) - expected[0][rows].astype(int)).max() <= 1


def plain_attention(heads: int, size: int, length: int, mask: np.ndarray) -> np.ndarray:
    """The same in float64, as the formula says it."""
    generator = np.random.default_rng(heads * size)
    hidden, center = heads * size, 40
    values = floats(generator, len(mask), length, 3 * hidden).astype(np.float64) + floats(generator, 3 * hidden)
    query, key, value = (
        values[:, :, part * hidden : (part + 1) * hidden].reshape(len(mask), length, heads, size) for part in range(3)
    )
    keys, queries = (floats(generator, heads, size, 2 * center + SPARE).astype(np.float64) for _ in range(2))
    column = center - (np.arange(length)[:, None] - np.arange(length)[None, :])
    scores = np.einsum("bihd,bjhd->bhij", query, key)
    scores += np.einsum("bihd,hdij->bhij", query, keys[:, :, column])
    scores += np.einsum("bjhd,hdij->bhij", key, queries[:, :, column])
    scores = np.where(mask[:, None, None, :] == 1, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.einsum("bhij,bjhd->bihd", weights, value).reshape(len(mask), length, hidden)


@pytest.mark.parametrize(("heads", "size"), [(1, 3), (2, 20), (3, 32)])
@pytest.mark.parametrize("length", [1, 5, 16, 17, 40])
def test_attention_is_the_formula(heads, size, length):
    mask = np.ones((5, length), np.int64)
    mask[1, length // 2 + 1 :] = 0
    mask[2, : length // 2] = 0  # holes are masked wherever they are
    result = attention(heads, size, length, mask)
    np.testing.assert_allclose(result, plain_attention(heads, size, length, mask), atol=1e-4)


@pytest.mark.parametrize("length", [1, 5, 17])
def test_attention_of_the_first_token_is_that_of_all(length):
    generator = np.random.default_rng(length)
    heads, size, center, pairs = 2, 20, 40, 6
    hidden = heads * size
    values, scale, bias = (
        floats(generator, pairs, length, 3 * hidden),
        floats(generator, pairs, length, 1),
        floats(generator, 3 * hidden),
    )
    mask = np.ones((pairs, length), np.int64)
    mask[1, length // 2 + 1 :] = 0
    tables = {
        "mask": mask,
        "keys": floats(generator, heads, size, 2 * center + SPARE),
        "queries": floats(generator, heads, size, 2 * center + SPARE),
    }
    context = {"context": TensorProto.FLOAT}
    every = run("Attention", {"values": values, "scale": scale, "bias": bias} | tables, context, center=center)[0]
    content = {"values": values[:, :, hidden:], "scale": scale, "bias": bias[hidden:]}
    query = {"first_values": values[:, :1, :hidden], "first_scale": scale[:, :1], "first_bias": bias[:hidden]}
    first = run("FirstTokenAttention", content | tables | query, context, center=center)[0]
    np.testing.assert_allclose(first, every[:, :1], atol=1e-5)


def test_attention_over_something_not_finite_is_not_finite():
    mask = np.ones((2, 6), np.int64)
    result = attention(2, 8, 6, mask, bad=np.nan)
    assert np.isnan(result[0, 0, :8]).all() and np.isfinite(result[1]).all()


def multiplied(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return run("Product", {"values": values}, {"result": TensorProto.FLOAT}, {"weights": weights})[0]


@pytest.mark.parametrize(
    ("rows", "inner", "columns"), [(1, 1, 1), (31, 33, 50), (300, 100, 97), (257, 800, 64), (40, 800, 50)]
)
def test_a_product_is_exact_to_17_bits_and_a_row_depends_on_no_other(rows, inner, columns):
    generator = np.random.default_rng(rows)
    values, weights = floats(generator, 2, rows, inner), floats(generator, inner, columns)
    result = multiplied(values, weights)
    exact = values.astype(np.float64) @ weights
    assert np.abs(result - exact).max() <= 2**-16 * (np.abs(values) @ np.abs(weights)).max()
    np.testing.assert_array_equal(multiplied(values[:, rows // 2 :], weights), result[:, rows // 2 :])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_product_with_something_not_finite_is_not_finite_in_that_row_alone(bad):
    values = np.ones((3, 40), np.float32)
    values[1, 7] = bad
    result = multiplied(values, np.ones((40, 5), np.float32))
    assert np.isfinite(result[[0, 2]]).all() and not np.isfinite(result[1]).any()


def neighbourly(generator, inner: int, columns: int) -> np.ndarray:
    """Random int8 weights whose absolute codes in rows 2i and 2i+1 sum to at most 128; a third of the pairs to just that."""
    first = generator.integers(0, 128, (inner // 2, columns))
    second = np.where(generator.random(first.shape) < 1 / 3, 128 - first, (128 - first) * generator.random(first.shape))
    weights = np.stack([first, second], axis=1).reshape(inner, columns) * generator.choice([-1, 1], (inner, columns))
    return weights.clip(-127, 127).astype(np.int8)


@pytest.mark.parametrize("zero_point", [0, 8, 128, 255])
@pytest.mark.parametrize(("rows", "inner", "columns"), [(1, 4, 1), (3, 6, 16), (5, 50, 33), (300, 384, 40), (131, 130, 100)])
def test_a_product_of_codes_is_exact_however_large_they_are(zero_point, rows, inner, columns):
    generator = np.random.default_rng(rows)
    weights, scales = neighbourly(generator, inner, columns), np.abs(floats(generator, columns)) + 0.1
    codes = generator.choice([0, 1, 100, 255, 255, 255], (2, rows, inner)).astype(np.uint8)
    codes[0, 0] = 255
    result = run(
        "ProductOfCodes",
        {"codes": codes},
        {"result": TensorProto.FLOAT},
        {"weights": weights, "scales": scales},
        zero_point=zero_point,
    )[0]
    whole = (codes.astype(np.int64) - zero_point) @ weights.astype(np.int64)
    np.testing.assert_array_equal(result, whole.astype(np.float32) * scales)


def before_the_end(values: np.ndarray) -> np.ndarray:
    """The same values, with 128 KB behind them that nobody may read."""
    size, guarded = -(-values.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE, 128 * 1024
    memory = mmap.mmap(-1, size + guarded)
    end = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + size
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(end), guarded, 0) == 0
    placed = np.frombuffer(memory, values.dtype, values.size, size - values.nbytes).reshape(values.shape)
    placed[...] = values
    return placed


@pytest.mark.parametrize("inner", [4, 6, 384])
def test_a_product_of_codes_reads_its_codes_alone(inner):
    generator = np.random.default_rng(inner)
    codes = before_the_end(generator.integers(0, 256, (1, 7, inner)).astype(np.uint8))
    given = {"weights": neighbourly(generator, inner, 50), "scales": np.ones(50, np.float32)}
    result = run("ProductOfCodes", {"codes": codes}, {"result": TensorProto.FLOAT}, given, zero_point=128)[0]
    np.testing.assert_array_equal(result, ((codes.astype(np.int64) - 128) @ given["weights"]).astype(np.float32))


def test_distinct_ids_hold_every_given_one_where_it_says():
    ids = np.array([[2, 9, 9, 3, 0], [2, 7, 9, 3, 0]], np.int64)
    found, rows = run("Distinct", {"ids": ids}, {"found": TensorProto.INT64, "rows": TensorProto.INT64})
    np.testing.assert_array_equal(found[rows], ids)


def product(generator, columns: int) -> dict[str, np.ndarray]:
    return {
        "values": floats(generator, 2, 3, columns),
        "scale": np.abs(floats(generator, 2, 3, 1)),
        "bias": floats(generator, columns),
    }


@pytest.mark.parametrize("columns", [1, 7, 33, 384])
def test_gelu_and_norm_are_their_formulas(columns):
    generator = np.random.default_rng(columns)
    inputs = product(generator, columns)
    x = (inputs["values"].astype(np.float64) * inputs["scale"]) + inputs["bias"]
    below = np.vectorize(lambda value: 0.5 * math.erfc(-value / math.sqrt(2)))
    gelu = run("Gelu", inputs, {"result": TensorProto.FLOAT})[0]
    np.testing.assert_allclose(gelu, x * below(x), atol=2e-6)
    far = np.float32([[-1e4, -20, -6, 6, 20, 1e4]])
    inputs_far = {"values": far, "scale": np.ones(1, np.float32), "bias": np.zeros(6, np.float32)}
    gelu = run("Gelu", inputs_far, {"result": TensorProto.FLOAT})[0]
    assert (np.abs(gelu - np.maximum(far, 0)) <= 1.2e-7 * np.abs(far)).all()  # the last bit of a probability near 0 or 1
    residual, weight, shift = floats(generator, 2, 3, columns), floats(generator, columns), floats(generator, columns)
    more = {"residual": residual, "weight": weight, "shift": shift}
    norm = run("AddNorm", inputs | more, {"result": TensorProto.FLOAT}, epsilon=1e-5)[0]
    x = x + residual
    centred = x - x.mean(axis=-1, keepdims=True)
    exact = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * weight + shift
    np.testing.assert_allclose(norm, exact, atol=1e-4)


@pytest.mark.parametrize("columns", [1, 7, 33, 384])
def test_gelu_and_norm_in_8_bits_are_they_and_then_their_rows_in_8_bits(columns):
    generator = np.random.default_rng(columns)
    inputs = product(generator, columns)
    inputs["values"][1, 2, 0] = np.inf
    held_to_rows_in_8_bits("QuantisedGelu", inputs, run("Gelu", inputs, {"result": TensorProto.FLOAT})[0])
    more = {name: floats(generator, columns) for name in ("weight", "shift")}
    inputs |= {"residual": floats(generator, 2, 3, columns)} | more
    norm = run("AddNorm", inputs, {"result": TensorProto.FLOAT}, epsilon=1e-5)[0]
    held_to_rows_in_8_bits("QuantisedAddNorm", inputs, norm, left=("result",), epsilon=1e-5)


@pytest.mark.parametrize("shape", [(33,), (1, 33), (3, 33), (1, 3, 33)])
def test_a_residual_of_fewer_rows_serves_all_in_turn(shape):
    generator = np.random.default_rng(len(shape))
    inputs, residual = product(generator, 33), floats(generator, *shape)
    norm = {name: floats(generator, 33) for name in ("weight", "shift")}
    expected, result = (
        run("AddNorm", inputs | {"residual": given} | norm, {"result": TensorProto.FLOAT}, epsilon=1e-5)[0]
        for given in (np.broadcast_to(residual, (2, 3, 33)).copy(), residual)
    )
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_a_norm_takes_a_single_number():
    one = {name: np.ones((1, 1, 1), np.float32) for name in ("values", "scale")} | {"bias": np.ones(1, np.float32)}
    norm = {"residual": np.ones((1, 1, 1), np.float32), "weight": np.ones(1, np.float32), "shift": np.full(1, 5, np.float32)}
    assert run("AddNorm", one | norm, {"result": TensorProto.FLOAT}, epsilon=1e-5)[0].item() == 5
