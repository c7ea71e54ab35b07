"""What both sides of every pair go through before they are tokenized, in training, in building and in serving.

A symbol that is glued to a word makes the word one [UNK], and the model decides without it. The server's half is
model/text in Go; model/text/testdata/vectors.json holds both to the same meaning.
"""

import re
import unicodedata
from pathlib import Path

SYMBOLS = Path(__file__).resolve().parent.parent.parent / "text" / "symbols.txt"

# U+FFFD stands for a character that was lost: nobody can say what its word was.
LOST = "\ufffd"
# Stands for a symbol that was taken out, until it is known what is around it. No text holds it: controls are removed.
GAP = "\x00"
OVERLAYS = "\u0334\u0335\u0336\u0337\u0338"  # marks that strike a word through
BEFORE = str.maketrans({**dict.fromkeys("™®©℠", " "), "´": "'", "№": " number "})  # compatibility would spell them out

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# Joined to a person they say who it is, and no longer what they show alone: a cook holds no egg.
_JOINED = re.compile("\u200d[♀♂🌾🍳]")
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u20e3\u3164\ufe00-\ufe0f\uffa0\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]"
)
_MIXED = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅟↉])")  # 1½ is not 11/2
_INSIDE = re.compile(rf"(?<=[^\W_]){GAP}+(?=[^\W_])")


def _read_symbols() -> dict[str, str]:
    lines = SYMBOLS.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines)


MEANINGS = _read_symbols()  # symbol -> the words that a shopper reads in it; none: decoration


def fold(text: str) -> str:
    """The text as the model reads it: no invisible characters, NFKC, symbols as words or gone, one space between words."""
    return _folded(text)[0]


def puzzling(text: str) -> str:
    """The symbols that fold drops although nobody said that they mean nothing: what a theme with one asks for is unknown."""
    return _folded(text)[1]


def _folded(text: str) -> tuple[str, str]:
    if text.isascii() and not _CONTROL.search(text):
        return text, ""
    text = _INVISIBLE.sub("", _JOINED.sub("", text))
    text = "".join(char for char in text if not _is_control(char))
    text = unicodedata.normalize("NFKC", _MIXED.sub(" ", text.translate(BEFORE)))
    parts, puzzles, after = [], [], 0
    for index, char in enumerate(text):
        if index < after:
            continue
        flag = text[index : index + 2]
        if flag in MEANINGS and len(flag) == 2:
            parts.append(f" {MEANINGS[flag]} ")
            after = index + 2
            continue
        part, puzzle = _read(char)
        parts.append(part)
        puzzles += char if puzzle else ""
    folded = _INSIDE.sub(LOST, "".join(parts)).replace(GAP, " ")
    # What was put in place of a letter-like symbol can compose with what followed it.
    return unicodedata.normalize("NFKC", " ".join(folded.split())), "".join(puzzles)


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf") and char not in "\t\n\v\f\r\x85"


def _read(char: str) -> tuple[str, bool]:
    """What one character of normalised text becomes, and whether it puzzles."""
    if char.isascii() or char == LOST:
        return char, False
    if char in MEANINGS:
        return f" {MEANINGS[char]} " if MEANINGS[char] else GAP, False
    if "🅐" <= char <= "🅩" or "🅰" <= char <= "🆉":  # white letters on a disc or a square
        return chr((ord(char) - ord("🅐")) % 32 + ord("A")), False
    if "🇦" <= char <= "🇿":  # half of a flag that has no words
        return chr(ord(char) - ord("🇦") + ord("A")), True
    if "\u0250" <= char <= "\u02af":  # phonetic letters: in a title they stand for those that they look like
        return LOST, False
    match unicodedata.category(char):
        case "Sm" | "Sc":
            return f" {char} ", False
        case "So" | "Sk" | "Me" | "Cn" | "Co":
            return GAP, True
        case "Cs":
            return LOST, False
    return char, char in OVERLAYS


def folded(pair) -> tuple[str, str]:
    """Both sides of a pair, ready for the tokenizer."""
    return fold(pair.theme), fold(pair.title)
