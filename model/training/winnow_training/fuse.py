"""Joins nodes that there is one operator for, so that what is between them stays in the nearest caches."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from winnow_training.operators import DOMAIN, QUANTISED, functions


class Reading:
    """Who makes and who reads each tensor of a graph."""

    def __init__(self, graph: onnx.GraphProto):
        self.maker = {output: node for node in graph.node for output in node.output}
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.results = {output.name for output in graph.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def only_for(self, name: str, reader: onnx.NodeProto, kind: str) -> onnx.NodeProto | None:
        """The node of that kind that makes a tensor, if nobody else reads it."""
        node = self.maker.get(name)
        if node is None or node.op_type != kind or name in self.results:
            return None
        return node if self.readers[name] == [reader] else None


def fuse(model: onnx.ModelProto) -> None:
    """Also gives the model the functions of its operators. Nodes that don't look as the builder writes them stay apart."""
    _norms(model.graph)
    _quantised(model.graph)
    del model.functions[:]
    model.functions.extend(functions({node.op_type for node in model.graph.node if node.domain == DOMAIN}))


def _norms(graph: onnx.GraphProto) -> None:
    """The norm of rows that have a scale each and of what is added to them: AddNorm, without a bias."""
    read = Reading(graph)
    for node in list(graph.node):
        if not _is_norm(node, read) or not (total := read.only_for(node.input[0], node, "Add")):
            continue
        rows = read.only_for(total.input[0], total, "Mul")
        scales = read.maker.get(rows.input[1]) if rows else None
        table = read.constants.get(scales.input[0]) if scales and scales.op_type == "Gather" else None
        if table is None or len(table.dims) != 2 or table.dims[-1] != 1:
            continue
        bias = f"{node.output[0]}.bias"
        width = read.constants[node.input[1]].dims[0]
        graph.initializer.append(numpy_helper.from_array(np.zeros(width, np.float32), bias))
        inputs = [*rows.input, bias, total.input[1], *node.input[1:]]
        joined = helper.make_node("AddNorm", inputs, node.output, domain=DOMAIN, epsilon=_attributes(node)["epsilon"])
        graph.node.insert(list(graph.node).index(node), joined)
        for old in (rows, total, node):
            graph.node.remove(old)


def _is_norm(node: onnx.NodeProto, read: Reading) -> bool:
    """Whether it is a LayerNormalization of rows, by constant weights and shifts and with nothing else to tell."""
    if node.op_type != "LayerNormalization" or len(node.input) != 3 or len(node.output) != 1:
        return False
    told = _attributes(node)
    return told.get("axis", -1) == -1 and "epsilon" in told and all(name in read.constants for name in node.input[1:])


def _attributes(node: onnx.NodeProto) -> dict:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _quantised(graph: onnx.GraphProto) -> None:
    """An operator and the QuantiseRows that takes its result."""
    read = Reading(graph)
    for node in list(graph.node):
        if node.domain != DOMAIN or node.op_type not in QUANTISED:
            continue
        (result,), kept = node.output, bool(QUANTISED[node.op_type])
        readers = read.readers.get(result, [])
        takers = [reader for reader in readers if reader.op_type == "QuantiseRows"]
        wanted = len(readers) > 1 or result in read.results
        if len(takers) != 1 or (wanted and not kept):
            continue
        (taker,) = takers
        node.op_type = f"Quantised{node.op_type}"
        node.input.append(taker.input[1])
        node.attribute.extend(taker.attribute)
        del node.output[:]
        node.output.extend([*([result] if kept else []), *taker.output])
        graph.node.remove(taker)
