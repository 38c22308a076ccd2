"""One climb against an earlier one, on the cases both asked: what became worse beyond chance, and on which cases.

It refuses to call chance a regression: differences are paired, p values are corrected over all rungs compared (Holm).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rung.types import Interval

ALPHA = 0.05


@dataclass(frozen=True)
class Change:
    """One rung then and now. `difference` is now minus then, with its unadjusted 95 % interval."""

    rung: str
    before: float
    now: float
    difference: Interval
    p_adjusted: float
    worse: bool
    better: bool
    lost: tuple[str, ...]  # cases that score less than they did, the greatest loss first
    won: tuple[str, ...]


def compared(
    before: Mapping[str, Mapping[str, float]],
    now: Mapping[str, Mapping[str, float]],
    clusters: Mapping[str, str],
    margin: float = 0.0,
    seed: int = 0,
) -> list[Change]:
    """The rungs of both, rung → case id → primary score; both must hold the same cases.

    `worse`: p < .05 after Holm's correction, and the loss is more than `margin`.
    """
    from rung.measure.bootstrap import intervals, tabulate
    from rung.measure.stats import holm, sign_flip_p

    rungs = [rung for rung in now if rung in before]
    if not rungs or not clusters:
        return []
    gains = {rung: {case: now[rung][case] - value for case, value in before[rung].items()} for rung in rungs}
    table = tabulate([gains[rung] for rung in rungs], clusters)
    adjusted = holm([sign_flip_p(table.sums[:, column], seed) for column in range(len(rungs))])
    found = []
    for rung, told, p in zip(rungs, intervals(table, (-1.0, 1.0), seed), adjusted, strict=True):
        lost = tuple(sorted((case for case, gain in gains[rung].items() if gain < 0), key=lambda case: (gains[rung][case], case)))
        won = tuple(sorted((case for case, gain in gains[rung].items() if gain > 0), key=lambda case: (-gains[rung][case], case)))
        then, since = (sum(scores[rung].values()) / len(scores[rung]) for scores in (before, now))
        beyond = p < ALPHA and abs(told.estimate) > margin
        found.append(Change(rung, then, since, told, p, beyond and told.estimate < 0, beyond and told.estimate > 0, lost, won))
    return found
