"""Which pairs the server leaves unscored, because the model doesn't read the whole of them: model/tokenize and the gate in
Go do the same."""

from unicodedata import category

from tokenizers import Tokenizer

from winnow_training.pairs import Pair
from winnow_training.text import LOST, fold, puzzling


def is_read(tokenizer: Tokenizer, pair: Pair) -> bool:
    """Whether the server scores this pair."""
    sides = [tokenizer.encode(fold(text), add_special_tokens=False).ids for text in (pair.theme, pair.title)]
    if not all(sides) or sum(map(len, sides)) + 3 > tokenizer.truncation["max_length"]:
        return False
    return not (unread(tokenizer, pair.theme) or unread(tokenizer, pair.title) or symbols(tokenizer, pair.theme))


def unread(tokenizer: Tokenizer, text: str) -> list[str]:
    """The words of one side that the model doesn't read; the whole side if it has no word."""
    folded = fold(text)
    words = [source for source in unknown(tokenizer, folded) if has_word(source)]
    words += [word for word in folded.split() if LOST in word]
    return words if has_word(folded) or not text.strip() else [*words, text.strip()]


def symbols(tokenizer: Tokenizer, text: str) -> list[str]:
    """The symbols of one side that nobody gave a meaning; in a theme they may be what it asks for."""
    lacking = [source for source in unknown(tokenizer, fold(text)) if not has_word(source)]
    return [*puzzling(text), *(source for source in lacking if any(category(char)[0] == "S" for char in source))]


def unknown(tokenizer: Tokenizer, folded: str) -> list[str]:
    """What stands behind the tokens that the vocabulary lacks."""
    encoding = tokenizer.encode(folded, add_special_tokens=False)
    lacking = tokenizer.token_to_id("[UNK]")
    found = zip(encoding.ids, encoding.offsets, strict=True)
    return [folded[start:end] for token, (start, end) in found if token == lacking]


def has_word(text: str) -> bool:
    return any(category(char)[0] in "LN" for char in text)
