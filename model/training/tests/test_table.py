"""CSV is read by the rules that processor/table keeps, case by case."""

import base64
import csv
import json
import random
from pathlib import Path

import pytest

from winnow_training.pairs import LABELS
from winnow_training.table import TableError, read_table

CASES = json.loads((Path(__file__).parents[3] / "processor" / "table" / "testdata" / "tables.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_file_means_what_it_means_to_the_commands(tmp_path, case):
    file = tmp_path / "pairs.csv"
    file.write_bytes(case["text"].encode() if "text" in case else base64.b64decode(case["base64"]))
    if "error" in case:
        with pytest.raises(TableError) as refused:
            read_table(file, "theme", "title", "label", values={"label": LABELS})
        assert {"line": refused.value.line, "kind": refused.value.kind} == case["error"], refused.value
        assert str(refused.value).startswith(f"{file}:{refused.value.line}: ")
    else:
        rows = read_table(file, "theme", "title", "label", values={"label": LABELS})
        assert [{"line": line, "cells": row} for line, row in rows] == case["rows"]


def test_what_a_writer_writes_comes_back(tmp_path):
    generator, file = random.Random(0), tmp_path / "table.csv"
    for _ in range(200):
        rows = [["".join(generator.choices('ab ,"\r\n\té寿', k=generator.randrange(5))) for _ in "ab"] for _ in range(5)]
        with open(file, "w", newline="", encoding="utf-8") as out:
            end = generator.choice(["\n", "\r\n", "\r"])
            csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
        assert [[row["a"], row["b"]] for _, row in read_table(file)] == rows
