"""Rungs compared on the same cases: paired differences, a sign-flip test over clusters, Holm, and how many cases would tell.

It refuses to compare rungs on unequal cases. Sources: sign-flip test, Good (2005), "Permutation, Parametric and Bootstrap
Tests of Hypotheses", ch. 3; the +1 of the Monte Carlo p, Phipson & Smyth (2010); Holm (1979); equal scores on one case each make
it the exact McNemar test. Clusters are flipped whole, since cases of one document or customer rise and fall together.

"As good" is one of the two one-sided tests (Schuirmann, 1987), read off the bootstrap's interval: the second rung's lead is
below the margin at the level that Bonferroni leaves each pair.
"""

from __future__ import annotations

from itertools import combinations
from math import ceil, log2, log10
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from rung.measure.bootstrap import DIGITS, RESAMPLES, Table, generator, intervals, tabulate
from rung.measure.looks import WEIGHTS, weight
from rung.types import Comparison, Interval

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from rung.measure.bootstrap import Floats

ALPHA = 0.05
POWER = 0.8
ENUMERATED = 20  # clusters up to which all 2^m sign flips are tried
FLIPS = 99_999  # Monte Carlo flips beyond that
SEEN = 5  # resamples beyond a level, fewer of which can't place it
STEPS = 50_000_000  # of the exact distribution of whole-numbered sums, beyond which flips are drawn


def compare_all(
    scores: Mapping[str, Mapping[str, float]],
    clusters: Mapping[str, str],
    seed: int = 0,
    margin: float = 0.0,
    looks: Sequence[Collection[str]] = (),
) -> tuple[Comparison, ...]:
    """Every pair of rungs, first before second in the order of `scores` (rung → case id → primary).

    The family for Holm is all pairs, which keeps "not distinguishable from the best" true although the best was picked by
    looking. `difference` is second minus first with its unadjusted 95 % interval. `looks` are the ids of the cases that were
    known at each look of a climb that may stop early, the last one all of them: each look has its own part of alpha
    (`looks.WEIGHTS`), and intervals hold at all looks at once. DataError for unequal cases or NaN.
    """
    pairs = list(combinations(scores, 2))
    if not pairs:
        return ()
    tabulate(list(scores.values()), clusters)  # refuses unequal cases
    columns = [{case: scores[second][case] - value for case, value in scores[first].items()} for first, second in pairs]
    table, alpha = tabulate(columns, clusters), ALPHA * weight(looks)
    differences = intervals(table, (-1.0, 1.0), seed, 1 - alpha)
    good = _as_good(table, margin, alpha / len(pairs), seed)
    ps = _ps(columns, clusters, seed, looks) if looks else _p_of_each(table, seed)
    adjusted = holm(ps)
    rank = {column: place for place, column in enumerate(sorted(range(len(ps)), key=lambda i: ps[i]))}
    found = []
    for column, (first, second) in enumerate(pairs):
        tells = adjusted[column] < ALPHA
        own = alpha / (len(ps) - rank[column])
        needed = None if tells else cases_needed(_column(table, column), differences[column], own)
        found.append(Comparison(first, second, differences[column], ps[column], adjusted[column], tells, needed, good[column]))
    return tuple(found)


def _p_of_each(table: Table, seed: int) -> list[float]:
    return [sign_flip_p(table.sums[:, column], seed) for column in range(table.sums.shape[1])]


def _ps(columns: Sequence[Mapping[str, float]], clusters: Mapping[str, str], seed: int, looks: Sequence[Collection[str]]) -> list[float]:
    """The least p of all looks, each over its look's part of alpha: valid whenever the climb was stopped (Bonferroni)."""
    least = [1.0] * len(columns)
    for number, known in enumerate(looks):
        table = tabulate([{case: column[case] for case in known} for column in columns], clusters)
        least = [min(old, p / WEIGHTS[number]) for old, p in zip(least, _p_of_each(table, seed), strict=True)]
    return least


