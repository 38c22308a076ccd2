"""Fuses the ranked lists of several searches into one, in a way that a short name tells. It refuses to search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from rung.errors import ConfigError
from rung.types import Hit, Passage

RRF = 60  # Cormack, Clarke and Büttcher 2009
HYBRID = "min-max:0.5"  # what `hybrid` stands for; chosen on SciFact's train questions, see docs/log.md
WAYS = "hybrid, dense, words, min-max:SHARE, z-score:SHARE or rank:CONSTANT"


@dataclass(frozen=True)
class Fusion:
    """A way to rank. `value` is the share of the dense leg in a sum of scores, or the constant of reciprocal ranks."""

    way: str  # dense, words, min-max, z-score or rank
    value: float = 0.0

    @property
    def legs(self) -> tuple[str, ...]:
        """The searches it takes."""
        return (self.way,) if self.way in ("dense", "words") else ("dense", "words")


def fusion(mode: str) -> Fusion:
    """The fusion that a mode names. ConfigError where it names none."""
    way, _, value = (HYBRID if mode == "hybrid" else mode).partition(":")
    if way in ("dense", "words") and not value:
        return Fusion(way)
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if (way in ("min-max", "z-score") and 0 <= number <= 1) or (way == "rank" and number > 0):
        return Fusion(way, number)
    raise ConfigError(f"'{mode}' is no way to search", f"write {WAYS}, with a share from 0 to 1")


def fused(legs: Mapping[str, Sequence[Hit]], how: Fusion) -> list[Hit]:
    """All that the legs found, best first, each with its rank in the legs that found it."""
    if how.way == "rank":
        return by_rank(legs, how.value)
    weights = {"dense": how.value, "words": 1 - how.value}
    if how.way in legs:  # one leg alone: its own scores stand
        return _summed({how.way: legs[how.way]}, {how.way: [hit.score for hit in legs[how.way]]})
    return by_score(legs, weights) if how.way == "min-max" else by_deviation(legs, weights)


def by_rank(legs: Mapping[str, Sequence[Hit]], constant: float = RRF) -> list[Hit]:
    """Reciprocal rank fusion: a passage scores the sum of 1 / (constant + rank) over the legs that found it."""
    return _summed(legs, {name: [1 / (constant + rank) for rank in range(1, len(hits) + 1)] for name, hits in legs.items()})


def by_score(legs: Mapping[str, Sequence[Hit]], weights: Mapping[str, float]) -> list[Hit]:
    """Weighted sum of the legs' scores, each leg scaled to [0, 1] over what it found; a leg that missed a passage adds 0.

    The convex combination of Bruch, Gai and Ingber 2023.
    """
    return _summed(legs, {name: [weights[name] * share for share in scaled([hit.score for hit in hits])] for name, hits in legs.items()})


def by_deviation(legs: Mapping[str, Sequence[Hit]], weights: Mapping[str, float]) -> list[Hit]:
    """Weighted sum of z-scores counted from the leg's lowest: a leg that missed a passage adds 0, as if it stood last there."""
    return _summed(legs, {name: [weights[name] * share for share in _standardised(hits)] for name, hits in legs.items()})


def scaled(scores: Sequence[float]) -> list[float]:
    """The scores from 0 to 1; all 1 where they are equal."""
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    return [(score - low) / (high - low) if high > low else 1.0 for score in scores]


def _standardised(hits: Sequence[Hit]) -> list[float]:
    scores = [hit.score for hit in hits]
    spread = pstdev(scores, fmean(scores)) if len(scores) > 1 else 0.0
    return [(score - min(scores)) / spread if spread else 1.0 for score in scores]


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
