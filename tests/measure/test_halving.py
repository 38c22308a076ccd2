"""Successive halving finds the best candidate, keeps the first to the end, and asks no case twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from rung.measure.halving import halved
from rung.types import Case


def cases(n: int) -> list[Case]:
    return [Case(f"c{i}", f"q{i}", "a") for i in range(n)]


@given(st.lists(st.integers(0, 10), min_size=1, max_size=9), st.integers(1, 40), st.integers(0, 3))
def test_each_case_is_asked_once_at_most_and_the_first_candidate_all(skill: list[int], n: int, seed: int) -> None:
    asked: Counter[tuple[int, str]] = Counter()

    def ask(one: int, some: Sequence[Case]) -> dict[str, float]:
        asked.update((one, case.id) for case in some)
        return {case.id: skill[one] / 10 for case in some}

    tried = halved(len(skill), cases(n), ask, seed)
    assert max(asked.values()) == 1
    assert sorted(one.candidate for one in tried) == list(range(len(skill)))
    by_candidate = {one.candidate: one for one in tried}
    assert by_candidate[0].cases == tried[0].cases == n
    assert all(one.cases == sum(1 for candidate, _ in asked if candidate == one.candidate) for one in tried)
    assert skill[tried[0].candidate] == max(skill)  # the same on every case, so that chance takes no part
    assert tried[0].candidate == skill.index(max(skill)) or skill[0] == max(skill)


def test_it_asks_far_less_than_everything() -> None:
    asked = 0

    def ask(one: int, some: Sequence[Case]) -> dict[str, float]:
        nonlocal asked
        asked += len(some)
        return {case.id: float(one == 5) for case in some}

    tried = halved(8, cases(64), ask, 0)
    assert tried[0].candidate == 5
    assert asked < 0.6 * 8 * 64


def test_a_challenger_that_is_only_as_good_replaces_nothing() -> None:
    assert halved(4, cases(8), lambda one, some: {case.id: 0.5 for case in some}, 0)[0].candidate == 0
