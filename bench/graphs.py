"""Times a checkpoint's graphs against each other: the stock export, folded, and 8-bit variants of both.

Every graph scores the same real pairs in the same batches (sorted by length, cut under a budget of padded tokens), in
turns within one run, because machines are shared and noisy: what counts is the ratio. Flips and the spread of one pair's
score over random batches stand beside the speed.

usage: WINNOW_OPERATORS=bin/libwinnow_operators.so PYTHONPATH=model/training python bench/graphs.py --checkpoint FOLDER
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from onnxruntime.quantization import QuantType, quantize_dynamic

from winnow_training import engine, quantise
from winnow_training.checkpoint import Checkpoint
from winnow_training.deberta import Deberta
from winnow_training.fitted import fit
from winnow_training.labelled import Labelled
from winnow_training.pairs import DATA, read_pairs, read_split, select
from winnow_training.stock import export
from winnow_training.thresholds import Bounds, Prior

# Decisions are compared at thresholds that are fitted to each graph, as the builder fits them.
PRIOR, BOUNDS = Prior(relevant=0.84, weak=0.12, severe=0.04), Bounds(missed=0.02, precision=0.9, lost=0.05)


def batches_of(tokenizer, pairs, budget: int) -> list[dict[str, np.ndarray]]:
    """Feeds of at most budget padded tokens, shortest pairs first."""
    encodings = sorted((tokenizer.encode(pair.theme, pair.title) for pair in pairs), key=lambda encoding: len(encoding.ids))
    cut, batches = [], []
    for encoding in encodings:
        if (len(cut) + 1) * len(encoding.ids) > budget:
            batches.append(cut)
            cut = []
        cut.append(encoding)
    return [padded(batch) for batch in [*batches, cut]]


def padded(batch) -> dict[str, np.ndarray]:
    length = max(len(encoding.ids) for encoding in batch)
    rows = [(encoding.ids + [0] * (length - len(encoding.ids)), len(encoding.ids)) for encoding in batch]
    return {
        "input_ids": np.array([ids for ids, _ in rows], np.int64),
        "attention_mask": np.array([[1] * count + [0] * (length - count) for _, count in rows], np.int64),
    }


def variants_of(checkpoint: Checkpoint, tokenizer, training, work: Path) -> dict[str, Path]:
    def saved(name: str, model) -> Path:
        (work / name).write_bytes(model.SerializeToString())
        return work / name

    def dynamic(source: Path, per_channel: bool = True) -> Path:
        target = source.with_suffix(".dynamic.onnx")
        quantize_dynamic(
            source, target, weight_type=QuantType.QInt8, per_channel=per_channel, op_types_to_quantize=["MatMul"]
        )
        return target

    export(checkpoint.folder, work / "stock.onnx")
    sample = random.Random(0).sample(training, quantise.CALIBRATION_PAIRS)
    choices = quantise.quantisers(checkpoint, 128, tokenizer, sample)
    by_effect = quantise.most_sensitive_first(checkpoint, 128, tokenizer, sample[: quantise.PROBES], choices)

    def quantised(kept: int):
        return Deberta(checkpoint, 128, {name: choices[name] for name in by_effect[kept:]}).build()

    variants = {
        "stock export, fp32": work / "stock.onnx",
        "stock export, int8 dynamic": dynamic(work / "stock.onnx"),
        "folded, fp32": saved("folded.onnx", Deberta(checkpoint, 128).build()),
    }
    for kept in (0, 2, 4):
        variants[f"folded, int8 a scale a row, {len(choices) - kept} of {len(choices)} products"] = saved(
            f"rows{kept}.onnx", quantised(kept)
        )
    return variants


INLINED = "folded, fp32, operators as functions"


@contextmanager
def without_operators() -> Iterator[None]:
    """Sessions that open meanwhile inline the operators' functions."""
    library = os.environ.pop(engine.OPERATORS)
    try:
        yield
    finally:
        os.environ[engine.OPERATORS] = library


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--budget", type=int, default=512, help="padded tokens a batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="of ONNX Runtime; 0: one a core")
    options = parser.parse_args()
    if engine.OPERATORS not in os.environ:
        parser.error(f"{engine.OPERATORS} must name libwinnow_operators.so, which make build puts into bin")
    checkpoint = Checkpoint(options.checkpoint)
    tokenizer = engine.load_tokenizer(checkpoint.file("tokenizer.json"), 128)
    judged, split = read_pairs(DATA / "judged_pairs.csv"), read_split(DATA / "split.csv")
    parts = {part: select(judged, split, part) for part in ("train", "validation", "test")}
    held = {part: parts[part] for part in ("validation", "test")}
    labelled = Labelled(parts["train"], held, {part: ["usda"] * len(pairs) for part, pairs in held.items()})
    tokenizer.no_padding()
    timed = parts["test"][: options.pairs]
    feeds = batches_of(tokenizer, timed, options.budget)
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id("[PAD]"))
    with tempfile.TemporaryDirectory() as folder:
        variants = variants_of(checkpoint, tokenizer, parts["train"], Path(folder))
        sessions = {name: engine.session(path, options.threads) for name, path in variants.items()}
        variants[INLINED] = variants["folded, fp32"]
        with without_operators():
            sessions[INLINED] = engine.session(variants[INLINED], options.threads)
        speeds: dict[str, list[float]] = {name: [] for name in variants}
        for turn in range(options.rounds + 1):
            for name, running in sessions.items():
                started = time.perf_counter()
                for feed in feeds:
                    running.run(["logits"], feed)
                if turn:  # the first turn is warm-up
                    speeds[name].append(len(timed) / (time.perf_counter() - started))
        exact = {part: engine.scored(sessions["folded, fp32"], tokenizer, parts[part]) for part in held}
        print("| graph | pairs/s | against stock | largest logit difference | decisions flipped | spread |")
        print("|---|---|---|---|---|---|")
        stock = speeds["stock export, fp32"]
        for name, running in sessions.items():
            logits = {part: engine.scored(running, tokenizer, parts[part]) for part in held}
            figures = quantise.against(exact, logits, fit(logits, labelled, PRIOR, BOUNDS))
            with without_operators() if name == INLINED else nullcontext():
                spread = quantise.spread_over_batches(variants[name].read_bytes(), tokenizer, parts["train"][:500])
            ratio = statistics.median(mine / base for mine, base in zip(speeds[name], stock, strict=True))
            print(
                f"| {name} | {statistics.median(speeds[name]):.0f} | {ratio:.2f} | "
                f"{figures['largest_logit_difference']:.2g} | "
                f"{figures['decision_flips']:.2%} | {spread:.1g} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
