"""Whether the verdict tells the truth, in made worlds whose truth is known: false "better", the best rung named, failures diagnosed.

Null worlds hold rungs that are equally good, with cases that are hard for all of them, groups that rise and fall together, ties,
graded scores, and rungs that know some groups whole and others not at all; planted worlds hold one better rung, measured on as
many cases as the plan asks for. Scores go through the functions that `rung climb` decides with, and nothing is computed here but
how often they were right. It refuses to tune a world to a test: the worlds are written down below, with their seeds.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from statistics import NormalDist

import numpy as np

from rung.measure.bootstrap import clusters_of, generator
from rung.measure.looks import WEIGHTS, known, portions
from rung.measure.plan import ALPHA, measured, plan
from rung.measure.summary import summarise
from rung.measure.verdict import Limits, clear, decide
from rung.types import Answer, Case, Score, Summary, Verdict

RUNGS = ("prompt", "few-shot", "rag", "tuned", "raft")
BAR = 0.8
ANSWER = Answer("q", "a")


@dataclass(frozen=True)
class World:
    """What a world is like. `lead` is what the best rung is better by; `alike` how much a group does to one rung alone."""

    name: str
    groups: int
    most: int  # cases of the largest group; sizes are drawn from 1 to it
    right: float
    rungs: int = 5
    alike: float = 0.15
    knows: bool = False  # every other rung's groups weigh three times as much: it knows some whole and others not
    grades: int = 1  # a case's score is the mean of so many fields
    lead: float = 0.0


NULL = (
    World("13 groups of 1-15", 13, 15, 0.7),
    World("40 groups of 1-6", 40, 6, 0.8),
    World("150 single cases", 150, 1, 0.5),
    World("150 single cases, nearly all right", 150, 1, 0.97),
    World("25 groups, uneven knowledge", 25, 10, 0.8, knows=True),
    World("60 groups, uneven knowledge, seldom right", 60, 5, 0.1, knows=True),
    World("20 groups of 1-10, graded", 20, 10, 0.8, grades=4),
    World("2 rungs, 100 single cases", 100, 1, 0.8, rungs=2, alike=0.0),
)
PLANTED = (
    World("3 rungs, single cases, 20 points", 0, 1, 0.5, rungs=3, lead=0.20),
    World("5 rungs, single cases, 15 points", 0, 1, 0.7, lead=0.15, alike=0.0),
    World("5 rungs, groups of 1-10, 15 points", 0, 10, 0.3, lead=0.15),
    World("4 rungs, groups of 1-10, 10 points", 0, 10, 0.7, rungs=4, lead=0.10),
    World("5 rungs, groups of 1-6, uneven knowledge, 20 points", 0, 6, 0.75, lead=0.20, knows=True),
)
FAILURES = ("bench.planted", "bench._planted_failures")  # the first that is there plants failures and has them diagnosed
PILOT = 120  # cases of the earlier run that a plan takes its variance from


def run(small: bool) -> dict[str, object]:
    """Print the tables; `false_better` and `named` are over all worlds, the worst kind of world beside each."""
    figures: dict[str, object] = {}
    worlds, planted = (480, 50) if small else (10_000, 500)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        rows = _told(pool, NULL, worlds, null)
        figures |= _show(
            "equal rungs: share of verdicts that call one better",
            rows,
            ("false_better", "false_better_early", "false_better_peeking", "stopped_wrong", "asked"),
            max,
        )
        rows = _told(pool, [replace(world, lead=0.05) for world in NULL if world.right < 0.9], worlds // 5, worse_by_the_margin)
        figures |= _show("a rung worse by the margin: share of verdicts that call it as good", rows, ("false_as_good",), max)
        rows = _told(pool, PLANTED, planted, named)
        figures |= _show("one better rung, as many cases as planned for 95 %", rows, ("named", "named_early", "cases"), min)
    for name in FAILURES:
        if find_spec(name):
            return figures | dict(import_module(name).diagnosed(small))
    return figures


def null(world: World, seed: int) -> dict[str, float]:
    """Whether any rung was called better (on all cases at once, where the climb stops, at any look whatever), whether it stopped
    for a wrong reason, and the share of the cases that it asked."""
    cases, scores = simulated(world, seed)
    whole, (early, asked) = verdict(cases, scores), stopped(cases, scores)
    peeked = verdict(cases, scores, known(portions(cases, clusters_of(cases))))
    told = {"false_better": whole, "false_better_early": early, "false_better_peeking": peeked}
    wrong = early.chosen != (RUNGS[0] if world.right >= BAR else "") and asked < len(cases)
    better = {name: float(any(one.distinguishable for one in found.comparisons)) for name, found in told.items()}
    return better | {"stopped_wrong": float(wrong), "asked": asked / len(cases)}


def worse_by_the_margin(world: World, seed: int) -> dict[str, float]:
    """Whether a lower rung was called as good as the last one, which truly leads by the margin."""
    cases, scores = simulated(world, seed)
    found = verdict(cases, scores, margin=world.lead)
    best = RUNGS[world.rungs - 1]
    return {"false_as_good": float(any(one.as_good for one in found.comparisons if one.second == best))}


def named(world: World, seed: int) -> dict[str, float]:
    """Whether the verdict names the best rung and no other, on as many new cases as a plan made from an earlier run asks for."""
    size = (1 + world.most) / 2
    cases, scores = simulated(replace(world, groups=round(PILOT / size)), f"pilot {seed}")
    clusters = clusters_of(cases)
    variation = measured(scores, clusters, "an earlier run")
    found: dict[str, float] = {}
    for name, alpha in (("named", ALPHA), ("named_early", ALPHA * WEIGHTS[-1])):
        needs = plan(world.rungs, len(cases), len(set(clusters.values())), variation, (world.lead,), alpha).needs
        wanted = next(need.best for need in needs if need.power == 0.95)
        own, answers = simulated(replace(world, groups=max(2, round(wanted / size))), f"{name} {seed}")
        looks = known(portions(own, clusters_of(own))) if name == "named_early" else ()
        done = verdict(own, answers, looks)
        found["cases"] = found.get("cases", float(len(own)))
        found[name] = float(done.best == (RUNGS[world.rungs - 1],))
    return found


def verdict(
    cases: Sequence[Case], scores: Mapping[str, Mapping[str, float]], looks: Sequence[frozenset[str]] = (), margin: float = 0.0
) -> Verdict:
    """What `rung climb` decides on these scores."""
    pairs = _pairs(cases, scores)
    return decide(_summaries(cases, pairs), pairs, clusters_of(cases), Limits(BAR, margin=margin), looks=looks)


def stopped(cases: Sequence[Case], scores: Mapping[str, Mapping[str, float]]) -> tuple[Verdict, int]:
    """What a climb that may stop early decides, and how many cases it asked."""
    clusters = clusters_of(cases)
    parts = portions(cases, clusters)
    for asked in range(1, len(parts) + 1):
        here = [case for part in parts[:asked] for case in part]
        pairs = _pairs(here, scores)
        summaries = _summaries(here, pairs)
        if asked == len(parts) or clear(summaries, pairs, clusters, Limits(BAR)):
            break
    return decide(summaries, pairs, clusters, Limits(BAR), looks=known(parts[:asked])), len(here)


def _pairs(cases: Sequence[Case], scores: Mapping[str, Mapping[str, float]]) -> dict[str, list[Score]]:
    return {name: [Score(case.id, own[case.id]) for case in cases] for name, own in scores.items()}


def _summaries(cases: Sequence[Case], pairs: Mapping[str, Sequence[Score]]) -> list[Summary]:
    return [summarise(name, [(ANSWER, score) for score in own], cases) for name, own in pairs.items()]


def simulated(world: World, seed: object) -> tuple[list[Case], dict[str, dict[str, float]]]:
    """Cases, and rung → case id → score. A field is right where a sum of normal parts (how hard the case is for all rungs, what its
    group does to all and to one rung, chance) stays below the quantile of the rung's share, so that each rung's share is exact."""
    random = generator(world.name, world.lead, seed)
    sizes = random.integers(1, world.most, world.groups, endpoint=True)
    group = np.repeat(np.arange(world.groups), sizes)
    n = len(group)
    cases = [Case(f"c{number:05}", "q", "a", group=f"g{one}") for number, one in enumerate(group)]
    hard = np.sqrt(0.4) * random.normal(size=n) + np.sqrt(0.1) * random.normal(size=world.groups)[group]
    scores = {}
    for number, name in enumerate(RUNGS[: world.rungs]):
        alike = world.alike * (3 if world.knows and number % 2 else 1)
        own = np.sqrt(alike) * random.normal(size=world.groups)[group]
        noise = np.sqrt(0.5 - alike) * random.normal(size=(world.grades, n))
        share = world.right + (world.lead if number == world.rungs - 1 else 0.0)
        right = (hard + own + noise < NormalDist().inv_cdf(share)).mean(axis=0)
        scores[name] = {case.id: float(value) for case, value in zip(cases, right, strict=True)}
    return cases, scores


def _told(
    pool: ProcessPoolExecutor, worlds: Sequence[World], runs: int, told: Callable[[World, int], dict[str, float]]
) -> list[tuple[World, int, dict[str, float]]]:
    """For each kind of world how many there were and the mean of what was told; the same with any number of processes."""
    rows = []
    for world in worlds:
        each = list(pool.map(partial(told, world), range(runs // len(worlds)), chunksize=8))
        sums: Counter[str] = Counter()
        for one in each:
            sums.update(one)
        rows.append((world, len(each), {name: total / len(each) for name, total in sums.items()}))
        print(".", end="", flush=True)
    return rows


def _show(
    title: str, rows: Sequence[tuple[World, int, dict[str, float]]], columns: Sequence[str], worst: Callable[..., float]
) -> dict[str, object]:
    print(f"\n{title}\n{'':<52}{'worlds':>8}" + "".join(f"{column:>22}" for column in columns))
    figures: dict[str, object] = {}
    for world, runs, told in rows:
        print(f"{world.name:<52}{runs:>8}" + "".join(f"{told[column]:>22.3f}" for column in columns))
    total = sum(runs for _, runs, _ in rows)
    for column in columns:
        figures[column] = round(sum(runs * told[column] for _, runs, told in rows) / total, 4)
        if column not in ("asked", "cases"):
            figures[f"{column}_worst"] = round(worst(told[column] for _, _, told in rows), 4)
    print(f"{'all':<52}{total:>8}" + "".join(f"{figures[column]:>22.3f}" for column in columns), flush=True)
    return figures
