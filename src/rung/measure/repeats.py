"""A rung asked several times with other seeds: mean scores, and whose variance it is, the cases', the seeds' or the judge's.

It refuses unequal repetitions. The split is the nested random-effects analysis of variance by moments (Searle, Casella &
McCulloch, 1992, "Variance Components", ch. 3): judgings within answers, answers within cases; an estimate below 0 is 0. Miller
(2024), "Adding error bars to evals", says what it is for: more seeds narrow only the seeds' part, more cases narrow all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, variance
from typing import TYPE_CHECKING

from rung.errors import DataError
from rung.types import Score

if TYPE_CHECKING:
    from rung.types import Answer

DECIMALS = 12


def averaged(runs: Sequence[Sequence[tuple[Answer, Score]]]) -> list[tuple[Answer, Score]]:
    """The first run's answers with the mean scores of all. DataError where the runs scored unequal cases."""
    found = []
    for column in _columns(runs):
        scores = [score for _, score in column]
        names = [name for name in scores[0].parts if all(name in score.parts for score in scores)]
        parts = {name: fmean(score.parts[name] for score in scores) for name in names}
        found.append((column[0][0], Score(scores[0].case, fmean(score.primary for score in scores), parts)))
    return found


def spread(runs: Sequence[Sequence[tuple[Answer, Score]]]) -> dict[str, float]:
    """The variance of one answer's primary score, as `split` tells it, of runs that were judged once."""
    return split([[[score.primary] for _, score in column] for column in _columns(runs)])


def split(scores: Sequence[Sequence[Sequence[float]]]) -> dict[str, float]:
    """Variance components `cases`, `seeds` and `judge` of scores[case][seed][judging].

    A component that nothing was repeated for is left out: `seeds` with one seed, `judge` with one judging of each answer. The
    variance of the mean over n cases, s seeds and j judgings is cases / n + seeds / (n s) + judge / (n s j).
    """
    shapes = {(len(case), len(one)) for case in scores for one in case}
    if len(shapes) != 1 or len(scores) < 2:
        raise DataError("variances need two cases or more, each repeated as often", "climb again with --repeat and more cases")
    ((seeds, judgings),) = shapes
    judge = fmean(variance(one) for case in scores for one in case) if judgings > 1 else 0.0
    answers = [[fmean(one) for one in case] for case in scores]
    between = fmean(variance(case) for case in answers) if seeds > 1 else 0.0
    seed = max(0.0, between - judge / judgings)
    whole = max(0.0, variance(fmean(case) for case in answers) - max(seed / seeds, 0.0) - judge / (seeds * judgings))
    found = {"cases": whole} | ({"seeds": seed} if seeds > 1 else {}) | ({"judge": judge} if judgings > 1 else {})
    return {name: round(value, DECIMALS) for name, value in found.items()}


def told(parts: Mapping[str, float]) -> str:
    """ "cases 81 %, seeds 19 %", or that seeds have no effect."""
    whole = sum(parts.values())
    if "seeds" in parts and parts["seeds"] == 0.0:
        return "seeds have no effect"
    return ", ".join(f"{name} {value / whole:.0%}" for name, value in parts.items()) if whole else "no answer differs in score"


def _columns(runs: Sequence[Sequence[tuple[Answer, Score]]]) -> list[tuple[tuple[Answer, Score], ...]]:
    ids = [[score.case for _, score in run] for run in runs]
    if not ids or any(one != ids[0] for one in ids):
        raise DataError("the repetitions scored unequal cases", "run the climb again: it asks only what is missing")
    return list(zip(*runs, strict=True))
