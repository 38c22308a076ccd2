"""The one seam to kreuzberg, which turns PDF, HTML, Office files and e-books into Markdown. It refuses its cache and its OCR."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rung.errors import MissingExtra
from rung.knowledge.reading import Unreadable
from rung.types import Json

_NAMES = {  # kreuzberg's name → ours
    "title": "title",
    "authors": "author",
    "created_at": "created",
    "modified_at": "modified",
    "language": "language",
    "subject": "subject",
    "keywords": "keywords",
    "description": "description",
    "identifier": "identifier",
    "category": "category",
}
_NO_TITLE = re.compile(r"(?:Microsoft \w+ - .*|\w+ (?:Presentation|Document)|Untitled.*|Presentation ?\d*|.*\.\w{2,4})", re.IGNORECASE)


@dataclass(frozen=True)
class Extract:
    """A file as kreuzberg read it: Markdown, the metadata that deserves keeping, and the nodes where they were asked for."""

    text: str
    meta: Mapping[str, Json] = field(default_factory=dict)
    nodes: Sequence[Mapping[str, Any]] = ()


def extract(raw: bytes, mime: str, *, nodes: bool = False, marker: str = "") -> Extract:
    """A file's bytes as Markdown with LF line ends. Raises Unreadable with the reason, MissingExtra without kreuzberg.

    `nodes` asks for the blocks with their pages, `marker` is put before each page with `{page_num}` filled in.
    """
    try:
        from kreuzberg import ExtractionConfig, KreuzbergError, PageConfig, extract_bytes_sync
    except ImportError:
        raise MissingExtra("reading HTML, PDF and Office files", "pdf") from None
    if not raw.strip():
        return Extract("")
    settings: Any = {"output_format": "markdown", "use_cache": False, "disable_ocr": True, "include_document_structure": nodes}
    if marker:
        settings["pages"] = PageConfig(insert_page_markers=True, marker_format=marker)
    try:
        found = extract_bytes_sync(raw, mime, ExtractionConfig(**settings))
    except (KreuzbergError, OSError, RuntimeError) as error:  # a broken archive is an OSError
        raise Unreadable(_reason(str(error))) from None
    document: Any = found.document
    return Extract(_cleaned(found.content), _meta(dict(found.metadata)), document["nodes"] if document else ())


def markdown(raw: bytes, mime: str) -> str:
    """Just the text of `extract`."""
    return extract(raw, mime).text


def _cleaned(text: str) -> str:
    return re.sub(r"[ \t]+$", "", text.replace("\r\n", "\n").replace("\r", "\n"), flags=re.MULTILINE)


def _meta(found: Mapping[str, Any]) -> dict[str, Json]:
    """The file's own metadata under our names; lists become one text, and what is empty is left out."""
    custom = found.get("custom_properties") or {}
    core = found.get("core_properties") or {}
    told = {ours: found.get(name) or core.get(name) for name, ours in _NAMES.items()} | dict(custom)
    plain = {name: ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value for name, value in told.items()}
    if _NO_TITLE.fullmatch(str(plain["title"])):  # what programs write where nobody gave a title
        plain["title"] = ""
    return {name: value for name, value in plain.items() if isinstance(value, (str, int, float)) and str(value).strip()}


def _reason(message: str) -> str:
    if "password" in message.lower() or "encrypt" in message.lower():
        return "is encrypted"
    said = dict.fromkeys(part.strip() for part in message.splitlines()[0].split(": "))  # the same cause is told at each layer
    return f"is damaged or not what its ending says ({': '.join(list(said)[-2:])[:120]})"
