"""Confidence intervals for means over clustered cases; it refuses NaN and never narrows an interval where data are few.

The interval is BCa (Efron, 1987, "Better bootstrap confidence intervals") over clusters resampled whole (Davison & Hinkley,
1997, ch. 3.8), taken at the levels that make a bootstrap of m clusters as wide as Student's t (Hesterberg, 2015, "What
teachers should know about the bootstrap", the expanded percentile interval). Simulated with 13 clusters of about 8 cases, which
is what a small project has, 95 % intervals of a share of 0.8 covered in 90.5 % of runs as percentiles, 92 % as BCa, 92.7 % as
expanded percentiles, 94.8 % as expanded BCa; at 0.1 it was 85.6, 88.3, 88.6 and 91.8 %. With 40 or more clusters all four
are within two points of one another.

Where a bootstrap can't work: one cluster says nothing of the next one, so the interval is all that is possible; below
`FEW` clusters it is Student's t on the clusters; where no cluster deviates from the mean, it is Clopper and Pearson's bound on
how many clusters could (the "rule of three" for 0 of m).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from math import fsum, isfinite, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rung.errors import DataError
from rung.measure.student import t_quantile
from rung.types import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from rung.types import Case

    Floats = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 10_000
FEW = 6  # clusters; with fewer the bootstrap's quantiles are single resamples
CELLS = 4_000_000  # of the table of resampled counts, held in memory at once
KEPT = 20_000_000  # counts of one bootstrap that are kept, a byte each: they are 0 to 12 or so
DIGITS = 12  # to which results are rounded, so that no platform's order of summation shows


class Table(NamedTuple):
    """Per cluster, in the order of the cluster names: sums of shape (clusters, columns), sizes of shape (clusters,)."""

    sums: Floats
    sizes: Floats

    @property
    def means(self) -> Floats:
        """The mean over cases, one for each column."""
        return np.asarray(self.sums.sum(axis=0) / self.sizes.sum())

    @property
    def errors(self) -> Floats:
        """Standard errors of the means: sqrt(m / (m - 1) Σ (S_c - mean N_c)²) / N, the ratio estimator's (Cochran, 1977)."""
        m = len(self.sizes)
        residuals = self.sums - self.sizes[:, None] * self.means
        return np.asarray(np.sqrt(m / max(1, m - 1) * (residuals**2).sum(axis=0)) / self.sizes.sum())


def clusters_of(cases: Sequence[Case]) -> dict[str, str]:
    """Case id → cluster: its group, or the case itself where it stands alone."""
    return {case.id: f"group {case.group}" if case.group else f"case {case.id}" for case in cases}


def tabulate(columns: Sequence[Mapping[str, float]], clusters: Mapping[str, str]) -> Table:
    """Sum each column (case id → value) by cluster. The order of rows doesn't matter.

    DataError for no cases, columns of unequal cases, a case without cluster, or a value that is not a finite number.
    """
    ids = sorted(columns[0]) if columns else []
    if not ids:
        raise DataError("there are no scored cases to make statistics of", "add cases, or run the evaluation first")
    for column in columns:
        if column.keys() != columns[0].keys():
            odd = min(column.keys() ^ columns[0].keys())
            raise DataError(
                f"case {odd!r} was scored on one rung and not on another", "rungs are compared on equal cases: evaluate both again"
            )
    for one in ids:
        if one not in clusters:
            raise DataError(f"case {one!r} has no cluster", "score and cluster the same cases")
        if not all(isfinite(column[one]) for column in columns):
            raise DataError(f"the score of case {one!r} is not a finite number", "score the case again")
    members: dict[str, list[str]] = {}
    for one in ids:
        members.setdefault(clusters[one], []).append(one)
    names = sorted(members)
    sums = np.array([[fsum(column[one] for one in members[name]) for column in columns] for name in names])
    return Table(sums, np.array([float(len(members[name])) for name in names]))


