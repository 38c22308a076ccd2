"""Ranks the rungs by the rules that fire. It advises and doesn't decide: each reason names the measurement that overturns it."""

from __future__ import annotations

from dataclasses import dataclass

from rung.advice.rules import OUT, RULES
from rung.advice.situation import Situation
from rung.approach.ladder import rungs_of

RUNGS = rungs_of("answer")  # no question of the interview says that a label is the whole answer, so specialists are not advised
NEAR = 5  # points behind the best, within which judgement may well be wrong


@dataclass(frozen=True)
class Reason:
    """A rule that fired, and what it said of one rung."""

    rule: str
    points: int
    because: str
    source: str
    overturned: str


@dataclass(frozen=True)
class Advised:
    """A rung in its place; `out` where a rule forbids it."""

    rung: str
    points: int
    out: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Advice:
    """The ladder in the order of the advice, and where to begin measuring."""

    ranked: tuple[Advised, ...]
    first: str  # a sentence
    measure: tuple[str, ...]  # the rungs to climb


def advise(told: Situation) -> Advice:
    """All rungs, best first: by points, the lower rung before the higher one, those ruled out last."""
    fired = [rule for rule in RULES if rule.when(told)]
    found = []
    for rung in RUNGS:
        reasons = tuple(Reason(r.name, r.points[rung], r.because, r.source, r.overturned) for r in fired if r.points.get(rung))
        points = sum(reason.points for reason in reasons)
        found.append(Advised(rung, points, any(reason.points == OUT for reason in reasons), reasons))
    ranked = tuple(sorted(found, key=lambda one: (one.out, -one.points)))
    best = ranked[0]
    why = max(best.reasons, key=lambda reason: reason.points, default=None)
    return Advice(ranked, f"begin with {best.rung}: {why.because if why else 'nothing speaks against it'}", _to_measure(ranked))


def _to_measure(ranked: tuple[Advised, ...]) -> tuple[str, ...]:
    """The prompt always, since everything is compared with it; the best; and all that come near it."""
    near = {one.rung for one in ranked if not one.out and one.points >= ranked[0].points - NEAR}
    return tuple(rung for rung in RUNGS if rung in near | {"prompt", *(one.rung for one in ranked[1:2] if not one.out)})
