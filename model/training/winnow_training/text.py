"""What both sides of every pair go through before they are tokenized, in training, in building and in serving.

A symbol that is glued to a word makes the word one [UNK], and the model decides without it. The server's half is
model/text in Go, function by function; model/text/testdata/vectors.json holds both to the same meaning.
"""

import re
import unicodedata
from pathlib import Path
from unicodedata import category

SYMBOLS = Path(__file__).resolve().parent.parent.parent / "text" / "symbols.txt"

LOST = "\ufffd"  # stands for a character that was lost: nobody can say what its word was
OVERLAYS = "\u0334\u0335\u0336\u0337\u0338"  # marks that strike a word through
WHITE_SPACE = "\t\n\v\f\r\x85"

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# What nobody sees beside controls and formats: joiners, fillers, variation selectors, skin tones.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]"
)
_RAISED = re.compile("[ªº\u02b0-\u02b8\u02e0-\u02e4\u1d2c-\u1d6a\u1d9b-\u1dbfⁱⁿ\u2090-\u209c]")
_FRAMED = re.compile("[Ⓐ-ⓩ🄰-🅉🅐-🅩🅰-🆉]")


def _read_meanings() -> dict[str, str]:
    return dict(line.split("\t") for line in SYMBOLS.read_text(encoding="utf-8").splitlines())


MEANINGS = _read_meanings()  # symbol -> the words that a shopper reads in it; none: decoration


def fold(text: str) -> str:
    """The text as the model reads it: no invisible characters, NFKC, symbols as words or gone, one space between words."""
    return _folded(text)[0]


def puzzling(text: str) -> str:
    """The symbols that fold drops although nobody said that they mean nothing: what a theme with one asks for is unknown."""
    return _folded(text)[1]


def folded(pair) -> tuple[str, str]:
    """Both sides of a pair, ready for the tokenizer."""
    return fold(pair.theme), fold(pair.title)


def _folded(text: str) -> tuple[str, str]:
    if text.isascii() and not _CONTROL.search(text):
        return text, ""
    text = unicodedata.normalize("NFKC", _spelled_out(text))
    out, puzzles, last, at = "", "", " ", 0
    while at < len(text):
        end, words, puzzle = _read_symbols(text, at, out)
        if end == at:
            char = text[at]
            puzzles += char if _is_flag_letter(char) or char in OVERLAYS else ""
            if _is_flag_letter(char):
                char = chr(ord(char) - ord("🇦") + ord("A"))
            elif "\u0250" <= char <= "\u02af":  # phonetic letters: in a title they stand for those that they look like
                char = LOST
            out, last, at = out + char, char, at + 1
            continue
        puzzles += puzzle
        out += LOST if _stands_for_letters(last, text[end : end + 1]) else f" {words} "
        last, at = " ", end
    return unicodedata.normalize("NFKC", " ".join(out.split())), puzzles


def _read_symbols(text: str, at: int, before: str) -> tuple[int, str, str]:
    """Where the symbols from at on end, their words, and which of them puzzle; before is what was written so far."""
    words, puzzles = [], ""
    while at < len(text):
        char, symbol = text[at], text[at : at + 2]
        if symbol not in MEANINGS:
            symbol = char
        if symbol in MEANINGS:
            meaning = MEANINGS[symbol]
        elif char.isascii() or char == LOST or _is_flag_letter(char):
            break
        elif category(char) in ("Sm", "Sc") and _has_number_beside(before, text[at + 1 :]):
            meaning = char
        elif category(char) in ("Sm", "Sc", "Sk", "So", "Me", "Co", "Cn"):
            meaning, puzzles = "", puzzles + char
        else:
            break
        at += len(symbol)
        if meaning:
            words.append(meaning)
            before = meaning
    return at, " ".join(words), puzzles


def _has_number_beside(before: str, after: str) -> bool:
    """Whether what stands between two texts has a number next to it: without one, € counts nothing."""
    return _is(before.rstrip()[-1:], "N") or _is(after.lstrip()[:1], "N")


def _stands_for_letters(before: str, after: str) -> bool:
    """Whether a symbol between two characters may stand for a letter (p★rk): nobody can say that it doesn't, unless a
    capital shows that a word begins there (Mac🧀Cheese)."""
    return _is(before, "LM") and _is(after, "L") and not (category(before) == "Ll" and category(after) == "Lu")


def _spelled_out(text: str) -> str:
    """Drops what nobody sees, and writes with spaces what NFKC would make part of the word or number beside it."""
    out, last, stem, joined = [], "", "", False  # stem is the last character before what is raised
    for at, char in enumerate(text):
        if _is_invisible(char):
            joined = char == "\u200d"
            continue
        if joined and char in "♀♂🌾🍳":  # says who it is, not what it shows alone: a cook holds no egg
            joined = False
            continue
        joined = False
        out.append(_between(last, char))
        if _style(last) == "raised" and _stands_for_letters(stem, char) and category(char) == "Ll":  # veg³an, but H₂O
            out.append(LOST)
        stem = stem if _style(char) == "raised" else char
        if char in "™®©℠\u20e3":  # the last makes a keycap of the digit before it
            out.append(" ")
        elif char == "№":
            out.append(" number ")
        elif "🅐" <= char <= "🅩" or "🅰" <= char <= "🆉":  # NFKC knows the others
            out.append(chr((ord(char) - ord("🅐")) % 32 + ord("A")))
        elif not char.isascii() and category(char) == "Sk":  # an accent without its letter
            following = text[at + 1 : at + 2]
            if char == "´" and _is(last, "L") and _is(following, "L"):  # as in don't
                out.append("'")
            else:
                out.append(LOST if _stands_for_letters(last, following) else " ")
        else:
            out.append(LOST if category(char) == "Cs" else char)
        last = char
    return "".join(out)


def _between(before: str, after: str) -> str:
    """What parts two neighbours that are not written the same way. A framed letter beside others is a mark of its own or one
    of theirs, and nobody can say which."""
    one, other = _style(before), _style(after)
    if one == other or (one == "plain" and not _is(before, "LN")) or (other == "plain" and not _is(after, "LN")):
        return ""
    if (one == "framed" and _is(after, "L")) or (other == "framed" and _is(before, "L")):
        return LOST
    return " "


def _style(char: str) -> str:
    """framed: a letter in a circle or a square. raised: above or below the line, or a word in one character (5㎏, ™)."""
    if char < "\xaa":
        return "plain"
    if _FRAMED.match(char):
        return "framed"
    is_raised = (category(char) in ("No", "So") or _RAISED.match(char)) and unicodedata.normalize("NFKC", char) != char
    return "raised" if is_raised or char in "®©" else "plain"


def _is_invisible(char: str) -> bool:
    if char in WHITE_SPACE:
        return False
    return _INVISIBLE.match(char) is not None or category(char) in ("Cc", "Cf")


def _is_flag_letter(char: str) -> bool:
    return "🇦" <= char <= "🇿"


def _is(char: str, kinds: str) -> bool:
    return char != "" and category(char)[0] in kinds
