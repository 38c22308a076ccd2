"""Reads Markdown as it stands; front matter becomes title and meta. It refuses to render anything."""

from __future__ import annotations

import re

from rung.knowledge.reading import Reading, decoded

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_PAIR = re.compile(r"^([A-Za-z_][\w-]*):[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)


def read(raw: bytes) -> Reading:
    """The text without its front matter; of that, the top-level scalars as text. Raises Unreadable."""
    text = decoded(raw)
    front = _FRONT.match(text)
    if not front or not _PAIR.search(front.group(1)):  # else a thematic break opens the document
        return Reading(text)
    meta = {key: _unquoted(value) for key, value in _PAIR.findall(front.group(1))}
    return Reading(text[front.end() :], meta.get("title", ""), meta)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
