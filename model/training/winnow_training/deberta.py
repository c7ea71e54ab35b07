"""Builds the inference graph of a DeBERTa-v2/v3 sequence classifier from safetensors and config alone.

What makes it faster than a stock export, with the same result:
- The tables of relative-position keys and queries depend on weights alone. They are written as constant expressions, so
  ONNX Runtime evaluates them once when it loads the graph.
- One matrix product makes query, key and value; the score scale is part of the query's weights.
- What lies between two products is one operator (winnow_training.operators): attention, activation, residual and norm.
- The last layer computes the query of [CLS] alone, and what follows its attention for [CLS] alone, because the classifier
  reads nothing else.
- Without absolute positions and segments a token's embedding depends on the token alone, and so do its query, key and value
  in the first layer: a token that a batch holds many times is computed once. (The starter has absolute positions.)
- Weights that lie on the int8 grid take one byte each. Arithmetic is fp32, but for the products that have a quantiser; what
  a processor's own operators make of fp32 is theirs (model/native/operators/amx.h).

Inputs: input_ids and attention_mask, int64 (batch, length) with length at most max_tokens. Output: logits, fp32
(batch, 3), in the order relevant, weak, severe.
"""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper

from winnow_training.checkpoint import Checkpoint
from winnow_training.config import UnsupportedCheckpoint
from winnow_training.fuse import fuse
from winnow_training.graph import Graph, Product, Quantiser
from winnow_training.grid import encode_rows, on_grid
from winnow_training.operators import DOMAIN, OPSET, SPARE
from winnow_training.pairs import LABELS
from winnow_training.relative import log_bucket

# A product over tokens that joins projections of one attention, and which.
JOINED = {"qkv": ("query", "key", "value"), "key_value": ("key", "value"), "query": ("query",)}


def layers_of(product: str) -> list[str]:
    """The checkpoint's linear layers that a product of the graph joins."""
    prefix, _, last = product.rpartition(".")
    return [f"{prefix}.{part}_proj" for part in JOINED[last]] if last in JOINED else [product]


