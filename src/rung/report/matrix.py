"""Rungs × base models: the matrix, and each tuned model against another one that is only prompted. It computes no statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rung.approach.ladder import LADDER, model_of, rung_of
from rung.types import Comparison, Interval, Summary, Verdict


@dataclass(frozen=True)
class Matrix:
    """`cells` holds the rows by (rung, model); what is missing was not asked for."""

    rungs: tuple[str, ...]
    models: tuple[str, ...]
    cells: Mapping[tuple[str, str], Summary]


@dataclass(frozen=True)
class Contrast:
    """A tuned model against another model prompted, on the same cases: tuned minus prompted; p by Holm over all pairs of the climb."""

    tuned: Summary
    prompted: Summary
    difference: Interval
    p: float
    tells: bool


def matrix(summaries: Sequence[Summary]) -> Matrix | None:
    """The rows as rung × model; None where there is one model."""
    models = tuple(dict.fromkeys(model_of(one.name) for one in summaries if model_of(one.name)))
    if len(models) < 2:
        return None
    rungs = tuple(dict.fromkeys(rung_of(one.name) for one in summaries if model_of(one.name)))
    return Matrix(rungs, models, {(rung_of(one.name), model_of(one.name)): one for one in summaries})


def contrasts(summaries: Sequence[Summary], verdict: Verdict) -> list[Contrast]:
    """Every trained rung of a model against the prompt rung of every other one, in the order of the rows."""
    ran = {one.name: one for one in summaries if one.ran and model_of(one.name)}
    found = []
    for comparison in verdict.comparisons:
        first, second = ran.get(comparison.first), ran.get(comparison.second)
        if first and second and model_of(first.name) != model_of(second.name):
            for tuned, prompted, sign in ((second, first, 1), (first, second, -1)):
                if LADDER[rung_of(tuned.name)].trained_on and rung_of(prompted.name) == "prompt":
                    found.append(_contrast(tuned, prompted, comparison, sign))
    return found


def _contrast(tuned: Summary, prompted: Summary, found: Comparison, sign: int) -> Contrast:
    d = found.difference
    low, high = sorted((sign * d.low, sign * d.high))
    return Contrast(tuned, prompted, Interval(sign * d.estimate, low, high, d.n, d.clusters), found.p_adjusted, found.distinguishable)


def cell(summary: Summary | None) -> str:
    """ "78 % (71-84)"; a dash where the rung did not run or was not asked for."""
    if summary is None or not summary.ran:
        return "–"
    right = summary.primary
    return f"{100 * right.estimate:.0f} % ({100 * right.low:.0f}-{100 * right.high:.0f})"


def told(one: Contrast) -> str:
    """A contrast in a sentence."""
    d = one.difference
    by = f"{100 * d.estimate:+.0f} points ({100 * d.low:+.0f} to {100 * d.high:+.0f}), p {one.p:.2g}"
    verdict = "better" if one.tells and d.estimate > 0 else "worse" if one.tells else "not distinguishable"
    paid = [summary.cost_per_1000 for summary in (one.tuned, one.prompted)]
    price = f"; 1,000 answers {paid[0]:.3g} against {paid[1]:.3g}" if any(paid) else ""
    return f"{one.tuned.name} against {one.prompted.name}: {by}: {verdict}{price}"
