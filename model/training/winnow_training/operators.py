"""The operators that a folded graph is made of, each as an ONNX function: its meaning in standard operators.

Where a runtime knows an operator of the domain "winnow" itself (model/native/operators does for the CPU), it runs that and
leaves the function alone; every other runtime and provider inlines the function. Both compute the same.

A matrix product reaches its consumer as (values, scale, bias), meaning values * scale + bias: a product in 8 bits has a
scale a row, one in fp32 has 1.
"""

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import AttributeProto, FunctionProto, TensorProto, helper, numpy_helper

DOMAIN = "winnow"
OPSET = 21
MASKED = -3e4  # added to a masked score, whose softmax weight is then nothing; -1e9 would be -inf in fp16
SPARE = 16  # columns beyond the last relative position, so that a vector can be read from any of them

PRODUCT = ["values", "scale", "bias"]
FIRST = ["first_values", "first_scale", "first_bias"]


@dataclass
class Body:
    """The nodes of a function under construction."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)

    def op(self, kind: str, *inputs: str, name: str | None = None, **attributes) -> str:
        output = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: np.ndarray) -> str:
        return self.op("Constant", value=numpy_helper.from_array(value))

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def real(self, value: float) -> str:
        return self.constant(np.float32(value))

    def attribute(self, name: str, kind: int = AttributeProto.INT) -> str:
        """The value of the function's attribute, as a tensor."""
        output = self.op("Constant")
        reference = AttributeProto(name="value_int", type=kind, ref_attr_name=name)
        self.nodes[-1].attribute.append(reference)
        return output

    def product(self) -> str:
        return self.op("Add", self.op("Mul", "values", "scale"), "bias")

    def dimension(self, of: str, axis: int) -> str:
        return self.op("Slice", self.op("Shape", of), self.ints(axis), self.ints(axis + 1))

    def function(self, name: str, inputs: list[str], outputs: list[str], attributes: list[str]) -> FunctionProto:
        imports = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_function(DOMAIN, name, inputs, outputs, self.nodes, imports, attributes)


def product() -> FunctionProto:
    """A matrix product with constant weights (in, out), which a runtime may lay out as it likes."""
    b = Body()
    b.op("MatMul", "values", "weights", name="result")
    return b.function("Product", ["values", "weights"], ["result"], [])


def product_of_codes() -> FunctionProto:
    """(codes - zero_point) * weights * scales, with weights (in, out) in int8, whose rows 2i and 2i+1 hold absolute codes
    that sum to at most 128, and a scale a column. In the form that ONNX Runtime makes one product of whole numbers of.
    """
    b = Body()
    zero = b.op("Cast", b.attribute("zero_point"), to=TensorProto.UINT8)
    codes = b.op("DequantizeLinear", "codes", b.real(1), zero)
    zeros = b.op("Cast", b.op("Mul", "scales", b.real(0)), to=TensorProto.INT8)
    b.op("MatMul", codes, b.op("DequantizeLinear", "weights", "scales", zeros, axis=1), name="result")
    return b.function("ProductOfCodes", ["codes", "weights", "scales"], ["result"], ["zero_point"])


def distinct() -> FunctionProto:
    """Ids that hold each of the given at least once, and for each given the row of these where it is. A runtime that knows
    no better names every id a row of its own.
    """
    b = Body()
    b.op("Reshape", "ids", b.ints(-1), name="found")
    count = b.op("Squeeze", b.op("Shape", "found"), b.ints(0))
    every = b.op("Range", b.constant(np.int64(0)), count, b.constant(np.int64(1)))
    b.op("Reshape", every, b.op("Shape", "ids"), name="rows")
    return b.function("Distinct", ["ids"], ["found", "rows"], [])


