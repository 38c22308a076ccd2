"""Ways to cut a document behind one function: along its structure (ours), or by semantic-text-splitter. All lose and repeat nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial

from rung.errors import ConfigError, MissingExtra
from rung.knowledge.blocks import HEADING, blocks, heading_text
from rung.knowledge.chunk import chunk, passage_id
from rung.types import Document, Passage

SPLITTERS = {"recursive": "TextSplitter", "markdown": "MarkdownSplitter"}
Chunker = Callable[[Document, Callable[[str], int], int], list[Passage]]


def chunker(name: str) -> Chunker:
    """The function that cuts a document by a count of tokens into passages of at most so many. ConfigError for an unknown name."""
    if name == "structure":
        return chunk
    if name not in SPLITTERS:
        raise ConfigError(f"'{name}' names no way to cut documents", f"write structure, {' or '.join(SPLITTERS)}")
    return partial(split, name)


def split(name: str, document: Document, count: Callable[[str], int], limit: int) -> list[Passage]:
    """The document's passages in order; joined they are its text. Headings are those above the span, the title first."""
    try:
        import semantic_text_splitter
    except ModuleNotFoundError:
        raise MissingExtra(f"the chunker '{name}'", "chunkers") from None
    if not document.text.strip():
        return []
    splitter = getattr(semantic_text_splitter, SPLITTERS[name]).from_callback(count, limit, trim=False)
    opened, found = list(_opened(document.text)), []
    for start, end in _unblank(document.text, [(at, at + len(part)) for at, part in splitter.chunk_indices(document.text)]):
        number = bisect_left(opened, start, key=lambda one: one[0])  # a heading that begins the span stands in it
        above = opened[number - 1][1] if number else ()
        headings = (document.title, *(above[1:] if above[:1] == (document.title,) else above))
        made = passage_id(document.path, document.hash, start, end)
        found.append(Passage(made, document.path, start, end, document.text[start:end], headings))
    return found


def _unblank(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans with blank ones joined to the one before, or to the first."""
    kept: list[tuple[int, int]] = []
    for start, end in spans:
        if kept and not (text[start:end].strip() and text[kept[-1][0] : kept[-1][1]].strip()):
            kept[-1] = (kept[-1][0], end)
        else:
            kept.append((start, end))
    return kept


def _opened(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Where each heading begins, and the headings that stand open from there on, outermost first."""
    held: list[tuple[int, str]] = []
    for block in blocks(text):
        if block.kind == HEADING:
            while held and held[-1][0] >= block.level:
                held.pop()
            held.append((block.level, heading_text(text[block.start : block.end])))
            yield block.start, tuple(title for _, title in held)
