"""The worlds of `python -m bench truth` are what they say: equal where rungs are equal, alike within groups, the same each time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.truth import NULL, PLANTED, World, named, null, simulated


def columns(world: World, seed: object = 0) -> np.ndarray:
    _, scores = simulated(world, seed)
    return np.array([list(own.values()) for own in scores.values()])


@pytest.mark.parametrize("world", [*NULL, *PLANTED], ids=lambda world: world.name)
def test_shares_are_as_written_down(world: World) -> None:
    shares = columns(replace(world, groups=3_000)).mean(axis=1)
    assert shares[:-1] == pytest.approx(np.full(len(shares) - 1, world.right), abs=0.03)
    assert shares[-1] == pytest.approx(world.right + world.lead, abs=0.03)


def test_groups_rise_and_fall_together_and_cases_are_hard_for_all() -> None:
    world = World("pairs", 6_000, 1, 0.5, rungs=2)
    together = np.corrcoef(columns(world))[0, 1]
    assert 0.2 < together < 0.6
    cases, scores = simulated(World("groups", 2_000, 10, 0.5, knows=True), 1)
    gap = {case.id: scores["few-shot"][case.id] - scores["prompt"][case.id] for case in cases}
    sums: dict[str, list[float]] = {}
    for case in cases:
        sums.setdefault(case.group, []).append(gap[case.id])
    sizes = np.array([len(one) for one in sums.values()])
    clustered = np.var([sum(one) for one in sums.values()]) / (sizes.mean() * np.var(list(gap.values())))
    assert clustered > 1.5  # a design effect that a test of single cases would miss


def test_graded_scores_have_ties_and_parts() -> None:
    assert set(np.unique(columns(next(world for world in NULL if world.grades > 1)))) <= {0.0, 0.25, 0.5, 0.75, 1.0}


def test_a_world_is_the_same_each_time() -> None:
    assert null(NULL[4], 7) == null(NULL[4], 7)
    assert named(PLANTED[0], 3) == named(PLANTED[0], 3)
    assert set(null(NULL[0], 1)) == {"false_better", "false_better_early", "false_better_peeking", "stopped_wrong", "asked"}
