"""Fine-tunes a classifier on judged and taught pairs and keeps the epoch that ranks severe pairs of validation best.

On whatever is there: a GPU in bfloat16 if torch finds one, else the processor.
"""

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

from winnow_training.device import DEVICE, fast_products
from winnow_training.examples import Examples
from winnow_training.metrics import by_source
from winnow_training.pairs import (
    DATA,
    LABELS,
    SOURCES,
    Pair,
    few,
    read_judged,
    read_pairs,
    read_split,
    read_taught,
    read_unjudged,
    select,
)
from winnow_training.text import folded

MAX_TOKENS = 128
# What the data card says of the pairs, in a line.
JUDGED = (
    "USDA FoodData Central titles and catalogue-like ones, judged by language models under a written rubric, without a "
    "human check"
)
# Parameters that the sentence encoder did not bring; they start from nothing and learn faster.
NEW_PARTS = ("classifier", "pooler", "pos_key_proj", "pos_query_proj", "rel_embeddings", "encoder.LayerNorm")


def encode(tokenizer, pairs: list) -> list[list[int]]:
    if not pairs:
        return []
    sides = [folded(pair) for pair in pairs]
    themes, titles = [theme for theme, _ in sides], [title for _, title in sides]
    return tokenizer(themes, titles, truncation=True, max_length=MAX_TOKENS)["input_ids"]


def padded(rows: list[list[int]], pad: int) -> dict[str, torch.Tensor]:
    length = max(map(len, rows))
    ids = np.full((len(rows), length), pad)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
    tokens = torch.from_numpy(ids).to(DEVICE)
    lengths = torch.tensor([len(row) for row in rows], device=DEVICE)
    return {"input_ids": tokens, "attention_mask": (torch.arange(length, device=DEVICE) < lengths[:, None]).long()}


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
def logits_of(model, rows: list[list[int]], pad: int, size: int = 64 if DEVICE.type == "cpu" else 1024) -> np.ndarray:
    model.to(DEVICE).eval()
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    logits = np.zeros((len(rows), len(LABELS)), np.float32)
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        with fast_products():
            logits[batch] = model(**padded([rows[index] for index in batch], pad)).logits.float().cpu().numpy()
    return logits


def optimizer_of(model, options: argparse.Namespace) -> torch.optim.Optimizer:
    new = [tensor for name, tensor in model.named_parameters() if any(part in name for part in NEW_PARTS)]
    old = [tensor for name, tensor in model.named_parameters() if not any(part in name for part in NEW_PARTS)]
    return torch.optim.AdamW(
        [{"params": old, "lr": options.learning_rate}, {"params": new, "lr": options.new_parts_learning_rate}],
        weight_decay=0.01,
        fused=True,
    )


def loss_of(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Cross-entropy against a judge's label or a teacher's probabilities, weighted.

    A target that sums to more than one says which labels are possible, and nothing of which: harmless is (1, 1, 0).
    """
    logs = logits.float().log_softmax(dim=1)
    possible = targets.sum(dim=1) > 1.5
    open_loss = -(logs + targets.clamp_min(1e-9).log()).logsumexp(dim=1)
    exact_loss = -(targets * logs).sum(dim=1)
    return (weights * torch.where(possible, open_loss, exact_loss)).mean()


def train(
    model, tokenizer, examples: Examples, validation: dict[str, list[Pair]], options: argparse.Namespace
) -> list[dict]:
    generator = random.Random(options.seed)
    held = {source: encode(tokenizer, pairs) for source, pairs in validation.items()}
    longest = max(len(row) for rows in (examples.rows, *held.values()) for row in rows)
    narrow_relative_positions(model, longest)
    optimizer = optimizer_of(model, options)
    targets, weights = examples.targets.to(DEVICE), examples.weights.to(DEVICE)
    steps = -(-examples.per_epoch // options.batch_size) * options.epochs
    schedule = get_linear_schedule_with_warmup(optimizer, int(steps * 0.1), steps)
    best, history, started, done = -1.0, [], time.monotonic(), 0
    for epoch in range(1, options.epochs + 1):
        model.train()
        for batch in training_batches(examples.of_epoch(epoch), examples.rows, options.batch_size, generator):
            with fast_products():
                logits = model(**padded([examples.rows[index] for index in batch], tokenizer.pad_token_id)).logits
            loss = loss_of(logits, targets[batch], weights[batch])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            done += 1
            if done % 50 == 0:
                print(f"step {done}/{steps} loss {loss.item():.3f} {time.monotonic() - started:.0f}s", flush=True)
        figures = by_source(
            {source: logits_of(model, rows, tokenizer.pad_token_id) for source, rows in held.items()}, validation
        )
        history.append({"epoch": epoch, **figures})
        print(f"epoch {epoch} validation {figures}", flush=True)
        score = float(np.mean([of["severe_average_precision"] for of in figures.values()]))
        if score > best:
            best = score
            model.save_pretrained(options.out)
            tokenizer.save_pretrained(options.out)
    return history


def note(options: argparse.Namespace, history: list[dict]) -> None:
    """Writes training.json beside the checkpoint: where the weights come from, and how they were made."""
    start = options.start / "training.json"
    origin = json.loads(start.read_text()) if start.exists() else {}
    if options.pairs is None:
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


def options_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", type=Path, required=True, help="checkpoint to start from")
    parser.add_argument("--out", type=Path, required=True, help="folder for the best epoch's checkpoint")
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=list(SOURCES), help="judged pairs of data/")
    parser.add_argument("--pairs", type=Path, help="a file of your own judged pairs instead of those of data/")
    parser.add_argument("--split", type=Path, default=DATA / "split.csv")
    parser.add_argument("--augmented", type=Path, help="file of augment: synthetic judged pairs, each seen once")
    parser.add_argument("--unjudged", type=Path, help="file of unjudged: pairs that the letters judge, each seen once")
    parser.add_argument("--taught", type=Path, help="file of teach: pairs with a teacher's probabilities, each seen once")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=8e-5)
    parser.add_argument("--new-parts-learning-rate", type=float, default=5e-4, help="of what the encoder did not bring")
    parser.add_argument("--severe-weight", type=float, default=1.5)
    parser.add_argument("--sample", type=int, help="no more pairs of each source, taken at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def main() -> None:
    options = options_of()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    tokenizer = AutoTokenizer.from_pretrained(options.start)
    model = AutoModelForSequenceClassification.from_pretrained(options.start).to(DEVICE)
    split = read_split(options.split)
    judged = {"own": read_pairs(options.pairs)} if options.pairs else read_judged(SOURCES)
    sources = options.sources if not options.pairs else ["own"]
    training = [pair for source in sources for pair in few(select(judged[source], split, "train"), options.sample)]
    validation = {source: few(select(pairs, split, "validation"), options.sample) for source, pairs in judged.items()}
    validation = {source: pairs for source, pairs in validation.items() if pairs}
    augmented = few(read_pairs(options.augmented), options.sample) if options.augmented else []
    ruled = [pair for pair in read_unjudged(options.unjudged) if pair.broken is not None] if options.unjudged else []
    ruled = few(ruled, options.sample)
    taught = few(read_taught(options.taught), options.sample) if options.taught else []
    examples = Examples(
        encode(tokenizer, [*training, *augmented, *ruled, *taught]), training, augmented, ruled, taught, options
    )
    print(f"{len(training)} judged, {len(augmented)} augmented, {len(ruled)} ruled, {len(taught)} taught pairs on {DEVICE}")
    note(options, train(model, tokenizer, examples, validation, options))


if __name__ == "__main__":
    main()
