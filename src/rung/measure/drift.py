"""Whether two sets of texts, as vectors, come from one distribution. It tells that they differ, not how.

The measure is the maximum mean discrepancy with a Gaussian kernel, unbiased and squared, tried by permutations: Gretton, Borgwardt,
Rasch, Schölkopf and Smola (2012), "A Kernel Two-Sample Test", JMLR 13, eq. 3; the kernel's width is the median distance, as they
choose it. The +1 of the p: Phipson and Smyth (2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rung.measure.bootstrap import generator

if TYPE_CHECKING:
    from rung.measure.bootstrap import Floats
    from rung.types import Vectors

MOST = 500  # vectors of each set; of more a part is drawn
FEWEST = 10  # of each, below which nothing could be told
SHUFFLES = 999
ALPHA = 0.01


@dataclass(frozen=True)
class Drift:
    """`mmd` is the squared discrepancy: near 0 (and either side of it) where nothing differs, at most 2."""

    mmd: float
    p: float
    before: int  # texts compared
    now: int

    @property
    def told(self) -> bool:
        """Whether the two differ beyond chance, p < .01."""
        return self.p < ALPHA


def drift(before: Vectors, now: Vectors, seed: int = 0) -> Drift | None:
    """Of two sets of vectors, shapes (m, d) and (n, d); None where either has fewer than 10."""
    if min(len(before), len(now)) < FEWEST:
        return None
    random = generator("drift", seed, len(before), len(now))
    first, second = (_drawn(rows, random) for rows in (before, now))
    both = np.concatenate([first, second]).astype(np.float64)
    squares = (both**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * both @ both.T, 0.0)
    m, n = len(first), len(second)
    width = float(np.median(distances[np.triu_indices(m + n, 1)]))
    kernel = np.exp(-distances / width) if width > 0 else np.ones_like(distances)
    np.fill_diagonal(kernel, 0.0)
    sides = np.zeros((SHUFFLES + 1, m + n))
    sides[0, :m] = 1.0
    for row in sides[1:]:
        row[random.permutation(m + n)[:m]] = 1.0
    found = _mmd(kernel, sides, m, n)
    p = (1 + int((found[1:] >= found[0] - 1e-12).sum())) / (1 + SHUFFLES)
    return Drift(float(found[0]), p, m, n)


def _mmd(kernel: Floats, sides: Floats, m: int, n: int) -> Floats:
    """One value for each row of `sides`, which is 1 for the first set: sums within and across from one product."""
    sums = sides @ kernel
    within = (sums * sides).sum(axis=1)
    across = (sums * (1 - sides)).sum(axis=1)
    rest = kernel.sum() - within - 2 * across
    return np.asarray(within / (m * (m - 1)) + rest / (n * (n - 1)) - 2 * across / (m * n))


def _drawn(rows: Vectors, random: np.random.Generator) -> Vectors:
    return rows if len(rows) <= MOST else rows[np.sort(random.choice(len(rows), MOST, replace=False))]
