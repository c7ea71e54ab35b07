"""Reads CSV strictly: what could be read in two ways is refused with its line.

The rules are those of processor/table, so that a file means the same to the builder and to every command; both are held to
processor/table/testdata/tables.json. Python's own csv module takes an open quote, a quote inside a field and a row of any
length, and says of none where it was.
"""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

PLAIN = re.compile(r'[^,"\r\n]*')
QUOTED = re.compile(r'"((?:[^"]++|"")*+)"')  # possessive: what is doubled never closes
BREAK = re.compile(r"\r\n|\r|\n")


class TableError(ValueError):
    """What no table may hold. kind: the rule, by the name that it has in processor/table."""

    def __init__(self, path: Path, line: int, kind: str, reason: str):
        super().__init__(f"{path}:{line}: {reason}")
        self.line, self.kind = line, kind


def read_table(
    path: Path, *required: str, values: Mapping[str, Sequence[str]] | None = None
) -> list[tuple[int, dict[str, str]]]:
    """(line, row) of every row, its cells by column.

    required: columns that the header names and every row fills; of the others, those without a name are left out. values:
    what alone a column may hold. A blank line is no row.
    """
    records = _records(path, _text(path))
    line, header = next(records, (1, None))
    if header is None:
        raise TableError(path, 1, "header", f"the file is empty: its first line must name {', '.join(required)}")
    for name in header:
        if name and header.count(name) > 1:
            raise TableError(path, line, "header", f"column named twice: {name}")
    if missing := [name for name in required if name not in header]:
        raise TableError(path, line, "header", f"column missing: {', '.join(missing)}")
    rows = []
    for line, fields in records:
        if len(fields) != len(header):
            reason = f"{len(fields)} fields, the header names {len(header)}: a field that holds a comma must stand in quotes"
            raise TableError(path, line, "fields", reason)
        row = {name: field for name, field in zip(header, fields, strict=True) if name}
        for name in required:
            if not row[name]:
                raise TableError(path, line, "empty", f"{name} is empty")
        for name, allowed in (values or {}).items():
            if name in row and row[name] not in allowed:
                raise TableError(path, line, "value", f"{name} {row[name]!r} is not one of {', '.join(allowed)}")
        rows.append((line, row))
    return rows


def _text(path: Path) -> str:
    data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = _breaks(data[: error.start].decode("latin-1")) + 1
        raise TableError(path, line, "encoding", "not UTF-8: save the file as CSV in UTF-8") from error
    if "\0" in text:
        raise TableError(path, _breaks(text[: text.index("\0")]) + 1, "nul", "holds a NUL character")
    return text


def _breaks(text: str) -> int:
    return len(BREAK.findall(text))


def _records(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    at, line = 0, 1
    while at < len(text):
        start, first, fields = at, line, []
        while True:
            quoted = text.startswith('"', at)
            field = (QUOTED if quoted else PLAIN).match(text, at)
            if field is None:
                raise TableError(path, line, "open-quote", "the quote that opens here is never closed")
            fields.append(field[1].replace('""', '"') if quoted else field[0])
            line += _breaks(field[0]) if quoted else 0
            at = field.end()
            if not text.startswith(",", at):
                break
            at += 1
        end = BREAK.match(text, at)
        if end is None and at < len(text):
            reason = 'a quote inside a field: write the field in quotes and each of its quotes as ""'
            raise TableError(path, line, "quote", reason)
        if at > start:
            yield first, fields
        at, line = end.end() if end else at, line + 1
