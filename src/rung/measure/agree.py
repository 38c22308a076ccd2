"""How far a judge agrees with people, beyond chance, and which of two answers it prefers whatever their order.

Cohen's kappa (1960) with percentiles of resampled clusters; where nobody ever disagreed, the bound is that of the rule of three.
It refuses to give a number where people gave one label only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rung.types import Interval

if TYPE_CHECKING:
    from rung.measure.bootstrap import Floats

LEVEL = 0.95
JUDGED = "judged.json"  # in a run folder


@dataclass(frozen=True)
class Agreement:
    """Kappa with its interval, None where it has no value and `why` says so; `same` is the share of equal labels."""

    kappa: float | None
    low: float | None
    high: float | None
    same: float
    n: int
    unusable: int  # answers that people labelled and the judge could not
    why: str = ""


@dataclass(frozen=True)
class Preference:
    """Two rungs' answers judged in both orders. A verdict that turns with the order counts for neither."""

    first: str
    second: str
    wins: tuple[int, int]
    ties: int
    turned: int  # of the ties: those whose verdict depends on the order
    unusable: int
    ahead: Interval | None  # wins of the second less wins of the first, as a share of the usable pairs
    p: float | None
    front: float | None  # how often the answer that stood first was preferred, of all preferences; 0.5 is no bias
    stated: int  # preferences behind `front`


@dataclass(frozen=True)
class Judged:
    """The share of a rung's answers that the judge calls right or faithful, over the usable verdicts, with the judge's agreement."""

    rung: str
    criterion: str
    share: Interval | None
    unusable: int
    agreement: Agreement | None  # None where nobody measured it


def read_judged(folder: Path) -> list[Judged]:
    """What was judged of the run in this folder; nothing where nothing was."""
    path = folder / JUDGED
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [
        Judged(
            row["rung"],
            row["criterion"],
            Interval(**row["share"]) if row["share"] else None,
            row["unusable"],
            Agreement(**row["agreement"]) if row["agreement"] else None,
        )
        for row in rows
    ]


def agreement(people: Mapping[str, str], judge: Mapping[str, str], clusters: Mapping[str, str], seed: int = 0) -> Agreement:
    """`people`: id → label; `judge`: id → verdict, "" where unusable; `clusters`: id → group."""
    usable = {one: label for one, label in people.items() if judge.get(one)}
    unusable = len(people) - len(usable)
    if not usable:
        return Agreement(None, None, None, 0.0, 0, unusable, "no verdict could be used")
    same = sum(label == judge[one] for one, label in usable.items()) / len(usable)
    labels = sorted({*usable.values(), *(judge[one] for one in usable)})
    if len(set(usable.values())) == 1:
        return Agreement(
            None, None, None, same, len(usable), unusable, f"people said '{next(iter(usable.values()))}' of all: label others, too"
        )
    estimate, low, high = _kappa(usable, judge, clusters, labels, seed)
    return Agreement(estimate, low, high, same, len(usable), unusable)


def _kappa(
    people: Mapping[str, str], judge: Mapping[str, str], clusters: Mapping[str, str], labels: Sequence[str], seed: int
) -> tuple[float, float, float]:
    import numpy as np

    from rung.measure.bootstrap import FEW, resampled, tabulate

    cells = [{one: float((label, judge[one]) == (a, b)) for one, label in people.items()} for a in labels for b in labels]
    table = tabulate(cells, clusters)
    size, m = len(labels), len(table.sizes)

    def kappas(shares: Floats) -> Floats:
        grid = shares.reshape(-1, size, size)
        observed = np.trace(grid, axis1=1, axis2=2)
        chance = (grid.sum(axis=2) * grid.sum(axis=1)).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((observed - chance) / (1 - chance))

    estimate = float(kappas(table.means)[0])
    if m < FEW:
        return round(estimate, 6), -1.0, 1.0
    if estimate >= 1:
        chance = float((table.means.reshape(size, size).sum(axis=1) ** 2).sum())
        return 1.0, round((((1 - LEVEL) / 2) ** (1 / m) - chance) / (1 - chance), 6), 1.0
    drawn = kappas(resampled(table, seed))
    drawn = drawn[np.isfinite(drawn)]  # a resample with one label says nothing
    low, high = (float(np.quantile(drawn, tail)) for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return round(estimate, 6), round(min(low, estimate), 6), round(max(high, estimate), 6)


def preference(
    names: tuple[str, str], forward: Mapping[str, str], backward: Mapping[str, str], clusters: Mapping[str, str], seed: int = 0
) -> Preference:
    """`forward`: case id → "first", "second", "same" or "" with the first rung's answer in front; `backward`: the other way about."""
    from rung.measure.bootstrap import interval, tabulate
    from rung.measure.stats import sign_flip_p

    usable = [one for one in forward if forward[one] and backward[one]]
    won = [one for one in usable if (forward[one], backward[one]) == ("first", "second")]
    lost = [one for one in usable if (forward[one], backward[one]) == ("second", "first")]
    turned = [one for one in usable if one not in won and one not in lost and (forward[one], backward[one]) != ("same", "same")]
    value = {one: float(one in lost) - float(one in won) for one in usable}
    stated = [v for one in usable for v in (forward[one], backward[one]) if v != "same"]
    return Preference(
        *names,
        (len(won), len(lost)),
        len(usable) - len(won) - len(lost),
        len(turned),
        len(forward) - len(usable),
        interval(value, clusters, (-1.0, 1.0), seed) if usable else None,
        sign_flip_p(tabulate([value], clusters).sums[:, 0], seed) if usable else None,
        stated.count("first") / len(stated) if stated else None,
        len(stated),
    )
