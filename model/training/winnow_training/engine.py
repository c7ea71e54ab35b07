"""Runs a graph over pairs with ONNX Runtime, as the server does: fp32, no padding beyond the batch's longest pair."""

import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from tokenizers import Encoding, Tokenizer
from tokenizers.processors import TemplateProcessing

from winnow_training.checkpoint import read_tokenizer
from winnow_training.config import UnsupportedCheckpoint
from winnow_training.pairs import Pair
from winnow_training.text import folded

# The environment variable that names the library of model/native/operators; without it a graph's functions are inlined.
OPERATORS = "WINNOW_OPERATORS"


def open_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    """A tokenizer that frames a pair as its file says, cuts it to max_tokens and pads a batch to its longest pair."""
    tokenizer = read_tokenizer(path)
    tokenizer.enable_truncation(max_tokens, strategy="longest_first")
    tokenizer.enable_padding(pad_id=special_tokens(path, tokenizer)["pad"])
    return tokenizer


def load_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    """The same, framing a pair as the gate does whatever the file says: [CLS] theme [SEP] title [SEP], each side by itself
    and as text, "[SEP]" included. What thresholds are fitted on must be what they are used on.
    """
    tokenizer, ids = open_tokenizer(path, max_tokens), special_tokens(path, read_tokenizer(path))
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["cls"]), ("[SEP]", ids["sep"])],
    )
    tokenizer.encode_special_tokens = True
    return tokenizer


def special_tokens(path: Path, tokenizer: Tokenizer) -> dict[str, int]:
    """The ids that a bundle's manifest names."""
    ids = {name: tokenizer.token_to_id(f"[{name.upper()}]") for name in ("cls", "sep", "pad", "unk")}
    if missing := [f"[{name.upper()}]" for name, number in ids.items() if number is None]:
        raise UnsupportedCheckpoint(f"{path}: has no token {', '.join(missing)}: a pair is framed and padded with them")
    if len(set(ids.values())) < len(ids):
        raise UnsupportedCheckpoint(f"{path}: [CLS], [SEP], [PAD] and [UNK] must have four ids, they have {ids}")
    return ids


def encode(tokenizer: Tokenizer, pairs: list[Pair]) -> list[Encoding]:
    """The tokens of a batch of pairs, both sides folded, each padded to the longest."""
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
