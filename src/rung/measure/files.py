"""The rows of a file with their lines, whatever it is: JSON Lines, one JSON list, CSV, TSV or Parquet, gzipped or not.

It refuses to guess what a column means: names it doesn't know are an error, unless the caller says which columns to take.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

from rung.errors import DataError, MissingExtra
from rung.measure.rows import RowError
from rung.types import Json

Rows: TypeAlias = Iterator[tuple[int, "dict[str, Json] | RowError"]]  # the line, and its row or what is wrong with it

LARGEST = 2 << 30  # bytes of what was packed

CSV_ROLES = {"question": "question", "text": "question", "answer": "answer", "label": "answer", "category": "answer"}
CSV_EXTRAS = ("id", "group", "tags")
WHOLE = ("instruction", "messages", "conversations", "feedback")  # columns that make a table's rows what JSON rows would be
HALF = re.compile(r"\\u[dD][89a-fA-F]")  # may be half of a pair; no model can read one that stands alone
HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")


def rows_of(path: Path, columns: Mapping[str, str] | None = None) -> Rows:
    """Each row with its line (Parquet: its number from 1). `columns` says which column is taken for which field; others are left.

    DataError for a file that is missing, not UTF-8 or without the columns; a row that is broken comes as a RowError.
    """
    kind = _suffix(path)
    if kind == ".parquet":
        yield from _picked(path, _parquet_rows(path, columns), columns)
        return
    text = _read(path)
    if kind in (".csv", ".tsv"):
        yield from _picked(path, _csv_rows(path, text, "\t" if kind == ".tsv" else ",", columns), columns)
    elif text.lstrip().startswith("["):
        yield from _picked(path, _list_rows(text), columns)
    else:
        yield from _picked(path, _line_rows(text), columns)


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _read(path: Path) -> str:
    try:
        return (_unpacked(path) if path.suffix.lower() == ".gz" else path.read_bytes()).decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path} is not there", "check the path (rung.toml's are relative to its folder), or create the file") from None
    except UnicodeDecodeError as fault:
        raise DataError(f"{path} is not UTF-8 (byte {fault.start})", "save the file as UTF-8") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as fault:
        raise DataError(f"{path} can't be unpacked: {fault}", "is it a whole gzip file?") from None
    except OSError as fault:
        raise DataError(f"{path} can't be read: {fault.strerror}", "check that it is a file you may read") from None


def _unpacked(path: Path) -> bytes:
    with gzip.open(path) as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise DataError(f"{path} unpacks to more than {LARGEST >> 30} GB", "split it")
    return raw


def _picked(path: Path, rows: Rows, columns: Mapping[str, str] | None) -> Rows:
    """Only the columns asked for, under the names of their fields."""
    for line, row in rows:
        if columns is None or isinstance(row, RowError):
            yield line, row
            continue
        missing = [column for column in columns.values() if column not in row]
        if missing:
            near = get_close_matches(missing[0], list(row), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the row has {', '.join(row) or 'no fields'}"
            yield line, RowError(f"there is no column {missing[0]!r}", hint)
        else:
            yield line, {field: row[column] for field, column in columns.items() if row[column] is not None}


def _line_rows(text: str) -> Rows:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, _row(json.loads(line, parse_constant=_refuse_constant), line)
            except (ValueError, RecursionError) as fault:
                yield number, RowError(f"broken JSON ({_said(fault)})", "each line must hold one whole JSON object")


def _list_rows(text: str) -> Rows:
    """The objects of one JSON list, each with the line it begins on; what follows a broken one can't be told apart."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    gap = re.compile(r"[\s,]*")
    at, line, seen = text.index("[") + 1, 1, 0
    while True:
        gone = gap.match(text, at)
        at = gone.end() if gone else at
        line, seen = line + text.count("\n", seen, at), at
        if at >= len(text) or text[at] == "]":
            if at >= len(text):
                yield line, RowError("the list does not end", "write the ] behind its last object")
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as fault:
            yield line, RowError(f"broken JSON ({_said(fault)})", "the file must hold one whole JSON list, or one JSON object a line")
            return
        yield line, _row(value, text[at:end])
        at = end


