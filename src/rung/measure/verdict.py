"""Picks the rung: the lowest one whose primary score meets the bar within all limits, and why each other was passed over.

The rule, fixed before any score is seen: rungs are taken in the order of the ladder; a rung meets the bar where its estimate does.
The verdict says whether the lower end of the 95 % interval clears the bar as well, and if not, about how many cases would
settle it. Why the estimate and not the lower end: the lower end would answer "climb higher" to a question of too few cases, and
the ladder's order, unlike picking the greatest of seven, does not favour lucky estimates of costly rungs. What it costs: a rung
whose true score lies just below the bar passes in up to half of all runs, which is why the sentence tells the two apart.

It refuses to let a clock decide: seconds (and costs, which may hold machine hours) count only where a limit asks for them,
so a repeated run gives the same sentence.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rung.errors import ConfigError
from rung.measure import reasons
from rung.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rung.types import Comparison, Score, Summary

ALPHA = 0.05
TOLERANCE = 1e-9  # so that 0.7 meets a bar of 0.7 however it was summed


@dataclass(frozen=True)
class Limits:
    """The bar for the primary score, and constraints; None asks nothing. Costs are in the currency of the price table."""

    bar: float = 0.8
    seconds_p95: float | None = None
    cost_per_1000: float | None = None
    citation_recall: float | None = None
    private: bool = False  # only rungs whose model runs on this machine
    margin: float = 0.0  # a lower rung that is worse by less counts as good as a higher one

    def __post_init__(self) -> None:
        if not 0 <= self.bar <= 1:
            raise ConfigError(f"the bar is {self.bar}", "the bar is a share from 0 to 1, such as 0.8")


def decide(
    summaries: Sequence[Summary],
    scores: Mapping[str, Sequence[Score]],
    clusters: Mapping[str, str],
    limits: Limits,
    remote: Collection[str] = (),
    seed: int = 0,
    looks: Sequence[Collection[str]] = (),
) -> Verdict:
    """The verdict over rungs in the order of the ladder; `looks` as `compare_all` takes them.

    `scores` holds the scores of each rung that ran, `clusters` case id → cluster, `remote` the rungs whose model is not on this
    machine. `best` are the rungs that can't be told from the highest score among those within the limits (among all, where none
    is). DataError where rungs were scored on unequal cases.
    """
    from rung.measure.stats import compare_all

    ran = [one for one in summaries if one.ran]
    broken = {one.name: broken_limits(one, limits, one.name in remote) for one in ran}
    comparisons = compare_all(
        {one.name: {s.case: s.primary for s in scores[one.name]} for one in ran}, clusters, seed, limits.margin, looks
    )
    pool = [one for one in ran if not broken[one.name]] or ran
    chosen = next((one for one in pool if meets(one, limits) and not broken[one.name]), None)
    best = _best(pool, comparisons)
    why = {
        one.name: reasons.passed_over(one, chosen, best, comparisons, limits, broken.get(one.name, []))
        for one in summaries
        if chosen is None or one.name != chosen.name
    }
    sentence = reasons.sentence(summaries, chosen, best, comparisons, limits, broken)
    name = chosen.name if chosen else ""
    return Verdict(sentence, name, tuple(one.name for one in best), why, comparisons, limits.bar, chosen is not None, limits.margin)


def clear(
    summaries: Sequence[Summary],
    scores: Mapping[str, Sequence[Score]],
    clusters: Mapping[str, str],
    limits: Limits,
    remote: Collection[str] = (),
    seed: int = 0,
) -> bool:
    """Whether more cases would not change which rung is chosen, with 95 % confidence over all rungs within the limits.

    `clusters` are those of all cases, asked or not; the rungs' cases were asked in the order of `looks.portions`.
    """
    from rung.measure.looks import capital, settled

    largest = max(Counter(clusters.values()).values())
    pool = [one.name for one in summaries if one.ran and not broken_limits(one, limits, one.name in remote)]
    shares = [{score.case: score.primary for score in scores[name]} for name in pool]
    return bool(pool) and settled([capital(one, clusters, limits.bar, largest, seed) for one in shares], ALPHA)


def meets(summary: Summary, limits: Limits) -> bool:
    """Whether the estimate of the primary score is at or above the bar."""
    return summary.primary.estimate >= limits.bar - TOLERANCE


def broken_limits(summary: Summary, limits: Limits, remote: bool) -> list[str]:
    """Each limit that the rung breaks, as half a sentence; empty where it keeps all."""
    found = []
    if limits.private and remote:
        found.append("its model is not on this machine")
    if limits.seconds_p95 is not None and summary.seconds_p95 > limits.seconds_p95:
        found.append(f"95 % of answers take up to {summary.seconds_p95:.2g} s, the limit is {limits.seconds_p95:g} s")
    if limits.cost_per_1000 is not None and summary.cost_per_1000 > limits.cost_per_1000 + TOLERANCE:
        found.append(f"1,000 answers cost {summary.cost_per_1000:.2f}, the limit is {limits.cost_per_1000:g}")
    if limits.citation_recall is not None:
        cited = summary.parts.get("citation_recall")
        if cited is None:
            found.append("no case has evidence, so its citations can't be judged")
        elif cited < limits.citation_recall - TOLERANCE:
            least = limits.citation_recall
            found.append(f"it cites {reasons.percent(cited, least)} of the evidence, the limit is {reasons.percent(least)}")
    return found


def _best(pool: Sequence[Summary], comparisons: Sequence[Comparison]) -> list[Summary]:
    if not pool:
        return []
    top = max(pool, key=lambda one: one.primary.estimate)  # the lowest rung among equals: max takes the first
    apart = {frozenset((one.first, one.second)) for one in comparisons if one.distinguishable}
    return [one for one in pool if one is top or frozenset((one.name, top.name)) not in apart]
