"""Builds the inference graph of a DeBERTa-v2/v3 sequence classifier from safetensors and config alone.

What makes it faster than a stock export, with the same result:
- The tables of relative-position keys and queries depend on weights alone. They are written as constant expressions, so
  ONNX Runtime evaluates them once when it loads the graph, and a batch only slices the 2L-1 columns it needs.
- Gathering by relative position is a skew: (L, 2L) scores reshaped so that each row starts one column later.
- One matrix product makes query, key and value; the score scale is part of the query's weights.
- The last layer computes the [CLS] row alone, because the classifier reads nothing else.
- Weights that lie on the int8 grid take one byte each. Arithmetic is fp32, but for the products that have a quantiser.

Inputs: input_ids and attention_mask, int64 (batch, length) with length at most max_tokens. Output: logits, fp32
(batch, 3), in the order relevant, weak, severe.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper

from winnow_training.checkpoint import Checkpoint, UnsupportedCheckpoint
from winnow_training.graph import OPSET, Graph, Quantiser
from winnow_training.grid import encode_rows, on_grid
from winnow_training.pairs import LABELS
from winnow_training.relative import log_bucket

MASKED = -1e9  # added to a masked score: its softmax weight is exactly 0 in fp32


class Deberta:
    """Writes the classifier of one checkpoint into a Graph."""

    def __init__(self, checkpoint: Checkpoint, max_tokens: int, quantisers: dict[str, Quantiser] | None = None):
        config = checkpoint.config
        self.checkpoint, self.max_tokens, self.graph = checkpoint, max_tokens, Graph(quantisers)
        self.hidden, self.heads = config["hidden_size"], config["num_attention_heads"]
        self.size, self.scale, self.terms = self.hidden // self.heads, checkpoint.scale, checkpoint.position_terms
        buckets, longest, self.span = checkpoint.positions
        self.bucket = lambda positions: log_bucket(positions, buckets, longest)

    def build(self) -> onnx.ModelProto:
        g = self.graph
        self._shapes()
        x = self._embeddings()
        if self.terms:
            self.relative = self._relative_embeddings()
        layers = self.checkpoint.config["num_hidden_layers"]
        for layer in range(layers):
            before, x = x, self._layer(x, layer, last=layer == layers - 1)
            if layer == 0 and self.checkpoint.convolution:
                x = self._convolved(before, x)
        self._classifier(x)
        rows = ["batch", "length"]
        graph = helper.make_graph(
            g.nodes,
            "deberta",
            [helper.make_tensor_value_info(name, TensorProto.INT64, rows) for name in ("input_ids", "attention_mask")],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(LABELS)])],
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
        x = self._words(checkpoint[prefix + "word_embeddings.weight"])
        if checkpoint.config.get("position_biased_input", True):
            table = checkpoint[prefix + "position_embeddings.weight"]
            if len(table) < self.max_tokens:
                raise UnsupportedCheckpoint(f"{self.max_tokens} tokens, but only {len(table)} absolute positions")
            positions = g.constant("positions", table[: self.max_tokens])
            x = g.op("Add", x, g.op("Slice", positions, g.ints(0), self.length, g.ints(0)))
        if checkpoint.config.get("type_vocab_size", 0):
            x = g.op("Add", x, g.constant("types", checkpoint[prefix + "token_type_embeddings.weight"][0]))
        if checkpoint.config.get("embedding_size", self.hidden) != self.hidden:
            wider = g.stored(prefix + "embed_proj", checkpoint[prefix + "embed_proj.weight"])
            x = g.op("MatMul", x, g.op("Transpose", wider, perm=[1, 0]))
        x = self._norm(x, prefix + "LayerNorm")
        mask = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
        absent = g.op("Sub", g.constant("one", np.float32(1)), mask)
        penalty = g.op("Mul", absent, g.constant("masked", np.float32(MASKED)))
        self.mask = g.op("Unsqueeze", penalty, g.ints(1, 2))  # (batch, 1, 1, length)
        self.present = g.op("Unsqueeze", mask, g.ints(2))  # (batch, length, 1)
        return g.op("Mul", x, self.present)

    def _words(self, table: np.ndarray) -> str:
        g = self.graph
        if not on_grid(table):
            return g.op("Gather", g.constant("words", table), "input_ids")
        # Expanded row by row as they are read: the table stays one byte a weight in memory too.
        codes, scales = encode_rows(table)
        rows = g.op("Gather", g.constant("words.codes", codes), "input_ids")
        factors = g.op("Gather", g.constant("words.scales", scales), "input_ids")
        return g.op("Mul", g.op("Cast", rows, to=TensorProto.FLOAT), factors)

    def _relative_embeddings(self) -> str:
        g, name = self.graph, "deberta.encoder.rel_embeddings"
        table = g.stored(name, self.checkpoint[name + ".weight"][: 2 * self.span])
        if "layer_norm" in (self.checkpoint.config.get("norm_rel_ebd") or "none"):
            table = self._norm(table, "deberta.encoder.LayerNorm")
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

    def _projections(self, prefix: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        parts = ("query", "key", "value")
        weights = {part: self.checkpoint[f"{prefix}{part}_proj.weight"] for part in parts}
        return weights, {part: self.checkpoint[f"{prefix}{part}_proj.bias"] for part in parts}

    def _position_table(self, prefix: str, part: str, rows: np.ndarray, perm: list[int]) -> str:
        """The relative positions' keys (for c2p) or queries (for p2c), the scale folded into the queries."""
        # share_att_key: positions use the content's own projections (DeBERTa-v3).
        source = prefix + (part if self.checkpoint.config.get("share_att_key", False) else f"pos_{part}") + "_proj"
        weights = self.graph.stored(f"{source}.position", self.checkpoint[f"{source}.weight"])
        bias = self.graph.constant(f"{source}.bias", self.checkpoint[f"{source}.bias"])
        return self._table(weights, bias, rows, self.scale if part == "query" else 1, perm)

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
        return self._block(g.activation(self.checkpoint.config.get("hidden_act", "gelu"), inner), x, prefix + "output.")

    def _attend(self, x: str, prefix: str) -> tuple[str, str]:
        g, limit = self.graph, self.max_tokens
        weights, biases = self._projections(prefix)
        stacked = np.concatenate([weights["query"] / self.scale, weights["key"], weights["value"]])
        bias = np.concatenate([biases["query"] / self.scale, biases["key"], biases["value"]])
        qkv = g.op("Reshape", g.linear(x, prefix + "qkv", stacked, bias), self.split_heads)
        qkv = g.op("Transpose", qkv, perm=[2, 0, 3, 1, 4])
        query, key, value = (g.op("Gather", qkv, g.constant(f"part_{i}", np.int64(i)), axis=0) for i in range(3))
        scores = g.op("Add", g.op("MatMul", query, g.op("Transpose", key, perm=[0, 1, 3, 2])), self.mask)
        # Column t of a table stands for the relative position limit-1-t; a batch of length L reads the middle 2L.
        buckets, last_row = self.bucket(limit - 1 - np.arange(2 * limit)), 2 * self.span - 1
        window = (self.first_column, self.last_column, g.ints(3))
        if "c2p" in self.terms:
            keys = self._position_table(prefix, "key", np.clip(buckets + self.span, 0, last_row), [1, 2, 0])
            scores = g.op("Add", scores, self._skew(g.op("MatMul", query, g.op("Slice", keys, *window))))
        if "p2c" in self.terms:
            queries = self._position_table(prefix, "query", np.clip(self.span - buckets, 0, last_row), [1, 2, 0])
            by_key = self._skew(g.op("MatMul", key, g.op("Slice", queries, *window)))
            scores = g.op("Add", scores, g.op("Transpose", by_key, perm=[0, 1, 3, 2]))
        context = g.op("MatMul", g.op("Softmax", scores, axis=-1), value)
        return g.op("Reshape", g.op("Transpose", context, perm=[0, 2, 1, 3]), self.merged_heads), x

    def _attend_cls(self, x: str, prefix: str) -> tuple[str, str]:
        """Attention of the first token alone: every relative position is 0 - column."""
        g, limit = self.graph, self.max_tokens
        weights, biases = self._projections(prefix)
        cls = g.op("Slice", x, g.ints(0), g.ints(1), g.ints(1))  # (b, 1, hidden)
        stacked = np.concatenate([weights["key"], weights["value"]])
        kv = g.linear(x, prefix + "kv", stacked, np.concatenate([biases["key"], biases["value"]]))
        shape = g.op("Concat", self.batch, self.length, g.ints(2, self.heads, self.size), axis=0)
        kv = g.op("Transpose", g.op("Reshape", kv, shape), perm=[2, 0, 3, 1, 4])
        key, value = (g.op("Gather", kv, g.constant(f"part_{i}", np.int64(i)), axis=0) for i in range(2))
        query = g.linear(cls, prefix + "query", weights["query"] / self.scale, biases["query"] / self.scale)
        query = g.op("Reshape", query, g.op("Concat", self.batch, g.ints(self.heads, 1, self.size), axis=0))
        scores = g.op("Add", g.op("MatMul", query, g.op("Transpose", key, perm=[0, 1, 3, 2])), self.mask)
        rows = np.clip(self.bucket(-np.arange(limit)) + self.span, 0, 2 * self.span - 1)
        if "c2p" in self.terms:
            keys = self._position_table(prefix, "key", rows, [1, 2, 0])
            scores = g.op("Add", scores, g.op("MatMul", query, g.op("Slice", keys, g.ints(0), self.length, g.ints(3))))
        if "p2c" in self.terms:
            queries = self._position_table(prefix, "query", rows, [1, 0, 2])
            shifted = g.op("Mul", key, g.op("Slice", queries, g.ints(0), self.length, g.ints(2)))
            by_key = g.op("Unsqueeze", g.op("ReduceSum", shifted, g.ints(3), keepdims=0), g.ints(2))
            scores = g.op("Add", scores, by_key)
        context = g.op("MatMul", g.op("Softmax", scores, axis=-1), value)  # (b, h, 1, size)
        return g.op("Reshape", context, g.op("Concat", self.batch, g.ints(1, self.hidden), axis=0)), cls

    def _convolved(self, before: str, x: str) -> str:
        """The first layer's result x, with a convolution over that layer's input added."""
        g, checkpoint, prefix = self.graph, self.checkpoint, "deberta.encoder.conv."
        weights = g.constant(prefix + "conv.weight", checkpoint[prefix + "conv.weight"])
        bias = g.constant(prefix + "conv.bias", checkpoint[prefix + "conv.bias"])
        side = (checkpoint.convolution - 1) // 2
        groups = checkpoint.config.get("conv_groups", 1)
        mixed = g.op("Conv", g.op("Transpose", before, perm=[0, 2, 1]), weights, bias, pads=[side, side], group=groups)
        mixed = g.op("Mul", g.op("Transpose", mixed, perm=[0, 2, 1]), self.present)
        mixed = g.activation(checkpoint.config.get("conv_act", "tanh"), mixed)
        return g.op("Mul", self._norm(g.op("Add", x, mixed), prefix + "LayerNorm"), self.present)

    def _dense(self, x: str, name: str) -> str:
        return self.graph.linear(x, name, self.checkpoint[name + ".weight"], self.checkpoint[name + ".bias"])

    def _block(self, x: str, residual: str, prefix: str) -> str:
        projected = self._dense(x, prefix + "dense")
        return self._norm(self.graph.op("Add", projected, residual), prefix + "LayerNorm")

    def _norm(self, x: str, name: str) -> str:
        weights, bias = self.checkpoint[name + ".weight"], self.checkpoint[name + ".bias"]
        return self.graph.layer_norm(x, name, weights, bias, self.checkpoint.config["layer_norm_eps"])

    def _classifier(self, cls: str) -> None:
        g = self.graph
        kind = self.checkpoint.config.get("pooler_hidden_act", "gelu")
        pooled = g.activation(kind, self._dense(g.op("Squeeze", cls, g.ints(1)), "pooler.dense"))
        weights, bias = self.checkpoint.classifier()
        product = g.op("MatMul", pooled, g.constant("classifier.weight", weights.T))
        g.op("Add", product, g.constant("classifier.bias", bias), name="logits")
