"""Turns table rows into documents by a template of column names. It refuses columns that are not there, and names the known ones."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rung.errors import DataError
from rung.knowledge.reading import Reading, Unreadable, titled
from rung.types import Document

_COLUMN = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Shape:
    """Which columns make the document's path, title and text, and which go into its meta."""

    key: str
    text: str = ""  # a template such as "{question}\n\n{answer}"; "" writes a line for each column
    title: str = ""
    meta: tuple[str, ...] = ()


def document(shape: Shape, path: str, rows: Sequence[Mapping[str, Any]]) -> Document:
    """Rows that share a key as one document; its hash is that of what it says. DataError for unknown columns, Unreadable."""
    text = "\n\n".join(part for row in rows if (part := _text(shape, row).strip()))
    if not text:
        raise Unreadable("holds no text")
    title = written(_value(rows[0], shape.title)) if shape.title else ""
    meta = {name: _plain(_value(rows[0], name)) for name in shape.meta}
    told = json.dumps([text, title, meta], ensure_ascii=False, sort_keys=True)
    reading = Reading(text, title, {name: value for name, value in meta.items() if value is not None})
    return Document(path, text, titled(reading, path), hashlib.sha256(told.encode()).hexdigest(), reading.meta)


def path_of(shape: Shape, row: Mapping[str, Any]) -> str:
    """The key as a path; "" where it is empty."""
    return " ".join(written(_value(row, shape.key)).split())


def written(value: Any) -> str:
    """A value as a reader wants it: nothing for null and binary data, ISO dates, JSON for lists."""
    if value is None or isinstance(value, (bytes, memoryview)):
        return ""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (list, dict, bool)) else str(value)


def _text(shape: Shape, row: Mapping[str, Any]) -> str:
    if shape.text:
        return _COLUMN.sub(lambda found: written(_value(row, found.group(1))), shape.text)
    left_out = {shape.key, shape.title, *shape.meta}
    return "\n\n".join(f"{name}: {said}" for name, value in row.items() if name not in left_out and (said := written(value).strip()))


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, float, bool)) else written(value)


def _value(row: Mapping[str, Any], column: str) -> Any:
    if column not in row:
        raise DataError(f"there is no column '{column}'", f"the columns are {', '.join(map(str, row))}")
    return row[column]