def intervals(table: Table, bounds: tuple[float, float], seed: int = 0, level: float = LEVEL) -> list[Interval]:
    """One interval a column; `bounds` are the least and greatest value a case can have.

    All columns share their resamples, and those depend on the seed and the number of clusters alone.
    """
    m, n = len(table.sizes), int(table.sizes.sum())
    rounded = [round(float(mean), DIGITS) for mean in table.means]
    if m == 1:
        return [Interval(mean, *bounds, n, 1) for mean in rounded]
    errors = table.errors
    boots = np.sort(resampled(table, seed), axis=0) if m >= FEW and bool((errors > 1e-12).any()) else None
    found = []
    for column, mean in enumerate(rounded):
        if errors[column] <= 1e-12:
            low, high = _no_deviation(mean, m, bounds, level)
        elif boots is None:
            low, high = _student(mean, float(errors[column]), m, level)
        else:
            low, high = _bca(boots[:, column], table.sums[:, column], table.sizes, level)
        low, high = max(bounds[0], min(low, mean)), min(bounds[1], max(high, mean))
        found.append(Interval(mean, round(low, DIGITS), round(high, DIGITS), n, m))
    return found


def interval(
    values: Mapping[str, float], clusters: Mapping[str, str], bounds: tuple[float, float] = (0.0, 1.0), seed: int = 0, level: float = LEVEL
) -> Interval:
    """The mean of case id → value with its interval."""
    return intervals(tabulate([values], clusters), bounds, seed, level)[0]


def generator(*parts: object) -> np.random.Generator:
    """A random generator named by its parts, the same on every machine."""
    name = "/".join(map(str, parts))
    return np.random.default_rng(int.from_bytes(sha256(name.encode()).digest()[:16], "big"))


def resampled(table: Table, seed: int = 0) -> Floats:
    """Means of resampled clusters, shape (RESAMPLES, columns); a row is one resample of all columns together."""
    m = len(table.sizes)
    rows = max(1, CELLS // m)
    kept = _kept(seed, m, rows) if m * RESAMPLES <= KEPT else _drawn(seed, m, rows)
    parts = (counts.astype(np.float64) for counts in kept)
    return np.concatenate([counts @ table.sums / (counts @ table.sizes)[:, None] for counts in parts])


@lru_cache(6)  # a climb that may stop early takes four looks
def _kept(seed: int, m: int, rows: int) -> list[NDArray[np.uint8]]:
    """The counts of one bootstrap, kept for the next rung or pair."""
    return list(_drawn(seed, m, rows))


def _drawn(seed: int, m: int, rows: int) -> Iterator[NDArray[np.uint8]]:
    """How often each of m clusters stands in each resample, some rows at a time."""
    random = generator("bootstrap", seed, m)
    for start in range(0, RESAMPLES, rows):
        yield random.multinomial(m, np.full(m, 1 / m), size=min(rows, RESAMPLES - start)).astype(np.uint8)


def _bca(boots: Floats, sums: Floats, sizes: Floats, level: float) -> tuple[float, float]:
    m, normal = len(sums), NormalDist()
    mean = sums.sum() / sizes.sum()
    below = (boots < mean - 1e-12).mean() + (np.abs(boots - mean) <= 1e-12).mean() / 2  # ties count half: scores are discrete
    bias = normal.inv_cdf(float(np.clip(below, 1 / len(boots), 1 - 1 / len(boots))))
    left_out = (sums.sum() - sums) / (sizes.sum() - sizes)
    deviation = left_out.mean() - left_out
    spread = (deviation**2).sum() ** 1.5
    acceleration = (deviation**3).sum() / (6 * spread) if spread > 0 else 0.0
    edges = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = bias + sqrt(m / (m - 1)) * t_quantile(tail, m - 1)
        shrink = 1 - acceleration * z
        share = normal.cdf(bias + z / shrink) if shrink > 0 else float(z > 0)
        edges.append(float(np.quantile(boots, share)))
    return edges[0], edges[1]


def _student(mean: float, error: float, m: int, level: float) -> tuple[float, float]:
    half = t_quantile((1 + level) / 2, m - 1) * error
    return mean - half, mean + half


def _no_deviation(mean: float, m: int, bounds: tuple[float, float], level: float) -> tuple[float, float]:
    share = 1 - ((1 - level) / 2) ** (1 / m)
    return mean - share * (mean - bounds[0]), mean + share * (bounds[1] - mean)
