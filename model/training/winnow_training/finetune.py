"""Fine-tunes a DeBERTa sequence classifier on judged pairs and keeps the epoch with the best severe average precision."""

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

from winnow_training.metrics import SEVERE, report
from winnow_training.pairs import DATA, LABELS, Pair, TaughtPair, read_pairs, read_split, read_taught, select

MAX_TOKENS = 128
# bfloat16 products where the processor has them: twice the speed, and no loss of accuracy that the figures show.
FAST_BFLOAT16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
# What the data card says of judged_pairs.csv, in a line.
JUDGED = "USDA FoodData Central product titles, judged by a language model under a written rubric, without a human check"
# Parameters that the sentence encoder did not bring; they start from nothing and learn faster.
NEW_PARTS = ("classifier", "pooler", "pos_key_proj", "pos_query_proj", "rel_embeddings", "encoder.LayerNorm")


def encode(tokenizer, pairs: list[Pair]) -> list[list[int]]:
    return tokenizer([pair.theme for pair in pairs], [pair.title for pair in pairs], truncation=True, max_length=MAX_TOKENS)[
        "input_ids"
    ]


def padded(rows: list[list[int]], pad: int) -> dict[str, torch.Tensor]:
    length = max(map(len, rows))
    ids = torch.full((len(rows), length), pad)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        mask[index, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def training_batches(chosen: list[int], rows: list[list[int]], size: int, generator: random.Random) -> list[list[int]]:
    """Random batches of chosen rows: shuffled pools are sorted by length, then cut, so that little is padding."""
    order = list(chosen)
    generator.shuffle(order)
    batches = []
    for start in range(0, len(order), size * 16):
        pool = sorted(order[start : start + size * 16], key=lambda index: len(rows[index]))
        batches += [pool[cut : cut + size] for cut in range(0, len(pool), size)]
    generator.shuffle(batches)
    return batches


def narrow_relative_positions(model, longest: int) -> None:
    """Lets attention compute scores for the distances that occur alone; the result is the same, in half the time.

    Exact while no distance reaches the log buckets, that is, while longest is at most half of position_buckets.
    """
    if model.config.model_type != "deberta-v2" or longest * 2 > model.config.position_buckets:
        return
    encoder = model.deberta.encoder
    full, middle = encoder.get_rel_embedding, encoder.layer[0].attention.self.pos_ebd_size
    encoder.get_rel_embedding = lambda: full()[middle - longest : middle + longest]
    for layer in encoder.layer:
        layer.attention.self.pos_ebd_size = longest


@torch.no_grad()
def logits_of(model, rows: list[list[int]], pad: int, size: int = 64) -> np.ndarray:
    model.eval()
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    logits = np.zeros((len(rows), len(LABELS)), np.float32)
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        with torch.autocast("cpu", torch.bfloat16, enabled=FAST_BFLOAT16):
            logits[batch] = model(**padded([rows[index] for index in batch], pad)).logits.float().numpy()
    return logits


def optimizer_of(model, options: argparse.Namespace) -> torch.optim.Optimizer:
    new = [tensor for name, tensor in model.named_parameters() if any(part in name for part in NEW_PARTS)]
    old = [tensor for name, tensor in model.named_parameters() if not any(part in name for part in NEW_PARTS)]
    return torch.optim.AdamW(
        [{"params": old, "lr": options.learning_rate}, {"params": new, "lr": options.new_parts_learning_rate}],
        weight_decay=0.01,
        fused=True,
    )


class Examples:
    """What an epoch trains on: every judged pair, and a fresh share of the pairs that are seen once over all epochs."""

    def __init__(self, tokenizer, judged: list[Pair], once: list[TaughtPair], options: argparse.Namespace):
        self.rows = encode(tokenizer, [*judged, *once])
        self.targets = torch.tensor([one_hot(pair.label) for pair in judged] + [pair.probabilities for pair in once])
        self.judged, self.per_epoch = len(judged), len(once) // options.epochs
        self.order = list(range(self.judged, len(self.rows)))
        random.Random(options.seed).shuffle(self.order)

    def batches(self, epoch: int, size: int, generator: random.Random) -> list[list[int]]:
        fresh = self.order[(epoch - 1) * self.per_epoch : epoch * self.per_epoch]
        return training_batches([*range(self.judged), *fresh], self.rows, size, generator)


def one_hot(label: int) -> tuple[float, ...]:
    return tuple(float(index == label) for index in range(len(LABELS)))


def train(model, tokenizer, examples: Examples, validation: list[Pair], options: argparse.Namespace) -> None:
    generator = random.Random(options.seed)
    validation_rows, validation_labels = encode(tokenizer, validation), np.array([pair.label for pair in validation])
    narrow_relative_positions(model, max(map(len, [*examples.rows, *validation_rows])))
    weights = torch.ones(len(LABELS))
    weights[SEVERE] = options.severe_weight
    optimizer = optimizer_of(model, options)
    steps = -(-(examples.judged + examples.per_epoch) // options.batch_size) * options.epochs
    schedule = get_linear_schedule_with_warmup(optimizer, int(steps * 0.1), steps)
    best, history, started, done = -1.0, [], time.monotonic(), 0
    for epoch in range(1, options.epochs + 1):
        model.train()
        for batch in examples.batches(epoch, options.batch_size, generator):
            with torch.autocast("cpu", torch.bfloat16, enabled=FAST_BFLOAT16):
                logits = model(**padded([examples.rows[index] for index in batch], tokenizer.pad_token_id)).logits
            # Cross-entropy against a judge's label or a teacher's probabilities, severe weighted.
            loss = -(examples.targets[batch] * weights * logits.float().log_softmax(dim=1)).sum(dim=1).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            done += 1
            if done % 50 == 0:
                print(f"step {done}/{steps} loss {loss.item():.3f} {time.monotonic() - started:.0f}s", flush=True)
        figures = report(logits_of(model, validation_rows, tokenizer.pad_token_id), validation_labels)
        history.append({"epoch": epoch, **figures})
        print(f"epoch {epoch} validation {figures}", flush=True)
        if figures["severe_average_precision"] > best:
            best = figures["severe_average_precision"]
            model.save_pretrained(options.out)
            tokenizer.save_pretrained(options.out)
    note(options, history)


def note(options: argparse.Namespace, history: list[dict]) -> None:
    """Writes training.json beside the checkpoint: where the weights come from, and how they were made."""
    start = options.start / "training.json"
    origin = json.loads(start.read_text()) if start.exists() else {}
    if options.pairs == DATA / "judged_pairs.csv":
        origin |= {"data": JUDGED, "data_licence": "CC0-1.0"}
    else:
        origin |= {"data": options.pairs.name}
    recipe = {
        name: value.name if isinstance(value, Path) else value
        for name, value in sorted(vars(options).items())
        if name not in ("out", "start") and value is not None
    }
    (options.out / "training.json").write_text(
        json.dumps(origin | {"recipe": recipe, "validation": history}, indent=2) + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=Path, required=True, help="checkpoint to start from")
    parser.add_argument("--out", type=Path, required=True, help="folder for the best epoch's checkpoint")
    parser.add_argument("--pairs", type=Path, default=DATA / "judged_pairs.csv")
    parser.add_argument("--split", type=Path, default=DATA / "split.csv")
    parser.add_argument("--augmented", type=Path, help="file of augment: synthetic judged pairs, each seen once")
    parser.add_argument("--taught", type=Path, help="file of teach: pairs with a teacher's probabilities, each seen once")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=8e-5)
    parser.add_argument("--new-parts-learning-rate", type=float, default=5e-4)
    parser.add_argument("--severe-weight", type=float, default=1.5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    try:
        finetune(options)
    except ValueError as error:  # a file that is wrong: the message names it and the line
        raise SystemExit(f"error: {error}") from error


def finetune(options: argparse.Namespace) -> None:
    pairs, split = read_pairs(options.pairs), read_split(options.split)
    tokenizer = AutoTokenizer.from_pretrained(options.start)
    model = AutoModelForSequenceClassification.from_pretrained(options.start)
    once = read_taught(options.taught) if options.taught else []
    if options.augmented:
        once += [TaughtPair(pair.theme, pair.title, one_hot(pair.label)) for pair in read_pairs(options.augmented)]
    examples = Examples(tokenizer, select(pairs, split, "train"), once, options)
    train(model, tokenizer, examples, select(pairs, split, "validation"), options)


if __name__ == "__main__":
    main()
