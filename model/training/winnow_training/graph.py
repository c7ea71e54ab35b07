"""A list of ONNX nodes under construction, and the ways in which a matrix product is written."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from winnow_training.grid import encode_rows, on_grid
from winnow_training.operators import DOMAIN

UNIT = "unit"  # the scale of a product in fp32


@dataclass(frozen=True)
class Quantiser:
    """How the input of one matrix product becomes 8 bits: a row's scale is the smallest with which its largest and its
    smallest value fit around the zero point, so that a row's codes depend on no other row.
    """

    migration: np.ndarray  # (in,) factors; the weights are divided by them
    zero_point: int


@dataclass(frozen=True)
class Product:
    """A matrix product for an operator to finish: values * scale + bias."""

    values: str
    scale: str
    bias: str

    def __iter__(self):
        return iter((self.values, self.scale, self.bias))


class Graph:
    """quantisers: by the name of the matrix product; the others stay fp32."""

    def __init__(self, quantisers: dict[str, Quantiser] | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.quantisers = quantisers or {}
        self.products: dict[
            str, tuple[str, np.ndarray]
        ] = {}  # of fp32: name -> the tensor that enters, the weights (out, in)

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

    def operator(self, kind: str, *inputs: str, outputs: int = 1, **attributes) -> list[str]:
        """One of winnow_training.operators."""
        names = [f"{kind}_{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=DOMAIN, **attributes))
        return names

    def stored(self, name: str, weights: np.ndarray) -> str:
        """A weight matrix; as int8 rows and scales where that loses nothing, which ONNX Runtime expands at load."""
        if not on_grid(weights):
            return self.constant(name + ".weight", weights)
        codes, scales = encode_rows(weights)
        expanded = self.op("Cast", self.constant(name + ".codes", codes), to=TensorProto.FLOAT)
        return self.op("Mul", expanded, self.constant(name + ".scales", scales))

    def linear(self, x: str, name: str, weights: np.ndarray, bias: np.ndarray, quantised_as: str | None = None) -> Product:
        """x @ weights.T + bias, with weights (out, in) as PyTorch stores them.

        quantised_as: the product whose quantiser serves this one too, since both read the same.
        """
        bias, quantiser = self.constant(name + ".bias", bias), self.quantisers.get(quantised_as or name)
        if quantiser:
            return Product(*self._quantised(x, name, weights, quantiser), bias)
        self.products[name] = x, weights
        values = self.operator("Product", x, self.op("Transpose", self.stored(name, weights), perm=[1, 0]))[0]
        return Product(values, self.constant(UNIT, np.ones(1, np.float32)), bias)

    def _quantised(self, x: str, name: str, weights: np.ndarray, quantiser: Quantiser) -> tuple[str, str]:
        """The product of the codes, and the rows' scales."""
        factor = self.constant(name + ".migration", quantiser.migration)
        codes, scale = self.operator("QuantiseRows", x, factor, outputs=2, zero_point=quantiser.zero_point)
        columns, column_scales = encode_rows(weights / quantiser.migration, paired=True)
        stored, scales = self.constant(name + ".codes", columns.T), self.constant(name + ".scales", column_scales[:, 0])
        return self.operator("ProductOfCodes", codes, stored, scales, zero_point=quantiser.zero_point)[0], scale

    def gathered(self, product: Product, rows: str) -> Product:
        """The product's rows, as many as there are in rows and in its shape."""
        values = self.op("Gather", product.values, rows, axis=0)
        scale = product.scale if product.scale == UNIT else self.op("Gather", product.scale, rows, axis=0)
        return Product(values, scale, product.bias)

    def finished(self, product: Product) -> str:
        """A product that no operator takes."""
        return self.op("Add", self.op("Mul", product.values, product.scale), product.bias)

    def layer_norm(self, x: str, name: str, weights: np.ndarray, bias: np.ndarray, epsilon: float) -> str:
        scale, shift = self.constant(name + ".weight", weights), self.constant(name + ".bias", bias)
        return self.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)

    def activation(self, kind: str, x: str) -> str:
        return self.op({"gelu": "Gelu", "relu": "Relu", "tanh": "Tanh"}[kind], x)
