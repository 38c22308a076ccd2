"""Quantiles of Student's t for whole degrees of freedom, without a statistics library; anything else it refuses.

Abramowitz & Stegun (1964), 26.7.3 and 26.7.4 (the distribution as a finite sum, solved by bisection) up to 200 degrees of
freedom, and 26.7.5 (Cornish-Fisher) beyond, where its error is below 1e-7.
"""

from __future__ import annotations

from functools import lru_cache
from math import atan, cos, pi, sin, sqrt
from statistics import NormalDist

SERIES = 200


@lru_cache(256)
def t_quantile(share: float, freedom: int) -> float:
    """The t below which `share` of the distribution lies. ValueError unless 0 < share < 1 and freedom is 1 or more."""
    if not 0 < share < 1 or freedom < 1:
        raise ValueError(f"no quantile of t at {share} with {freedom} degrees of freedom")
    if share < 0.5:
        return -t_quantile(1 - share, freedom)
    if freedom > SERIES:
        z = NormalDist().inv_cdf(share)
        second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        return z + (z**3 + z) / (4 * freedom) + second + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    low, high = 0.0, 1.0
    while _below(high, freedom) < share:
        low, high = high, high * 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _below(middle, freedom) < share else (low, middle)
    return (low + high) / 2


def _below(t: float, freedom: int) -> float:
    """P(T < t) for t >= 0."""
    angle = atan(t / sqrt(freedom))
    square = cos(angle) ** 2
    term, total = (cos(angle), 0.0) if freedom % 2 else (1.0, 0.0)
    for step in range(2 if freedom % 2 else 1, freedom, 2):
        total += term
        term *= square * step / (step + 1)
    central = 2 / pi * (angle + sin(angle) * total) if freedom % 2 else sin(angle) * total
    return (1 + central) / 2
