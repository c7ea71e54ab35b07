from collections import defaultdict

import pytest

from winnow_training.pairs import DATA, TRAINING_ALONE, read_judged, read_pairs, read_products, read_split, select
from winnow_training.split import parts_of_all


def test_a_wrong_label_names_its_line(tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text("theme,title,label\nt,a,weak\nt,b,seveer\n")
    with pytest.raises(ValueError, match=r"pairs\.csv:3: label 'seveer' is not one of relevant, weak, severe"):
        read_pairs(file)


def test_a_missing_column_is_named(tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text("theme,name,label\nt,a,weak\n")
    with pytest.raises(ValueError, match="column missing: title"):
        read_pairs(file)


def test_no_theme_is_in_two_parts_and_the_file_says_what_the_rule_says():
    split, judged = read_split(DATA / "split.csv"), read_judged()
    assert parts_of_all() == split
    for pairs in judged.values():
        assert sum(len(select(pairs, split, part)) for part in ("train", "validation", "test")) == len(pairs)
    assert {split[pair.theme] for source in TRAINING_ALONE for pair in judged[source]} == {"train"}


def test_every_family_keeps_a_share_of_its_themes_for_validation_and_test_and_no_set_is_split():
    split, parts = read_split(DATA / "split.csv"), defaultdict(lambda: defaultdict(set))
    sets = defaultdict(set)
    for pair in read_judged(("realistic",))["realistic"]:
        parts[pair.family][split[pair.theme]].add(pair.theme)
        if pair.set:
            sets[pair.family, pair.set].add(split[pair.theme])
    assert len(parts) == 15
    for family, themes in parts.items():
        count = sum(map(len, themes.values()))
        assert len(themes["test"]) == pytest.approx(0.15 * count, abs=4), family
        assert len(themes["validation"]) == pytest.approx(0.15 * count, abs=4), family
    assert sets and all(len(found) == 1 for found in sets.values())


def test_a_theme_without_a_part_is_named():
    pairs = read_pairs(DATA / "judged_pairs.csv")
    with pytest.raises(ValueError, match="1 themes are not in the split file"):
        select(pairs, {pair.theme: "train" for pair in pairs if pair.theme != pairs[0].theme}, "train")


def test_a_theme_in_two_parts_is_named(tmp_path):
    file = tmp_path / "split.csv"
    file.write_text("theme,part\na,train\nb,test\na,train\na,test\n")
    with pytest.raises(ValueError, match=r"split\.csv:5: theme 'a' is in two parts, train and test"):
        read_split(file)


def test_a_part_that_is_none_is_named(tmp_path):
    file = tmp_path / "split.csv"
    file.write_text("theme,part\na,tran\n")
    with pytest.raises(ValueError, match=r"split\.csv:2: part 'tran' is not one of train, validation, test"):
        read_split(file)


def test_the_catalogue_keeps_the_rules():
    assert len(read_products()) > 10_000
