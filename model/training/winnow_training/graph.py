"""Builds the inference graph of a Hugging Face DeBERTa-v2/v3 sequence classifier from safetensors and config alone.

What makes it faster than a stock export, with the same result:
- The tables of relative-position keys and queries depend on weights alone. They are written as constant expressions, so
  ONNX Runtime evaluates them once when it loads the graph, and a batch only slices the 2L-1 columns it needs.
- Gathering by relative position is a skew: (L, 2L) scores reshaped so that each row starts one column later.
- One matrix product makes query, key and value; the score scale is part of the query's weights.
- The last layer computes the [CLS] row alone, because the classifier reads nothing else.
- Weights are stored as int8 with one scale a row and expanded when the graph is loaded; arithmetic is fp32.

Inputs: input_ids and attention_mask, int64 (batch, length) with length at most max_tokens. Output: logits, fp32
(batch, labels).
"""

import json
import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from winnow_training.grid import encode_rows
from winnow_training.relative import log_bucket

OPSET = 20
MASKED = -1e9  # added to a masked score: its softmax weight is exactly 0 in fp32


class UnsupportedCheckpoint(ValueError):
    """A checkpoint that this builder would not compute faithfully; the message says why."""


class Checkpoint:
    """Configuration and weights of a checkpoint folder."""

    def __init__(self, folder: Path):
        self.config = json.loads((folder / "config.json").read_text())
        self.weights = load_file(folder / "model.safetensors")
        self._check(folder)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.weights:
            raise UnsupportedCheckpoint(f"model.safetensors has no tensor {name}")
        return self.weights[name].astype(np.float32)

    def has(self, name: str) -> bool:
        return name in self.weights

    def _check(self, folder: Path) -> None:
        config = self.config
        if config.get("model_type") != "deberta-v2":
            raise UnsupportedCheckpoint(f"{folder}: model_type is {config.get('model_type')!r}, must be 'deberta-v2'")
        for key, wanted in {
            "relative_attention": True,
            "hidden_act": "gelu",
            "pooler_hidden_act": "gelu",
        }.items():
            if config.get(key, wanted) != wanted:
                raise UnsupportedCheckpoint(f"{folder}: {key} is {config[key]!r}, only {wanted!r} is supported")
        if config.get("conv_kernel_size", 0):
            raise UnsupportedCheckpoint(f"{folder}: a convolution layer (conv_kernel_size) is not supported")
        if config.get("embedding_size", config["hidden_size"]) != config["hidden_size"]:
            raise UnsupportedCheckpoint(f"{folder}: embedding_size differs from hidden_size, which is not supported")
        types = config.get("pos_att_type") or []
        types = types.split("|") if isinstance(types, str) else types
        if sorted(types) != ["c2p", "p2c"]:
            raise UnsupportedCheckpoint(f"{folder}: pos_att_type is {types}, only c2p with p2c is supported")

    @property
    def labels(self) -> list[str]:
        names = self.config.get("id2label") or {}
        return [names[key] for key in sorted(names, key=int)]


