"""Reads Excel workbooks: each sheet a heading and a table, formulas as their last values. It refuses to compute anything."""

from __future__ import annotations

import re

from rung.knowledge.readers.kreuzberg import extract
from rung.knowledge.readers.zipped import opened
from rung.knowledge.reading import Reading

MIME = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MIDNIGHT = re.compile(r"(\| \d{4}-\d\d-\d\d) 00:00:00(?= \|)")  # a date without a time


def read(raw: bytes) -> Reading:
    """The sheets as Markdown tables. Raises Unreadable."""
    opened(raw)
    found = extract(raw, MIME)
    return Reading(_MIDNIGHT.sub(r"\1", found.text), str(found.meta.get("title", "")), found.meta)
