"""The int8 grid: one scale a row, values are whole multiples of it."""

import numpy as np


def round_rows(weights: np.ndarray) -> np.ndarray:
    """The nearest weights on the grid, in fp32. Idempotent up to one unit in the last place."""
    codes, scales = encode_rows(weights)
    return codes.astype(np.float32) * scales


def on_grid(weights: np.ndarray) -> bool:
    """Whether one byte a weight loses nothing but units in the last place."""
    return bool(np.allclose(round_rows(weights), weights, rtol=1e-6, atol=1e-12))


def encode_rows(weights: np.ndarray, paired: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(codes int8, scales fp32 with one column): weights is about codes * scales.

    paired: the absolute codes of columns 2i and 2i+1 sum to at most 128. Processors without VNNI add the products of two
    neighbours with 8-bit activations in 16 bits, and 255 * 128 still fits.
    """
    peaks = np.abs(weights).max(axis=1, keepdims=True)
    if paired:
        neighbours = np.abs(weights[:, 0::2]) + np.abs(weights[:, 1::2])
        peaks = np.maximum(peaks, neighbours.max(axis=1, keepdims=True) * np.float32(127 / 127.9))
    scales = (np.where(peaks > 0, peaks, 1) / np.float32(127)).astype(np.float32)
    return np.round(weights / scales).astype(np.int8), scales
