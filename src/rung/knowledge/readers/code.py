"""Reads source code: each top-level symbol a heading with its lines fenced below. It refuses to parse; lines at the margin decide."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from rung.knowledge.languages import LANGUAGES
from rung.knowledge.reading import Reading, Unreadable, decoded

_WORDS = "public|private|protected|internal|static|final|abstract|sealed|export|default|declare|async|pub(?:\\([a-z]+\\))?|unsafe|extern"
_KINDS = "def|class|func|fun|fn|function|interface|struct|enum|trait|impl|type|record|object|module|namespace|message|service"
_SYMBOL = re.compile(rf"(?:(?:{_WORDS})\s+)*(?:{_KINDS})\b(?:\s*\([^)]*\))?(?:\s*<[^>]*>)?\s+([A-Za-z_$][\w$]*(?:(?:\.|::)[\w$]+)*)")
_MADE = re.compile(
    r"create\s+(?:or\s+replace\s+)?(?:table|view|function|procedure|index|trigger)\s+(?:if\s+not\s+exists\s+)?([\w.\"`]+)", re.I
)
_LEADING = re.compile(r" ?(?:@|#\[|//|#|/\*|\*|--|\"\"\"|\[)")  # decorators and comments belong to what they stand above
_WIDEST = 100_000  # characters of a line; longer ones are packed, not written


def read(raw: bytes, name: str) -> Reading:
    """The file as Markdown under its own name, with its language in the meta. Raises Unreadable."""
    path = PurePosixPath(name)
    language = LANGUAGES[path.suffix.lower()]
    text = decoded(raw)
    if any(len(line) > _WIDEST for line in text.split("\n")):
        raise Unreadable("is packed code: one of its lines is longer than 100,000 characters")
    parts = [_fenced(name, lines, language) for name, lines in _symbols(text) if any(line.strip() for line in lines)]
    return Reading("\n\n".join(parts), path.name, {"language": language})


def _symbols(text: str) -> Iterator[tuple[str, list[str]]]:
    """Names and lines of the top-level symbols in order; what stands above the first has the name ""."""
    lines = text.split("\n")
    name, start = "", 0
    for number, line in enumerate(lines):
        found = _SYMBOL.match(line) or _MADE.match(line)
        if found:
            first = number
            while first > start and lines[first - 1].strip() and _LEADING.match(lines[first - 1]):
                first -= 1
            if first > start:
                yield name, lines[start:first]
            name, start = found.group(1), first
    yield name, lines[start:]


def _fenced(name: str, lines: list[str], language: str) -> str:
    body = "\n".join(lines).strip("\n")
    longest = max((len(ticks) for ticks in re.findall(r"^ {0,3}(`{3,})", body, re.MULTILINE)), default=2)
    fence = "`" * max(3, longest + 1)
    return (f"## {name}\n\n" if name else "") + f"{fence}{language}\n{body}\n{fence}"
