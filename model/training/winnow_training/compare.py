"""Compares classifiers on the held themes and writes data/comparison.json, from which the table of docs/model.md is made.

The runs of `recipe` are read from its work folder; three classifiers that need no fine-tuning are fitted here, on the same
training pairs, and the bundles named are scored as they are served. `--table` prints the file as Markdown.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from winnow_training import engine
from winnow_training.families import figures_of
from winnow_training.foods import FoodFacts
from winnow_training.pairs import DATA, LABELS, Pair, read_judged, read_split, select
from winnow_training.text import folded

SHOWN = ("realistic", "like traffic", "usda")
# What a run of recipe learnt from; a seed may stand behind the name.
RUNS = {
    "usda": "judged USDA pairs (`usda`)",
    "realistic": "and catalogue-like ones (`realistic`)",
    "written": "and those written for training alone (`written`)",
    "ruled": "and the letters, and augmentation (`ruled`)",
    "taught": "the same judged pairs, augmentation, and the teachers' labels (`taught`)",
    "rate-1.7e-4": "`taught`, new parts as slow as the rest",
    "bert-taught": "`taught`, a BERT instead of a DeBERTa",
    "starter": "`taught`, six epochs instead of three, at rates a third higher",
    "teacher": "the teachers",
}
Score = Callable[[list[Pair]], np.ndarray]


def logistic(features: Callable, train: list[Pair]) -> Score:
    """A logistic regression over features(pairs)."""
    model = LogisticRegression(max_iter=2000, C=4.0).fit(features(train), [pair.label for pair in train])
    return lambda pairs: model.predict_log_proba(features(pairs))


def tfidf(train: list[Pair]) -> Score:
    def sides(pairs: list[Pair]) -> np.ndarray:
        texts = [folded(pair) for pair in pairs]
        return np.array([(theme, title, f"{theme} {title}") for theme, title in texts])

    words = [(str(side), TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), side) for side in range(3)]
    vectors = make_pipeline(ColumnTransformer(words)).fit(sides(train))
    return logistic(lambda pairs: vectors.transform(sides(pairs)), train)


def cosine(train: list[Pair]) -> Score:
    from winnow_training.embed import embed  # needs torch, which scoring a bundle does not

    def features(pairs: list[Pair]) -> np.ndarray:
        texts = sorted({text for pair in pairs for text in (pair.theme, pair.title)})
        vectors = dict(zip(texts, embed(texts).cpu().numpy(), strict=True))
        return np.array([[float(vectors[pair.theme] @ vectors[pair.title])] for pair in pairs])

    return logistic(features, train)


def facts_alone(train: list[Pair]) -> Score:
    """The food facts' word: the label shares of training pairs by (constraint stated, broken)."""
    facts = FoodFacts()

    def kind(pair: Pair) -> int:
        constraint = facts.constraint_of(pair.theme)
        return 0 if constraint is None else 1 + facts.breaks(constraint, pair.title)

    shares = np.zeros((3, len(LABELS)))
    for pair in train:
        shares[kind(pair), pair.label] += 1
    shares /= shares.sum(axis=1, keepdims=True)
    return lambda pairs: np.log(shares[[kind(pair) for pair in pairs]])


SIMPLE = {
    "TF-IDF, logistic regression": tfidf,
    "sentence encoder's cosine, logistic regression": cosine,
    "food facts alone": facts_alone,
}


def bundle(folder: Path) -> Score:
    """A bundle, as it is served."""
    tokenizer = engine.load_tokenizer(folder / "tokenizer.json", 128)
    running = engine.session(folder / "model.onnx")
    return lambda pairs: engine.scored(running, tokenizer, pairs)


def table(rows: dict[str, dict]) -> str:
    """A line a run; runs that differ in their seed alone, name-1 and name-2, share one: the mean, and how far apart."""
    seeds: dict[str, list[dict]] = defaultdict(list)
    for name, row in rows.items():
        stem, _, seed = name.rpartition("-")
        seeds[name if name in RUNS or stem not in RUNS or not seed.isdigit() else stem].append(row)
    lines = [
        "| classifier | " + " | ".join(f"{name}: severe AUC, AP, macro F1" for name in SHOWN) + " |",
        "|---" * (1 + len(SHOWN)) + "|",
    ]
    for name, runs in seeds.items():
        cells = []
        for group in SHOWN:
            values = np.array(
                [[run[group][key] for key in ("severe_auc", "severe_average_precision", "macro_f1")] for run in runs]
            )
            spread = f" (± {np.ptp(values[:, 1]) / 2:.3f})" if len(runs) > 1 else ""
            auc, precision, f1 = values.mean(axis=0)
            cells.append(f"{auc:.3f}, {precision:.3f}{spread}, {f1:.3f}")
        lines.append(f"| {RUNS.get(name, name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assessed", type=Path, help="folder of assess, which recipe leaves in its work folder")
    parser.add_argument("--bundle", nargs="*", default=[], metavar="NAME=FOLDER", help="bundles, as they are served")
    parser.add_argument("--out", type=Path, default=DATA / "comparison.json")
    parser.add_argument("--table", action="store_true", help="print the file as Markdown, measure nothing")
    options = parser.parse_args()
    if options.table:
        rows = json.loads(options.out.read_text())
    else:
        split, judged = read_split(DATA / "split.csv"), read_judged()
        train = [pair for pairs in judged.values() for pair in select(pairs, split, "train")]
        test = [pair for source in ("usda", "realistic") for pair in select(judged[source], split, "test")]
        rows = {name: figures_of(fit(train)(test), test) for name, fit in SIMPLE.items()}
        if options.assessed:
            runs = json.loads((options.assessed / "figures.json").read_text())
            stems = list(RUNS)
            order = sorted(runs, key=lambda name: min(i for i, stem in enumerate(stems) if name.startswith(stem)))
            rows |= {name: runs[name]["test"] for name in order}
        for given in options.bundle:
            name, _, folder = given.partition("=")
            rows[name] = figures_of(bundle(Path(folder))(test), test)
        options.out.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
