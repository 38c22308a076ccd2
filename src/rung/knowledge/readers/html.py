"""Reads HTML as Markdown through kreuzberg: headings, lists and tables kept, scripts dropped. It refuses to fetch anything."""

from __future__ import annotations

import html
import re
from codecs import BOM_UTF8

from rung.knowledge.readers.kreuzberg import markdown
from rung.knowledge.reading import Reading, decoded

_TITLE = re.compile(r"<title[^>]*>(.*?)</title\s*>", re.IGNORECASE | re.DOTALL)
_HEAD = re.compile(r"<head[\s>].*?</head\s*>", re.IGNORECASE | re.DOTALL)
_CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?\s*([\w-]+)", re.IGNORECASE)
_META = re.compile(r"<meta\s[^>]*>", re.IGNORECASE)
_PAIR = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_LANGUAGE = re.compile(r"<html[^>]*\slang\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
_NAMES = {  # what pages call it → ours
    "author": "author",
    "article:author": "author",
    "description": "description",
    "keywords": "keywords",
    "date": "created",
    "dc.date": "created",
    "article:published_time": "created",
    "last-modified": "modified",
    "article:modified_time": "modified",
}


def read(raw: bytes) -> Reading:
    """The body's text as Markdown, the page's title and what its meta tags tell. Raises Unreadable."""
    source = _decoded(raw)
    title = _TITLE.search(source)
    # The head is dropped first: kreuzberg would print its title and meta tags above the text.
    body = markdown(_HEAD.sub("", source).encode(errors="replace"), "text/html")
    return Reading(body, html.unescape(title.group(1)) if title else "", _meta(source))


def _meta(source: str) -> dict[str, str]:
    told: dict[str, str] = {}
    for tag in _META.findall(source[:100_000]):
        pairs = {name.lower(): html.unescape(a or b or c) for name, a, b, c in _PAIR.findall(tag)}
        name = _NAMES.get((pairs.get("name") or pairs.get("property") or pairs.get("http-equiv") or "").lower())
        if name and pairs.get("content", "").strip():
            told.setdefault(name, " ".join(pairs["content"].split()))
    language = _LANGUAGE.search(source[:4096])
    return told | ({"language": language.group(1)} if language else {})


def _decoded(raw: bytes) -> str:
    named = None if raw.startswith(BOM_UTF8) else _CHARSET.search(raw[:2048])
    if named and named.group(1).lower() not in (b"utf-8", b"utf8"):
        try:
            return raw.decode(named.group(1).decode("ascii"), errors="replace")
        except LookupError:
            pass
    return decoded(raw)
