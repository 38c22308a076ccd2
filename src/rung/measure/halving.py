"""Chooses among candidates on a development split by successive halving; it never sees a held-out case.

All candidates are asked a few cases, the better half twice as many, and so on until the last ones were asked all. Source:
Jamieson & Talwalkar (2016), "Non-stochastic Best Arm Identification and Hyperparameter Optimization". The first candidate, which
is what would be used anyway, stays to the end, so that whatever replaces it was better on every case of the split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2
from random import Random

from rung.types import Case

Ask = Callable[[int, Sequence[Case]], Mapping[str, float]]  # (candidate, cases) to case id → primary score


@dataclass(frozen=True)
class Tried:
    """One candidate: how many cases it was asked, and the share right of them."""

    candidate: int
    cases: int
    right: float


def halved(candidates: int, cases: Sequence[Case], ask: Ask, seed: int) -> list[Tried]:
    """Every candidate, the chosen one first; among equals the earlier one. `cases` must not be empty, nor `candidates` 0."""
    order = sorted(cases, key=lambda case: (Random(f"{seed}/{case.id}").random(), case.id))
    rounds = max(1, ceil(log2(candidates)))
    scores: dict[int, dict[str, float]] = {one: {} for one in range(candidates)}
    left = list(range(candidates))
    for number in range(1, rounds + 1):
        upto = max(1, round(len(order) / 2 ** (rounds - number)))
        for one in left:
            new = [case for case in order[:upto] if case.id not in scores[one]]
            scores[one] |= ask(one, new) if new else {}
        ranked = sorted(left, key=lambda one: (-_mean(scores[one]), one))
        left = ranked if number == rounds else sorted({0, *ranked[: ceil(len(ranked) / 2)]})
    dropped = sorted(set(scores) - set(left), key=lambda one: (-len(scores[one]), -_mean(scores[one]), one))
    return [Tried(one, len(scores[one]), _mean(scores[one])) for one in (*left, *dropped)]


def _mean(scores: Mapping[str, float]) -> float:
    return sum(scores[case] for case in sorted(scores)) / len(scores) if scores else 0.0
