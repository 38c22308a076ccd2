"""How many cases tell rungs apart, before any is asked: power for a difference, over the family that the verdict corrects for.

It refuses to plan for a difference of 0. n = (t_{1 - alpha / 2P, m - 1} + t_{power, m - 1})² V / difference² (Cohen, 1988, ch. 2, with
Student's t for the m clusters), where P is the number of pairs and V the variance per case of a paired difference with its design
effect 1 + (b - 1) rho (Kish, 1965, 8.2). To name the best of K rungs it must be told from K - 1 others at once: each of those
comparisons gets 1 - (1 - power) / (K - 1), which never asks for too few (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, log2

from rung.errors import DataError
from rung.types import Case

ALPHA = 0.05
POWERS = (0.8, 0.9, 0.95)
DIFFERENCES = (0.02, 0.03, 0.05, 0.1, 0.15, 0.2)
RHO = 0.1  # correlation of differences within a group, assumed where nothing was measured
SURE = 0.8  # confidence that a variance measured on a few clusters is not larger


@dataclass(frozen=True)
class Variation:
    """The variance of one case's paired difference with its design effect, and where it was taken from."""

    variance: float
    per_cluster: float  # mean cases
    origin: str


@dataclass(frozen=True)
class Need:
    """Cases that tell a difference: for one pair, and to name the best rung that leads all others by as much."""

    difference: float
    power: float
    pair: int
    best: int


@dataclass(frozen=True)
class Plan:
    """What a climb of `rungs` rungs needs, and the least difference that the cases there are would tell, by power."""

    rungs: int
    pairs: int
    alpha: float  # what is left of 5 % for the last look of a climb that may stop early
    cases: int
    clusters: int
    variation: Variation
    needs: tuple[Need, ...]
    tells: Mapping[str, float]  # power → difference of a pair; 1 where not even that would be told


def plan(
    rungs: int, cases: int, clusters: int, variation: Variation, differences: Sequence[float] = DIFFERENCES, alpha: float = ALPHA
) -> Plan:
    """The plan for a family of all pairs of so many rungs. DataError for fewer than two rungs or a difference outside (0, 1]."""
    if rungs < 2:
        raise DataError("one rung has nothing to be told from", "plan for two rungs or more")
    if any(not 0 < one <= 1 for one in differences):
        raise DataError("a difference of rungs is a share above 0 and up to 1", "write 0.05 for 5 points")
    pairs = rungs * (rungs - 1) // 2
    level = alpha / pairs
    needs = tuple(
        Need(gap, power, needed(gap, variation, level, power), needed(gap, variation, level, 1 - (1 - power) / (rungs - 1)))
        for gap in differences
        for power in POWERS
    )
    tells = {f"{power:g}": _told(cases, variation, level, power) for power in POWERS}
    return Plan(rungs, pairs, alpha, cases, clusters, variation, needs, tells)


def needed(difference: float, variation: Variation, level: float, power: float) -> int:
    """Cases that tell a difference at a two-sided level with this power, of clusters as large as those known; not rounded.

    At least as many clusters as let a sign-flip test reach the level: 2^(1 - m) <= level. And rungs that truly differ by d differ
    on a share d of the cases at least, so that the variance of right-or-wrong scores is no less than d (1 - d), however alike the
    rungs were that it was measured on.
    """
    from rung.measure.student import t_quantile

    least = ceil(1 + log2(1 / level))
    variance = max(variation.variance, difference * (1 - difference))

    def enough(clusters: int) -> bool:
        t = t_quantile(1 - level / 2, clusters - 1) + t_quantile(power, clusters - 1)
        return t**2 * variance / difference**2 <= clusters * variation.per_cluster

    low, high = least - 1, least
    while not enough(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return ceil(high * variation.per_cluster)


def _told(cases: int, variation: Variation, level: float, power: float) -> float:
    """The least difference, to a thousandth, that so many cases tell; 1 where none is told."""
    low, high = 0, 1000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if needed(middle / 1000, variation, level, power) <= cases else (middle, high)
    return high / 1000


def assumed(cases: Sequence[Case], bar: float) -> Variation:
    """Before any run: rungs that are right about as often as the bar asks, each by chance of its own, groups alike by RHO.

    2 bar (1 - bar) is what two rungs that share no difficulty differ by, and real rungs fail on the same cases, so the plan is
    cautious. b is the mean group as a case sees it, Σ n² / Σ n.
    """
    from collections import Counter

    from rung.measure.bootstrap import clusters_of

    sizes = list(Counter(clusters_of(cases).values()).values())
    if not sizes:
        raise DataError("there are no cases to plan with", "write a few cases, so that their groups are known")
    near = min(max(bar, 0.05), 0.95)
    seen = sum(size**2 for size in sizes) / sum(sizes)
    origin = f"assumed: rungs right in about {near:.0%}, failing independently" + (f", groups alike by {RHO:g}" if seen > 1 else "")
    return Variation(2 * near * (1 - near) * (1 + (seen - 1) * RHO), sum(sizes) / len(sizes), origin)


def measured(scores: Mapping[str, Mapping[str, float]], clusters: Mapping[str, str], origin: str) -> Variation:
    """Of an earlier run (rung → case id → primary): the pair of rungs that varies most, at the upper end of what m clusters leave
    open (Browne, 1995, "On the use of a pilot sample for sample size determination"). DataError where fewer than two rungs ran.
    """
    from rung.measure.bootstrap import tabulate

    pairs = list(combinations(scores, 2))
    if not pairs:
        raise DataError(f"{origin} compared no rungs", "plan without it, or climb with two rungs or more")
    table = tabulate([{case: scores[second][case] - value for case, value in scores[first].items()} for first, second in pairs], clusters)
    m, n = len(table.sizes), float(table.sizes.sum())
    if m < 3:
        raise DataError(f"{origin} has {m} groups, whose variance says nothing", "plan without it")
    largest = max(float(error) for error in table.errors) ** 2 * n
    return Variation(max(largest, 1 / n) * (m - 1) / _chi_square(1 - SURE, m - 1), n / m, origin)


def _chi_square(share: float, freedom: int) -> float:
    """Wilson and Hilferty's (1931) quantile of chi-square; within 1.1 % at the share used here, from 3 degrees of freedom on."""
    from statistics import NormalDist

    spread = 2 / (9 * freedom)
    return float(freedom * (1 - spread + NormalDist().inv_cdf(share) * spread**0.5) ** 3)
