"""Cuts a document into passages along its structure; joined they are its text. It refuses to lose or repeat a character.

Sections (a heading and what stands under it) are the natural passages. Small neighbours are merged, long ones are cut
between blocks, then between lines (tables, code) or sentences, then words. Sizes are added up block by block, which
counts the text once and never too low for tokenizers that split at white space.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rung.knowledge.blocks import FENCE, HEADING, TABLE, Block, blocks, heading_text
from rung.types import Document, Passage

VERSION = "3"  # raise it when the same text would be cut otherwise

_LINES = re.compile(r"\n+")
_SENTENCES = re.compile(r"(?<=[.!?…])[\"')\]]*\s+")
_WORDS = re.compile(r"\s+")


@dataclass(frozen=True)
class _Piece:
    """A span with its size in tokens and the headings above it."""

    start: int
    end: int
    tokens: int
    above: tuple[str, ...]


def chunk(document: Document, count: Callable[[str], int], limit: int) -> list[Passage]:
    """The document's passages in order, each of at most `limit` tokens as `count` counts them.

    A section under a quarter of the limit is merged with its neighbour where they fit. A single character over the
    limit is kept whole. Headings are those above the span, the document's title first.
    """
    text = document.text
    if not text.strip():
        return []
    pieces = [piece for section in _sections(text, count) for piece in _fitted(text, section, count, limit)]
    return [_passage(document, piece) for piece in _merged(pieces, limit)]


def searchable(passage: Passage) -> str:
    """What is embedded and indexed of a passage: its headings, then its text."""
    return "\n".join((*passage.headings, passage.text))


def passage_id(path: str, digest: str, start: int, end: int) -> str:
    """16 hex digits that name a span of one version of a document."""
    return hashlib.sha256(f"{path}\0{digest}\0{start}\0{end}".encode()).hexdigest()[:16]


def _passage(document: Document, piece: _Piece) -> Passage:
    above = piece.above[1:] if piece.above[:1] == (document.title,) else piece.above
    return Passage(
        id=passage_id(document.path, document.hash, piece.start, piece.end),
        document=document.path,
        start=piece.start,
        end=piece.end,
        text=document.text[piece.start : piece.end],
        headings=(document.title, *above),
    )


@dataclass(frozen=True)
class _Section:
    """A heading with the blocks under it, up to the next heading; headings without a body lead the next section."""

    parts: tuple[tuple[Block, int], ...]  # blocks with their tokens
    above: tuple[str, ...]  # headings above the section's own
    inside: tuple[str, ...]  # the same with its own

    @property
    def tokens(self) -> int:
        return sum(tokens for _, tokens in self.parts)


def _sections(text: str, count: Callable[[str], int]) -> Iterator[_Section]:
    open_headings: list[tuple[int, str]] = []
    parts: list[tuple[Block, int]] = []
    above: tuple[str, ...] = ()
    bare = True  # nothing but headings so far
    for block in blocks(text):
        source = text[block.start : block.end]
        if block.kind == HEADING:
            if parts and not bare:
                yield _Section(tuple(parts), above, tuple(title for _, title in open_headings))
                parts, bare = [], True
            while open_headings and open_headings[-1][0] >= block.level:
                open_headings.pop()
            titles = tuple(title for _, title in open_headings)
            above = titles if not parts else _shared(above, titles)
            open_headings.append((block.level, heading_text(source)))
        else:
            bare = False
        parts.append((block, count(source)))
    if parts:
        yield _Section(tuple(parts), above, tuple(title for _, title in open_headings))


def _fitted(text: str, section: _Section, count: Callable[[str], int], limit: int) -> Iterator[_Piece]:
    """The section in one piece, or in about equal ones none of which is over the limit."""
    first, last = section.parts[0][0], section.parts[-1][0]
    if section.tokens <= limit:
        yield _Piece(first.start, last.end, section.tokens, section.above)
        return
    atoms = [atom for block, tokens in section.parts for atom in _atoms(text, block, tokens, count, limit)]
    total = sum(tokens for _, _, tokens in atoms)
    target = total / -(-total // limit)
    start, end, size, above = first.start, first.start, 0, section.above
    for number, (begin, stop, tokens) in enumerate(atoms):
        heading_only = number > 0 and number < len(section.parts) and section.parts[number - 1][0].kind == HEADING
        if size and (size + tokens > limit or (size >= target and not heading_only)):
            yield _Piece(start, end, size, above)
            start, size, above = begin, 0, section.inside
        end, size = stop, size + tokens
    yield _Piece(start, end, size, above)


def _atoms(text: str, block: Block, tokens: int, count: Callable[[str], int], limit: int) -> Iterator[tuple[int, int, int]]:
    """A block whole where it fits, else its lines, sentences, words, and at last halves of a word."""
    if tokens <= limit:
        yield block.start, block.end, tokens
        return
    levels = (_LINES, _SENTENCES, _WORDS) if block.kind in (TABLE, FENCE) else (_SENTENCES, _LINES, _WORDS)
    yield from _cut(text, block.start, block.end, levels, count, limit)


def _cut(
    text: str, start: int, end: int, levels: tuple[re.Pattern[str], ...], count: Callable[[str], int], limit: int
) -> Iterator[tuple[int, int, int]]:
    tokens = count(text[start:end])
    last = start + len(text[start:end].rstrip())
    first = last - len(text[start:last].lstrip())
    if tokens <= limit or last - first <= 1:
        yield start, end, tokens
        return
    cuts = _seams(levels[0], text, start, end) if levels else [(first + last) // 2]  # of what is not blank: neither half is
    for begin, stop in zip([start, *cuts], [*cuts, end], strict=True):
        yield from _cut(text, begin, stop, levels[1:], count, limit)


def _seams(level: re.Pattern[str], text: str, start: int, end: int) -> list[int]:
    """Where to cut at this level, so that no part is blank."""
    last = start + len(text[start:end].rstrip())
    cuts: list[int] = []
    for match in level.finditer(text, start, end):
        if match.end() < last and text[cuts[-1] if cuts else start : match.end()].strip():
            cuts.append(match.end())
    return cuts


def _merged(pieces: list[_Piece], limit: int) -> list[_Piece]:
    """Small neighbours joined, forward first: a piece under a quarter of the limit takes the next, or joins the last."""
    small = limit // 4
    done: list[_Piece] = []
    for piece in pieces:
        last = done[-1] if done else None
        if last and min(last.tokens, piece.tokens) < small and last.tokens + piece.tokens <= limit and _related(last, piece):
            done[-1] = _Piece(last.start, piece.end, last.tokens + piece.tokens, _shared(last.above, piece.above))
        else:
            done.append(piece)
    return done


def _related(first: _Piece, second: _Piece) -> bool:
    """Siblings, or a section and what stands under it: they share all headings but one at most."""
    return len(_shared(first.above, second.above)) >= min(len(first.above), len(second.above)) - 1


def _shared(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    shared = 0
    while shared < min(len(first), len(second)) and first[shared] == second[shared]:
        shared += 1
    return first[:shared]
