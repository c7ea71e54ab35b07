"""Turns a bundle back into a Hugging Face checkpoint with exactly the weights that its graph computes with.

For whoever has a bundle but not what it was built from: to build it again in fp32 for a GPU, to fine-tune it further, or to
run the same function with other software.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from safetensors.numpy import save_file

from winnow_training.config import terms_of
from winnow_training.deberta import CONFIG
from winnow_training.pairs import LABELS


class Stored:
    """A folded graph's constants, by the names that winnow_training.graph gives them."""

    def __init__(self, model: onnx.ModelProto):
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}

    def __contains__(self, name: str) -> bool:
        return name in self.constants

    def __getitem__(self, name: str) -> np.ndarray:
        return self.constants[name].astype(np.float32)

    def matrix(self, name: str) -> np.ndarray:
        """(out, in) weights, however they are stored."""
        if name + ".migration" in self:  # 8 bits, (in, out), outliers of the inputs moved into them
            return (self[name + ".codes"] * self[name + ".scales"]).T * self[name + ".migration"]
        if name + ".codes" in self:
            return self[name + ".codes"] * self[name + ".scales"]
        return self[name + ".weight"]

    def words(self) -> np.ndarray:
        return self["words"] if "words" in self else self.matrix("words")


def weights_of(stored: Stored, config: dict) -> dict[str, np.ndarray]:
    embeddings, encoder = "deberta.embeddings.", "deberta.encoder."
    weights = {embeddings + "word_embeddings.weight": stored.words()}
    if "positions" in stored:
        table = np.zeros((config["max_position_embeddings"], config["hidden_size"]), np.float32)
        table[: len(stored["positions"])] = stored["positions"]  # no pair of the bundle reads further
        weights[embeddings + "position_embeddings.weight"] = table
    if "types" in stored:
        read = np.atleast_2d(stored["types"])  # one row where no token is of another type
        types = np.repeat(read[:1], config["type_vocab_size"], axis=0)
        types[: len(read)] = read
        weights[embeddings + "token_type_embeddings.weight"] = types
    if config.get("embedding_size", config["hidden_size"]) != config["hidden_size"]:
        weights[embeddings + "embed_proj.weight"] = stored.matrix(embeddings + "embed_proj")
    if config.get("relative_attention"):
        weights[encoder + "rel_embeddings.weight"] = stored.matrix(encoder + "rel_embeddings")
    as_they_are = ("LayerNorm.weight", "LayerNorm.bias", "conv.conv.weight", "conv.conv.bias")
    weights |= {name: stored[name] for name in stored.constants if name.endswith(as_they_are)}
    for layer in range(config["num_hidden_layers"]):
        weights |= layer_of(stored, f"{encoder}layer.{layer}.", config)
    weights["pooler.dense.weight"], weights["pooler.dense.bias"] = stored.matrix("pooler.dense"), stored["pooler.dense.bias"]
    weights["classifier.weight"], weights["classifier.bias"] = stored["classifier.weight"].T, stored["classifier.bias"]
    return {name: np.ascontiguousarray(values) for name, values in weights.items()}


def layer_of(stored: Stored, prefix: str, config: dict) -> dict[str, np.ndarray]:
    attention = prefix + "attention.self."
    size = config["hidden_size"] // config["num_attention_heads"]
    scale = np.float32(np.sqrt(size * (1 + len(terms_of(config.get("pos_att_type"))))))
    weights = {}
    names = ["qkv"] if attention + "qkv.bias" in stored else ["query", "key_value"]
    matrices, biases = (
        np.split(np.concatenate(joined), 3)
        for joined in (
            [stored.matrix(attention + name) for name in names],
            [stored[f"{attention}{name}.bias"] for name in names],
        )
    )
    for part, matrix, bias in zip(("query", "key", "value"), matrices, biases, strict=True):
        factor = scale if part == "query" else np.float32(1)
        weights[f"{attention}{part}_proj.weight"] = matrix * factor
        weights[f"{attention}{part}_proj.bias"] = bias * factor
    if not config.get("share_att_key"):
        for part in ("pos_key", "pos_query"):
            if f"{attention}{part}_proj.bias" in stored:
                weights[f"{attention}{part}_proj.weight"] = stored.matrix(f"{attention}{part}_proj.position")
                weights[f"{attention}{part}_proj.bias"] = stored[f"{attention}{part}_proj.bias"]
    for dense in ("attention.output.dense", "intermediate.dense", "output.dense"):
        weights[f"{prefix}{dense}.weight"] = stored.matrix(prefix + dense)
        weights[f"{prefix}{dense}.bias"] = stored[f"{prefix}{dense}.bias"]
    return weights


def unfold(bundle: Path, out: Path) -> None:
    model = onnx.load(str(bundle / "model.onnx"))
    noted = {entry.key: entry.value for entry in model.metadata_props}
    if CONFIG not in noted:
        raise ValueError(f"{bundle}/model.onnx does not say what it was built from: build the bundle again")
    config = json.loads(noted[CONFIG])
    if config.get("share_att_key") and json.loads((bundle / "manifest.json").read_text()).get("arithmetic") == "int8":
        raise ValueError(
            f"{bundle} is in 8 bits and shares its projections with positions, which are not: unfold one in fp32"
        )
    # The graph's columns are in the order of LABELS, whatever the order was.
    config |= {"id2label": dict(enumerate(LABELS)), "label2id": {label: row for row, label in enumerate(LABELS)}}
    out.mkdir(parents=True, exist_ok=True)
    save_file(weights_of(Stored(model), config), out / "model.safetensors", metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    shutil.copyfile(bundle / "tokenizer.json", out / "tokenizer.json")
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("cls", "sep", "pad", "unk", "mask")}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, **special}
    (out / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    training = json.loads((bundle / "manifest.json").read_text())["training"]
    (out / "training.json").write_text(json.dumps(training, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    options = parser.parse_args()
    try:
        unfold(options.bundle, options.out)
    except (OSError, ValueError, KeyError, DecodeError) as error:
        raise SystemExit(f"error: {error}") from error
    print(options.out)


if __name__ == "__main__":
    main()
