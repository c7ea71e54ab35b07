"""Writes a random DeBERTa of a few thousand weights, with what transformers computes for it: fixtures for tests that
must be fast and need no torch."""

import argparse
import json
from pathlib import Path

import onnx
import torch
from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

from winnow_training.checkpoint import Checkpoint
from winnow_training.deberta import Deberta
from winnow_training.pairs import LABELS

VARIANTS = {
    # v2 style: absolute positions, projections of their own for relative positions.
    "absolute": {"position_biased_input": True, "share_att_key": False, "position_buckets": 8, "type_vocab_size": 2},
    # v3 style: no absolute positions, content projections shared, log buckets reached already by short inputs.
    "shared": {"position_biased_input": False, "share_att_key": True, "position_buckets": 8, "type_vocab_size": 0},
    # v2-xlarge style: a convolution beside the first layer; narrower embeddings, one relative term, no buckets, two labels.
    "convolution": {
        "position_biased_input": False,
        "share_att_key": True,
        "position_buckets": -1,
        "type_vocab_size": 0,
        "conv_kernel_size": 3,
        "conv_groups": 2,
        "conv_act": "gelu",
        "embedding_size": 8,
        "pos_att_type": ["p2c"],
        "hidden_act": "relu",
        "id2label": {0: "severe", 1: "weak"},
        "label2id": {"severe": 0, "weak": 1},
    },
}
MAX_TOKENS = 48


def config(variant: str) -> DebertaV2Config:
    settings = dict(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        max_relative_positions=64,
        relative_attention=True,
        pos_att_type=["c2p", "p2c"],
        norm_rel_ebd="layer_norm",
        pooler_hidden_size=16,
        initializer_range=0.4,
        layer_norm_eps=1e-7,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )
    return DebertaV2Config(**settings | VARIANTS[variant])


@torch.no_grad()
def segmented(model: DebertaV2ForSequenceClassification) -> list[dict]:
    """The logits of pairs framed by 1 ([CLS]) and 2 ([SEP]), the title of token type 1."""
    goldens = []
    for theme, title in ((1, 1), (3, 9), (20, 25)):
        ids = [1, *torch.randint(3, 40, (theme,)).tolist(), 2, *torch.randint(3, 40, (title,)).tolist(), 2]
        types = [0] * (theme + 2) + [1] * (title + 1)
        tokens = torch.tensor([ids])
        logits = model(input_ids=tokens, token_type_ids=torch.tensor([types]), attention_mask=torch.ones_like(tokens)).logits
        goldens.append({"ids": ids, "logits": logits[0].tolist()})
    return goldens


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for one checkpoint a variant")
    parser.add_argument("--graph", type=Path, help="also write the graph of the first variant here")
    options = parser.parse_args()
    for variant in VARIANTS:
        torch.manual_seed(7)
        model = DebertaV2ForSequenceClassification(config(variant)).eval()
        for tensor in model.parameters():
            if tensor.ndim == 2:  # onto the storage grid, so that parity measures the graph alone
                scale = tensor.abs().amax(1, keepdim=True).clamp_min(1e-9) / 127
                tensor.copy_((tensor / scale).round() * scale)
        folder = options.out / variant
        model.save_pretrained(folder)
        goldens = []
        for length in (3, 5, 17, MAX_TOKENS):
            ids = torch.randint(1, 40, (1, length))
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].tolist()
            goldens.append({"ids": ids[0].tolist(), "logits": logits})
        (folder / "goldens.json").write_text(json.dumps(goldens) + "\n")
        if model.config.type_vocab_size > 1:
            (folder / "segments.json").write_text(json.dumps(segmented(model)) + "\n")
    if options.graph:
        options.graph.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(Deberta(Checkpoint(options.out / next(iter(VARIANTS))), MAX_TOKENS).build(), options.graph)


if __name__ == "__main__":
    main()
