"""The food facts, and what is made of them: synthetic pairs whose labels flip, and pairs for a teacher."""

import json
import random

import numpy as np
import pytest

from winnow_training.augment import shuffled, swapped
from winnow_training.foods import FoodFacts
from winnow_training.pairs import DATA, LABELS, Pair, read_pairs, read_split, select
from winnow_training.unjudged import recombined, titles_for

SEVERE, WEAK, RELEVANT = (LABELS.index(label) for label in ("severe", "weak", "relevant"))


@pytest.fixture(scope="module")
def facts() -> FoodFacts:
    return FoodFacts()


@pytest.mark.parametrize(
    ("constraint", "title", "broken"),
    [
        ("gluten-free", "Bread, rye", True),
        ("gluten-free", "GLUTEN FREE BREAD", False),  # a title that claims the constraint is believed
        ("gluten-free", "Eggplant, raw", False),
        ("dairy-free", "Butter, salted", True),
        ("dairy-free", "Peanut butter, smooth", False),
        ("egg-free", "Eggplant, raw", False),
        ("no-pork", "Hamburger, plain", False),
        ("alcohol-free", "Vinegar, red wine", False),
        ("vegan", "Honey", True),
        ("halal", "Pork, fresh, loin", True),
    ],
)
def test_what_a_title_shows(facts, constraint, title, broken):
    assert facts.breaks(constraint, title) == broken


def test_on_training_themes_the_facts_are_right_nine_times_in_ten(facts):
    """Not a figure to publish, the table was amended by these: a floor under which an edit broke it."""
    pairs = select(read_pairs(DATA / "judged_pairs.csv"), read_split(DATA / "split.csv"), "train")
    stated = [(facts.constraint_of(pair.theme), pair) for pair in pairs]
    broken = [pair.label == SEVERE for constraint, pair in stated if constraint and facts.breaks(constraint, pair.title)]
    assert np.mean(broken) > 0.9
    assert sum(broken) > 2000


def test_a_constraint_over_an_unknown_food_is_named(tmp_path):
    file = tmp_path / "facts.json"
    file.write_text(json.dumps({"foods": {"egg": {"words": ["egg"], "unless": ["eggplant"]}}, "constraints": {"x": ["eg"]}}))
    with pytest.raises(ValueError, match="foods that it does not describe: eg"):
        FoodFacts(file)


def test_a_swap_flips_the_label_where_the_new_constraint_is_broken(facts):
    made = {
        swapped(Pair("Vegan desserts", "Wheat flour, white", RELEVANT), facts, {}, random.Random(seed)) for seed in range(80)
    }
    labels = {pair.theme: pair.label for pair in made}
    assert labels["Gluten-free desserts"] == SEVERE
    assert labels["Kosher desserts"] == RELEVANT
    assert "Vegan desserts" not in labels


def test_a_swap_reads_the_ingredients_too(facts):
    pair, ingredients = Pair("Vegan snacks", "MYSTERY BITES", WEAK), {"MYSTERY BITES": "WHEAT FLOUR, SUGAR"}
    made = [swapped(pair, facts, ingredients, random.Random(seed)) for seed in range(200)]
    assert {new.label for new in made if new.theme == "Gluten-free snacks"} == {SEVERE}


def test_a_severe_pair_that_breaks_nothing_new_is_left_out(facts):
    made = [
        swapped(Pair("Caffeine-free drinks", "Water with caffeine", SEVERE), facts, {}, random.Random(seed))
        for seed in range(50)
    ]
    assert all(new is None or facts.breaks(facts.constraint_of(new.theme), new.title) for new in made)


def test_a_shuffled_title_keeps_its_label_and_its_food():
    pair = Pair("Cookie jar", "KEEBLER, Fudge Stripes", RELEVANT)
    made = {shuffled(pair, ["Archway", "Murray"], "Keebler", random.Random(seed)) for seed in range(30)}
    assert all(new.label == RELEVANT and "Fudge Stripes" in new.title and new.theme == pair.theme for new in made)
    assert any(new.title.startswith("Archway") for new in made)
    assert not any("KEEBLER" in new.title for new in made)


def test_recombined_themes_are_new_and_made_of_known_parts():
    made = recombined(
        ["Vegan desserts", "Halal pizza night", "Best of Broth", "Greek pantry", "Irish sides"], ["vegan", "halal"]
    )
    assert {"Halal desserts", "Vegan pizza night", "Stock up on Broth", "Greek sides"} <= set(made)
    assert "Vegan desserts" not in made


def test_titles_are_near_breaking_and_random():
    near, breaking = np.arange(1000)[::-1].copy(), np.zeros(1000, bool)
    breaking[500:510] = True
    chosen = titles_for(near, breaking, len(near), 16, random.Random(0))
    assert len(chosen) == len(set(chosen)) <= 16
    assert sum(500 <= index < 510 for index in chosen) >= 5
    assert sum(index >= 1000 - 16 * 8 for index in chosen) >= 8
