"""A Hugging Face DeBERTa-v2/v3 sequence classifier, read from config.json and model.safetensors alone."""

import math
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from winnow_training.config import (
    UnsupportedCheckpoint,
    brief,
    expected_shapes,
    positions,
    read_config,
    read_json,
    refuse_pointer,
)
from winnow_training.pairs import LABELS


class Checkpoint:
    """Configuration and weights of a checkpoint folder. names: further label names, and which of LABELS each means."""

    def __init__(self, folder: Path, names: dict[str, str] | None = None):
        self.folder = folder
        self.config = read_config(self.file("config.json"))
        self.weights = self._weights()
        for name, shape in expected_shapes(self.config):
            self._check(name, shape)
        rows = max(len(np.atleast_1d(self["classifier.weight"])), 1)  # a row a label
        self._check("classifier.weight", (rows, self.config["hidden_size"]))
        self._check("classifier.bias", (rows,))
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
        refuse_pointer(self.folder / name)
        return self.folder / name

    def _weights(self) -> dict[str, np.ndarray]:
        whole, cut = self.folder / "model.safetensors", self.folder / "model.safetensors.index.json"
        if cut.exists() and not whole.exists():
            raise UnsupportedCheckpoint(
                f"{cut}: the weights are cut into several files: "
                'load the model with transformers and save it in one, save_pretrained(FOLDER, max_shard_size="100GB")'
            )
        file = self.file("model.safetensors")
        try:
            return load_file(file)
        except TypeError as error:  # a data type that numpy lacks, such as bfloat16 where no package adds it
            raise UnsupportedCheckpoint(f"{file}: can't be read ({error}): save it in float32") from error
        except (SafetensorError, ValueError) as error:
            raise UnsupportedCheckpoint(f"{file}: is broken or cut short ({error}): fetch or save it again") from error

    def _check(self, name: str, shape: tuple[int, ...]) -> None:
        """Parity would not tell: what is not finite differs from nothing."""
        found = self[name] if name in self.weights else None
        if found is None or found.shape != shape:
            says = f"is {' x '.join(map(str, found.shape)) or 'one number'}" if found is not None else "is missing"
            raise UnsupportedCheckpoint(
                f"{self.folder}/model.safetensors: tensor {name} {says}, "
                f"config.json beside it says {' x '.join(map(str, shape))}: take both from the same checkpoint"
            )
        if not np.issubdtype(self.weights[name].dtype, np.floating):
            raise UnsupportedCheckpoint(
                f"{self.folder}/model.safetensors: tensor {name} holds {self.weights[name].dtype}: save it in float32"
            )
        if not np.isfinite(found).all():
            raise UnsupportedCheckpoint(
                f"{self.folder}/model.safetensors: tensor {name} holds a NaN or an infinity: the training went wrong"
            )

    @cached_property
    def separator(self) -> int | None:
        """The id of [SEP] where what follows the first one is of token type 1, or None where every token is of type 0.

        As whoever trained it with transformers: types are those of the tokenizer's own template, unless the tokenizer's
        settings leave them out. Where both types add the same, nobody can tell.
        """
        file, settings = self.folder / "tokenizer.json", self.folder / "tokenizer_config.json"
        if self.config["type_vocab_size"] < 2 or not file.is_file():
            return None
        rows = self["deberta.embeddings.token_type_embeddings.weight"]
        inputs = read_json(settings).get("model_input_names") if settings.is_file() else None
        if (rows == rows[0]).all() or (isinstance(inputs, list) and "token_type_ids" not in inputs):
            return None
        probe = read_tokenizer(file)
        probe.no_truncation()
        probe.no_padding()
        pair = probe.encode("a", "b")
        theme = [kind for kind, side in zip(pair.type_ids, pair.sequence_ids, strict=True) if side == 0]
        title = pair.sequence_ids.index(1) if 1 in pair.sequence_ids else len(pair)
        if not any(pair.type_ids):
            return None
        if any(theme) or pair.type_ids != [0] * title + [1] * (len(pair) - title):
            raise UnsupportedCheckpoint(
                f"{file}: key post_processor: gives a pair the token types {pair.type_ids}, "
                "supported are 0 up to the first [SEP] and 1 behind it, or 0 alone"
            )
        return probe.token_to_id("[SEP]")

    def check_vocabulary(self, tokenizer: Tokenizer) -> None:
        """A token without an embedding would be an error of every placement that holds it."""
        last, token = max((number, token) for token, number in tokenizer.get_vocab(with_added_tokens=True).items())
        if last >= self.config["vocab_size"]:
            raise UnsupportedCheckpoint(
                f"{self.folder}/tokenizer.json: token {brief(token)} has the id {last}, but config.json's vocab_size is "
                f"{self.config['vocab_size']}: take both from the same checkpoint, or resize the embeddings and train"
            )

    def training(self) -> dict[str, str]:
        """What training.json beside it says of where the weights come from, as finetune writes it."""
        file = self.folder / "training.json"
        noted = read_json(file) if file.exists() else {}
        for key in ("base", "base_licence", "data", "data_licence"):
            if not isinstance(noted.get(key, ""), str):
                raise UnsupportedCheckpoint(f"{file}: key {key}: is {brief(noted[key])}, must be text")
        return noted

    labels = LABELS  # of the graph's columns, in order

    @property
    def position_terms(self) -> list[str]:
        """Which of c2p and p2c attention adds to the content's own scores."""
        return self.config["pos_att_type"] if self.config["relative_attention"] else []

    @property
    def convolution(self) -> int:
        """Width of the convolution beside the first layer (DeBERTa-v2-xlarge), or 0."""
        return self.config["conv_kernel_size"]

    @property
    def scale(self) -> float:
        """What scores are divided by. Named terms count even where relative attention is off, as in transformers."""
        size = self.config["hidden_size"] // self.config["num_attention_heads"]
        return math.sqrt(size * (1 + len(self.config["pos_att_type"])))

    @property
    def positions(self) -> tuple[int, int, int]:
        """(buckets, longest, span): log buckets or -1, the largest distance told apart, half the rows of the table."""
        return positions(self.config)

    def _columns(self, names: dict[str, str]) -> dict[str, int]:
        """The classifier's row of each of LABELS that the checkpoint knows, mapped by name."""
        meanings = {label: label for label in LABELS} | {name.lower(): label for name, label in names.items()}
        count = len(self["classifier.weight"])
        known = self.config["id2label"]
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
                    f"{self.folder}/config.json: key id2label: names a label {name!r}, which is none of "
                    f"{', '.join(LABELS)}: say what it means, for example --label {name}=severe"
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


def read_tokenizer(file: Path) -> Tokenizer:
    """The tokenizer of a tokenizer.json, as it is."""
    refuse_pointer(file)
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the bindings raise nothing narrower
        raise UnsupportedCheckpoint(
            f"{file}: can't be read as a tokenizer ({error}): save it again with tokenizers"
        ) from error
