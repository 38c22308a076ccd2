"""A climb's tokens, seconds and right answers as money: each rung's costs with intervals, and where two of them cross.

Only what was measured has an interval: tokens, seconds and the share right. Prices and efforts are taken as they stand;
`deciding` says which of them matter. Building, keeping and retraining are charged by what a rung is made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from rung.approach.ladder import LADDER, SPECIALISTS, rung_of
from rung.costs.arithmetic import DAYS, Running, crossing_months, crossing_volume, monthly, per_1000, per_correct, tokens_a_question, total
from rung.costs.tariff import Tariff, changed, leaves

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from rung.types import Answer, Score

    Floats = NDArray[np.float64]

COLUMNS = 5  # of each rung's measurements: fresh, cached and written tokens, seconds, right
FACTORS = [1.1**step for step in range(1, 49)]  # up to about 100, by which an assumption is raised or lowered
LEVEL = 0.95


@dataclass(frozen=True)
class Measured:
    """What a climb measured of one rung, and how long its training took, in hours."""

    name: str
    answers: Sequence[Answer]
    scores: Sequence[Score]
    training_hours: float = 0.0
    hosted: bool | None = None  # whether its own model's tokens are paid, where that differs from the others
    tokens: tuple[float, float, float] | None = None  # prices of its own model, fresh, cached and written, where not the tariff's


@dataclass(frozen=True)
class Range:
    """An estimate with its 95 % interval; None for "never"."""

    estimate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class RungCost:
    """One rung's money. `per_1000` and `per_correct` hold everything, building included."""

    name: str
    running: Running
    month: Range
    per_1000: Range
    per_correct: Range
    total: Range


@dataclass(frozen=True)
class Crossing:
    """From this many questions a month on, `after` is cheaper than `before` over the whole time; and after how many months it is."""

    before: str
    after: str
    volume: Range
    months: Range


@dataclass(frozen=True)
class Decider:
    """A number of the tariff that, at `at` instead of `value`, makes another rung the cheapest per correct answer."""

    assumption: str
    value: float
    at: float
    cheapest: str


@dataclass(frozen=True)
class Costs:
    """All of it, for the questions a month and the months of the tariff."""

    rungs: tuple[RungCost, ...]
    crossings: tuple[Crossing, ...]
    deciders: tuple[Decider, ...]
    cheapest: str  # per correct answer; over all answers where none is right
    questions_month: float
    months: float
    examples: int
    hosted: bool
    tariff: Tariff


def costs(measured: Sequence[Measured], clusters: dict[str, str], tariff: Tariff, examples: int, *, hosted: bool) -> Costs:
    """Every rung's costs. `hosted`: tokens are paid and seconds are not; else the other way about. `clusters`: case id → group."""
    means, draws = _tables(measured, clusters)
    questions, months = tariff.use.questions_day * DAYS, tariff.use.months

    def runnings(told: Tariff, table: Floats) -> list[list[Running]]:
        return [[_running(m, row[n * COLUMNS :], told, examples, hosted) for row in table] for n, m in enumerate(measured)]

    exact = [row[0] for row in runnings(tariff, means)]
    drawn = runnings(tariff, draws)
    rungs = tuple(_row(one, many, questions, months) for one, many in zip(exact, drawn, strict=True))
    crossings = tuple(_crossings(exact, drawn, questions, months))
    name = _cheapest(exact, questions, months)
    deciders = tuple(_deciders(tariff, name, lambda told: [row[0] for row in runnings(told, means)]))
    return Costs(rungs, crossings, deciders, name, questions, months, examples, hosted, tariff)


def _tables(measured: Sequence[Measured], clusters: dict[str, str]) -> tuple[Floats, Floats]:
    """Means of every rung's columns, shape (1, rungs × COLUMNS), and 1,000 resamples of them."""
    from rung.measure.bootstrap import resampled, tabulate
    from rung.measure.cost import seconds

    columns: list[dict[str, float]] = []
    for one in measured:
        by_case = {score.case: (answer, score) for answer, score in zip(one.answers, one.scores, strict=True)}
        columns += [
            {case: float(a.usage.prompt - a.usage.cached) for case, (a, _) in by_case.items()},
            {case: float(a.usage.cached) for case, (a, _) in by_case.items()},
            {case: float(a.usage.completion) for case, (a, _) in by_case.items()},
            {case: seconds(a) for case, (a, _) in by_case.items()},
            {case: float(score.primary >= 1) for case, (_, score) in by_case.items()},
        ]
    table = tabulate(columns, clusters)
    return table.means[None, :], resampled(table)[:1000]


