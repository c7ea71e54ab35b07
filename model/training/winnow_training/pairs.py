"""Judged (theme, title) pairs, split by theme so that every evaluation theme is unseen."""

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from winnow_training.table import read_table

LABELS = ("relevant", "weak", "severe")
PARTS = ("train", "validation", "test")
DATA = Path(__file__).resolve().parent.parent / "data"

# Of 100 themes. Validation chooses the epoch and fits temperature and thresholds; test is only reported.
VALIDATION_SHARE = 10
TEST_SHARE = 10
# Of the themes of one family of data/realistic, for each of the two: families are small.
FAMILY_SHARE = 0.15

SOURCES = ("usda", "realistic", "written", "corrections")
TRAINING_ALONE = ("written", "corrections")  # nothing is fitted or reported on them


@dataclass(frozen=True)
class Pair:
    theme: str
    title: str
    label: int
    family: str = ""  # the kind of theme: the name of the file that the pair comes from
    set: str = ""  # sibling themes of a family that share it are never in two parts


@dataclass(frozen=True)
class UnjudgedPair:
    theme: str
    title: str
    broken: bool | None = None  # whether what the title holds breaks what the theme asks for; None: nobody knows


@dataclass(frozen=True)
class TaughtPair:
    theme: str
    title: str
    probabilities: tuple[float, ...]  # by label, in the order of LABELS


def _rows(path: Path, *columns: str, values: Mapping[str, Sequence[str]] | None = None) -> list[tuple[int, dict[str, str]]]:
    """(line, row) of a CSV file; columns are those that every row must fill."""
    return read_table(path, *columns, values=values)


def read_pairs(path: Path) -> list[Pair]:
    """Reads a CSV file with the columns theme, title and label; names the line of what is wrong with it."""
    rows = _rows(path, "theme", "title", "label", values={"label": LABELS})
    if not rows:
        raise ValueError(f"{path}: no pairs")
    return [Pair(row["theme"], row["title"], LABELS.index(row["label"]), path.stem, row.get("set", "")) for _, row in rows]


def judged_files() -> list[Path]:
    """Every file of judged pairs, in the order of their sources."""
    folders = [source for source in SOURCES if source != "usda"]
    return [DATA / "judged_pairs.csv", *(file for folder in folders for file in sorted(DATA.glob(f"{folder}/*.csv")))]


def source_of(path: Path) -> str:
    """One of SOURCES: where a file of judged pairs comes from."""
    return "usda" if path.parent == DATA else path.parent.name


def read_judged(sources: Iterable[str] = SOURCES) -> dict[str, list[Pair]]:
    """source -> the judged pairs of its files."""
    return {
        source: [pair for file in judged_files() if source_of(file) == source for pair in read_pairs(file)]
        for source in sources
    }


BROKEN = {"yes": True, "no": False, "": None}


def read_unjudged(path: Path) -> list[UnjudgedPair]:
    """Reads a file of `python -m winnow_training.unjudged`."""
    return [
        UnjudgedPair(row["theme"], row["title"], BROKEN[row["broken"]])
        for _, row in _rows(path, "theme", "title", values={"broken": tuple(BROKEN)})
    ]


def read_taught(path: Path) -> list[TaughtPair]:
    """Reads a file of `python -m winnow_training.teach`: theme, title and a teacher's probability of every label."""
    taught = []
    for line, row in _rows(path, "theme", "title", *LABELS):
        try:
            taught.append(TaughtPair(row["theme"], row["title"], tuple(float(row[label]) for label in LABELS)))
        except ValueError as error:
            raise ValueError(f"{path}:{line}: {error}") from error
    return taught


def read_products() -> list[dict[str, str]]:
    """The catalogue: source, title, brand, category, ingredients."""
    return [row for _, row in _rows(DATA / "usda_products.csv", "title")]


def theme_hash(theme: str) -> int:
    return int.from_bytes(hashlib.sha256(theme.lower().encode()).digest()[:4], "big")


def part_of(theme: str) -> str:
    """The part a theme belongs to. A hash of its text, so that a theme added later moves no other."""
    bucket = theme_hash(theme) % 100
    if bucket < TEST_SHARE:
        return "test"
    if bucket < TEST_SHARE + VALIDATION_SHARE:
        return "validation"
    return "train"


def parts_of_family(pairs: list[Pair]) -> dict[str, str]:
    """theme -> part for one family, whose shares are kept exactly: themes in the order of their hashes, sets whole."""
    groups: dict[str, set[str]] = {}
    for pair in pairs:
        groups.setdefault(f"set {pair.set}" if pair.set else pair.theme, set()).add(pair.theme)
    ordered = sorted(groups.values(), key=lambda themes: theme_hash(min(themes)))
    count, parts, placed = sum(map(len, ordered)), {}, 0
    for themes in ordered:
        share = placed / count
        part = "test" if share < FAMILY_SHARE else "validation" if share < 2 * FAMILY_SHARE else "train"
        parts |= dict.fromkeys(themes, part)
        placed += len(themes)
    return parts


def read_split(path: Path) -> dict[str, str]:
    """theme -> part, from the file that `python -m winnow_training.split` wrote."""
    split: dict[str, str] = {}
    for line, row in _rows(path, "theme", "part", values={"part": PARTS}):
        if split.setdefault(row["theme"], row["part"]) != row["part"]:
            raise ValueError(
                f"{path}:{line}: theme {row['theme']!r} is in two parts, {split[row['theme']]} and {row['part']}"
            )
    return split


def select(pairs: list[Pair], split: dict[str, str], part: str) -> list[Pair]:
    """The pairs whose theme belongs to part. A theme that the split file lacks is an error: split first."""
    unknown = sorted({pair.theme for pair in pairs} - split.keys())
    if unknown:
        raise ValueError(f"{len(unknown)} themes are not in the split file, the first is {unknown[0]!r}")
    return [pair for pair in pairs if split[pair.theme] == part]


def few(pairs: list, count: int | None) -> list:
    """count of the pairs, taken at random, the same ones each time; all of them where count is None or more."""
    return random.Random(0).sample(pairs, min(count or len(pairs), len(pairs)))
