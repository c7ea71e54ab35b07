"""What a DeBERTa-v2/v3 classifier computes, written down in numpy as transformers does it: one pair at a time, unpadded,
nothing folded, every layer over every token, in float64. Slow and independent of the graph, which is held against it.

Source: transformers, models/deberta_v2/modeling_deberta_v2.py. Its goldens, made by torch, pin this file in the tests.
"""

import math

import numpy as np
from scipy.special import erf

from winnow_training.checkpoint import Checkpoint
from winnow_training.relative import log_bucket


def activated(kind: str, x: np.ndarray) -> np.ndarray:
    match kind:
        case "gelu":
            return x * 0.5 * (1 + erf(x / math.sqrt(2)))
        case "relu":
            return np.maximum(x, 0)
        case "tanh":
            return np.tanh(x)
    raise ValueError(f"activation {kind!r}")


class Reference:
    def __init__(self, checkpoint: Checkpoint):
        self.checkpoint, self.config = checkpoint, checkpoint.config
        self.heads = self.config["num_attention_heads"]
        self.size = self.config["hidden_size"] // self.heads
        self.weights = {name: tensor.astype(np.float64) for name, tensor in checkpoint.weights.items()}
        if checkpoint.position_terms:
            self.relative = self.weights["deberta.encoder.rel_embeddings.weight"][: 2 * checkpoint.positions[2]]
            if self.config["norm_rel_ebd"] == "layer_norm":
                self.relative = self._norm(self.relative, "deberta.encoder.LayerNorm")

    def logits(self, ids: list[int]) -> np.ndarray:
        """(3,) logits in the order of LABELS."""
        x = self._embeddings(np.array(ids))
        for layer in range(self.config["num_hidden_layers"]):
            prefix = f"deberta.encoder.layer.{layer}."
            before, context = x, self._attention(x, prefix + "attention.self.")
            x = self._norm(
                self._linear(context, prefix + "attention.output.dense") + x, prefix + "attention.output.LayerNorm"
            )
            inner = activated(self.config["hidden_act"], self._linear(x, prefix + "intermediate.dense"))
            x = self._norm(self._linear(inner, prefix + "output.dense") + x, prefix + "output.LayerNorm")
            if layer == 0 and self.checkpoint.convolution:
                x = self._convolved(before, x)
        pooled = activated(self.config["pooler_hidden_act"], self._linear(x[0], "pooler.dense"))
        weights, bias = self.checkpoint.classifier()
        return pooled @ weights.T + bias

    def _convolved(self, before: np.ndarray, x: np.ndarray) -> np.ndarray:
        prefix, groups = "deberta.encoder.conv.", self.config["conv_groups"]
        weights = self.weights[prefix + "conv.weight"]  # (out, in / groups, width)
        side = (self.checkpoint.convolution - 1) // 2
        padded = np.pad(before, ((side, side), (0, 0)))
        windows = np.stack([padded[start : start + len(before)] for start in range(self.checkpoint.convolution)], axis=2)
        mixed = np.concatenate(
            [
                np.einsum("lik,oik->lo", inputs, kernel)
                for inputs, kernel in zip(np.split(windows, groups, axis=1), np.split(weights, groups), strict=True)
            ],
            axis=1,
        )
        mixed = activated(self.config["conv_act"], mixed + self.weights[prefix + "conv.bias"])
        return self._norm(x + mixed, prefix + "LayerNorm")

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + self.config["layer_norm_eps"])
        return scaled * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def _embeddings(self, ids: np.ndarray) -> np.ndarray:
        prefix, config = "deberta.embeddings.", self.config
        x = self.weights[prefix + "word_embeddings.weight"][ids]
        if config["position_biased_input"]:
            x = x + self.weights[prefix + "position_embeddings.weight"][: len(ids)]
        if config["type_vocab_size"]:
            theme = len(ids)
            if self.checkpoint.separator is not None:
                theme = ids.tolist().index(self.checkpoint.separator) + 1
            types = self.weights[prefix + "token_type_embeddings.weight"]
            x = x + np.array([types[0 if place < theme else 1] for place in range(len(ids))])
        if config.get("embedding_size", config["hidden_size"]) != config["hidden_size"]:
            x = x @ self.weights[prefix + "embed_proj.weight"].T
        return self._norm(x, prefix + "LayerNorm")

    def _split(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), self.heads, self.size).transpose(1, 0, 2)

    def _attention(self, x: np.ndarray, prefix: str) -> np.ndarray:
        query, key, value = (self._split(self._linear(x, f"{prefix}{part}_proj")) for part in ("query", "key", "value"))
        terms = self.checkpoint.position_terms
        scale = self.checkpoint.scale
        scores = query @ (key / scale).transpose(0, 2, 1)
        if terms:
            buckets, longest, span = self.checkpoint.positions
            distance = np.arange(len(x))[:, None] - np.arange(len(x))[None, :]  # query - key
            bucket = log_bucket(distance, buckets, longest)
            shared = self.config["share_att_key"]
            if "c2p" in terms:
                table = self._split(self._linear(self.relative, prefix + ("key_proj" if shared else "pos_key_proj")))
                rows = np.clip(bucket + span, 0, 2 * span - 1)
                scores = scores + np.take_along_axis(query @ table.transpose(0, 2, 1), rows[None], axis=2) / scale
            if "p2c" in terms:
                table = self._split(self._linear(self.relative, prefix + ("query_proj" if shared else "pos_query_proj")))
                rows = np.clip(-bucket + span, 0, 2 * span - 1)  # a row of scores is a key's here: transposed below
                by_key = np.take_along_axis(key @ table.transpose(0, 2, 1), rows[None], axis=2)
                scores = scores + by_key.transpose(0, 2, 1) / scale
        scores = scores - scores.max(-1, keepdims=True)
        weights = np.exp(scores)
        context = (weights / weights.sum(-1, keepdims=True)) @ value
        return context.transpose(1, 0, 2).reshape(len(x), -1)
