"""Chooses, per matrix product, how its input becomes 8 bits: with a scale a row, so that a pair never depends on its batch.

Outliers of an input's channels are migrated into the weights (SmoothQuant, Xiao et al. 2022). How far, and where zero lies
among the codes, is chosen per product: whatever changes its result least on inputs that real pairs make.
"""

import random
from dataclasses import dataclass
from itertools import product

import numpy as np
from tokenizers import Tokenizer

from winnow_training import engine
from winnow_training.checkpoint import Checkpoint
from winnow_training.deberta import Deberta
from winnow_training.graph import Quantiser
from winnow_training.grid import encode_rows
from winnow_training.pairs import Pair
from winnow_training.thresholds import APPROVED, VIOLATION

MIGRATIONS = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8)  # 0: every channel keeps its own scale
ZERO_POINTS = (128, 64, 32, 16, 8)  # the smaller, the finer a row whose values are mostly positive
CALIBRATION_PAIRS = 1000
PROBES = 400  # pairs by which products are ordered
ROWS = 1500  # inputs sampled a product


def inputs_of_products(checkpoint: Checkpoint, max_tokens: int, tokenizer: Tokenizer, pairs: list[Pair]) -> dict:
    """name -> (rows sampled of what enters that product, its weights (out, in)). Pairs run alone: no padding is sampled.

    Products over one row a pair ([CLS] in the last layer, the pooler) are left out: they cost next to nothing in fp32.
    """
    builder = Deberta(checkpoint, max_tokens)
    model = builder.build()
    products = builder.graph.products
    model.graph.output.extend(engine.tensor_info(tensor) for tensor, _ in products.values())
    running = engine.session(model.SerializeToString())
    names, rows = list(products), {name: [] for name in products}
    for pair in pairs:
        tensors = running.run([products[name][0] for name in names], engine.feed(engine.encode(tokenizer, [pair])))
        for name, tensor in zip(names, tensors, strict=True):
            rows[name].append(tensor.reshape(-1, tensor.shape[-1]))
    generator = np.random.default_rng(0)
    sampled = {}
    for name in names:
        every = np.concatenate(rows[name])
        if len(every) == len(pairs):
            continue
        chosen = generator.choice(len(every), min(ROWS, len(every)), replace=False)
        # The largest values of each channel decide its range: they must be among the sample.
        chosen = np.union1d(chosen, np.concatenate([every.argmax(0), every.argmin(0)]))
        sampled[name] = every[chosen], products[name][1]
    return sampled


def quantiser_of(inputs: np.ndarray, weights: np.ndarray) -> Quantiser:
    """Of all choices the one that changes inputs @ weights.T least."""
    exact = inputs @ weights.T
    candidates = [
        Quantiser(_migration(inputs, weights, strength), zero) for strength, zero in product(MIGRATIONS, ZERO_POINTS)
    ]
    return min(candidates, key=lambda candidate: float(((simulated(inputs, weights, candidate) - exact) ** 2).mean()))


def _migration(inputs: np.ndarray, weights: np.ndarray, strength: float) -> np.ndarray:
    if strength == 0:
        return np.ones(inputs.shape[1], np.float32)
    channel, column = (np.maximum(np.abs(values).max(0), 1e-5) for values in (inputs, weights))
    migration = column ** (1 - strength) / channel**strength
    return (migration / np.exp(np.log(migration).mean())).astype(np.float32)


def simulated(inputs: np.ndarray, weights: np.ndarray, quantiser: Quantiser) -> np.ndarray:
    """What the product of the quantised graph computes."""
    moved, zero = inputs * quantiser.migration, quantiser.zero_point
    scale = np.maximum(moved.max(1, keepdims=True) / (255 - zero), -moved.min(1, keepdims=True) / zero)
    codes = np.round(moved / np.maximum(scale, 1e-12)).clip(-zero, 255 - zero)
    columns, scales = encode_rows(weights / quantiser.migration, paired=True)
    return codes.astype(np.float32) @ (columns * scales).T * scale


def quantisers(checkpoint: Checkpoint, max_tokens: int, tokenizer: Tokenizer, pairs: list[Pair]) -> dict[str, Quantiser]:
    """name -> Quantiser of every matrix product over tokens."""
    sampled = inputs_of_products(checkpoint, max_tokens, tokenizer, pairs)
    return {name: quantiser_of(*sample) for name, sample in sampled.items()}


class RefusedBundle(ValueError):
    """A bundle that would decide differently from its checkpoint; the message says by how much."""


