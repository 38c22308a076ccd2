"""Reads HTML as Markdown through kreuzberg: headings, lists and tables kept, scripts dropped. It refuses to fetch anything."""

from __future__ import annotations

import html
import re

from rung.knowledge.readers.kreuzberg import markdown
from rung.knowledge.reading import Reading, decoded

_TITLE = re.compile(r"<title[^>]*>(.*?)</title\s*>", re.IGNORECASE | re.DOTALL)
_HEAD = re.compile(r"<head[\s>].*?</head\s*>", re.IGNORECASE | re.DOTALL)
_CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?\s*([\w-]+)", re.IGNORECASE)


def read(raw: bytes) -> Reading:
    """The body's text as Markdown and the page's title. Raises Unreadable."""
    source = _decoded(raw)
    title = _TITLE.search(source)
    # The head is dropped first: kreuzberg would print its title and meta tags above the text.
    body = markdown(_HEAD.sub("", source).encode(), "text/html")
    return Reading(body, html.unescape(title.group(1)) if title else "")


def _decoded(raw: bytes) -> str:
    named = _CHARSET.search(raw[:2048])
    if named and named.group(1).lower() not in (b"utf-8", b"utf8"):
        try:
            return raw.decode(named.group(1).decode("ascii"), errors="replace")
        except LookupError:
            pass
    return decoded(raw)
