"""A pair is framed and cut as the gate does it (model/pair.go), whatever the tokenizer's file says."""

import pytest
from words import ONE_SEGMENT, SPECIAL, TWO_SEGMENTS, WORDS, save_tokenizer

from winnow_training import engine
from winnow_training.config import UnsupportedCheckpoint
from winnow_training.pairs import Pair


def ids(tokenizer, theme: str, title: str) -> list[int]:
    return engine.encode(tokenizer, [Pair(theme, title, 0)])[0].ids


@pytest.mark.parametrize("template", [None, ONE_SEGMENT, TWO_SEGMENTS, "$A $B", "[CLS] $B [SEP] $A [SEP]"])
def test_a_pair_is_framed_whatever_the_template_says(tmp_path, template):
    tokenizer = engine.load_tokenizer(save_tokenizer(tmp_path, template), 48)
    assert ids(tokenizer, "w0 w1", "w2 new") == [1, 4, 5, 2, 6, 3, 2]
    assert ids(tokenizer, "", "") == [1, 2, 2]


@pytest.mark.parametrize(
    ("theme", "title", "kept"),
    [(2, 9, (2, 3)), (9, 2, (3, 2)), (9, 9, (2, 3)), (9, 8, (3, 2)), (4, 1, (4, 1)), (0, 9, (0, 5)), (3, 3, (2, 3))],
)
def test_the_longer_side_is_cut_first_and_the_frame_stays(tmp_path, theme, title, kept):
    tokenizer = engine.load_tokenizer(save_tokenizer(tmp_path, None), 8)
    expected = [1, *[4] * kept[0], 2, *[5] * kept[1], 2]
    assert ids(tokenizer, "w0 " * theme, "w1 " * title) == expected


def test_a_batch_is_padded_to_its_longest_pair(tmp_path):
    tokenizer = engine.load_tokenizer(save_tokenizer(tmp_path, None), 48)
    batch = engine.encode(tokenizer, [Pair("w0", "w1", 0), Pair("w0", "w1 w2 w3", 0)])
    assert [encoding.ids for encoding in batch] == [[1, 4, 2, 5, 2, 0, 0], [1, 4, 2, 5, 6, 7, 2]]
    assert batch[0].attention_mask == [1, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["[PAD]", "[CLS]", "[UNK]", "w0"], r"tokenizer\.json: has no token \[SEP\]"),
        (["<pad>", "<s>", "</s>", "[UNK]"], r"has no token \[CLS\], \[SEP\], \[PAD\]"),
    ],
)
def test_a_tokenizer_without_the_frame_is_refused(tmp_path, names, says):
    with pytest.raises(UnsupportedCheckpoint, match=says):
        engine.load_tokenizer(save_tokenizer(tmp_path, None, names), 48)


@pytest.mark.parametrize("content", ["", "{}", "[]", "nonsense", '{"model": {"type": "WordLevelX", "vocab": {}}}'])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(UnsupportedCheckpoint, match=r"tokenizer\.json: can't be read as a tokenizer"):
        engine.load_tokenizer(tmp_path / "tokenizer.json", 48)


def test_a_tokenizer_that_is_a_pointer_says_how_to_fetch_it(tmp_path):
    (tmp_path / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(UnsupportedCheckpoint, match="run git lfs pull"):
        engine.load_tokenizer(tmp_path / "tokenizer.json", 48)


def test_the_words_of_these_tests_fill_the_tiny_table():
    assert len(SPECIAL + WORDS) == 40
