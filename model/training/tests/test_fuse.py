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


def test_joining_twice_is_joining_once(apart):
    once = joined(apart)
    assert joined(once) == once
