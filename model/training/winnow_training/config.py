"""config.json of a DeBERTa-v2/v3 classifier: every key that the graph depends on, checked, and what transformers takes where
one is missing. A graph that read a key otherwise than transformers would be wrong and say nothing.
"""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

ACTIVATIONS = ("gelu", "relu", "tanh")
POSITION_TERMS = ("c2p", "p2c")
LFS = b"version https://git-lfs.github.com/spec/"


class UnsupportedCheckpoint(ValueError):
    """A checkpoint that the graph builder would not compute faithfully; the message says why."""


def refuse_pointer(file: Path) -> None:
    with open(file, "rb") as content:
        if content.read(len(LFS)) == LFS:
            raise UnsupportedCheckpoint(f"{file}: is a Git LFS pointer, not the file: run git lfs pull where it was cloned")


def read_json(file: Path) -> dict:
    """The object that a JSON file holds."""
    refuse_pointer(file)
    data = file.read_bytes()
    try:
        content = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        reason = "starts with a byte order mark" if data.startswith(b"\xef\xbb\xbf") else f"is not JSON in UTF-8 ({error})"
        raise UnsupportedCheckpoint(f"{file}: {reason}: save it as plain UTF-8, as transformers writes it") from error
    if not isinstance(content, dict):
        raise UnsupportedCheckpoint(f"{file}: holds a {type(content).__name__}, must hold an object of keys and values")
    return content


def read_config(file: Path) -> dict:
    """The content of config.json, with a value for every key of KEYS."""
    config = read_json(file)
    if (kind := config.get("model_type")) != "deberta-v2":
        raise UnsupportedCheckpoint(f"{file}: key model_type: is {kind!r}, must be 'deberta-v2' (DeBERTa-v2 and v3)")
    for key, (default, normal) in KEYS.items():
        if key not in config and default is ABSENT:
            continue
        if key not in config and default is REQUIRED:
            raise UnsupportedCheckpoint(f"{file}: key {key}: is missing: save the checkpoint again with save_pretrained")
        try:
            config[key] = normal(config.get(key, default))
        except ValueError as error:
            raise UnsupportedCheckpoint(f"{file}: key {key}: is {brief(config.get(key))}, {error}") from error
    for key, wrong, reason in _relations(config):
        if wrong:
            raise UnsupportedCheckpoint(f"{file}: key {key}: is {brief(config[key])}, {reason}")
    return config


def brief(value: object) -> str:
    """value as it stands in the file, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"


def _whole(least: int) -> Callable[[object], int]:
    def normal(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
            raise ValueError(f"must be a whole number from {least}")
        return value

    return normal


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _epsilon(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1 or not math.isfinite(value):
        raise ValueError("must be a number above 0 and below 1")
    return float(value)


def _activation(value: object) -> str:
    if value not in ACTIVATIONS:
        raise ValueError(f"supported are {', '.join(ACTIVATIONS)}")
    return str(value)


def terms_of(value: object) -> list[str]:
    """As transformers splits them; a term that stands twice counts once."""
    if isinstance(value, str):
        value = [term.strip() for term in value.lower().split("|") if term.strip()]
    if value is None:
        value = []
    if not isinstance(value, list) or any(term not in POSITION_TERMS for term in value):
        raise ValueError("supported are c2p and p2c")
    return [term for term in POSITION_TERMS if term in value]


def _norm_of_positions(value: object) -> str:
    parts = {part.strip() for part in value.lower().split("|")} if isinstance(value, str) else {None}
    if not parts <= {"none", "layer_norm", ""}:
        raise ValueError("supported are none and layer_norm")
    return "layer_norm" if "layer_norm" in parts else "none"


def _labels(value: object) -> dict[str, str]:
    """Row -> name; a row that has none is called LABEL_ROW, as transformers does."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError('must be an object from row to name, such as {"0": "relevant", "1": "weak", "2": "severe"}')
    for row, name in value.items():
        if not isinstance(name, str):
            raise ValueError(f"but the name of label {row} must be text: write it in quotes, and map it with --label")
    return value


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError("must be text")
    return value


REQUIRED, ABSENT = object(), object()  # an absent key stays absent: transformers derives it from others
# key -> what transformers takes where it is missing, and what makes a value of the file one that the graph reads.
KEYS: dict[str, tuple[object, Callable[[object], object]]] = {
    "vocab_size": (REQUIRED, _whole(1)),
    "hidden_size": (REQUIRED, _whole(1)),
    "num_hidden_layers": (REQUIRED, _whole(1)),
    "num_attention_heads": (REQUIRED, _whole(1)),
    "intermediate_size": (REQUIRED, _whole(1)),
    "max_position_embeddings": (512, _whole(1)),
    "type_vocab_size": (0, _whole(0)),
    "embedding_size": (ABSENT, _whole(1)),
    "attention_head_size": (ABSENT, _whole(1)),
    "pooler_hidden_size": (ABSENT, _whole(1)),
    "layer_norm_eps": (1e-7, _epsilon),
    "hidden_act": ("gelu", _activation),
    "pooler_hidden_act": ("gelu", _activation),
    "conv_act": ("tanh", _activation),
    "conv_kernel_size": (0, _whole(0)),
    "conv_groups": (1, _whole(1)),
    "position_biased_input": (True, _truth),
    "relative_attention": (False, _truth),
    "share_att_key": (False, _truth),
    "pos_att_type": (None, terms_of),
    "position_buckets": (-1, _whole(-1)),
    "max_relative_positions": (-1, _whole(-1)),
    "norm_rel_ebd": ("none", _norm_of_positions),
    "id2label": (None, _labels),
    "_name_or_path": (ABSENT, _text),
}