class Graph:
    """A list of ONNX nodes under construction."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

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
        """A weight matrix kept as int8 rows and scales; ONNX Runtime expands it when it loads the graph."""
        codes, scales = encode_rows(weights)
        expanded = self.op("Cast", self.constant(name + ".codes", codes), to=TensorProto.FLOAT)
        return self.op("Mul", expanded, self.constant(name + ".scales", scales))

    def linear(self, x: str, name: str, weights: np.ndarray, bias: np.ndarray) -> str:
        """x @ weights.T + bias, with weights (out, in) as PyTorch stores them."""
        product = self.op("MatMul", x, self.op("Transpose", self.stored(name, weights), perm=[1, 0]))
        return self.op("Add", product, self.constant(name + ".bias", bias))

    def layer_norm(self, x: str, name: str, checkpoint: Checkpoint) -> str:
        return self.op(
            "LayerNormalization",
            x,
            self.constant(name + ".weight", checkpoint[name + ".weight"]),
            self.constant(name + ".bias", checkpoint[name + ".bias"]),
            axis=-1,
            epsilon=checkpoint.config["layer_norm_eps"],
        )


class Deberta:
    """Writes the classifier of one checkpoint into a Graph."""

    def __init__(self, checkpoint: Checkpoint, max_tokens: int):
        config = checkpoint.config
        self.checkpoint, self.max_tokens, self.graph = checkpoint, max_tokens, Graph()
        self.hidden, self.heads = config["hidden_size"], config["num_attention_heads"]
        self.size = self.hidden // self.heads
        self.scale = math.sqrt(self.size * 3)  # content to content, content to position, position to content
        buckets = config.get("position_buckets", -1)
        longest = config.get("max_relative_positions", -1)
        longest = longest if longest > 0 else config["max_position_embeddings"]
        self.span = buckets if buckets > 0 else longest
        self.bucket = lambda positions: log_bucket(positions, buckets, longest)

    def build(self) -> onnx.ModelProto:
        g = self.graph
        self._shapes()
        x = self._embeddings()
        self.relative = self._relative_embeddings()
        layers = self.checkpoint.config["num_hidden_layers"]
        for layer in range(layers):
            x = self._layer(x, layer, last=layer == layers - 1)
        self._classifier(x)
        labels = len(self.checkpoint.labels)
        rows = ["batch", "length"]
        graph = helper.make_graph(
            g.nodes,
            "deberta",
            [helper.make_tensor_value_info(name, TensorProto.INT64, rows) for name in ("input_ids", "attention_mask")],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])],
            list(g.constants.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="winnow")
        model.ir_version = 10
        onnx.checker.check_model(model)
        return model

    def _shapes(self) -> None:
        g = self.graph
        shape = g.op("Shape", "input_ids")
        self.batch = g.op("Slice", shape, g.ints(0), g.ints(1))
        self.length = g.op("Slice", shape, g.ints(1), g.ints(2))
        double = g.op("Add", self.length, self.length)
        wide = g.op("Sub", double, g.ints(1))  # 2L-1 relative positions
        self.first_column = g.op("Sub", g.ints(self.max_tokens), self.length)
        self.last_column = g.op("Add", g.ints(self.max_tokens), self.length)
        self.split_heads = g.op("Concat", self.batch, self.length, g.ints(3, self.heads, self.size), axis=0)
        self.merged_heads = g.op("Concat", self.batch, self.length, g.ints(self.hidden), axis=0)
        heads = g.ints(self.heads)
        self.flat = g.op("Concat", self.batch, heads, g.op("Mul", self.length, double), axis=0)
        self.skewed = g.op("Concat", self.batch, heads, self.length, wide, axis=0)
        self.skip = g.op("Sub", self.length, g.ints(1))
        self.skip_end = g.op("Add", self.skip, g.op("Mul", self.length, wide))

    def _embeddings(self) -> str:
        g, checkpoint, prefix = self.graph, self.checkpoint, "deberta.embeddings."
        codes, scales = encode_rows(checkpoint[prefix + "word_embeddings.weight"])
        # Expanded row by row as they are read: the table stays one byte a weight in memory too.
        rows = g.op("Gather", g.constant("words.codes", codes), "input_ids")
        factors = g.op("Gather", g.constant("words.scales", scales), "input_ids")
        x = g.op("Mul", g.op("Cast", rows, to=TensorProto.FLOAT), factors)
        if checkpoint.config.get("position_biased_input", True):
            table = checkpoint[prefix + "position_embeddings.weight"]
            if len(table) < self.max_tokens:
                raise UnsupportedCheckpoint(f"{self.max_tokens} tokens, but only {len(table)} absolute positions")
            positions = g.constant("positions", table[: self.max_tokens])
            x = g.op("Add", x, g.op("Slice", positions, g.ints(0), self.length, g.ints(0)))
        if checkpoint.config.get("type_vocab_size", 0):
            x = g.op("Add", x, g.constant("types", checkpoint[prefix + "token_type_embeddings.weight"][0]))
        x = g.layer_norm(x, prefix + "LayerNorm", checkpoint)
        mask = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
        absent = g.op("Sub", g.constant("one", np.float32(1)), mask)
        penalty = g.op("Mul", absent, g.constant("masked", np.float32(MASKED)))
        self.mask = g.op("Unsqueeze", penalty, g.ints(1, 2))  # (batch, 1, 1, length)
        return g.op("Mul", x, g.op("Unsqueeze", mask, g.ints(2)))

    def _relative_embeddings(self) -> str:
        g, name = self.graph, "deberta.encoder.rel_embeddings"
        table = g.stored(name, self.checkpoint[name + ".weight"])
        if "layer_norm" in (self.checkpoint.config.get("norm_rel_ebd") or "none"):
            table = g.layer_norm(table, "deberta.encoder.LayerNorm", self.checkpoint)
        return table

    def _table(self, weights: str, bias: str, rows: np.ndarray, scale: float, perm: list[int]) -> str:
        """Relative embeddings projected, picked by row and split into heads: (1, ...) in the order of perm."""
        g = self.graph
        projected = g.op("Add", g.op("MatMul", self.relative, g.op("Transpose", weights, perm=[1, 0])), bias)
        if scale != 1:
            projected = g.op("Div", projected, g.constant(f"scale_{scale:.6f}", np.float32(scale)))
        name = "rows_" + "_".join(map(str, (len(rows), rows[0], rows[-1])))
        picked = g.op("Gather", projected, g.constant(name, rows.astype(np.int64)), axis=0)
        picked = g.op("Reshape", picked, g.ints(len(rows), self.heads, self.size))
        return g.op("Unsqueeze", g.op("Transpose", picked, perm=perm), g.ints(0))

    def _projections(self, prefix: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], tuple]:
        checkpoint = self.checkpoint
        weights = {part: checkpoint[f"{prefix}{part}_proj.weight"] for part in ("query", "key", "value")}
        biases = {part: checkpoint[f"{prefix}{part}_proj.bias"] for part in ("query", "key", "value")}
        g = self.graph

        def position(part: str) -> tuple[str, str]:
            # share_att_key: positions use the content's own projections (DeBERTa-v3).
            source = part if checkpoint.config.get("share_att_key", False) else f"pos_{part}"
            return (
                g.stored(f"{prefix}{source}_proj.position", checkpoint[f"{prefix}{source}_proj.weight"]),
                g.constant(f"{prefix}{source}_proj.bias", checkpoint[f"{prefix}{source}_proj.bias"]),
            )

        return weights, biases, (position("key"), position("query"))

    def _skew(self, scores: str) -> str:
        """(b, h, L, 2L) scores by relative position -> (b, h, L, L) scores by column."""
        g = self.graph
        flat = g.op("Slice", g.op("Reshape", scores, self.flat), self.skip, self.skip_end, g.ints(2))
        return g.op("Slice", g.op("Reshape", flat, self.skewed), g.ints(0), self.length, g.ints(3))

    def _layer(self, x: str, layer: int, last: bool) -> str:
        g, prefix = self.graph, f"deberta.encoder.layer.{layer}."
        context, residual = (self._attend_cls if last else self._attend)(x, prefix + "attention.self.")
        x = self._block(context, residual, prefix + "attention.output.")
        inner = self._dense(x, prefix + "intermediate.dense")
        return self._block(g.op("Gelu", inner), x, prefix + "output.")

    def _attend(self, x: str, prefix: str) -> tuple[str, str]:
        g, limit = self.graph, self.max_tokens
        weights, biases, (position_key, position_query) = self._projections(prefix)
        stacked = np.concatenate([weights["query"] / self.scale, weights["key"], weights["value"]])
        bias = np.concatenate([biases["query"] / self.scale, biases["key"], biases["value"]])
        qkv = g.op("Reshape", g.linear(x, prefix + "qkv", stacked, bias), self.split_heads)
        qkv = g.op("Transpose", qkv, perm=[2, 0, 3, 1, 4])
        query, key, value = (g.op("Gather", qkv, g.constant(f"part_{i}", np.int64(i)), axis=0) for i in range(3))
        # Column t of a table stands for the relative position limit-1-t; a batch of length L reads the middle 2L.
        buckets = self.bucket(limit - 1 - np.arange(2 * limit))
        last_row = 2 * self.span - 1
        keys = self._table(*position_key, np.clip(buckets + self.span, 0, last_row), 1, [1, 2, 0])
        queries = self._table(*position_query, np.clip(self.span - buckets, 0, last_row), self.scale, [1, 2, 0])
        window = (self.first_column, self.last_column, g.ints(3))
        content = g.op("MatMul", query, g.op("Transpose", key, perm=[0, 1, 3, 2]))
        to_position = self._skew(g.op("MatMul", query, g.op("Slice", keys, *window)))
        from_position = self._skew(g.op("MatMul", key, g.op("Slice", queries, *window)))
        from_position = g.op("Transpose", from_position, perm=[0, 1, 3, 2])
        scores = g.op("Add", g.op("Add", content, to_position), g.op("Add", from_position, self.mask))
        context = g.op("MatMul", g.op("Softmax", scores, axis=-1), value)
        return g.op("Reshape", g.op("Transpose", context, perm=[0, 2, 1, 3]), self.merged_heads), x

    def _attend_cls(self, x: str, prefix: str) -> tuple[str, str]:
        g, limit = self.graph, self.max_tokens
        weights, biases, (position_key, position_query) = self._projections(prefix)
        cls = g.op("Slice", x, g.ints(0), g.ints(1), g.ints(1))  # (b, 1, hidden)
        stacked = np.concatenate([weights["key"], weights["value"]])
        kv = g.linear(x, prefix + "kv", stacked, np.concatenate([biases["key"], biases["value"]]))
        shape = g.op("Concat", self.batch, self.length, g.ints(2, self.heads, self.size), axis=0)
        kv = g.op("Transpose", g.op("Reshape", kv, shape), perm=[2, 0, 3, 1, 4])
        key, value = (g.op("Gather", kv, g.constant(f"part_{i}", np.int64(i)), axis=0) for i in range(2))
        query = g.linear(cls, prefix + "query", weights["query"] / self.scale, biases["query"] / self.scale)
        shape = g.op("Concat", self.batch, g.ints(self.heads, 1, self.size), axis=0)
        query = g.op("Reshape", query, shape)
        rows = np.clip(self.bucket(-np.arange(limit)) + self.span, 0, 2 * self.span - 1)
        keys = self._table(*position_key, rows, 1, [1, 2, 0])
        queries = self._table(*position_query, rows, self.scale, [1, 0, 2])
        content = g.op("MatMul", query, g.op("Transpose", key, perm=[0, 1, 3, 2]))
        to_position = g.op("MatMul", query, g.op("Slice", keys, g.ints(0), self.length, g.ints(3)))
        shifted = g.op("Mul", key, g.op("Slice", queries, g.ints(0), self.length, g.ints(2)))
        from_position = g.op("Unsqueeze", g.op("ReduceSum", shifted, g.ints(3), keepdims=0), g.ints(2))
        scores = g.op("Add", g.op("Add", content, to_position), g.op("Add", from_position, self.mask))
        context = g.op("MatMul", g.op("Softmax", scores, axis=-1), value)  # (b, h, 1, size)
        return g.op("Reshape", context, g.op("Concat", self.batch, g.ints(1, self.hidden), axis=0)), cls

    def _dense(self, x: str, name: str) -> str:
        return self.graph.linear(x, name, self.checkpoint[name + ".weight"], self.checkpoint[name + ".bias"])

    def _block(self, x: str, residual: str, prefix: str) -> str:
        projected = self._dense(x, prefix + "dense")
        return self.graph.layer_norm(self.graph.op("Add", projected, residual), prefix + "LayerNorm", self.checkpoint)

    def _classifier(self, cls: str) -> None:
        g = self.graph
        pooled = g.op("Gelu", self._dense(g.op("Squeeze", cls, g.ints(1)), "pooler.dense"))
        weights = g.constant("classifier.weight", self.checkpoint["classifier.weight"].T)
        bias = g.constant("classifier.bias", self.checkpoint["classifier.bias"])
        g.op("Add", g.op("MatMul", pooled, weights), bias, name="logits")


def build(folder: Path, max_tokens: int) -> onnx.ModelProto:
    """The graph of the checkpoint in folder, for pairs of at most max_tokens tokens."""
    return Deberta(Checkpoint(folder), max_tokens).build()
