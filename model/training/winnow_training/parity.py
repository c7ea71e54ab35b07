"""Holds a graph's logits against what the checkpoint computes, pair by pair, unpadded.

What is held is the graph's meaning, so it runs by its functions: the CPU's own operators round fp32 products where AMX is.

As a command it also asks transformers on torch, over 2,000 pairs: what the builder's own reference is held against.
"""

import argparse
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from winnow_training import engine
from winnow_training.checkpoint import Checkpoint
from winnow_training.deberta import Deberta
from winnow_training.pairs import DATA, Pair, read_pairs, read_split, select
from winnow_training.reference import Reference

PARITY = 1e-5  # the largest difference of one logit that a graph in fp32 may show
SERVED = 1e-3  # and how far this processor's own operators may move one from that


def largest_difference(checkpoint: Checkpoint, logits: np.ndarray, tokenizer: Tokenizer, pairs: list[Pair]) -> float:
    """The largest absolute difference of one logit; a label that the checkpoint lacks has none."""
    reference = Reference(checkpoint)
    exact = np.array([reference.logits(engine.encode(tokenizer, [pair])[0].ids) for pair in pairs])
    return float(np.abs(exact - logits).max())


def largest_difference_to_torch(
    checkpoint: Checkpoint, logits: np.ndarray, tokenizer: Tokenizer, pairs: list[Pair]
) -> float:
    """The same against transformers, in fp32, over the labels that the checkpoint has."""
    import torch  # building a bundle needs neither
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(checkpoint.folder).eval()
    ours = [column for column, label in enumerate(checkpoint.labels) if label in checkpoint.columns]
    theirs = [checkpoint.columns[checkpoint.labels[column]] for column in ours]
    largest = 0.0
    with torch.no_grad():
        for row, pair in zip(logits, pairs, strict=True):
            encoding = engine.encode(tokenizer, [pair])[0]
            ids, types = torch.tensor([encoding.ids]), torch.tensor([encoding.type_ids])
            types = types if checkpoint.separator is not None else torch.zeros_like(types)
            exact = model(input_ids=ids, token_type_ids=types, attention_mask=torch.ones_like(ids)).logits[0].numpy()
            largest = max(largest, float(np.abs(exact[theirs] - row[ours]).max()))
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    checkpoint = Checkpoint(options.checkpoint)
    tokenizer = engine.load_tokenizer(checkpoint.file("tokenizer.json"), options.max_tokens)
    checkpoint.check_vocabulary(tokenizer)
    pairs = select(read_pairs(DATA / "judged_pairs.csv"), read_split(DATA / "split.csv"), "test")[: options.count]
    logits = engine.logits_of(
        Deberta(checkpoint, options.max_tokens).build().SerializeToString(), tokenizer, pairs, operators=False
    )
    own = largest_difference(checkpoint, logits, tokenizer, pairs)
    torch = largest_difference_to_torch(checkpoint, logits, tokenizer, pairs)
    print(f"{len(pairs)} pairs: largest logit difference {own:.1e} to the reference, {torch:.1e} to transformers on torch")
    if not max(own, torch) <= PARITY:  # a NaN is more, too
        raise SystemExit(f"error: more than {PARITY:.0e}")


if __name__ == "__main__":
    main()