def positions(config: dict) -> tuple[int, int, int]:
    """(buckets, longest, span): log buckets or -1, the largest distance told apart, half the rows of the table."""
    buckets, longest = config["position_buckets"], config["max_relative_positions"]
    longest = longest if longest > 0 else config["max_position_embeddings"]
    return buckets, longest, buckets if buckets > 0 else longest


def _relations(config: dict) -> list[tuple[str, bool, str]]:
    """(key, whether it is wrong beside the others, why)."""
    hidden, heads, width = (config[key] for key in ("hidden_size", "num_attention_heads", "conv_kernel_size"))
    buckets, longest, _ = positions(config)
    size = hidden // heads
    undefined = buckets > 0 and (buckets < 2 or longest < 2 or longest - 1 == buckets // 2)
    return [
        ("num_attention_heads", hidden % heads != 0, f"must divide hidden_size, which is {hidden}"),
        ("attention_head_size", config.get("attention_head_size", size) != size, f"only {size} is supported"),
        (
            "pooler_hidden_size",
            config.get("pooler_hidden_size", hidden) != hidden,
            f"must be hidden_size, which is {hidden}",
        ),
        ("conv_kernel_size", width > 0 and width % 2 == 0, "must be odd"),
        ("conv_kernel_size", width > 0 and config["num_hidden_layers"] == 1, "behind the only layer it is not supported"),
        ("conv_groups", width > 0 and hidden % config["conv_groups"] != 0, f"must divide hidden_size, which is {hidden}"),
        (
            "position_buckets",
            config["relative_attention"] and undefined,
            f"the logarithm of distances is not defined with it and max_relative_positions {longest}",
        ),
    ]


def expected_shapes(config: dict) -> Iterator[tuple[str, tuple[int, ...]]]:
    """(name, shape) of every tensor that the graph reads but the classifier's, whose rows are the labels."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    wide = config.get("embedding_size", hidden)
    embeddings, encoder = "deberta.embeddings.", "deberta.encoder."

    def dense(name: str, out: int, size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield name + ".weight", (out, size)
        yield name + ".bias", (out,)

    def norm(name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield name + ".weight", (hidden,)
        yield name + ".bias", (hidden,)

    yield embeddings + "word_embeddings.weight", (config["vocab_size"], wide)
    if config["position_biased_input"]:
        yield embeddings + "position_embeddings.weight", (config["max_position_embeddings"], wide)
    if config["type_vocab_size"]:
        yield embeddings + "token_type_embeddings.weight", (config["type_vocab_size"], wide)
    if wide != hidden:
        yield embeddings + "embed_proj.weight", (hidden, wide)
    yield from norm(embeddings + "LayerNorm")
    relative = config["pos_att_type"] if config["relative_attention"] else []
    if relative:
        yield encoder + "rel_embeddings.weight", (2 * positions(config)[2], hidden)
        if config["norm_rel_ebd"] == "layer_norm":
            yield from norm(encoder + "LayerNorm")
    for layer in range(config["num_hidden_layers"]):
        prefix = f"{encoder}layer.{layer}."
        parts = ["query_proj", "key_proj", "value_proj"]
        if not config["share_att_key"]:
            parts += [{"c2p": "pos_key_proj", "p2c": "pos_query_proj"}[term] for term in relative]
        for part in parts:
            yield from dense(f"{prefix}attention.self.{part}", hidden, hidden)
        yield from dense(prefix + "attention.output.dense", hidden, hidden)
        yield from norm(prefix + "attention.output.LayerNorm")
        yield from dense(prefix + "intermediate.dense", inner, hidden)
        yield from dense(prefix + "output.dense", hidden, inner)
        yield from norm(prefix + "output.LayerNorm")
        if layer == 0 and config["conv_kernel_size"]:
            kernel = (hidden, hidden // config["conv_groups"], config["conv_kernel_size"])
            yield encoder + "conv.conv.weight", kernel
            yield encoder + "conv.conv.bias", (hidden,)
            yield from norm(encoder + "conv.LayerNorm")
    yield from dense("pooler.dense", hidden, hidden)
