"""Folds copies of a passage into the best ranked of them, named in its hit. It refuses to fold what differs in one word.

Measures of likeness (MinHash, simhash) are left out on purpose: the same rule of two sites, or of two years, differs in one
word or number of a hundred, and that word is the answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from rung.types import Hit, Passage

_MARKS = str.maketrans(dict.fromkeys("*_`#>|", " "))  # what Markdown adds to the words


def folded(hits: Iterable[Hit], k: int, digest: Callable[[str], str] = lambda path: "") -> list[Hit]:
    """The first k hits that are no copies of one before; each names the documents of its copies, best first.

    A copy is the same text under the same headings, case, spacing and Markdown's marks aside, or the same span of a file
    with the same bytes. `digest` gives the hash of a path's bytes, "" where it isn't known.
    """
    kept: list[Hit] = []
    places: dict[object, int] = {}
    for hit in hits:
        keys = _keys(hit.passage, digest(hit.passage.document))
        at = next((places[key] for key in keys if key in places), len(kept))
        if at < len(kept):
            kept[at] = replace(kept[at], folded=tuple(dict.fromkeys((*kept[at].folded, hit.passage.document))))
        elif at < k:
            kept.append(hit)
        else:
            continue  # a copy of what was kept may still follow
        places.update((key, at) for key in keys)
    return kept


def key(passage: Passage) -> str:
    """16 hex digits that copies share, whatever files they are in."""
    return hashlib.sha256("\0".join(_said(passage)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _keys(passage: Passage, digest: str) -> list[object]:
    said = _said(passage)
    return [said, (digest, passage.start, passage.end)] if digest else [said]


def _said(passage: Passage) -> tuple[str, ...]:
    return tuple(" ".join(text.translate(_MARKS).split()).casefold() for text in (*passage.headings, passage.text))
