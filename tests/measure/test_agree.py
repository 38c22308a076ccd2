"""Kappa against known values, its interval, where it has none; preferences that turn with the order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.measure.agree import agreement, preference


def told(cells: dict[tuple[str, str], int]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    rows = [pair for pair, count in cells.items() for _ in range(count)]
    ids = [f"r{n}" for n in range(len(rows))]
    people = dict(zip(ids, (pair[0] for pair in rows), strict=True))
    judge = dict(zip(ids, (pair[1] for pair in rows), strict=True))
    return people, judge, {one: one for one in ids}


def test_a_known_kappa() -> None:
    found = agreement(*told({("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15}))
    assert found.kappa == pytest.approx(0.4)  # Cohen's own arithmetic: (0.7 - 0.5) / (1 - 0.5)
    assert found.low is not None
    assert found.high is not None
    assert 0.1 < found.low < 0.4 < found.high < 0.7
    assert (found.n, found.same, found.unusable) == (50, 0.7, 0)


def test_full_agreement_on_few_is_no_certainty() -> None:
    found = agreement(*told({("yes", "yes"): 5, ("no", "no"): 5}))
    assert found.kappa == 1.0
    assert found.low is not None
    assert found.low < 0.5


def test_where_there_is_no_kappa() -> None:
    one_label = agreement(*told({("yes", "yes"): 5, ("yes", "no"): 1}))
    assert one_label.kappa is None
    assert "label others" in one_label.why
    people, judge, clusters = told({("yes", ""): 3})
    assert agreement(people, judge, clusters).why == "no verdict could be used"
    few = agreement(*told({("yes", "yes"): 2, ("no", "no"): 1}))
    assert (few.kappa, few.low, few.high) == (1.0, -1.0, 1.0)


def test_unusable_verdicts_are_apart() -> None:
    people, judge, clusters = told({("yes", "yes"): 4, ("no", "no"): 4, ("no", ""): 2})
    found = agreement(people, judge, clusters)
    assert (found.n, found.unusable, found.kappa) == (8, 2, 1.0)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["a", "b", ""])), min_size=1, max_size=30), st.integers(1, 8))
def test_kappa_is_a_number_or_a_reason(rows: list[tuple[str, str]], groups: int) -> None:
    people = {f"r{n}": row[0] for n, row in enumerate(rows)}
    judge = {f"r{n}": row[1] for n, row in enumerate(rows)}
    found = agreement(people, judge, {f"r{n}": f"g{n % groups}" for n in range(len(rows))})
    assert found.n + found.unusable == len(rows)
    if found.kappa is None:
        assert found.why
    else:
        assert found.low is not None
        assert found.high is not None
        assert -1.000001 <= found.low <= found.kappa <= found.high <= 1


def test_preferences() -> None:
    forward = {"a": "first", "b": "second", "c": "first", "d": "same", "e": ""}
    backward = {"a": "second", "b": "first", "c": "first", "d": "same", "e": "first"}
    found = preference(("rag", "raft"), forward, backward, {one: one for one in forward})
    assert (found.wins, found.ties, found.turned, found.unusable) == ((1, 1), 2, 1, 1)
    assert found.ahead
    assert (found.ahead.estimate, found.ahead.n) == (0.0, 4)
    assert (found.front, found.stated) == (4 / 6, 6)
    assert found.p == 1.0


def test_nothing_usable_is_no_number() -> None:
    found = preference(("rag", "raft"), {"a": ""}, {"a": "first"}, {"a": "a"})
    assert (found.ahead, found.p, found.front, found.unusable) == (None, None, None, 1)
