import json
import re
from pathlib import Path

from tokenizers import Tokenizer

from winnow_training import engine, text, unread
from winnow_training.pairs import UnjudgedPair

MODEL = Path(text.SYMBOLS).parent.parent
VECTORS = json.loads((MODEL / "text" / "testdata" / "vectors.json").read_text())


def test_fold_gives_what_the_server_reads():
    for vector in VECTORS:
        assert text.fold(vector["input"]) == vector["folded"], ascii(vector["input"])
        assert text.puzzling(vector["input"]) == vector["puzzling"], ascii(vector["input"])


def test_folding_twice_changes_nothing_more():
    for vector in VECTORS:
        assert text.fold(vector["folded"]) == vector["folded"], ascii(vector["input"])


def test_lone_surrogates_count_as_lost():
    assert text.fold("po\ud800rk") == "po\ufffdrk"


def test_no_module_tokenizes_what_is_not_folded():
    for file in sorted(Path(text.__file__).parent.glob("*.py")):
        for line in re.findall(r".*\b(?:tokenizer\.encode(?:_batch)?|tokenizer)\(.*", file.read_text()):
            if not re.search(r"def |load_tokenizer|fold|tokenizer\(themes, titles,|tokenizer\($", line):
                raise AssertionError(f"{file.name}: {line.strip()}")


def test_every_symbol_stands_once_in_order_without_selector_or_skin_tone():
    lines = text.SYMBOLS.read_text(encoding="utf-8").splitlines()
    symbols = [line.split("\t")[0] for line in lines]
    assert symbols == sorted(set(symbols))
    for symbol in symbols:
        is_flag = len(symbol) == 2 and all("🇦" <= letter <= "🇿" for letter in symbol)
        assert is_flag or len(symbol) == 1, symbol
        assert text.fold(symbol) == text.MEANINGS[symbol], symbol
        assert not text.puzzling(symbol), symbol


def test_the_starter_knows_every_word_of_the_symbols():
    tokenizer = Tokenizer.from_file(str(MODEL / "starter" / "tokenizer.json"))
    for words in set(text.MEANINGS.values()):
        assert re.fullmatch(r"[a-z0-9 '/]*", words), words
        assert "[UNK]" not in tokenizer.encode(words).tokens, words


def test_what_the_server_cannot_read_is_unread_here():
    tokenizer = engine.load_tokenizer(MODEL / "starter" / "tokenizer.json", 128)
    for side in json.loads((MODEL / "text" / "testdata" / "unread.json").read_text()):
        written = side["written"]
        assert sorted(unread.unread(tokenizer, written)) == sorted(side["unread"]), ascii(written)
        assert sorted(unread.symbols(tokenizer, written)) == sorted(side["puzzling"]), ascii(written)
        is_read = not side["unread"] and written != ""
        assert unread.is_read(tokenizer, UnjudgedPair("Breakfast", written)) == is_read, ascii(written)
        assert unread.is_read(tokenizer, UnjudgedPair(written, "Oat flakes")) == (is_read and not side["puzzling"])
    assert not unread.is_read(tokenizer, UnjudgedPair("Breakfast", "pork " * 125))
    assert unread.is_read(tokenizer, UnjudgedPair("Breakfast", "pork " * 124))