def attention(first_alone: bool) -> FunctionProto:
    """Disentangled attention. Inputs: a product of query, key and value (batch, length, 3 * hidden); the attention mask
    (batch, length); the relative positions' keys and queries (heads, size, width), column center - t for a key that
    stands t before the query. Output: (batch, length, hidden).

    first_alone: for the query of the first token, which is a product of its own (batch, 1, hidden) and comes last; the
    other product is of key and value (batch, length, 2 * hidden). Output: (batch, 1, hidden).
    """
    b = Body()
    x = b.product()
    batch, length = b.dimension("values", 0), b.dimension("values", 1)
    heads, size = b.dimension("keys", 0), b.dimension("keys", 1)
    center = b.op("Reshape", b.attribute("center"), b.ints(1))

    def parts_of(joined: str, rows: str, count: int) -> list[str]:
        split = b.op("Concat", batch, rows, b.ints(count), heads, size, axis=0)
        parts = b.op("Transpose", b.op("Reshape", joined, split), perm=[2, 0, 3, 1, 4])
        return [b.op("Gather", parts, b.constant(np.int64(part)), axis=0) for part in range(count)]

    if first_alone:
        asked = b.op("Add", b.op("Mul", *FIRST[:2]), FIRST[2])
        parts = parts_of(asked, b.ints(1), 1) + parts_of(x, length, 2)
    else:
        parts = parts_of(x, length, 3)
    query, key, value = parts
    absent = b.op("Sub", b.real(1), b.op("Cast", "mask", to=TensorProto.FLOAT))
    penalty = b.op("Unsqueeze", b.op("Mul", absent, b.real(MASKED)), b.ints(1, 2))
    scores = b.op("Add", b.op("MatMul", query, b.op("Transpose", key, perm=[0, 1, 3, 2])), penalty)
    relative = _relative_to_first if first_alone else _relative
    for term in relative(b, query, key, center, length, heads):
        scores = b.op("Add", scores, term)
    context = b.op("Transpose", b.op("MatMul", b.op("Softmax", scores, axis=-1), value), perm=[0, 2, 1, 3])
    rows = b.ints(1) if first_alone else length
    b.op("Reshape", context, b.op("Concat", batch, rows, b.op("Mul", heads, size), axis=0), name="context")
    inputs = [*PRODUCT, "mask", "keys", "queries"]
    if first_alone:
        return b.function("FirstTokenAttention", [*inputs, *FIRST], ["context"], ["center"])
    return b.function("Attention", inputs, ["context"], ["center"])


def _relative(b: Body, query: str, key: str, center: str, length: str, heads: str) -> tuple[str, str]:
    """Scores by relative position: of a query with positions' keys, and of a key with positions' queries."""
    double = b.op("Add", length, length)
    batch = b.dimension("values", 0)
    flat = b.op("Concat", batch, heads, b.op("Mul", length, double), axis=0)
    skewed = b.op("Concat", batch, heads, length, b.op("Sub", double, b.ints(1)), axis=0)
    skip = b.op("Sub", length, b.ints(1))
    end = b.op("Add", skip, b.op("Mul", length, b.op("Sub", double, b.ints(1))))

    def skew(scores: str) -> str:
        """(b, h, L, 2L) -> (b, h, L, L): row i starts at column L-1-i, so that each row starts one column earlier."""
        shifted = b.op("Slice", b.op("Reshape", scores, flat), skip, end, b.ints(2))
        return b.op("Slice", b.op("Reshape", shifted, skewed), b.ints(0), length, b.ints(3))

    first, last = b.op("Sub", center, length), b.op("Add", center, length)
    one = b.ints(1)
    keys = b.op("Slice", "keys", b.op("Add", first, one), b.op("Add", last, one), b.ints(2))
    # By key, the query's side runs the other way: the window is read backwards.
    queries = b.op("Slice", "queries", first, last, b.ints(2))
    queries = b.op("Slice", queries, b.ints(-1), b.ints(np.iinfo(np.int64).min), b.ints(2), b.ints(-1))
    by_key = skew(b.op("MatMul", key, queries))
    return skew(b.op("MatMul", query, keys)), b.op("Transpose", by_key, perm=[0, 1, 3, 2])


