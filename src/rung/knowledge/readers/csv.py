"""Reads CSV and TSV files as one Markdown table. It refuses rows that no dialect explains, and computes nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from rung.knowledge.reading import Reading, Unreadable, decoded
from rung.knowledge.tables import table

LONGEST = 1 << 20  # characters of one cell


def read(raw: bytes) -> Reading:
    """The rows as a table whose first row is the header. Raises Unreadable."""
    return Reading(table(list(rows(decoded(raw)))))


def rows(text: str) -> Iterator[list[str]]:
    """The rows that are not blank; the delimiter is the one of comma, semicolon, tab and bar that the first line holds most."""
    first = text.lstrip("\n").split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    csv.field_size_limit(LONGEST)
    try:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter):
            if any(cell.strip() for cell in row):
                yield row
    except csv.Error as error:
        raise Unreadable(f"is damaged or not what its ending says ({error})") from None
