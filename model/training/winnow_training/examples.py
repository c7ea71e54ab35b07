"""What an epoch of fine-tuning trains on."""

import argparse
import random

import torch

from winnow_training.pairs import LABELS, Pair, TaughtPair, UnjudgedPair

SEVERE = LABELS.index("severe")
HARMLESS = (1.0, 1.0, 0.0)  # relevant or weak, nobody says which


def one_hot(label: int) -> tuple[float, ...]:
    return tuple(float(index == label) for index in range(len(LABELS)))


class Examples:
    """Every judged pair in each epoch, and a fresh share of those that are seen once over all epochs."""

    def __init__(
        self,
        rows: list[list[int]],
        judged: list[Pair],
        augmented: list[Pair],
        ruled: list[UnjudgedPair],
        taught: list[TaughtPair],
        options: argparse.Namespace,
    ):
        """rows: the token ids of judged, augmented, ruled and taught pairs, in this order."""
        self.rows = rows
        targets = [one_hot(pair.label) for pair in (*judged, *augmented)]
        targets += [one_hot(SEVERE) if pair.broken else HARMLESS for pair in ruled]
        targets += [pair.probabilities for pair in taught]
        self.targets = torch.tensor(targets)
        # Severe counts more, a teacher's probability of it in proportion.
        self.weights = 1 + (options.severe_weight - 1) * self.targets[:, SEVERE]
        self._judged, self._once = len(judged), list(range(len(judged), len(rows)))
        random.Random(options.seed).shuffle(self._once)
        self._fresh = len(self._once) // options.epochs

    @property
    def per_epoch(self) -> int:
        return self._judged + self._fresh

    def of_epoch(self, epoch: int) -> list[int]:
        """Indices of rows; epochs count from 1."""
        return [*range(self._judged), *self._once[(epoch - 1) * self._fresh : epoch * self._fresh]]
