"""The int8 grid: one scale a row, values are whole multiples of it. Storage only; arithmetic stays fp32."""

import numpy as np


def round_rows(weights: np.ndarray) -> np.ndarray:
    """The nearest weights on the grid, in fp32. Idempotent up to one unit in the last place."""
    codes, scales = encode_rows(weights)
    return codes.astype(np.float32) * scales


def encode_rows(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(codes int8, scales fp32 with one column): weights is about codes * scales."""
    peaks = np.abs(weights).max(axis=1, keepdims=True)
    scales = (np.where(peaks > 0, peaks, 1) / np.float32(127)).astype(np.float32)
    return np.round(weights / scales).astype(np.int8), scales
