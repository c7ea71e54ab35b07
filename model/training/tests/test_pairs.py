import pytest

from winnow_training.pairs import DATA, part_of, read_pairs, read_split, select


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


def test_no_theme_is_in_two_parts_and_the_file_says_what_the_hash_says():
    split = read_split(DATA / "split.csv")
    pairs = read_pairs(DATA / "judged_pairs.csv")
    assert {theme: part_of(theme) for theme in {pair.theme for pair in pairs}} == split
    assert sum(len(select(pairs, split, part)) for part in ("train", "validation", "test")) == len(pairs)


def test_a_theme_without_a_part_is_named():
    pairs = read_pairs(DATA / "judged_pairs.csv")
    with pytest.raises(ValueError, match="1 themes are not in the split file"):
        select(pairs, {pair.theme: "train" for pair in pairs if pair.theme != pairs[0].theme}, "train")
