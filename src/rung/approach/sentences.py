"""Cuts a text into sentences that joined are the text; what follows never changes a cut, so that streams can be cut too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_END = re.compile(r"(?:[.!?…]+[\"'”’)\]*_]*(?:\s*\[\d{1,3}\])*\s+|\s*\n\s*)(?=[^\s\[])")
_OPEN = re.compile(r"(?:^|\s|\()(?:[A-Z]|(?i:e\.g|i\.e|etc|approx|vs|cf|nr|dr|mr|mrs|ms|prof|st|inc|ltd|fig|al))\.\s+$")
_LONE = re.compile(r"\s*(?:[-*•]|\d{1,3}[.)])\s+$")


def sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence, its markers and the white space after it included. A line break ends one, too."""
    cuts = [0]
    for end in _END.finditer(text):
        before = text[cuts[-1] : end.end()]
        abbreviated = "\n" not in end.group() and _OPEN.search(before)
        if not abbreviated and not _LONE.fullmatch(before):
            cuts.append(end.end())
    return [(start, end) for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True) if start < end]


def streamed(pieces: Iterable[str]) -> Iterator[str]:
    """Whole sentences as soon as the next one begins; joined they are the pieces joined."""
    held = ""
    for piece in pieces:
        held += piece
        *whole, (start, _) = sentences(held) or [(0, 0)]
        yield from (held[begin:end] for begin, end in whole)
        held = held[start:]
    if held:
        yield held
