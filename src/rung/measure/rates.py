"""Whether one share is another than a second one. Fisher's exact test; it assumes nothing about how large the counts are.

Source: Fisher (1935), "The Logic of Inductive Inference"; two-sided by summing all tables no likelier than the one seen.
"""

from __future__ import annotations

from math import exp, lgamma


def rates_differ(first: int, of_first: int, second: int, of_second: int) -> float:
    """The p of seeing two shares so far apart, or further, if they were one. 1 where either is of nothing."""
    if not (of_first and of_second):
        return 1.0
    total, hits = of_first + of_second, first + second
    chances = [_chance(k, of_first, hits, total) for k in range(max(0, hits - of_second), min(of_first, hits) + 1)]
    seen = _chance(first, of_first, hits, total)
    return min(1.0, sum(one for one in chances if one <= seen * (1 + 1e-9)))


def _chance(k: int, drawn: int, hits: int, total: int) -> float:
    """The hypergeometric distribution."""
    return exp(_choose(hits, k) + _choose(total - hits, drawn - k) - _choose(total, drawn))


def _choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
