"""Reads the text layer of PDFs through kreuzberg and keeps where each page starts. It refuses encrypted and scanned files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from rung.errors import MissingExtra
from rung.knowledge.readers.kreuzberg import extract
from rung.knowledge.reading import Reading, Unreadable, paged
from rung.knowledge.tables import table


def read(raw: bytes) -> Reading:
    """The text as Markdown, headings guessed from font sizes; `meta["pages"]` holds [page, offset].

    Pages that are pictures without text are listed in `meta["unread_pages"]`. Raises Unreadable, also where all are.
    """
    found = extract(raw, "application/pdf", nodes=True)
    pages: dict[int, list[str]] = {}
    at = 1
    for node in found.nodes:
        at = node.get("page") or at
        if block := _block(node["content"]):
            pages.setdefault(at, []).append(block)
    text, starts = paged([(number, _joined(blocks)) for number, blocks in sorted(pages.items())])
    scanned = _pictures(raw, set(pages))
    if scanned and not text.strip():
        raise Unreadable(f"is scanned: {len(scanned)} page{'s' if len(scanned) > 1 else ''} of pictures without text")

    meta = {**found.meta, "pages": starts} | ({"unread_pages": scanned} if scanned else {})
    return Reading(text, str(found.meta.get("title", "")), meta)


def _joined(blocks: Sequence[str]) -> str:
    """Blocks with a blank line between them; items of one list follow each other."""
    text = blocks[0]
    for before, block in pairwise(blocks):
        text += ("\n" if before.startswith("- ") and block.startswith("- ") else "\n\n") + block
    return text


def _block(content: Mapping[str, Any]) -> str:
    """One node as Markdown; "" for groups and breaks, which hold nothing of their own."""
    kind, text = content["node_type"], str(content.get("text") or "").replace("\r", "").strip()
    if kind == "table":
        return _table(content["grid"])
    if not text or kind in ("group", "image"):
        return ""
    if kind == "code":
        return f"```\n{text}\n```"
    line = " ".join(text.split())
    if kind == "heading":
        return f"{'#' * min(max(int(content.get('level') or 1), 1), 6)} {line}"
    if kind == "list_item":
        return f"- {line}"
    return f"\\{line}" if line.startswith("#") else line


def _table(grid: Mapping[str, Any]) -> str:
    rows = [[""] * int(grid["cols"]) for _ in range(int(grid["rows"]))]
    for cell in grid["cells"]:
        rows[cell["row"]][cell["col"]] = str(cell["content"])
    return table(rows)


def _pictures(raw: bytes, read_pages: set[int]) -> list[int]:
    """Numbers of the pages without text that hold an image, from 1."""
    try:
        import pypdfium2
        from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE
    except ImportError:
        raise MissingExtra("reading PDF files", "pdf") from None
    try:
        with pypdfium2.PdfDocument(raw) as document:
            blank = [number for number in range(1, len(document) + 1) if number not in read_pages]
            return [number for number in blank if any(document[number - 1].get_objects([FPDF_PAGEOBJ_IMAGE], max_depth=4))]
    except pypdfium2.PdfiumError:  # kreuzberg mended what this can't open
        return []