def _row(value: Json, text: str) -> dict[str, Json] | RowError:
    if not isinstance(value, dict):
        return RowError("a JSON object was expected", 'write {"question": ..., "answer": ...}')
    if HALF.search(text) and HALF_CHARACTER.search(json.dumps(value, ensure_ascii=False)):
        hint = "write the character itself, or both halves of the pair, such as \\ud83d\\ude00"
        return RowError("a \\u escape names half a character", hint)
    return value


def _csv_rows(path: Path, text: str, comma: str, columns: Mapping[str, str] | None) -> Rows:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=comma)
    try:
        names = _named(path, [name.strip() for name in next(reader, [])], columns)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) == len(names):
                yield reader.line_num, _csv_row(dict(zip(names, cells, strict=True)))
            else:
                yield reader.line_num, RowError(f"{len(cells)} cells under {len(names)} columns", 'put texts with commas in "quotes"')
    except csv.Error as fault:
        yield reader.line_num, RowError(f"broken CSV ({fault})", 'put texts with commas, quotes or line breaks in "quotes"')


def _csv_row(cells: dict[str, str]) -> dict[str, Json]:
    row: dict[str, Json] = {name: cell.strip() for name, cell in cells.items() if cell.strip() or name in ("question", "answer")}
    if isinstance(row.get("tags"), str):
        row["tags"] = [tag.strip() for tag in row["tags"].split(";") if tag.strip()]
    return row


def _parquet_rows(path: Path, columns: Mapping[str, str] | None) -> Rows:
    try:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError:
        raise MissingExtra("reading Parquet", "knowledge") from None
    try:
        with ParquetFile(path) as file:
            held = file.schema_arrow.names
            if columns and set(columns.values()) <= set(held):
                held = sorted(set(columns.values()))
            names = dict(zip(held, _named(path, held, columns), strict=True))
            number = 0
            for batch in file.iter_batches(1000, columns=held):
                for row in batch.to_pylist():
                    number += 1
                    yield number, {names[name]: value for name, value in row.items() if columns or value is not None}
    except FileNotFoundError:
        raise DataError(f"{path} is not there", "check the path (rung.toml's are relative to its folder), or create the file") from None
    except (ArrowInvalid, OSError) as fault:
        raise DataError(f"{path} can't be read as Parquet: {str(fault).splitlines()[0]}", "is it a whole Parquet file?") from None


def _named(path: Path, header: list[str], columns: Mapping[str, str] | None) -> list[str]:
    """The fields that a table's columns stand for. DataError for a column that nobody reads, and for one that is missing."""
    if columns is not None or set(WHOLE) & set(header):
        return header
    names = [_column(path, name) for name in header]
    for role in ("question", "answer"):
        if header and names.count(role) != 1:
            fault = "no" if role not in names else "more than one"
            aka = "question (or text)" if role == "question" else "answer (or label, category)"
            raise DataError(f"{path}, line 1: {fault} column {aka}", "the first line names the columns: question,answer or text,label")
    return names


def _column(path: Path, name: str) -> str:
    if name.lower() in CSV_ROLES:
        return CSV_ROLES[name.lower()]
    if name.lower() in CSV_EXTRAS:
        return name.lower()
    known: Iterable[str] = [*CSV_ROLES, *CSV_EXTRAS]
    nearest = get_close_matches(name.lower(), list(known), n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"columns that are read: {', '.join(known)}; `rung import --map` takes others"
    raise DataError(f"{path}, line 1: nobody reads the column {name!r}", hint)


def _said(fault: Exception) -> str:
    return f"{fault.msg} at column {fault.colno}" if isinstance(fault, json.JSONDecodeError) else str(fault)


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")
