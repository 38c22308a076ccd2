"""One reader for every file: a list, lines and a table of the same rows are the same rows, and each has its line."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rung.measure.files import rows_of
from rung.measure.rows import RowError

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=30).filter(
    lambda text: text.strip() == text
)
ROWS = st.lists(st.fixed_dictionaries({"question": TEXT, "answer": TEXT}), min_size=1, max_size=6)


def read(name: str, content: bytes) -> list[tuple[int, object]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return list(rows_of(path))


@given(ROWS, st.sampled_from([None, 1, 4]))
def test_lines_and_a_list_are_the_same_rows(rows: list[dict[str, str]], indent: int | None) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    listed = json.dumps(rows, indent=indent, ensure_ascii=False).encode()
    assert [row for _, row in read("x.jsonl", lines)] == rows
    assert [row for _, row in read("x.json", listed)] == rows
    assert read("x.json.gz", gzip.compress(listed)) == read("x.json", listed)


@given(ROWS)
def test_a_table_holds_the_same_rows(rows: list[dict[str, str]]) -> None:
    for name, comma in (("x.csv", ","), ("x.tsv", "\t")):
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, ["question", "answer"], delimiter=comma)
        writer.writeheader()
        writer.writerows(rows)
        assert [row for _, row in read(name, table.getvalue().encode())] == rows


@given(ROWS)
def test_each_row_of_a_list_has_the_line_it_begins_on(rows: list[dict[str, str]]) -> None:
    content = json.dumps(rows, indent=1)
    found = read("x.json", content.encode())
    assert [content.split("\n")[line - 1].strip() for line, _ in found] == ["{"] * len(rows)


def test_a_broken_row_does_not_hide_the_others() -> None:
    found = read("x.jsonl", b'{"a": 1}\n{"a": \n[1]\n{"a": 2}\n')
    assert [(line, isinstance(row, RowError)) for line, row in found] == [(1, False), (2, True), (3, True), (4, False)]
