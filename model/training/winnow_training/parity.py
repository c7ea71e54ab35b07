"""Holds a graph's logits against the checkpoint's own, computed by transformers on torch, pair by pair, unpadded."""

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

from winnow_training.pairs import Pair


@torch.no_grad()
def largest_difference(checkpoint: Path, logits: np.ndarray, pairs: list[Pair], sample: int = 2000) -> float:
    """The largest absolute difference of one logit over the first `sample` pairs."""
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    largest = 0.0
    for row, pair in zip(logits[:sample], pairs[:sample], strict=True):
        ids = torch.tensor([tokenizer.encode(pair.theme, pair.title).ids])
        reference = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].numpy()
        largest = max(largest, float(np.abs(reference - row).max()))
    return largest
