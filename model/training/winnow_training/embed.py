"""Sentence embeddings of the encoder that the starter starts from."""

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from winnow_training.text import fold
from winnow_training.warm_start import encoder_folder


@torch.no_grad()
def embed(texts: list[str], size: int = 128) -> np.ndarray:
    """(texts, 384) unit vectors: the mean over tokens, as sentence-transformers computes it."""
    folder = encoder_folder()
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    vectors = np.zeros((len(texts), model.config.hidden_size), np.float32)
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        inputs = tokenizer(
            [fold(texts[index]) for index in batch], padding=True, truncation=True, max_length=128, return_tensors="pt"
        )
        mask = inputs["attention_mask"].unsqueeze(2).float()
        mean = (model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1)
        vectors[batch] = torch.nn.functional.normalize(mean, dim=1).numpy()
    return vectors