def _running(one: Measured, means: Floats, tariff: Tariff, examples: int, hosted: bool) -> Running:
    fresh, cached, out, seconds, right = (float(mean) for mean in means[:COLUMNS])
    machines, people, effort = tariff.machines, tariff.people, tariff.effort
    hosted = (hosted if one.hosted is None else one.hosted) and one.name not in SPECIALISTS
    if hosted:
        prices = tariff.tokens
        question = tokens_a_question(fresh, cached, out, one.tokens or (prices.input, prices.cached_input, prices.output))
    else:
        question = seconds / 3600 * (machines.hour + machines.watts / 1000 * machines.kilowatt_hour)
    searches, shows, trains = _made_of(one.name)
    training = one.training_hours * machines.training_hour
    question += (1 - right) * tariff.use.wrong_answer
    month = 0.0 if hosted else machines.month
    month += searches * (tariff.hosting.vector_store + effort.search_hours_month * people.engineer_hour)
    month += trains * (tariff.hosting.adapter + effort.tuning_hours_month * people.engineer_hour + training * effort.retrainings_year / 12)
    hours = effort.prompt_hours + searches * effort.search_hours + trains * effort.tuning_hours
    curated = (trains or shows) * examples * effort.example_minutes / 60 * people.curator_hour
    return Running(one.name, question, month, hours * people.engineer_hour + curated + trains * training, right)


def _made_of(name: str) -> tuple[bool, bool, bool]:
    """Whether a rung searches, shows examples, was trained."""
    name = rung_of(name)
    rung = LADDER[name]
    return rung.source == "search", name == "knn" or rung.source == "nearest", name in ("encoder", "extractor") or bool(rung.trained_on)


def _row(one: Running, drawn: Sequence[Running], questions: float, months: float) -> RungCost:
    def over(of: Callable[[Running], float | None]) -> Range:
        return _range(of(one), [of(draw) for draw in drawn])

    return RungCost(
        one.name,
        one,
        over(lambda r: monthly(r, questions)),
        over(lambda r: per_1000(r, questions, months)),
        over(lambda r: per_correct(r, questions, months)),
        over(lambda r: total(r, questions, months)),
    )


def _crossings(exact: Sequence[Running], drawn: Sequence[Sequence[Running]], questions: float, months: float) -> Iterator[Crossing]:
    """Each pair that crosses at some volume; the one with the dearer question comes before."""
    for a, b in combinations(range(len(exact)), 2):
        first, then = (a, b) if exact[a].question >= exact[b].question else (b, a)
        volume = crossing_volume(exact[first], exact[then], months)
        if volume is None:
            continue
        pairs = list(zip(drawn[first], drawn[then], strict=True))
        # Where the other one has the dearer question in a resample, there is no volume from which `then` is the cheaper one.
        volumes = [crossing_volume(x, y, months) if x.question > y.question else None for x, y in pairs]
        when = _range(crossing_months(exact[first], exact[then], questions), [crossing_months(x, y, questions) for x, y in pairs])
        yield Crossing(exact[first].name, exact[then].name, _range(volume, volumes), when)


def _range(estimate: float | None, drawn: Sequence[float | None]) -> Range:
    """The percentiles of the resamples; "never" counts as more than any number."""
    infinite = float("inf")
    ordered = sorted(infinite if value is None else value for value in drawn)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Range(estimate, None if low == infinite else low, None if high == infinite else high)


def _cheapest(runnings: Sequence[Running], questions: float, months: float) -> str:
    """Per correct answer, or per answer where none is right; the lower rung of two."""
    judged = [(per_correct(one, questions, months), one) for one in runnings]
    right = [(money, one) for money, one in judged if money is not None]
    return min(right or [(per_1000(one, questions, months), one) for one in runnings], key=lambda pair: pair[0])[1].name


def _deciders(tariff: Tariff, now: str, runnings: Callable[[Tariff], list[Running]]) -> Iterator[Decider]:
    """Each number with the least change, up or down, that makes another rung the cheapest; the least change first."""
    found = []
    for name, value in leaves(tariff).items():
        for factor in sorted((f**sign for f in FACTORS for sign in (1, -1)), key=lambda f: max(f, 1 / f)):
            told = changed(tariff, name, value * factor)
            cheapest = _cheapest(runnings(told), told.use.questions_day * DAYS, told.use.months)
            if value and cheapest != now:
                found.append((max(factor, 1 / factor), Decider(name, value, value * factor, cheapest)))
                break
    yield from (decider for _, decider in sorted(found, key=lambda pair: (pair[0], pair[1].assumption)))


def curve(cost: RungCost, volumes: Sequence[float], months: float) -> list[float]:
    """The money of a month, building spread over the time, at each volume."""
    return [total(cost.running, volume, months) / months for volume in volumes]