def _relative_to_first(b: Body, query: str, key: str, center: str, length: str, heads: str) -> tuple[str, str]:
    end = b.op("Add", center, length)
    keys = b.op("Slice", "keys", center, end, b.ints(2))
    queries = b.op("Transpose", b.op("Slice", "queries", center, end, b.ints(2)), perm=[0, 2, 1])
    by_key = b.op("ReduceSum", b.op("Mul", key, queries), b.ints(3), keepdims=0)
    return b.op("MatMul", query, keys), b.op("Unsqueeze", by_key, b.ints(2))


def gelu() -> FunctionProto:
    b = Body()
    b.op("Gelu", b.product(), name="result")
    return b.function("Gelu", PRODUCT, ["result"], [])


def add_norm() -> FunctionProto:
    """Layer normalisation of a product plus a residual."""
    b = Body()
    x = b.op("Add", b.product(), "residual")
    b.op("LayerNormalization", x, "weight", "shift", axis=-1, name="result")
    epsilon = AttributeProto(name="epsilon", type=AttributeProto.FLOAT, ref_attr_name="epsilon")
    b.nodes[-1].attribute.append(epsilon)
    return b.function("AddNorm", [*PRODUCT, "residual", "weight", "shift"], ["result"], ["epsilon"])


def quantise_rows() -> FunctionProto:
    """values * factor in 8 bits, with a scale of its own for every row: a row's codes depend on that row alone."""
    b = Body()
    moved = b.op("Mul", "values", "factor")
    zero = b.op("Cast", b.attribute("zero_point"), to=TensorProto.FLOAT)
    above = b.op("Div", b.op("ReduceMax", moved, b.ints(-1)), b.op("Sub", b.real(255), zero))
    below = b.op("Div", b.op("Neg", b.op("ReduceMin", moved, b.ints(-1))), zero)
    # A maximum may pass over NaN; this sum is NaN as soon as a value is not finite, and so is the row's scale.
    unusual = b.op("ReduceSum", b.op("Mul", moved, b.real(0)), b.ints(-1))
    b.op("Add", b.op("Max", above, below, b.real(1e-12)), unusual, name="scale")
    codes = b.op("Add", b.op("Round", b.op("Mul", moved, b.op("Reciprocal", "scale"))), zero)
    b.op("Cast", b.op("Clip", codes, b.real(0), b.real(255)), to=TensorProto.UINT8, name="codes")
    return b.function("QuantiseRows", ["values", "factor"], ["codes", "scale"], ["zero_point"])


# The operators that have a form which leaves its result in 8 bits, and what that leaves besides.
QUANTISED = {"Attention": [], "Gelu": [], "AddNorm": ["result"]}


def quantised(operator: FunctionProto) -> FunctionProto:
    """An operator and then QuantiseRows, so that what is between them never leaves the nearest caches."""
    b = Body()
    kept = QUANTISED[operator.name]
    _call(b, operator.name, operator.input, kept or ["between"], operator.attribute)
    _call(b, "QuantiseRows", [*(kept or ["between"]), "factor"], ["codes", "steps"], ["zero_point"])
    attributes = [*operator.attribute, "zero_point"]
    return b.function(f"Quantised{operator.name}", [*operator.input, "factor"], [*kept, "codes", "steps"], attributes)


def _call(b: Body, kind: str, inputs: list[str], outputs: list[str], attributes: list[str]) -> None:
    """Another operator, with the attributes of the function that is under construction."""
    node = helper.make_node(kind, inputs, outputs, domain=DOMAIN)
    for name in attributes:
        number = AttributeProto.FLOAT if name == "epsilon" else AttributeProto.INT
        node.attribute.append(AttributeProto(name=name, type=number, ref_attr_name=name))
    b.nodes.append(node)


def functions(names: set[str]) -> list[FunctionProto]:
    """The functions of those names, and those that they call."""
    every = [
        product(),
        product_of_codes(),
        distinct(),
        attention(first_alone=False),
        attention(first_alone=True),
        gelu(),
        add_norm(),
        quantise_rows(),
    ]
    called = {name for name in QUANTISED if f"Quantised{name}" in names}
    if called:
        called.add("QuantiseRows")
    every += [quantised(function) for function in every if function.name in QUANTISED]
    return [function for function in every if function.name in names | called]
