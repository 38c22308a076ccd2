"""Reads Word documents as Markdown through kreuzberg: headings and tables kept. It refuses old .doc files."""

from __future__ import annotations

from rung.knowledge.readers.kreuzberg import extract
from rung.knowledge.readers.zipped import opened
from rung.knowledge.reading import Reading

MIME = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def read(raw: bytes) -> Reading:
    """The text as Markdown. Raises Unreadable."""
    opened(raw)
    found = extract(raw, MIME)
    return Reading(found.text, str(found.meta.get("title", "")), found.meta)
