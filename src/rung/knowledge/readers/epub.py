"""Reads e-books (EPUB) chapter by chapter in reading order through kreuzberg. It refuses books with copy protection."""

from __future__ import annotations

import re
import zlib
from zipfile import BadZipFile

from rung.knowledge.readers.kreuzberg import extract
from rung.knowledge.readers.zipped import opened
from rung.knowledge.reading import Reading, Unreadable

_PROTECTED = re.compile(rb'URI="[^"]+\.x?html?"', re.IGNORECASE)  # scrambled fonts alone are harmless


def read(raw: bytes) -> Reading:
    """The text as Markdown. Raises Unreadable."""
    archive = opened(raw)
    try:
        if _PROTECTED.search(archive.read("META-INF/encryption.xml")):
            raise Unreadable("is encrypted")
    except (KeyError, BadZipFile, zlib.error):
        pass  # no list of encrypted parts
    found = extract(raw, "application/epub+zip")
    return Reading(found.text, str(found.meta.get("title", "")), found.meta)
