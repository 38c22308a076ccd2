"""Cuts Markdown into its blocks by lines, with character offsets. It refuses to interpret inline markup.

Block rules follow CommonMark (headings, fences, lists) and GitHub's tables, as far as they decide where a text may be cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

HEADING, FENCE, TABLE, ITEM, PARAGRAPH = "heading", "fence", "table", "item", "paragraph"

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S")
_ROW = re.compile(r"[ \t]*\|")
_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Block:
    """`text[start:end]`, trailing blank lines included; `level` is 1 to 6 for headings, else 0."""

    start: int
    end: int
    kind: str
    level: int = 0


def blocks(text: str) -> list[Block]:
    """The blocks of a text in order; joined they are the text. Leading blank lines belong to the first block."""
    found: list[Block] = []
    for block in _blocks(text):
        if not text[block.start : block.end].strip():
            if found:
                found[-1] = replace(found[-1], end=block.end)
        else:
            found.append(block if found else replace(block, start=0))
    return found or ([Block(0, len(text), PARAGRAPH)] if text else [])


def heading_text(source: str) -> str:
    """The words of a heading block: marks, underline and link targets removed."""
    lines = source.strip().splitlines() or [""]
    match = _ATX.match(lines[0])
    words = (match.group(2) or "") if match else " ".join(lines[:-1] if len(lines) > 1 else lines)
    return " ".join(_LINK.sub(r"\1", words).replace("**", "").replace("`", "").split())


def _blocks(text: str) -> Iterator[Block]:
    lines = _lines(text)
    number = 0
    while number < len(lines):
        kind, level, after = _block_at(text, lines, number)
        yield Block(lines[number][0], lines[after - 1][1], kind, level)
        number = after


def _lines(text: str) -> list[tuple[int, int]]:
    spans, start = [], 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        spans.append((start, end))
        start = end
    return spans


def _block_at(text: str, lines: list[tuple[int, int]], number: int) -> tuple[str, int, int]:
    """Kind, level and the number of the line after the block that begins with line `number`."""

    def line(at: int) -> str:
        return text[lines[at][0] : lines[at][1]].rstrip("\n")

    first = line(number)
    if not first.strip():
        return PARAGRAPH, 0, number + 1
    if match := _ATX.match(first):
        return HEADING, len(match.group(1)), number + 1
    if match := _FENCE.match(first):
        return FENCE, 0, _fence_end(line, len(lines), number, match.group(1))
    if _is_table(line, len(lines), number):
        after = number + 1
        while after < len(lines) and "|" in line(after) and line(after).strip():
            after += 1
        return TABLE, 0, after
    item = bool(_ITEM.match(first))
    after = number + 1
    while after < len(lines) and not _interrupts(line, len(lines), after):
        if not item and (match := _SETEXT.match(line(after))):
            return HEADING, 1 if match.group(1)[0] == "=" else 2, after + 1
        after += 1
    return (ITEM if item else PARAGRAPH), 0, after


def _fence_end(line: Callable[[int], str], count: int, number: int, mark: str) -> int:
    close = re.compile(rf" {{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$")
    for at in range(number + 1, count):
        if close.match(line(at)):
            return at + 1
    return count


def _is_table(line: Callable[[int], str], count: int, number: int) -> bool:
    below = line(number + 1) if number + 1 < count else ""
    return bool(_ROW.match(line(number))) or ("|" in line(number) and "|" in below and bool(_RULE.match(below)))


def _interrupts(line: Callable[[int], str], count: int, at: int) -> bool:
    """Whether a line ends the paragraph or list item above it."""
    text = line(at)
    return not text.strip() or bool(_ATX.match(text) or _FENCE.match(text) or _ITEM.match(text)) or _is_table(line, count, at)
