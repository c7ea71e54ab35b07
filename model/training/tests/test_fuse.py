"""Joined operators: fewer nodes between two products, and the same logits to the last bit."""

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file
from test_graph import changed
from test_quantise import OneTokenAWord, pairs

from winnow_training import deberta, engine, quantise
from winnow_training.checkpoint import Checkpoint
from winnow_training.compact import EMBEDDING
from winnow_training.deberta import Deberta
from winnow_training.fuse import fuse
from winnow_training.grid import round_rows
from winnow_training.operators import functions


def fuse_nothing(model: onnx.ModelProto) -> None:
    model.functions.extend(functions({node.op_type for node in model.graph.node}))


@pytest.fixture
def apart(tmp_path, monkeypatch) -> onnx.ModelProto:
    """A graph in 8 bits whose operators are not joined."""
    folder = changed(tmp_path, type_vocab_size=0)
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {EMBEDDING: round_rows(weights[EMBEDDING])}, folder / "model.safetensors")
    checkpoint = Checkpoint(folder)
    chosen = quantise.quantisers(checkpoint, 48, OneTokenAWord(), pairs(30))

    monkeypatch.setattr(deberta, "fuse", fuse_nothing)
    return Deberta(checkpoint, 48, chosen).build()


def kinds(model: onnx.ModelProto) -> dict[str, int]:
    every = [node.op_type for node in model.graph.node]
    return {kind: every.count(kind) for kind in every}


def joined(model: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    fuse(result)
    onnx.checker.check_model(result)
    return result


def test_what_a_product_in_8_bits_takes_is_left_in_8_bits(apart):
    before, after = kinds(apart), kinds(joined(apart))
    assert before["QuantiseRows"] == 6
    # Of two layers: attention, gelu and both norms of the first, the embeddings' norm. The last query's is of [CLS] alone.
    assert (after["QuantisedAttention"], after["QuantisedGelu"], after["QuantisedAddNorm"]) == (1, 1, 3)
    assert after["QuantiseRows"] == 1
    assert after["LayerNormalization"] == before["LayerNormalization"] - 1  # that of the positions' table is computed once


def test_joined_operators_give_the_same_logits(apart):
    sample = pairs(40)
    before, after = (
        engine.logits_of(model.SerializeToString(), OneTokenAWord(), sample, operators=False)
        for model in (apart, joined(apart))
    )
    np.testing.assert_array_equal(before, after)


def test_joined_operators_of_the_processor_give_nearly_the_same(apart, runtime):
    """Where function and kernel differ in the last bit, a code next to a half may fall either way."""
    sample = pairs(40)
    before, after = (
        engine.logits_of(model.SerializeToString(), OneTokenAWord(), sample) for model in (apart, joined(apart))
    )
    np.testing.assert_allclose(after, before, atol=0.02 * np.ptp(before))


@pytest.mark.parametrize("kind", ["Gelu", "Attention", "QuantiseRows"])
def test_what_somebody_else_reads_too_is_left_apart(apart, kind):
    """A result of the graph is read by whoever runs it."""
    wanted = next(node.output[0] for node in apart.graph.node if node.op_type == kind)
    before = kinds(joined(apart))
    number = onnx.TensorProto.UINT8 if kind == "QuantiseRows" else onnx.TensorProto.FLOAT
    apart.graph.output.append(onnx.helper.make_tensor_value_info(wanted, number, ["batch", "length", "width"]))
    after = kinds(joined(apart))
    if kind == "QuantiseRows":  # its codes are left by whoever leaves them
        assert after == before
    else:
        assert after[kind] == before.get(kind, 0) + 1
        assert after.get(f"Quantised{kind}", 0) == before[f"Quantised{kind}"] - 1


def test_a_norm_with_another_axis_is_left_apart(apart):
    before = kinds(joined(apart))
    for node in apart.graph.node:
        for attribute in node.attribute:
            if node.op_type == "LayerNormalization" and attribute.name == "axis":
                attribute.i = 1
    after = kinds(joined(apart))
    assert after["LayerNormalization"] == before["LayerNormalization"] + 1


def test_joining_twice_is_joining_once(apart):
    once = joined(apart)
    assert joined(once) == once
