"""Reads Markdown as it stands; front matter becomes title and meta. It refuses to render anything."""

from __future__ import annotations

import re

from rung.knowledge.reading import Reading, decoded
from rung.types import Json

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"^([A-Za-z_][\w-]*):(?=[ \t\n]|\Z)", re.MULTILINE)


def read(raw: bytes) -> Reading:
    """The text without its front matter, whose scalars stay text. Raises Unreadable."""
    text = decoded(raw)
    front = _FRONT.match(text)
    if not front or not _KEY.search(front.group(1)):  # else a thematic break opens the document
        return Reading(text)
    meta = _parsed(front.group(1))
    title = meta.get("title")
    return Reading(text[front.end() :], title if isinstance(title, str) else "", meta)


def _parsed(block: str) -> dict[str, Json]:
    """The front matter as YAML. What is no valid YAML keeps its keys without values, so that no list of readers gets lost."""
    import yaml

    try:
        found = yaml.load(block, Loader=yaml.BaseLoader)  # builds nothing but text, lists and mappings
    except (yaml.YAMLError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return dict.fromkeys(_KEY.findall(block))
    return {str(key): value for key, value in found.items()}
