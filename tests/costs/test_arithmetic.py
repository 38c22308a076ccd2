"""The field's arithmetic, reproduced, and what holds for any numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.costs.arithmetic import (
    DAYS,
    Running,
    crossing_months,
    crossing_volume,
    monthly,
    per_1000,
    per_correct,
    tokens_a_question,
    total,
)

PRICE = (2.5, 1.25, 10.0)
MONTH = 10_000 * DAYS


def test_500_tokens_for_10_000_questions_a_day() -> None:
    question = tokens_a_question(500, 0, 0, PRICE)
    assert 10_000 * question == pytest.approx(12.50)
    assert monthly(Running("rag", question), MONTH) == pytest.approx(375)
    assert monthly(Running("rag", question, month=350), MONTH) == pytest.approx(725)


def test_50_tokens_behind_a_tuned_model() -> None:
    question = tokens_a_question(50, 0, 0, PRICE)
    assert monthly(Running("tuned", question), MONTH) == pytest.approx(37.50)
    low, high = (monthly(Running("tuned", question, month=month), MONTH) for month in (282.5, 882.5))
    assert (low, high) == (pytest.approx(320), pytest.approx(920))


def test_a_cached_prompt_costs_its_cached_price() -> None:
    assert tokens_a_question(100, 9_900, 50, PRICE) == pytest.approx((100 * 2.5 + 9_900 * 1.25 + 50 * 10) / 1e6)


def test_11_against_41_for_1_000_questions_and_four_set_ups_a_month() -> None:
    base, tuned, rag, both = (Running(name, money / 1000) for name, money in (("prompt", 11), ("tuned", 20), ("rag", 41), ("hybrid", 49)))
    assert per_1000(base, 100_000, 1) == pytest.approx(11)
    assert per_1000(rag, 100_000, 1) == pytest.approx(41)
    assert [monthly(one, 100_000) for one in (base, tuned, rag, both)] == pytest.approx([1100, 2000, 4100, 4900])


@pytest.mark.parametrize("built", [5_000, 20_000])
def test_building_spread_over_100_000_questions_a_day(built: float) -> None:
    question = tokens_a_question(450, 0, 0, PRICE)  # saved by a prompt of 50 tokens, not 500
    dear, cheap = Running("rag", tokens_a_question(500, 0, 0, PRICE)), Running("tuned", tokens_a_question(50, 0, 0, PRICE), up_front=built)
    days = built / (100_000 * question)
    assert crossing_months(dear, cheap, 100_000 * DAYS) == pytest.approx(days / DAYS)
    assert per_1000(cheap, 100_000 * DAYS, 12) == pytest.approx(0.125 + built / 36_000)


def test_the_price_of_a_right_answer() -> None:
    assert per_correct(Running("rag", 0.01, right=0.5), 1000, 1) == pytest.approx(0.02)
    assert per_correct(Running("rag", 0.01, right=0.0), 1000, 1) is None
    assert per_correct(Running("rag", 0.01), 1000, 1) is None


money = st.floats(0, 1e6, allow_subnormal=False)
runnings = st.builds(Running, st.just("x"), st.floats(0, 10), money, money)


@given(runnings, runnings, st.floats(0.5, 120))
def test_at_the_crossing_both_cost_the_same(a: Running, b: Running, months: float) -> None:
    volume = crossing_volume(a, b, months)
    if volume is not None and volume < 1e12:
        assert volume > 0
        assert total(a, volume, months) == pytest.approx(total(b, volume, months), rel=1e-6, abs=1e-3)


@given(runnings, runnings, st.floats(1, 1e6))
def test_at_the_date_both_have_cost_the_same(a: Running, b: Running, questions: float) -> None:
    months = crossing_months(a, b, questions)
    if months is not None and months < 1e9:
        assert total(a, questions, months) == pytest.approx(total(b, questions, months), rel=1e-6, abs=1e-3)


@given(runnings, st.floats(1, 1e6), st.floats(0.5, 120))
def test_building_is_paid_once(one: Running, questions: float, months: float) -> None:
    twice = total(one, questions, 2 * months) - total(one, questions, months)
    assert twice == pytest.approx(months * monthly(one, questions), rel=1e-6, abs=1e-3)
