"""Says why a passage was found or not: its rank and score in each leg, what each added, and the sentence. It changes no rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rung.knowledge.choice import resolved
from rung.knowledge.fold import folded
from rung.knowledge.fusion import Fusion, fused, fusion
from rung.knowledge.knowledge import POOL, Knowledge, legs
from rung.types import Hit

BY = {"dense": "meaning", "words": "words"}


@dataclass(frozen=True)
class Leg:
    """A passage in one leg: its rank from 1, the leg's own score, and what that added to the fused score."""

    rank: int
    score: float
    added: float


@dataclass(frozen=True)
class Explained:
    """A passage, its place among the results (0 where it was folded or isn't among them), its legs and the reason."""

    place: int
    hit: Hit
    legs: Mapping[str, Leg]
    why: str


@dataclass(frozen=True)
class Explanation:
    """How a question was searched: the mode and the passages, best first, a few more than were asked for."""

    mode: str
    rows: tuple[Explained, ...]


def explain(knowledge: Knowledge, question: str, k: int, mode: str = "hybrid", more: int = 5) -> Explanation:
    """The k passages that `search` brings, the `more` next ones, and the copies between them. ConfigError for no mode."""
    mode = resolved(knowledge.choice, mode)
    how = fusion(mode)
    found = legs(knowledge, question, max(k, POOL), how.legs)
    every = fused(found, how)
    kept = folded(every, k + more, lambda path: knowledge.state.documents[path].hash)
    places = {hit.passage.id: place for place, hit in enumerate(kept, 1)}
    last = kept[min(k, len(kept)) - 1].score if kept else 0.0
    shown = every[: next((at + 1 for at, hit in enumerate(every) if hit.passage.id == kept[-1].passage.id), 0)] if kept else []
    rows = []
    for hit in shown:
        place = places.get(hit.passage.id, 0)
        parts = _parts(hit, found, how)
        rows.append(
            Explained(
                place if place <= k else 0,
                next((one for one in kept if one.passage.id == hit.passage.id), hit),
                parts,
                _why(hit, parts, place, k, last, how),
            )
        )
    return Explanation(mode, tuple(rows))


def _parts(hit: Hit, found: Mapping[str, Sequence[Hit]], how: Fusion) -> dict[str, Leg]:
    """Each leg that found the passage; what it added is the fused score of that leg taken by itself."""
    parts = {}
    for name, rank in hit.legs.items():
        alone = {leg: hits if leg == name else [] for leg, hits in found.items()}
        added = next(one.score for one in fused(alone, how) if one.passage.id == hit.passage.id)
        parts[name] = Leg(rank, found[name][rank - 1].score, added)
    return parts


def _why(hit: Hit, parts: Mapping[str, Leg], place: int, k: int, last: float, how: Fusion) -> str:
    told = [f"{leg.rank}. by {BY[name]} added {leg.added:.3f}" for name, leg in parts.items()]
    told += [f"not among the {POOL} best by {BY[name]}" for name in how.legs if name not in parts]
    said = "; ".join(told)
    if not place:
        return f"a copy of a passage above; {said}"
    return said if place <= k else f"{last - hit.score:.3f} short of place {k}; {said}"
