"""The first rows of a sent file: every form, packed or not, and files made to burst their reader."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from rung.errors import DataError
from rung.workspace.peeking import ROWS, first_rows

RAW = [{"frage": f"Where is tool {n}?", "antwort": f"Shelf {n}"} for n in range(9)]


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".tsv"])
def test_the_first_rows_stand_as_in_the_file(tmp_path: Path, ending: str, packed: str) -> None:
    comma = "\t" if ending == ".tsv" else ","
    texts = {
        ".jsonl": "\n".join(json.dumps(row) for row in RAW),
        ".json": json.dumps(RAW),
    }
    table = "\n".join(comma.join(cells) for cells in [("frage", "antwort"), *((row["frage"], row["antwort"]) for row in RAW)])
    raw = texts.get(ending, table).encode()
    file = tmp_path / f"x-rows{ending}{packed}"
    file.write_bytes(gzip.compress(raw) if packed else raw)
    assert first_rows(file) == RAW[:ROWS]


def test_parquet_is_read(tmp_path: Path) -> None:
    parquet, pyarrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    parquet.write_table(pyarrow.Table.from_pylist([{**row, "messages": [row]} for row in RAW]), tmp_path / "x-rows.parquet")
    found = first_rows(tmp_path / "x-rows.parquet")
    assert [row["messages"] for row in found] == [json.dumps([row]) for row in RAW[:ROWS]]


def test_a_bomb_ends_the_reader_and_not_the_server(tmp_path: Path) -> None:
    file = tmp_path / "x-bomb.jsonl.gz"
    with gzip.open(file, "wb", compresslevel=1) as opened:
        for _ in range(200):
            opened.write(b"0" * (16 << 20))
    with pytest.raises(DataError) as told:
        first_rows(file)
    assert str(tmp_path) not in told.value.message
    table = tmp_path / "x-bomb.csv.gz"
    table.write_bytes(gzip.compress(b"frage,antwort\n" + b"a,b\n" * 10_000_000))
    assert len(first_rows(table)) == ROWS


@pytest.mark.parametrize(("name", "raw"), [("x-a.parquet", b"nothing"), ("x-a.csv.gz", b"nothing"), ("x-a.jsonl", b"\xff\xfe\x00")])
def test_what_is_no_such_file_is_said(tmp_path: Path, name: str, raw: bytes) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataError) as told:
        first_rows(tmp_path / name)
    assert str(tmp_path) not in told.value.message


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    (tmp_path / "x-a.jsonl").write_text(json.dumps({"question": "q" * 5000, "answer": "a"}))
    assert len(first_rows(tmp_path / "x-a.jsonl")[0]["question"]) < 600
