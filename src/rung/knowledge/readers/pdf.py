"""Reads the text layer of PDFs through kreuzberg and keeps where each page starts. It refuses encrypted files, and scans without OCR.

Tables with drawn lines are read from the lines, because a text layer holds their words only, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from rung.errors import MissingExtra
from rung.knowledge.readers.kreuzberg import extract
from rung.knowledge.readers.ocr import recognised
from rung.knowledge.readers.ruled import Ruled, ruled_tables
from rung.knowledge.reading import Reading, Unreadable, paged
from rung.knowledge.tables import table


def read(raw: bytes, ocr: str = "") -> Reading:
    """The text as Markdown, headings guessed from font sizes; `meta["pages"]` holds [page, offset].

    Pages that are pictures without text are recognised where `ocr` names their languages, and listed in `meta["ocr_pages"]`;
    those left are listed in `meta["unread_pages"]`. Raises Unreadable, also where all are left, and KnowledgeError without tesseract.
    """
    found = extract(raw, "application/pdf", nodes=True)
    nodes: dict[int, list[Mapping[str, Any]]] = {}
    at = 1
    for node in found.nodes:
        at = node.get("page") or at
        if node["content"]["node_type"] not in ("group", "image", "page_break"):
            nodes.setdefault(at, []).append(node)
    scanned, tables = _drawn(raw, nodes.keys())
    pages = {number: _joined(list(_blocks(nodes[number], tables.get(number, [])))) for number in sorted(nodes)}
    seen = recognised(raw, scanned, ocr) if ocr and scanned else {}
    scanned = [number for number in scanned if number not in seen]
    text, starts = paged(sorted((pages | seen).items()))
    if scanned and not text.strip():
        raise Unreadable(f"is scanned: {len(scanned)} page{'s' if len(scanned) > 1 else ''} of pictures without text")
    meta = {**found.meta, "pages": starts} | ({"unread_pages": scanned} if scanned else {}) | ({"ocr_pages": sorted(seen)} if seen else {})
    return Reading(text, str(found.meta.get("title", "")), meta)


def _joined(blocks: Sequence[str]) -> str:
    """Blocks with a blank line between them; items of one list follow each other."""
    text = blocks[0] if blocks else ""
    for before, block in pairwise(blocks):
        text += ("\n" if before.startswith("- ") and block.startswith("- ") else "\n\n") + block
    return text


def _blocks(nodes: Sequence[Mapping[str, Any]], tables: list[Ruled]) -> Iterator[str]:
    """The nodes of a page as Markdown, each table in the place of the first words that stand in it."""
    waiting = list(tables)
    for node in nodes:
        content, box = node["content"], node.get("bbox")
        inside = [one for one in tables if box and box["y0"] < one.top and box["y1"] > one.bottom and "text" in content]
        if not inside:
            yield from filter(None, [_block(content, str(content.get("text") or ""))])
            continue
        kept: list[str] = []
        for line in str(content["text"]).splitlines():
            owner = next((one for one in inside if _holds(one, line)), None)
            if owner is None:
                kept.append(line)
            elif owner in waiting:
                waiting.remove(owner)
                yield from filter(None, [_block(content, "\n".join(kept)), table(owner.rows)])
                kept = []
        yield from filter(None, [_block(content, "\n".join(kept))])


def _holds(one: Ruled, line: str) -> bool:
    """Whether all words of a line stand in one row; a cell of several lines gives only some of them."""
    squeezed, words = "".join(line.split()), set(line.split())
    rows = [" ".join(row) for row in one.rows]
    return any(squeezed in "".join(row.split()) or words <= set(row.split()) for row in rows)


def _block(content: Mapping[str, Any], text: str) -> str:
    """One node as Markdown; "" where it holds nothing."""
    kind, line = content["node_type"], " ".join(text.split())
    if kind == "table":
        return _grid(content["grid"])
    if not line:
        return ""
    if kind == "code":
        return "```\n" + text.strip("\n") + "\n```"
    if kind == "heading":
        return f"{'#' * min(max(int(content.get('level') or 1), 1), 6)} {line}"
    if kind == "list_item":
        return f"- {line}"
    return f"\\{line}" if line.startswith("#") else line


def _grid(grid: Mapping[str, Any]) -> str:
    rows = [[""] * int(grid["cols"]) for _ in range(int(grid["rows"]))]
    for cell in grid["cells"]:
        rows[cell["row"]][cell["col"]] = str(cell["content"])
    return table(rows)


def _drawn(raw: bytes, with_text: Any) -> tuple[list[int], dict[int, list[Ruled]]]:
    """Numbers, from 1, of the pages without text that hold a picture, and the tables of the other pages."""
    try:
        import pypdfium2
        from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE
    except ImportError:
        raise MissingExtra("reading PDF files", "pdf") from None
    scanned: list[int] = []
    tables: dict[int, list[Ruled]] = {}
    try:
        with pypdfium2.PdfDocument(raw) as document:
            for number in range(1, len(document) + 1):
                page = document[number - 1]
                if number in with_text:
                    tables[number] = ruled_tables(page)
                elif any(page.get_objects([FPDF_PAGEOBJ_IMAGE], max_depth=4)):
                    scanned.append(number)
    except pypdfium2.PdfiumError:  # kreuzberg mended what this can't open
        return [], {}
    return scanned, tables
