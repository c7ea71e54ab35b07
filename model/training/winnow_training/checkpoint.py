"""A Hugging Face DeBERTa-v2/v3 sequence classifier, read from config.json and model.safetensors alone."""

import json
import math
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from winnow_training.pairs import LABELS

ACTIVATIONS = ("gelu", "relu", "tanh")


class UnsupportedCheckpoint(ValueError):
    """A checkpoint that the graph builder would not compute faithfully; the message says why."""


class Checkpoint:
    """Configuration and weights of a checkpoint folder. names: further label names, and which of LABELS each means."""

    def __init__(self, folder: Path, names: dict[str, str] | None = None):
        self.folder = folder
        self.config = json.loads(self.file("config.json").read_text())
        try:
            self.weights = load_file(self.file("model.safetensors"))
        except (SafetensorError, TypeError) as error:  # TypeError: a data type that numpy lacks, such as bfloat16
            raise UnsupportedCheckpoint(f"{folder}/model.safetensors can't be read: {error}; save it in float32") from error
        self._check()
        self.columns = self._columns(names or {})

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.weights:
            raise UnsupportedCheckpoint(f"{self.folder}/model.safetensors has no tensor {name}")
        return self.weights[name].astype(np.float32)

    def file(self, name: str) -> Path:
        """The path of a file that the checkpoint must have."""
        if not (self.folder / name).is_file():
            raise UnsupportedCheckpoint(
                f"{self.folder} has no {name}: a checkpoint is a folder with config.json, "
                "model.safetensors and tokenizer.json"
            )
        return self.folder / name

    def _check(self) -> None:
        config, folder = self.config, self.folder
        if config.get("model_type") != "deberta-v2":
            raise UnsupportedCheckpoint(
                f"{folder}: model_type is {config.get('model_type')!r}, must be 'deberta-v2' (DeBERTa-v2 and v3)"
            )
        for key in ("hidden_act", "pooler_hidden_act"):
            if (kind := config.get(key, "gelu")) not in ACTIVATIONS:
                raise UnsupportedCheckpoint(f"{folder}: {key} is {kind!r}, supported are {', '.join(ACTIVATIONS)}")
        if (kind := config.get("conv_act", "tanh")) not in ACTIVATIONS:
            raise UnsupportedCheckpoint(f"{folder}: conv_act is {kind!r}, supported are {', '.join(ACTIVATIONS)}")
        if self.convolution and config["num_hidden_layers"] == 1:
            raise UnsupportedCheckpoint(f"{folder}: a convolution (conv_kernel_size) behind the only layer is not supported")
        unknown = set(self._named_terms) - {"c2p", "p2c"}
        if unknown:
            raise UnsupportedCheckpoint(
                f"{folder}: pos_att_type names {', '.join(sorted(unknown))}, supported are c2p and p2c"
            )

    labels = LABELS  # of the graph's columns, in order

    @property
    def position_terms(self) -> list[str]:
        """Which of c2p and p2c attention adds to the content's own scores."""
        return self._named_terms if self.config.get("relative_attention", False) else []

    @property
    def convolution(self) -> int:
        """Width of the convolution beside the first layer (DeBERTa-v2-xlarge), or 0."""
        return self.config.get("conv_kernel_size", 0)

    @property
    def _named_terms(self) -> list[str]:
        types = self.config.get("pos_att_type") or []
        return types.split("|") if isinstance(types, str) else list(types)

    @property
    def scale(self) -> float:
        """What scores are divided by. Named terms count even where relative attention is off, as in transformers."""
        size = self.config["hidden_size"] // self.config["num_attention_heads"]
        return math.sqrt(size * (1 + len(self._named_terms)))

    @property
    def positions(self) -> tuple[int, int, int]:
        """(buckets, longest, span): log buckets or -1, the largest distance told apart, half the rows of the table."""
        buckets, longest = self.config.get("position_buckets", -1), self.config.get("max_relative_positions", -1)
        longest = longest if longest > 0 else self.config["max_position_embeddings"]
        return buckets, longest, buckets if buckets > 0 else longest

    def _columns(self, names: dict[str, str]) -> dict[str, int]:
        """The classifier's row of each of LABELS that the checkpoint knows, mapped by name."""
        meanings = {label: label for label in LABELS} | {name.lower(): label for name, label in names.items()}
        count = len(self["classifier.weight"])
        known = self.config.get("id2label") or {}
        rows = [known.get(str(row), f"LABEL_{row}") for row in range(count)]
        if count > len(LABELS):
            raise UnsupportedCheckpoint(
                f"{self.folder}: {count} labels {rows}, at most {len(LABELS)} can be mapped: {', '.join(LABELS)}"
            )
        columns: dict[str, int] = {}
        for row, name in enumerate(rows):
            label = meanings.get(name.lower())
            if label is None:
                raise UnsupportedCheckpoint(
                    f"{self.folder}: config.json names a label {name!r}, which is none of {', '.join(LABELS)}: "
                    f"say what it means, for example --label {name}=severe"
                )
            if label in columns:
                raise UnsupportedCheckpoint(f"{self.folder}: two labels of {rows} mean {label}")
            columns[label] = row
        if "severe" not in columns:
            raise UnsupportedCheckpoint(
                f"{self.folder}: none of the labels {rows} means severe: map one with --label NAME=severe"
            )
        return columns

    def classifier(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights (3, hidden) and bias (3,) in the order of LABELS.

        A label that the checkpoint lacks gets a logit that no softmax notices. A single label is a sigmoid: the logit of
        relevant is then 0, and softmax over the two is that sigmoid.
        """
        weights, bias = self["classifier.weight"], self["classifier.bias"]
        all_weights = np.zeros((len(LABELS), weights.shape[1]), np.float32)
        all_bias = np.full(len(LABELS), ABSENT, np.float32)
        if len(self.columns) == 1:
            all_bias[LABELS.index("relevant")] = 0
        for label, row in self.columns.items():
            all_weights[LABELS.index(label)], all_bias[LABELS.index(label)] = weights[row], bias[row]
        return all_weights, all_bias


ABSENT = -1e4  # far below any logit, also after division by any temperature
