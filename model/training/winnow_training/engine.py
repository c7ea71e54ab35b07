"""Runs a graph over pairs with ONNX Runtime, as the server does: fp32, no padding beyond the batch's longest pair."""

import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from tokenizers import Encoding, Tokenizer

from winnow_training.pairs import Pair
from winnow_training.text import folded

# The environment variable that names the library of model/native/operators; without it a graph's functions are inlined.
OPERATORS = "WINNOW_OPERATORS"


def load_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(max_tokens, strategy="longest_first")
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id("[PAD]"))
    tokenizer.encode_special_tokens = True  # "[SEP]" in a title is text
    return tokenizer


def encode(tokenizer: Tokenizer, pairs: list[Pair]) -> list[Encoding]:
    """The pairs as the server encodes them, padded to the longest."""
    return tokenizer.encode_batch([folded(pair) for pair in pairs])


def session(graph: Path | bytes, threads: int = 0, operators: bool = True) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    library = os.environ.get(OPERATORS)
    if library and operators:
        options.register_custom_ops_library(library)
    source = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def tensor_info(name: str) -> onnx.ValueInfoProto:
    """A further output of a graph, of whatever shape it has there."""
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)


def feed(encodings: list[Encoding]) -> dict[str, np.ndarray]:
    return {
        "input_ids": np.array([encoding.ids for encoding in encodings], np.int64),
        "attention_mask": np.array([encoding.attention_mask for encoding in encodings], np.int64),
    }


def logits_of(graph: Path | bytes, tokenizer: Tokenizer, pairs: list[Pair], operators: bool = True) -> np.ndarray:
    """(pairs, labels) logits of a graph that is loaded for this call."""
    return scored(session(graph, operators=operators), tokenizer, pairs)


def scored(running: onnxruntime.InferenceSession, tokenizer: Tokenizer, pairs: list[Pair], size: int = 32) -> np.ndarray:
    """(pairs, labels) logits; pairs are sorted by length first, so that little of a batch is padding."""
    order = sorted(range(len(pairs)), key=lambda index: len(pairs[index].theme) + len(pairs[index].title))
    rows = []
    for start in range(0, len(order), size):
        chosen = [pairs[index] for index in order[start : start + size]]
        rows.append(running.run(["logits"], feed(encode(tokenizer, chosen)))[0])
    logits = np.concatenate(rows)
    result = np.empty_like(logits)
    result[order] = logits
    return result
