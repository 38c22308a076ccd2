"""What a reader makes of one file's bytes, and the title rule all readers share. It refuses to touch the file system."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rung.knowledge.blocks import HEADING, blocks, heading_text
from rung.types import Json


@dataclass(frozen=True)
class Reading:
    """The text of one file as Markdown or plain text, and the title where the format names one."""

    text: str
    title: str = ""
    meta: Mapping[str, Json] = field(default_factory=dict)


class Unreadable(Exception):
    """A file that can't be read; the message is the reason shown beside its name. It never leaves `read_folder`."""


def decoded(raw: bytes) -> str:
    """Text from bytes: a byte order mark decides, then UTF-8, then Windows-1252; line ends become LF.

    Raises Unreadable for bytes that are not text.
    """
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        if b"\0" in raw:
            raise Unreadable("is not text") from None
        text = raw.decode("cp1252", errors="replace")
    if "\0" in text:
        raise Unreadable("is not text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def titled(reading: Reading, path: str) -> str:
    """The title: what the format says, else the first heading of the highest level, else the file's name in words."""
    if reading.title.strip():
        return " ".join(reading.title.split())
    headings = [block for block in blocks(reading.text) if block.kind == HEADING]
    for block in sorted(headings, key=lambda block: block.level):
        if found := heading_text(reading.text[block.start : block.end]):
            return found
    stem = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return re.sub(r"[-_\s]+", " ", stem).strip() or stem


def paged(pages: Sequence[tuple[int, str]]) -> tuple[str, list[list[int]]]:
    """Pages joined by blank lines, and [page number, offset of its first character] of each that holds text."""
    text, starts = "", []
    for number, page in pages:
        if page.strip():
            text += "\n\n" if text else ""
            starts.append([number, len(text)])
            text += page
    return text, starts


def page_at(meta: Mapping[str, Json], offset: int) -> int | None:
    """The page, or slide, that holds this character of the document; None where the format has none."""
    told = meta.get("pages")
    pairs = told if isinstance(told, (list, tuple)) else ()  # a document's own metadata may use the word for something else
    numbers = [one[0] for one in pairs if isinstance(one, (list, tuple)) and [type(n) for n in one] == [int, int] and one[1] <= offset]
    return int(numbers[-1]) if numbers else None
