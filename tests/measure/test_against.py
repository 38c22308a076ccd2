"""One run against another: worse only beyond chance and margin, every changed case named, equal runs never worse."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from rung.measure.against import compared

CASES = [f"c{n:03}" for n in range(100)]
ALONE = {case: case for case in CASES}
HALF = {case: float(n % 2) for n, case in enumerate(CASES)}


def without(scores: dict[str, float], lost: int) -> dict[str, float]:
    """The same with so many right cases wrong."""
    taken = [case for case in CASES if scores[case]][:lost]
    return scores | dict.fromkeys(taken, 0.0)


def test_a_real_loss_is_worse_and_its_cases_are_named() -> None:
    (one,) = compared({"rag": HALF}, {"rag": without(HALF, 15)}, ALONE)
    assert (one.worse, one.better) == (True, False)
    assert len(one.lost) == 15
    assert one.won == ()
    assert round(one.difference.estimate, 6) == -0.15
    (back,) = compared({"rag": without(HALF, 15)}, {"rag": HALF}, ALONE)
    assert (back.worse, back.better, back.won) == (False, True, one.lost)


def test_a_few_cases_are_chance_and_a_margin_lets_more_pass() -> None:
    (few,) = compared({"rag": HALF}, {"rag": without(HALF, 3)}, ALONE)
    assert not few.worse
    assert len(few.lost) == 3
    (spared,) = compared({"rag": HALF}, {"rag": without(HALF, 15)}, ALONE, margin=0.2)
    assert not spared.worse


def test_cases_of_one_group_count_once() -> None:
    groups = {case: case[:3] for case in CASES}  # ten groups of ten
    lost = dict.fromkeys([case for case in CASES if case.startswith("c00") and HALF[case]], 0.0)
    (one,) = compared({"rag": HALF}, {"rag": HALF | lost}, groups)
    assert one.lost
    assert not one.worse


def test_only_rungs_of_both_are_compared_in_the_order_of_now() -> None:
    found = compared({"rag": HALF, "prompt": HALF}, {"few-shot": HALF, "prompt": HALF, "rag": HALF}, ALONE)
    assert [one.rung for one in found] == ["prompt", "rag"]
    assert compared({"rag": HALF}, {"prompt": HALF}, ALONE) == []


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_equal_runs_are_never_worse(seed: int, rungs: int) -> None:
    r = Random(seed)
    scores = {f"r{n}": {case: float(r.random() < 0.5) for case in CASES} for n in range(rungs)}
    for one in compared(scores, scores, ALONE):
        assert not any((one.worse, one.better, one.lost, one.won))
        assert (one.before, one.p_adjusted) == (one.now, 1.0)