def _as_good(table: Table, margin: float, alpha: float, seed: int) -> list[bool]:
    """For each pair whether the second's lead over the first is below the margin; no claim where resamples are too few to see."""
    if not margin or alpha * RESAMPLES < SEEN:
        return [False] * table.sums.shape[1]
    return [told.high < margin for told in intervals(table, (-1.0, 1.0), seed, 1 - 2 * alpha)]


def sign_flip_p(sums: Floats, seed: int = 0) -> float:
    """Two-sided p of the clusters' summed differences under random signs: P(|Σ ± s_c| >= |Σ s_c|).

    Exact for whole-numbered sums (scores of 0 and 1) and for up to 20 clusters that differ; otherwise 99,999 drawn flips with
    (1 + as extreme) / (1 + flips). 1 where nothing differs.
    """
    sums = sums[np.abs(sums) > 1e-12]  # a cluster without a difference is the same either way
    m = len(sums)
    if m == 0:
        return 1.0
    seen = abs(float(sums.sum())) - 1e-9
    total = float(np.abs(sums).sum())
    if bool((np.abs(sums - np.rint(sums)) < 1e-12).all()) and m * total <= STEPS:
        return _rounded(_exact_whole(np.abs(np.rint(sums)).astype(np.int64), seen))
    if m <= ENUMERATED:
        flipped = np.zeros(1)
        for one in sums:
            flipped = np.concatenate([flipped + one, flipped - one])
        return _rounded(float((np.abs(flipped) >= seen).mean()))
    random = generator("sign flips", seed, m)
    extreme, drawn = 0, 0
    while drawn < FLIPS:
        rows = min(FLIPS - drawn, max(1, 4_000_000 // m))
        signs = random.integers(0, 2, size=(rows, m), dtype=np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ sums) >= seen).sum())
        drawn += rows
    return (1 + extreme) / (1 + FLIPS)


def _rounded(p: float) -> float:
    return float(f"{p:.{DIGITS}g}")  # significant digits: an exact p is never 0


def _exact_whole(sizes: NDArray[np.int64], seen: float) -> float:
    """P(|2 X - T| >= seen) where X is the sum of a random half of the sizes and T the sum of all, by convolution."""
    total = int(sizes.sum())
    chance = np.zeros(total + 1)
    chance[0] = 1.0
    for size in sizes:
        shifted = np.zeros_like(chance)
        shifted[size:] = chance[: total + 1 - size]
        chance = (chance + shifted) / 2
    return float(chance[np.abs(2 * np.arange(total + 1) - total) >= seen].sum())


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given: max over j <= i of min(1, (m - j + 1) p_(j))."""
    order = sorted(range(len(ps)), key=lambda i: ps[i])
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, (len(ps) - place) * ps[i]))
        adjusted[i] = highest
    return adjusted


def cases_needed(table: Table, difference: Interval, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """About how many cases would tell the observed difference from 0, to two figures; None where the difference is 0.

    n = (z_{1-alpha/2} + z_power)² V / difference², V = N · SE² being the variance per case with its design effect (SE is the
    cluster-robust standard error over N cases), for clusters of the size seen; at least as many clusters as let a sign-flip
    test reach alpha (2^(1-m) <= alpha), and more than there are. It takes the observed difference for the true one: a plan.
    """
    if difference.estimate == 0:
        return None
    n, m = difference.n, difference.clusters
    z = NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(power)
    by_power = z**2 * n * float(table.errors[0]) ** 2 / difference.estimate**2
    by_flips = (1 + log2(1 / alpha)) * n / m
    return two_figures(max(by_power, by_flips, n + 1))


def two_figures(number: float) -> int:
    """A number rounded up to two significant figures."""
    step = int(10 ** max(0, int(log10(max(1.0, number))) - 1))
    return ceil(number / step - 1e-9) * step


def _column(table: Table, column: int) -> Table:
    return Table(table.sums[:, [column]], table.sizes)
