"""What products hold and what themes forbid: the letters, and what is made of them."""

import random

import numpy as np
import pytest

from winnow_training.families import drawn, groups_of, judged
from winnow_training.knowledge import FORBIDS, HOLDS, SILENT, Product, Theme, breaks, read_products, read_themes
from winnow_training.metrics import SEVERE
from winnow_training.opinions import TRUST, with_letters
from winnow_training.pairs import DATA, LABELS, TRAINING_ALONE, Pair, read_judged, read_split, select
from winnow_training.thresholds import RELEVANT, WEAK, Prior, Threshold, Thresholds
from winnow_training.unjudged import ruled_titles


@pytest.fixture(scope="module")
def products() -> dict[str, Product]:
    return {product.title: product for product in read_products()}


def theme(*constraints: str) -> Theme:
    return Theme("a theme", constraints, frozenset({"snack"}))


def test_every_letter_is_explained():
    letters = {letter for product in read_products() for letter in product.holds | product.perhaps}
    assert letters <= HOLDS.keys()
    assert {letter for forbidden in (*FORBIDS.values(), *SILENT.values()) for letter in forbidden} <= HOLDS.keys()


def test_every_theme_carries_constraints_that_are_known_and_most_constraints_have_many_themes():
    themes = read_themes()
    counts = {name: sum(name in theme.constraints for theme in themes) for name in FORBIDS}
    assert min(counts.values()) >= 10, counts
    assert sum(not theme.constraints for theme in themes) > 200


@pytest.mark.parametrize(
    ("constraint", "title", "broken"),
    [
        ("dairy-free", "oat milk", False),
        ("dairy-free", "whole milk", True),
        ("lactose-free", "lactose-free milk", False),
        ("dairy-free", "lactose-free milk", True),
        ("vegan", "honey", True),
        ("no-pork", "turkey bacon", False),
        ("no-pork", "pork bacon", True),
        ("gluten-free", "corn tortillas", False),
        ("nut-free", "sunflower seed butter", False),
        ("dogs", "peanuts", None),  # too much of them is bad, a few are not
        ("halal", "chicken breast", None),  # unmarked: nobody knows
        ("no-beef", "dish soap", None),  # what is not eaten breaks nothing, and belongs to nothing either
    ],
)
def test_what_the_letters_say(products, constraint, title, broken):
    assert breaks(theme(constraint), products[title]) is broken


def test_a_theme_without_constraint_is_never_broken_by_rule(products):
    assert {breaks(theme(), product) for product in products.values()} == {None}


def test_a_line_that_is_not_three_fields_is_named(tmp_path):
    file = tmp_path / "knowledge.txt"
    file.write_text("# a comment\nOat milk | | breakfast\nSoy milk | Y\n")
    with pytest.raises(ValueError, match=r"knowledge\.txt:3: 2 fields, must be 3"):
        read_products(titles=file)


def test_a_constraint_that_nothing_forbids_is_named(tmp_path):
    file = tmp_path / "themes.txt"
    file.write_text("vegen | snack | Plants\n")
    with pytest.raises(ValueError, match="'Plants' carries vegen"):
        read_themes(file)


def test_titles_under_a_rule_are_of_both_kinds_and_half_of_them_stand_where_the_theme_is(products):
    of = Theme("Dairy-free snacks", ("dairy-free",), frozenset({"snack"}))
    chosen = dict(ruled_titles(of, list(products.values()), 60, random.Random(0)))
    assert 20 <= sum(chosen.values()) <= 24 and len(chosen) >= 56
    assert np.mean([bool(products[title].places & of.places) for title in chosen]) > 0.45


def test_the_letters_move_severe_and_leave_the_rest_in_its_proportion():
    taught = np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.6, 0.3, 0.1]])
    moved = with_letters(taught, [None, True, False])
    assert moved[0] == pytest.approx(taught[0])
    assert moved[1, SEVERE] == pytest.approx((0.1 + TRUST) / 2) and moved[2, SEVERE] == pytest.approx((0.1 + 1 - TRUST) / 2)
    assert moved[:, 0] / moved[:, 1] == pytest.approx([2, 2, 2]) and moved.sum(axis=1) == pytest.approx([1, 1, 1])


def test_no_theme_that_is_ruled_or_written_stands_in_a_held_part():
    split = read_split(DATA / "split.csv")
    held = {theme.lower() for theme, part in split.items() if part != "train"}
    alone = {pair.theme.lower() for pairs in read_judged(TRAINING_ALONE).values() for pair in pairs}
    assert not alone & held


def test_groups_hold_every_family_and_those_like_traffic():
    pairs = [pair for of in read_judged(("usda", "realistic")).values() for pair in of]
    groups = groups_of(select(pairs, read_split(DATA / "split.csv"), "test"))
    assert len(groups) == 18 and len(groups["like traffic"]) == sum(
        len(groups[name]) for name in ("proposals", "stores", "traffic")
    )


def at(value: float) -> Threshold:
    return Threshold(value, "", 0, 0, (0, 1), 0, 1, 1)


def test_placements_are_judged_as_the_policy_judges_them():
    """One clean placement is approved, one is killed by a false alarm, one is held; of two severe products one is shown."""
    thresholds = Thresholds(severe=at(0.8), review=at(0.2), weak=at(0.6))
    good, uncertain, weak, killer = [0.9, 0.1, 0], [0.6, 0, 0.4], [0.3, 0.7, 0], [0, 0, 1]
    rows = [(good, RELEVANT)] * 4 + [
        (uncertain, RELEVANT),
        (weak, WEAK),
        (killer, RELEVANT),
        (good, SEVERE),
        (killer, SEVERE),
    ]
    probabilities, labels = np.array([row for row, _ in rows]), np.array([label for _, label in rows])
    clean = [[0, 1, 2, 4], [0, 1, 2, 6], [0, 1, 4, 5]]
    found = judged([*clean, [0, 1, 2, 7], [0, 1, 2, 8]], labels, probabilities, thresholds)
    assert (found.clean_approved, found.clean_killed, found.clean_held) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert found.severe_shown == 0.5
    assert found.relevant_kept == pytest.approx(6 / 7)


def test_drawn_placements_have_the_size_and_the_shares_that_are_asked_for():
    labels = np.array([RELEVANT] * 12 + [WEAK] * 6 + [SEVERE] * 6)
    placements = drawn({"t": list(range(24))}, labels, 10, Prior(0.84, 0.12, 0.04))
    assert {len(placement) for placement in placements} == {10}
    assert np.mean(labels[np.concatenate(placements)] == SEVERE) == pytest.approx(0.04, abs=0.04)
    assert all(len(set(placement)) == 10 for placement in placements)
    assert placements == drawn({"t": list(range(24))}, labels, 10, Prior(0.84, 0.12, 0.04))
    assert LABELS[SEVERE] == "severe"


def test_pairs_of_one_file_are_a_family_of_their_own():
    assert groups_of([Pair("t", "a", 0, "snacks")]) == {"snacks": [0]}
