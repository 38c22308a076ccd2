"""Fuses the ranked lists of several searches into one. It refuses to search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rung.types import Hit, Passage

RRF = 60  # Cormack, Clarke and Büttcher 2009


def by_rank(legs: Mapping[str, Sequence[Hit]], constant: int = RRF) -> list[Hit]:
    """Reciprocal rank fusion: a passage scores the sum of 1 / (constant + rank) over the legs that found it."""
    return _summed(legs, {name: [1 / (constant + rank) for rank in range(1, len(hits) + 1)] for name, hits in legs.items()})


def by_score(legs: Mapping[str, Sequence[Hit]], weights: Mapping[str, float]) -> list[Hit]:
    """Weighted sum of the legs' scores, each leg scaled to [0, 1] over what it found; a leg that missed a passage adds 0.

    The convex combination of Bruch, Gai and Ingber 2023.
    """
    return _summed(legs, {name: [weights[name] * share for share in _scaled(hits)] for name, hits in legs.items()})


def _scaled(hits: Sequence[Hit]) -> list[float]:
    scores = [hit.score for hit in hits]
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    return [(score - low) / (high - low) if high > low else 1.0 for score in scores]


def _summed(legs: Mapping[str, Sequence[Hit]], shares: Mapping[str, Sequence[float]]) -> list[Hit]:
    passages: dict[str, Passage] = {}
    scores: dict[str, float] = {}
    ranks: dict[str, dict[str, int]] = {}
    for name, hits in legs.items():
        for rank, (hit, share) in enumerate(zip(hits, shares[name], strict=True), 1):
            key = hit.passage.id
            passages[key] = hit.passage
            scores[key] = scores.get(key, 0.0) + share
            ranks.setdefault(key, {})[name] = rank
    fused = [Hit(passages[key], scores[key], ranks[key]) for key in passages]
    return sorted(fused, key=lambda hit: (-hit.score, hit.passage.document, hit.passage.start))
