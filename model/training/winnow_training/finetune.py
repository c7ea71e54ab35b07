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
from winnow_training.pairs import DATA, LABELS, Pair, read_pairs, read_split, select

MAX_TOKENS = 128
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


def training_batches(rows: list[list[int]], size: int, generator: random.Random) -> list[list[int]]:
    """Random batches of pairs of similar length: shuffled pools are sorted by length, then cut, so little is padding."""
    order = list(range(len(rows)))
    generator.shuffle(order)
    batches = []
    for start in range(0, len(order), size * 16):
        pool = sorted(order[start : start + size * 16], key=lambda index: len(rows[index]))
        batches += [pool[cut : cut + size] for cut in range(0, len(pool), size)]
    generator.shuffle(batches)
    return batches


@torch.no_grad()
def logits_of(model, rows: list[list[int]], pad: int, size: int = 64) -> np.ndarray:
    model.eval()
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    logits = np.zeros((len(rows), len(LABELS)), np.float32)
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        logits[batch] = model(**padded([rows[index] for index in batch], pad)).logits.numpy()
    return logits


def optimizer_of(model, options: argparse.Namespace) -> torch.optim.Optimizer:
    new = [tensor for name, tensor in model.named_parameters() if any(part in name for part in NEW_PARTS)]
    old = [tensor for name, tensor in model.named_parameters() if not any(part in name for part in NEW_PARTS)]
    return torch.optim.AdamW(
        [{"params": old, "lr": options.learning_rate}, {"params": new, "lr": options.new_parts_learning_rate}],
        weight_decay=0.01,
    )


def train(model, tokenizer, training: list[Pair], validation: list[Pair], options: argparse.Namespace) -> None:
    generator = random.Random(options.seed)
    rows, labels = encode(tokenizer, training), torch.tensor([pair.label for pair in training])
    validation_rows, validation_labels = encode(tokenizer, validation), np.array([pair.label for pair in validation])
    weights = torch.ones(len(LABELS))
    weights[SEVERE] = options.severe_weight
    loss_of = torch.nn.CrossEntropyLoss(weight=weights, label_smoothing=options.label_smoothing)
    optimizer = optimizer_of(model, options)
    steps = -(-len(rows) // options.batch_size) * options.epochs
    schedule = get_linear_schedule_with_warmup(optimizer, int(steps * 0.1), steps)
    best, history, started, done = -1.0, [], time.monotonic(), 0
    for epoch in range(1, options.epochs + 1):
        model.train()
        for batch in training_batches(rows, options.batch_size, generator):
            loss = loss_of(model(**padded([rows[index] for index in batch], tokenizer.pad_token_id)).logits, labels[batch])
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
    recipe = {name: str(value) for name, value in sorted(vars(options).items()) if name not in ("out", "start")}
    (options.out / "training.json").write_text(json.dumps({"recipe": recipe, "validation": history}, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=Path, required=True, help="checkpoint to start from")
    parser.add_argument("--out", type=Path, required=True, help="folder for the best epoch's checkpoint")
    parser.add_argument("--pairs", type=Path, default=DATA / "judged_pairs.csv")
    parser.add_argument("--split", type=Path, default=DATA / "split.csv")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=8e-5)
    parser.add_argument("--new-parts-learning-rate", type=float, default=5e-4)
    parser.add_argument("--severe-weight", type=float, default=1.5)
    parser.add_argument("--label-smoothing", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    pairs, split = read_pairs(options.pairs), read_split(options.split)
    tokenizer = AutoTokenizer.from_pretrained(options.start)
    model = AutoModelForSequenceClassification.from_pretrained(options.start)
    train(model, tokenizer, select(pairs, split, "train"), select(pairs, split, "validation"), options)


if __name__ == "__main__":
    main()
