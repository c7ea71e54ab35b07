"""Sentence embeddings of the encoder that the starter starts from."""

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from winnow_training.device import DEVICE, fast_products
from winnow_training.text import fold
from winnow_training.warm_start import encoder_folder


@torch.no_grad()
def embed(texts: list[str], size: int = 128) -> torch.Tensor:
    """(texts, 384) unit vectors: the mean over tokens, as sentence-transformers computes it."""
    folder = encoder_folder()
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).to(DEVICE).eval()
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    vectors = torch.zeros((len(texts), model.config.hidden_size), device=DEVICE)
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        folded = [fold(texts[index]) for index in batch]
        inputs = tokenizer(folded, padding=True, truncation=True, max_length=128, return_tensors="pt").to(DEVICE)
        mask = inputs["attention_mask"].unsqueeze(2).float()
        with fast_products():
            states = model(**inputs).last_hidden_state
        vectors[batch] = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)
    return vectors


def nearest(texts: list[str], others: list[str], count: int) -> np.ndarray:
    """(texts, count) indices of others, the nearest of each text first."""
    vectors, among = embed(texts), embed(others)
    count = min(count, len(others))
    return np.concatenate([(rows @ among.T).topk(count, dim=1).indices.cpu().numpy() for rows in vectors.split(256)])
