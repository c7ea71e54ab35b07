"""Relative positions as DeBERTa-v2/v3 buckets them."""

import numpy as np


def log_bucket(positions: np.ndarray, buckets: int, longest: int) -> np.ndarray:
    """Exact up to half the buckets, logarithmic beyond; odd in positions. Without buckets: the position itself.

    Source: make_log_bucket_position in transformers, models/deberta_v2/modeling_deberta_v2.py.
    """
    if buckets <= 0:
        return positions
    middle = buckets // 2
    distance = np.where(np.abs(positions) < middle, middle - 1, np.abs(positions)).astype(np.float64)
    logarithmic = np.ceil(np.log(distance / middle) / np.log((longest - 1) / middle) * (middle - 1)) + middle
    return np.where(np.abs(positions) <= middle, positions, logarithmic * np.sign(positions)).astype(np.int64)
