"""Reads plain text as it stands. It refuses bytes that are not text."""

from __future__ import annotations

from rung.knowledge.reading import Reading, decoded


def read(raw: bytes) -> Reading:
    """The text itself. Raises Unreadable."""
    return Reading(decoded(raw))
