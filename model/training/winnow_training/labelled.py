"""The labelled pairs that a bundle is built on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from winnow_training.metrics import SEVERE
from winnow_training.pairs import Pair, few, read_judged, read_pairs, read_split, select
from winnow_training.unread import is_read

# Where labelled pairs come from data/, traffic looks like these: probabilities are calibrated on them.
CATALOGUE_LIKE = "realistic"


@dataclass(frozen=True)
class Labelled:
    """The labelled pairs of a bundle: of both held parts, and those of training for quantisation."""

    train: list[Pair]
    held: dict[str, list[Pair]]  # validation and test
    titles: dict[str, list[str]]  # what kind of titles each held pair has, by part

    def labels(self, part: str) -> np.ndarray:
        return np.array([pair.label for pair in self.held[part]])

    def groups(self, part: str) -> dict[str, np.ndarray]:
        """kind of titles -> indices."""
        kinds = np.array(self.titles[part])
        return {kind: np.flatnonzero(kinds == kind) for kind in dict.fromkeys(self.titles[part])}


def read_labelled(file: Path | None, split_file: Path, tokenizer: Tokenizer, sample: int | None) -> Labelled:
    """The pairs of file, all of one kind, or those of data/, which are of two. sample: no more of each kind and part."""
    judged = {"own": read_pairs(file)} if file else read_judged(("usda", CATALOGUE_LIKE))
    unread = 0
    for kind, pairs in judged.items():
        judged[kind] = [pair for pair in pairs if is_read(tokenizer, pair)]
        unread += len(pairs) - len(judged[kind])
    if unread:
        print(f"{unread} pairs are left out: the model can't read them whole, so the gate shows none of them", flush=True)
    split = read_split(split_file)
    held: dict[str, list[Pair]] = {"validation": [], "test": []}
    titles: dict[str, list[str]] = {"validation": [], "test": []}
    train: list[Pair] = []
    for kind, pairs in judged.items():
        train += few(select(pairs, split, "train"), sample)
        for part, into in held.items():
            of = few(select(pairs, split, part), sample)
            if not any(pair.label == SEVERE for pair in of):
                raise ValueError(f"{file or kind}: the themes of the {part} part hold no severe pair: label more themes")
            into += of
            titles[part] += [kind] * len(of)
    return Labelled(train, held, titles)
