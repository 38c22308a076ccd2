"""Citation precision and recall of one answer against its evidence; a marker that points nowhere counts against precision.

After ALCE (Gao et al., 2023), with the case's own evidence in place of an entailment model: what is right but not listed as
evidence counts as wrong, so list every document that would do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rung.measure.retrieval import SHARE, supports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rung.types import Answer, Citation, Evidence, Hit


def citation_rates(answer: Answer, evidence: Sequence[Evidence]) -> tuple[float | None, float | None]:
    """(precision: supported citations / citations, None without any; recall: cited evidence / evidence, None without any)."""
    if not evidence:
        return None, None
    distinct = {(one.marker, one.passage, one.document, one.start, one.end): one for one in answer.citations}.values()
    held = [{n for n, piece in enumerate(evidence) if _cited(one, piece, answer.hits)} for one in distinct]
    covered: set[int] = set().union(*held)
    return (sum(map(bool, held)) / len(held) if held else None), len(covered) / len(evidence)


def _cited(citation: Citation, piece: Evidence, hits: Sequence[Hit]) -> bool:
    """Whether the citation leads to the evidence: its document, and its quote by text or by overlapping spans."""
    if not citation.passage or citation.document != piece.document:
        return False
    if not piece.quote:
        return True
    if any(hit.passage.id == citation.passage and supports(hit, piece) for hit in hits):
        return True
    return any(_overlap(citation, start, end) >= SHARE * (end - start) for start, end in _spans(piece, hits))


def _spans(piece: Evidence, hits: Sequence[Hit]) -> list[tuple[int, int]]:
    """Where the quote stands in its document, as far as a hit shows it letter for letter."""
    spans = []
    for hit in hits:
        at = hit.passage.text.find(piece.quote) if hit.passage.document == piece.document else -1
        if at >= 0:
            start = hit.passage.start + at
            spans.append((start, start + len(piece.quote)))
    return spans


def _overlap(citation: Citation, start: int, end: int) -> int:
    return max(0, min(citation.end, end) - max(citation.start, start))
