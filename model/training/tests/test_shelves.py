from pathlib import Path

from winnow_training.pairs import DATA, read_split
from winnow_training.shelves import FEWEST, chosen, text

SHELVES = Path(__file__).resolve().parents[3] / "cmd/internal/demo/shelves.json"


def test_the_demo_holds_what_the_data_says():
    """The truth that the demo holds verdicts against must not drift from the judgements."""
    assert SHELVES.read_text(encoding="utf-8") == text(chosen()), f"run: python -m winnow_training.shelves --out {SHELVES}"


def test_the_demo_shows_nothing_that_was_trained_on():
    split = read_split(DATA / "split.csv")
    shelves = chosen()
    assert {split[shelf["theme"]] for shelf in shelves} == {"test"}
    assert len({shelf["theme"] for shelf in shelves}) == len(shelves)
    assert all(len(shelf["relevant"]) + len(shelf["weak"]) >= FEWEST for shelf in shelves)
