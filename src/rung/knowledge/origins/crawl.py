"""What web pages say to a crawler: links, sitemaps and robots rules, as plain functions of text. They refuse to fetch anything."""

from __future__ import annotations

import gzip
import html
import io
import re
import zlib
from urllib.parse import urljoin
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

from rung.knowledge.reading import Unreadable

_LINK = re.compile(r"<a\s[^>]*?href\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)
_BASE = re.compile(r"<base\s[^>]*?href\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_ROBOTS = re.compile(r"<meta\s[^>]*?name\s*=\s*[\"']?(?:robots|rung)\b[^>]*>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def links(page: str, url: str) -> list[str]:
    """The addresses that a page links to, in order, none if it says nofollow."""
    text = _COMMENT.sub("", page)
    if says(page, "nofollow"):
        return []
    base = _BASE.search(text)
    root = urljoin(url, html.unescape(base.group(1))) if base else url
    found = []
    for quoted, single, bare in _LINK.findall(text):
        try:
            found.append(urljoin(root, html.unescape(quoted or single or bare).strip()))
        except ValueError:
            continue  # such as "http://[": no address
    return list(dict.fromkeys(link for link in found if link.startswith(("http://", "https://"))))


def says(page: str, word: str) -> bool:
    """Whether the page's robots tag says noindex, nofollow or none."""
    told = " ".join(_ROBOTS.findall(_COMMENT.sub("", page[:200_000]))).lower()
    return bool(re.search(rf"\b({word}|none)\b", told))


def sitemap(raw: bytes, largest: int) -> tuple[list[str], list[str]]:
    """The pages and the further sitemaps that a sitemap names; plain lists of addresses are read too. Raises Unreadable."""
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(largest + 1)
        except (OSError, EOFError, zlib.error):
            raise Unreadable("is a damaged archive") from None
    if len(raw) > largest:
        raise Unreadable(f"is larger than {largest / (1 << 20):,.0f} MB")
    if not raw.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        lines = raw.decode("utf-8", errors="replace").split()
        return [line for line in lines if line.startswith(("http://", "https://"))], []
    if b"<!ENTITY" in raw:
        raise Unreadable("declares entities, which no sitemap needs")
    try:
        root = ElementTree.fromstring(raw)
    except ElementTree.ParseError as error:
        raise Unreadable(f"is no sitemap ({error})") from None
    places = [(node.text or "").strip() for node in root.iterfind("{*}*/{*}loc")]
    found = [place for place in places if place]
    return ([], found) if root.tag.endswith("sitemapindex") else (found, [])


def rules(status: int, text: str) -> RobotFileParser:
    """The robots rules behind an answer to /robots.txt: none where there is no such file, no page where the server fails (RFC 9309)."""
    parser = RobotFileParser()
    if status == 200:
        parser.parse(text.splitlines())
    elif 400 <= status < 500:
        parser.parse([])
    else:
        parser.parse(["User-agent: *", "Disallow: /"])
    return parser
