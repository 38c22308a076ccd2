"""The one seam to kreuzberg, which turns HTML, DOCX and PDF into Markdown. It refuses its cache and its OCR."""

from __future__ import annotations

import re
from typing import Any

from rung.errors import MissingExtra
from rung.knowledge.reading import Unreadable


def markdown(raw: bytes, mime: str) -> str:
    """A file's bytes as Markdown with LF line ends. Raises Unreadable with the reason, MissingExtra without kreuzberg."""
    try:
        from kreuzberg import ExtractionConfig, KreuzbergError, extract_bytes_sync
    except ImportError:
        raise MissingExtra("reading HTML, Word and PDF files", "pdf") from None
    if not raw.strip():
        return ""
    try:
        settings: Any = {"output_format": "markdown", "use_cache": False, "disable_ocr": True}
        content = extract_bytes_sync(raw, mime, ExtractionConfig(**settings)).content
    except KreuzbergError as error:
        raise Unreadable(_reason(str(error))) from None
    return re.sub(r"[ \t]+$", "", content.replace("\r\n", "\n").replace("\r", "\n"), flags=re.MULTILINE)


def _reason(message: str) -> str:
    if "password" in message.lower() or "encrypt" in message.lower():
        return "is encrypted"
    said = dict.fromkeys(part.strip() for part in message.splitlines()[0].split(": "))  # the same cause is told at each layer
    return f"is damaged or not what its ending says ({': '.join(list(said)[-2:])[:120]})"
