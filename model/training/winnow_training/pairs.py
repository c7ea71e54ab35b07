"""Judged (theme, title) pairs, split by theme so that every evaluation theme is unseen."""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LABELS = ("relevant", "weak", "severe")
DATA = Path(__file__).resolve().parent.parent / "data"

# Of 100 themes. Validation chooses the epoch and fits temperature and thresholds; test is only reported.
VALIDATION_SHARE = 10
TEST_SHARE = 10


@dataclass(frozen=True)
class Pair:
    theme: str
    title: str
    label: int


@dataclass(frozen=True)
class UnjudgedPair:
    theme: str
    title: str


@dataclass(frozen=True)
class TaughtPair:
    theme: str
    title: str
    probabilities: tuple[float, ...]  # by label, in the order of LABELS


def _rows(path: Path, *columns: str) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) of a CSV file whose header must name columns."""
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = set(columns) - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{path}: column missing: {', '.join(sorted(missing))}")
        for row in reader:
            yield reader.line_num, row


def read_pairs(path: Path) -> list[Pair]:
    """Reads a CSV file with the columns theme, title and label; names the line of a label it does not know."""
    pairs = []
    for line, row in _rows(path, "theme", "title", "label"):
        if row["label"] not in LABELS:
            raise ValueError(f"{path}:{line}: label {row['label']!r} is not one of {', '.join(LABELS)}")
        pairs.append(Pair(row["theme"], row["title"], LABELS.index(row["label"])))
    if not pairs:
        raise ValueError(f"{path}: no pairs")
    return pairs


def read_unjudged(path: Path) -> list[UnjudgedPair]:
    """Reads a file of `python -m winnow_training.unjudged`."""
    return [UnjudgedPair(row["theme"], row["title"]) for _, row in _rows(path, "theme", "title")]


def read_taught(path: Path) -> list[TaughtPair]:
    """Reads a file of `python -m winnow_training.teach`: theme, title and a teacher's probability of every label."""
    return [
        TaughtPair(row["theme"], row["title"], tuple(float(row[label]) for label in LABELS))
        for _, row in _rows(path, "theme", "title", *LABELS)
    ]


def read_products() -> list[dict[str, str]]:
    """The catalogue: source, title, brand, category, ingredients."""
    return [row for _, row in _rows(DATA / "usda_products.csv", "title", "brand", "ingredients")]


def part_of(theme: str) -> str:
    """The part a theme belongs to. A hash of its text, so that a theme added later moves no other."""
    bucket = int.from_bytes(hashlib.sha256(theme.lower().encode()).digest()[:4], "big") % 100
    if bucket < TEST_SHARE:
        return "test"
    if bucket < TEST_SHARE + VALIDATION_SHARE:
        return "validation"
    return "train"


def read_split(path: Path) -> dict[str, str]:
    """theme -> part, from the file that `python -m winnow_training.split` wrote."""
    with open(path, newline="", encoding="utf-8") as file:
        return {row["theme"]: row["part"] for row in csv.DictReader(file)}


def select(pairs: list[Pair], split: dict[str, str], part: str) -> list[Pair]:
    """The pairs whose theme belongs to part. A theme that the split file lacks is an error: split first."""
    unknown = sorted({pair.theme for pair in pairs} - split.keys())
    if unknown:
        raise ValueError(f"{len(unknown)} themes are not in the split file, the first is {unknown[0]!r}")
    return [pair for pair in pairs if split[pair.theme] == part]
