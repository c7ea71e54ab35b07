"""What the CPU's own operators refuse, and that they say which number is wrong."""

import os

import numpy as np
import pytest
from node import run
from onnx import TensorProto

from winnow_training import engine

FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8
PRODUCT = {"values": np.ones((2, 3, 8), np.float32), "scale": np.ones((2, 3, 1), np.float32), "bias": np.ones(8, np.float32)}
NORM = {name: np.ones(8, np.float32) for name in ("weight", "shift")}
CODES = {"codes": UINT8, "scale": FLOAT}


def refused(kind: str, inputs: dict, outputs: dict, message: str, **attributes) -> None:
    assert os.environ.get(engine.OPERATORS), f"{engine.OPERATORS} must name libwinnow_operators.so: make test-training does"
    with pytest.raises(Exception, match=message):
        run(kind, inputs, outputs, **attributes)


def test_a_product_without_a_scale_for_each_row():
    refused(
        "Gelu",
        PRODUCT | {"scale": np.ones(4, np.float32)},
        {"result": FLOAT},
        "product of 6 rows needs one scale or one a row, not 4",
    )


def test_a_product_without_a_bias_for_each_column():
    refused(
        "Gelu",
        PRODUCT | {"bias": np.ones(7, np.float32)},
        {"result": FLOAT},
        "product of 8 columns needs a bias for each, not 7",
    )


def test_an_input_that_is_empty():
    refused("Gelu", PRODUCT | {"values": np.ones((2, 0, 8), np.float32)}, {"result": FLOAT}, "input 0 is empty")


@pytest.mark.parametrize("shape", [(2, 2, 8), (2, 1, 8), (2, 8), (3, 2, 8), (3, 1), (1, 2, 3, 8)])
def test_a_residual_of_another_shape(shape):
    inputs = PRODUCT | {"residual": np.ones(shape, np.float32)} | NORM
    message = f"residual of {' x '.join(map(str, shape))} does not fit a product of 2 x 3 x 8"
    refused("AddNorm", inputs, {"result": FLOAT}, message, epsilon=1e-5)


def test_a_factor_that_some_column_lacks():
    inputs = {"values": PRODUCT["values"], "factor": np.ones(5, np.float32)}
    refused("QuantiseRows", inputs, CODES, "quantising 8 columns needs a factor for each, not 5", zero_point=64)


@pytest.mark.parametrize("zero_point", [0, 255])
def test_a_zero_point_with_nothing_on_one_side(zero_point):
    inputs = {"values": PRODUCT["values"], "factor": np.ones(8, np.float32)}
    refused("QuantiseRows", inputs, CODES, f"zero point must be 1 to 254, not {zero_point}", zero_point=zero_point)


def test_attention_with_tables_too_short_for_the_batch():
    tables = {name: np.ones((1, 4, 22), np.float32) for name in ("keys", "queries")}
    product = {"values": np.ones((2, 5, 12), np.float32), "scale": np.ones(1, np.float32), "bias": np.ones(12, np.float32)}
    inputs = product | {"mask": np.ones((2, 5), np.int64)} | tables
    message = "tables of 22 relative positions, centered at 3, are too short for 5 tokens"
    refused("Attention", inputs, {"context": FLOAT}, message, center=3)