MOST_FLIPS = 0.005  # share of pairs whose decision may differ from fp32
MOST_APPROVED = 0.001  # share of pairs that fp32 calls a violation and the quantised graph approves
BATCHES = 200  # random batches in which one pair is scored again


@dataclass(frozen=True)
class Quantisation:
    """What 8 bits changed, held against fp32 at the bundle's thresholds."""

    pairs: int
    decision_flips: float
    severe_to_approved: float
    largest_logit_difference: float
    products: int  # matrix products in 8 bits
    kept_fp32: list[str]  # the most sensitive ones, which stay in fp32
    batches: int
    spread: float  # largest difference between two logits of one pair over that many random batches


def quantised(checkpoint, max_tokens, tokenizer, training, exact, logits_of, fit):
    """(model, logits by part, Quantisation) of the graph with as many products in 8 bits as the limits on flips allow.

    exact: logits by part in fp32. logits_of: what runs a model over those parts. fit: fits temperature and thresholds.
    The product that alone moves the logits most is the first to return to fp32, up to half of them.
    """
    sample = random.Random(0).sample(training, min(CALIBRATION_PAIRS, len(training)))
    choices = quantisers(checkpoint, max_tokens, tokenizer, sample)
    by_effect = most_sensitive_first(checkpoint, max_tokens, tokenizer, sample[:PROBES], choices)
    best = None
    for kept in range(len(choices) // 2 + 1):
        model = Deberta(checkpoint, max_tokens, {name: choices[name] for name in by_effect[kept:]}).build()
        logits = logits_of(model)
        figures = against(exact, logits, fit(logits))
        print(f"{len(choices) - kept} of {len(choices)} products in 8 bits: {figures}", flush=True)
        if figures["severe_to_approved"] <= MOST_APPROVED and (
            not best or figures["decision_flips"] < best[0]["decision_flips"]
        ):
            best = figures, kept, model, logits
            if figures["decision_flips"] <= MOST_FLIPS:
                break
    if not best or best[0]["decision_flips"] > MOST_FLIPS:
        figures = best[0] if best else figures
        raise RefusedBundle(
            f"quantised, {figures['decision_flips']:.2%} of {figures['pairs']} decisions flip and "
            f"{figures['severe_to_approved']:.2%} go from severe to approved, even with half of the products in fp32; at "
            f"most {MOST_FLIPS:.1%} and {MOST_APPROVED:.1%} are allowed: settle the checkpoint first, or build in fp32"
        )
    figures, kept, model, logits = best
    spread = spread_over_batches(model.SerializeToString(), tokenizer, sample)
    in_fp32 = by_effect[:kept]
    return (
        model,
        logits,
        Quantisation(**figures, products=len(choices) - kept, kept_fp32=in_fp32, batches=BATCHES, spread=spread),
    )


def most_sensitive_first(checkpoint, max_tokens, tokenizer, probes: list[Pair], choices: dict[str, Quantiser]) -> list[str]:
    """The products by how far each, quantised alone, moves the logits of probes."""

    def logits(chosen: dict[str, Quantiser]) -> np.ndarray:
        return engine.logits_of(Deberta(checkpoint, max_tokens, chosen).build().SerializeToString(), tokenizer, probes)

    exact = logits({})
    moved = {name: float(((logits({name: quantiser}) - exact) ** 2).mean()) for name, quantiser in choices.items()}
    return sorted(moved, key=lambda name: -moved[name])


def against(exact: dict[str, np.ndarray], logits: dict[str, np.ndarray], fitted) -> dict:
    before, after = (np.concatenate([of[part] for part in exact]) for of in (exact, logits))
    was, is_now = fitted.decisions(before), fitted.decisions(after)
    return {
        "pairs": len(before),
        "decision_flips": float((was != is_now).mean()),
        "severe_to_approved": float(((was == VIOLATION) & (is_now == APPROVED)).mean()),
        "largest_logit_difference": float(np.abs(before - after).max()),
    }


def spread_over_batches(graph: bytes, tokenizer: Tokenizer, pairs: list[Pair]) -> float:
    """How far one logit of one pair moves between random batches of 1 to 32 pairs, at a random place in each."""
    running, generator = engine.session(graph), random.Random(0)
    pair, rows = pairs[0], []
    for _ in range(BATCHES):
        neighbours = generator.sample(pairs[1:], generator.randrange(min(32, len(pairs))))
        place = generator.randrange(len(neighbours) + 1)
        batch = [*neighbours[:place], pair, *neighbours[place:]]
        rows.append(running.run(["logits"], engine.feed(engine.encode(tokenizer, batch)))[0][place])
    return float(np.ptp(np.array(rows), axis=0).max())