CONFIG = "winnow.config"  # the metadata entry that holds the checkpoint's config.json, for unfold


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
        self.length = g.op("Slice", g.op("Shape", "input_ids"), g.ints(1), g.ints(2))
        embeddings, rows = self._embeddings()
        x = g.op("Gather", embeddings, rows, axis=0) if rows else embeddings
        if self.checkpoint.convolution:  # alone it sees padding beside a token
            mask = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
            self.present = g.op("Unsqueeze", mask, g.ints(2))  # (batch, length, 1)
            x = g.op("Mul", x, self.present)
        if self.terms:
            self.relative = self._relative_embeddings()
        layers = self.checkpoint.config["num_hidden_layers"]
        for layer in range(layers):
            distinct = (embeddings, rows) if layer == 0 and rows else None
            before, x = x, self._layer(x, layer, last=layer == layers - 1, distinct=distinct)
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
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)],
            producer_name="winnow",
        )
        model.ir_version = 10
        helper.set_model_props(model, {CONFIG: json.dumps(self.checkpoint.config)})
        fuse(model)
        onnx.checker.check_model(model)
        return model

    def _embeddings(self) -> tuple[str, str | None]:
        """Embeddings (batch, length, hidden) and None; or those of distinct tokens (count, hidden), and the row of each
        token among them (batch, length).
        """
        g, checkpoint, prefix = self.graph, self.checkpoint, "deberta.embeddings."
        ids, rows = "input_ids", None
        positioned, segmented = checkpoint.config["position_biased_input"], checkpoint.separator is not None
        if not (positioned or segmented):
            ids, rows = g.operator("Distinct", ids, outputs=2)
        x = self._words(checkpoint[prefix + "word_embeddings.weight"], ids)
        if positioned:
            table = checkpoint[prefix + "position_embeddings.weight"]
            if len(table) < self.max_tokens:
                raise UnsupportedCheckpoint(
                    f"{checkpoint.folder}/config.json: key max_position_embeddings: there are only {len(table)} absolute "
                    f"positions, too few for {self.max_tokens} tokens: build with --max-tokens {len(table)} or less"
                )
            positions = g.constant("positions", table[: self.max_tokens])
            x = g.op("Add", x, g.op("Slice", positions, g.ints(0), self.length, g.ints(0)))
        if checkpoint.config["type_vocab_size"]:
            types = checkpoint[prefix + "token_type_embeddings.weight"]
            x = g.op("Add", x, self._segments(types[:2]) if segmented else g.constant("types", types[0]))
        if checkpoint.config.get("embedding_size", self.hidden) != self.hidden:
            wider = g.stored(prefix + "embed_proj", checkpoint[prefix + "embed_proj.weight"])
            x = g.op("MatMul", x, g.op("Transpose", wider, perm=[1, 0]))
        return self._norm(x, prefix + "LayerNorm"), rows

    def _segments(self, types: np.ndarray) -> str:
        """The first row of types up to the first [SEP], the second behind it."""
        g = self.graph
        ends = g.op("Cast", g.op("Equal", "input_ids", g.ints(self.checkpoint.separator)), to=TensorProto.INT64)
        ended = g.op("CumSum", ends, g.constant("along", np.array(1, np.int64)), exclusive=1)
        return g.op("Gather", g.constant("types", types), g.op("Min", ended, g.ints(1)), axis=0)

    def _words(self, table: np.ndarray, ids: str) -> str:
        g = self.graph
        if not on_grid(table):
            return g.op("Gather", g.constant("words", table), ids)
        # Expanded row by row as they are read: the table stays one byte a weight in memory too.
        codes, scales = encode_rows(table)
        rows = g.op("Gather", g.constant("words.codes", codes), ids)
        factors = g.op("Gather", g.constant("words.scales", scales), ids)
        return g.op("Mul", g.op("Cast", rows, to=TensorProto.FLOAT), factors)

    def _relative_embeddings(self) -> str:
        g, name = self.graph, "deberta.encoder.rel_embeddings"
        table = g.stored(name, self.checkpoint[name + ".weight"][: 2 * self.span])
        if self.checkpoint.config["norm_rel_ebd"] == "layer_norm":
            table = self._norm(table, "deberta.encoder.LayerNorm")
        return table

    def _table(self, prefix: str, part: str) -> str:
        """The relative positions' keys (c2p) or queries (p2c), (heads, size, width) in the order that attention reads."""
        g, term = self.graph, {"key": "c2p", "query": "p2c"}[part]
        positions = self.max_tokens - np.arange(2 * self.max_tokens + SPARE)
        if term not in self.terms:
            return g.constant("no_positions", np.zeros((self.heads, self.size, len(positions)), np.float32))
        # share_att_key: positions use the content's own projections (DeBERTa-v3).
        source = prefix + (part if self.checkpoint.config["share_att_key"] else f"pos_{part}") + "_proj"
        weights = g.op("Transpose", g.stored(f"{source}.position", self.checkpoint[f"{source}.weight"]), perm=[1, 0])
        bias = g.constant(f"{source}.bias", self.checkpoint[f"{source}.bias"])
        projected = g.op("Add", g.op("MatMul", self.relative, weights), bias)
        if part == "query":
            projected = g.op("Div", projected, g.constant("scale", np.float32(self.scale)))
        rows = np.clip(self.bucket(positions) + self.span, 0, 2 * self.span - 1)
        picked = g.op("Gather", projected, g.constant("rows", rows.astype(np.int64)), axis=0)
        picked = g.op("Reshape", picked, g.ints(len(rows), self.heads, self.size))
        return g.op("Transpose", picked, perm=[1, 2, 0])

    def _layer(self, x: str, layer: int, last: bool, distinct: tuple[str, str] | None) -> str:
        g, prefix = self.graph, f"deberta.encoder.layer.{layer}."
        # The classifier reads [CLS] alone, and so does what follows the last attention.
        residual = g.op("Slice", x, g.ints(0), g.ints(1), g.ints(1)) if last else x
        context = self._attend(x, residual if last else None, prefix + "attention.self.", distinct)
        x = self._block(context, residual, prefix + "attention.output.")
        inner = self._dense(x, prefix + "intermediate.dense")
        return self._block(self._activated(inner), x, prefix + "output.")

    def _attend(self, x: str, first: str | None, prefix: str, distinct: tuple[str, str] | None) -> str:
        """The context of every token of x, or of first alone."""
        g = self.graph

        def projected(x: str, name: str, *parts: str, quantised_as: str | None = None) -> Product:
            weights, bias = (
                [self.checkpoint[f"{prefix}{part}_proj.{kind}"] / (self.scale if part == "query" else 1) for part in parts]
                for kind in ("weight", "bias")
            )
            return g.linear(x, prefix + name, np.concatenate(weights), np.concatenate(bias), quantised_as)

        name = "key_value" if first else "qkv"
        product = projected(distinct[0] if distinct else x, name, *JOINED[name])
        if distinct:
            product = g.gathered(product, distinct[1])
        tables = self._table(prefix, "key"), self._table(prefix, "query")
        inputs = [*product, "attention_mask", *tables]
        if first:
            inputs += projected(first, "query", *JOINED["query"], quantised_as=prefix + name)
        return g.operator("FirstTokenAttention" if first else "Attention", *inputs, center=self.max_tokens)[0]

    def _activated(self, product: Product) -> str:
        kind = self.checkpoint.config["hidden_act"]
        if kind == "gelu":
            return self.graph.operator("Gelu", *product)[0]
        return self.graph.activation(kind, self.graph.finished(product))

    def _convolved(self, before: str, x: str) -> str:
        """The first layer's result x, with a convolution over that layer's input added."""
        g, checkpoint, prefix = self.graph, self.checkpoint, "deberta.encoder.conv."
        weights = g.constant(prefix + "conv.weight", checkpoint[prefix + "conv.weight"])
        bias = g.constant(prefix + "conv.bias", checkpoint[prefix + "conv.bias"])
        side = (checkpoint.convolution - 1) // 2
        groups = checkpoint.config["conv_groups"]
        mixed = g.op("Conv", g.op("Transpose", before, perm=[0, 2, 1]), weights, bias, pads=[side, side], group=groups)
        mixed = g.op("Mul", g.op("Transpose", mixed, perm=[0, 2, 1]), self.present)
        mixed = g.activation(checkpoint.config["conv_act"], mixed)
        return g.op("Mul", self._norm(g.op("Add", x, mixed), prefix + "LayerNorm"), self.present)

    def _dense(self, x: str, name: str) -> Product:
        return self.graph.linear(x, name, self.checkpoint[name + ".weight"], self.checkpoint[name + ".bias"])

    def _block(self, x: str, residual: str, prefix: str) -> str:
        g, name = self.graph, prefix + "LayerNorm"
        weights = g.constant(name + ".weight", self.checkpoint[name + ".weight"])
        shift = g.constant(name + ".bias", self.checkpoint[name + ".bias"])
        product = self._dense(x, prefix + "dense")
        return g.operator("AddNorm", *product, residual, weights, shift, epsilon=self.checkpoint.config["layer_norm_eps"])[0]

    def _norm(self, x: str, name: str) -> str:
        weights, bias = self.checkpoint[name + ".weight"], self.checkpoint[name + ".bias"]
        return self.graph.layer_norm(x, name, weights, bias, self.checkpoint.config["layer_norm_eps"])

    def _classifier(self, cls: str) -> None:
        g = self.graph
        kind = self.checkpoint.config["pooler_hidden_act"]
        pooled = g.activation(kind, g.finished(self._dense(g.op("Squeeze", cls, g.ints(1)), "pooler.dense")))
        weights, bias = self.checkpoint.classifier()
        product = g.op("MatMul", pooled, g.constant("classifier.weight", weights.T))
        g.op("Add", product, g.constant("classifier.bias", bias), name="logits")
