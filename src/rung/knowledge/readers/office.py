"""DOCX to Markdown-like text in document order, with python-docx; refuses files that are none."""

from __future__ import annotations

import io
import zipfile

from rung.errors import MissingExtra
from rung.knowledge.read import Unreadable


def read_docx(raw: bytes) -> tuple[str, str]:
    """Paragraphs, headings, lists and tables in order; the title from the document's properties."""
    try:
        import docx
        from docx.table import Table
    except ImportError:
        raise MissingExtra("reading DOCX", "pdf") from None
    try:
        document = docx.Document(io.BytesIO(raw))
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise Unreadable("it is not a DOCX file, or it is encrypted") from None
    parts: list[str] = []
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            rows = ["| " + " | ".join(" ".join(cell.text.split()) for cell in row.cells) + " |" for row in block.rows]
            if rows:
                rows.insert(1, "|" + "---|" * len(block.rows[0].cells))
            parts.append("\n".join(rows))
        elif block.text.strip():
            style = (block.style.name or "") if block.style else ""
            level = int(style[-1]) if style.startswith("Heading") and style[-1].isdigit() else 1 if style == "Title" else 0
            mark = "#" * level + " " if level else "- " if style.startswith("List") else ""
            parts.append(mark + block.text.strip())
    return "\n\n".join(parts) + "\n", document.core_properties.title or ""
