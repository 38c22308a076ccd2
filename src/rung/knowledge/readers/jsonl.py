"""Reads JSON Lines: each row a section of its keys and values. It refuses a file with a line that is no JSON, and names the line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from rung.knowledge.reading import Reading, Unreadable, decoded
from rung.types import Json

_NAMES = ("title", "name", "subject", "question", "id")


def read(raw: bytes) -> Reading:
    """The rows as Markdown sections in order. Raises Unreadable."""
    sections = [section(row, f"Row {number}") for number, row in rows(decoded(raw))]
    return Reading("\n\n".join(sections), meta={"rows": len(sections)})


def rows(text: str) -> Iterator[tuple[int, Json]]:
    """The line numbers, from 1, and values of the lines that are not blank."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                raise Unreadable(f"line {number} is not JSON") from None


def section(row: Json, heading: str) -> str:
    """A row as Markdown: its name as a heading, then a line for each value that is not empty."""
    if not isinstance(row, Mapping):
        return f"## {heading}\n\n{plain(row)}"
    named = next((plain(row[key]) for key in _NAMES if row.get(key)), heading)
    lines = [f"{key}: {plain(value)}" for key, value in row.items() if value not in (None, "", [], {})]
    return f"## {' '.join(named.split())}\n\n" + "\n\n".join(lines)


def plain(value: Json) -> str:
    """Texts and numbers as they are, true and false as words, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
