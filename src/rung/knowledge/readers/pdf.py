"""Reads the text layer of PDFs through kreuzberg. It refuses encrypted files and does no optical recognition."""

from __future__ import annotations

from rung.knowledge.readers.kreuzberg import markdown
from rung.knowledge.reading import Reading


def read(raw: bytes) -> Reading:
    """The text as Markdown, headings guessed from font sizes; empty where pages are only scanned. Raises Unreadable."""
    return Reading(markdown(raw, "application/pdf"))
