"""Judged (theme, title) pairs, split by theme so that every evaluation theme is unseen."""

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LABELS = ("relevant", "weak", "severe")
DATA = Path(__file__).resolve().parent.parent / "data"

# Of 100 themes. Validation chooses the epoch and fits temperature and thresholds; test is only reported.
VALIDATION_SHARE = 10
TEST_SHARE = 10
# Of the themes of one family of data/realistic, for each of the two: families are small.
FAMILY_SHARE = 0.15

SOURCES = ("usda", "realistic", "written")


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
        pairs.append(Pair(row["theme"], row["title"], LABELS.index(row["label"]), path.stem, row.get("set") or ""))
    if not pairs:
        raise ValueError(f"{path}: no pairs")
    return pairs


def judged_files() -> list[Path]:
    """Every file of judged pairs, in the order of their sources."""
    return [DATA / "judged_pairs.csv", *sorted(DATA.glob("realistic/*.csv")), *sorted(DATA.glob("written/*.csv"))]


def source_of(path: Path) -> str:
    """usda, realistic or written: where a file of judged pairs comes from."""
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
        UnjudgedPair(row["theme"], row["title"], BROKEN[row["broken"]]) for _, row in _rows(path, "theme", "title", "broken")
    ]


def read_taught(path: Path) -> list[TaughtPair]:
    """Reads a file of `python -m winnow_training.teach`: theme, title and a teacher's probability of every label."""
    return [
        TaughtPair(row["theme"], row["title"], tuple(float(row[label]) for label in LABELS))
        for _, row in _rows(path, "theme", "title", *LABELS)
    ]


def read_products() -> list[dict[str, str]]:
    """The catalogue: source, title, brand, category, ingredients."""
    return [row for _, row in _rows(DATA / "usda_products.csv", "title", "brand", "ingredients")]


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
    with open(path, newline="", encoding="utf-8") as file:
        return {row["theme"]: row["part"] for row in csv.DictReader(file)}


def select(pairs: list[Pair], split: dict[str, str], part: str) -> list[Pair]:
    """The pairs whose theme belongs to part. A theme that the split file lacks is an error: split first."""
    unknown = sorted({pair.theme for pair in pairs} - split.keys())
    if unknown:
        raise ValueError(f"{len(unknown)} themes are not in the split file, the first is {unknown[0]!r}")
    return [pair for pair in pairs if split[pair.theme] == part]
