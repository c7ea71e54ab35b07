"""A list of ONNX nodes under construction, and the three ways in which a matrix product is written."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from winnow_training.grid import encode_rows, on_grid

OPSET = 21


@dataclass(frozen=True)
class Quantiser:
    """How the input of one matrix product becomes 8 bits: round(x * migration / step) + zero_point, clipped to 0..255.

    The scale is fixed when the graph is built, so that a row's codes do not depend on the batch it is in.
    """

    migration: np.ndarray  # (in,) factors; the weights are divided by them
    step: float
    zero_point: int


class Graph:
    """quantisers: by the name of the matrix product; the others stay fp32."""

    def __init__(self, quantisers: dict[str, Quantiser] | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.quantisers = quantisers or {}
        self.products: dict[str, tuple[str, np.ndarray]] = {}  # name -> the tensor that enters, the weights (out, in)

    def constant(self, name: str, value: np.ndarray) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def ints(self, *values: int) -> str:
        return self.constant("ints_" + "_".join(map(str, values)), np.array(values, np.int64))

    def op(self, kind: str, *inputs: str, name: str | None = None, **attributes) -> str:
        output = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def stored(self, name: str, weights: np.ndarray) -> str:
        """A weight matrix; as int8 rows and scales where that loses nothing, which ONNX Runtime expands at load."""
        if not on_grid(weights):
            return self.constant(name + ".weight", weights)
        codes, scales = encode_rows(weights)
        expanded = self.op("Cast", self.constant(name + ".codes", codes), to=TensorProto.FLOAT)
        return self.op("Mul", expanded, self.constant(name + ".scales", scales))

    def linear(self, x: str, name: str, weights: np.ndarray, bias: np.ndarray) -> str:
        """x @ weights.T + bias, with weights (out, in) as PyTorch stores them."""
        self.products[name] = x, weights
        if name in self.quantisers:
            product = self._quantised(x, name, weights, self.quantisers[name])
        else:
            product = self.op("MatMul", x, self.op("Transpose", self.stored(name, weights), perm=[1, 0]))
        return self.op("Add", product, self.constant(name + ".bias", bias))

    def _quantised(self, x: str, name: str, weights: np.ndarray, quantiser: Quantiser) -> str:
        """The product in standard QDQ form: ONNX Runtime fuses it into one integer product, TensorRT knows it as int8."""
        x = self.op("Mul", x, self.constant(name + ".migration", quantiser.migration))
        step = self.constant(name + ".step", np.float32(quantiser.step))
        zero = self.constant(name + ".zero", np.uint8(quantiser.zero_point))
        x = self.op("DequantizeLinear", self.op("QuantizeLinear", x, step, zero), step, zero)
        codes, scales = encode_rows(weights / quantiser.migration, paired=True)
        columns = self.constant(name + ".codes", codes.T)
        weight_zero = self.constant(name + ".zeros", np.zeros(len(codes), np.int8))
        scale = self.constant(name + ".scales", scales[:, 0])
        return self.op("MatMul", x, self.op("DequantizeLinear", columns, scale, weight_zero, axis=1))

    def layer_norm(self, x: str, name: str, weights: np.ndarray, bias: np.ndarray, epsilon: float) -> str:
        scale, shift = self.constant(name + ".weight", weights), self.constant(name + ".bias", bias)
        return self.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)

    def activation(self, kind: str, x: str) -> str:
        return self.op({"gelu": "Gelu", "relu": "Relu", "tanh": "Tanh"}[kind], x)
