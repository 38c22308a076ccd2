"""Costs from measured answers: by hand on small numbers, intervals that hold the estimate, crossings, and what decides."""

from __future__ import annotations

from random import Random

import pytest

from rung.costs.costs import Measured, costs, curve
from rung.costs.tariff import Tariff, read_tariff
from rung.types import Answer, Score, Usage

FREE = {
    "machines": {"hour": 3600.0, "training_hour": 10.0},
    "hosting": {"vector_store": 0.0},
    "people": {"engineer_hour": 0.0, "curator_hour": 0.0},
    "use": {"questions_day": 100.0, "months": 10.0},
}


def tariff(**tables: dict[str, float]) -> Tariff:
    return read_tariff(None, {name: {**FREE.get(name, {}), **tables.get(name, {})} for name in {*FREE, *tables}})


def rung(name: str, prompt: int, seconds: float, right: float, n: int = 60, **more: float) -> Measured:
    """`n` answers of about this many tokens and seconds, of which a share is right."""
    answers, scores = [], []
    for case in range(n):
        r = Random(f"{name}/{case}")
        usage = Usage(prompt=prompt + r.randint(-5, 5), completion=10, cached=0)
        answers.append(Answer("", "", usage=usage, generation_seconds=seconds * r.uniform(0.9, 1.1)))
        scores.append(Score(str(case), float(case < right * n)))
    return Measured(name, answers, scores, **more)


def alone(n: int = 60) -> dict[str, str]:
    return {str(case): str(case) for case in range(n)}


def test_on_your_own_machine_time_is_paid_and_tokens_are_not() -> None:
    (one,) = costs([rung("prompt", 500, 2.0, 0.5)], alone(), tariff(), 0, hosted=False).rungs
    assert one.running.question == pytest.approx(2.0, rel=0.05)
    (one,) = costs([rung("prompt", 500, 2.0, 0.5)], alone(), tariff(), 0, hosted=True).rungs
    assert one.running.question == pytest.approx((500 * 2.5 + 10 * 10) / 1e6, rel=0.01)
    assert one.per_correct.estimate == pytest.approx(2 * one.running.question, rel=1e-9)


def test_what_a_rung_is_made_of_is_paid() -> None:
    told = tariff(people={"engineer_hour": 100.0, "curator_hour": 60.0}, hosting={"vector_store": 70.0})
    found = costs(
        [rung(name, 100, 1, 0.5, training_hours=hours) for name, hours in (("prompt", 0), ("few-shot", 0), ("rag", 0), ("tuned", 2))],
        alone(),
        told,
        examples=120,
        hosted=True,
    )
    built = {one.name: one.running.up_front for one in found.rungs}
    effort = told.effort
    assert built["prompt"] == effort.prompt_hours * 100
    assert built["few-shot"] == built["prompt"] + 120 * effort.example_minutes
    assert built["rag"] == built["prompt"] + effort.search_hours * 100
    assert built["tuned"] == built["few-shot"] + effort.tuning_hours * 100 + 2 * 10
    months = {one.name: one.running.month for one in found.rungs}
    assert months["prompt"] == 0
    assert months["rag"] == 70 + effort.search_hours_month * 100
    assert months["tuned"] == pytest.approx(effort.tuning_hours_month * 100 + 20 * effort.retrainings_year / 12)


def test_intervals_hold_their_estimates_and_none_right_is_never() -> None:
    found = costs([rung("prompt", 500, 1, 0.3), rung("rag", 900, 2, 0)], alone(), tariff(), 0, hosted=True)
    prompt, rag = found.rungs
    for told in (prompt.month, prompt.per_1000, prompt.per_correct, prompt.total):
        assert None not in (told.low, told.high, told.estimate)
        assert told.low <= told.estimate <= told.high  # type: ignore[operator]
    assert (rag.per_correct.estimate, rag.per_correct.high) == (None, None)
    assert found.cheapest == "prompt"


def test_two_rungs_cross_where_their_totals_meet() -> None:
    told = tariff(people={"engineer_hour": 10.0})
    found = costs([rung("long-context", 20_000, 1, 0.5), rung("rag", 500, 1, 0.5)], alone(), told, 0, hosted=True)
    (crossing,) = found.crossings
    assert (crossing.before, crossing.after) == ("long-context", "rag")
    at = crossing.volume.estimate
    assert at is not None
    assert curve(found.rungs[0], [at], 10) == pytest.approx(curve(found.rungs[1], [at], 10))
    assert crossing.volume.low is not None
    assert crossing.volume.high is not None
    assert crossing.volume.low < at < crossing.volume.high


def test_the_assumption_that_decides_is_named_and_does() -> None:
    told = tariff(people={"engineer_hour": 10.0})
    made = [rung("long-context", 20_000, 1, 0.5), rung("rag", 500, 1, 0.5)]
    found = costs(made, alone(), told, 0, hosted=True)
    volume = next(decider for decider in found.deciders if decider.assumption == "use.questions_day")
    again = costs(made, alone(), tariff(people={"engineer_hour": 10.0}, use={"questions_day": volume.at}), 0, hosted=True)
    assert again.cheapest == volume.cheapest != found.cheapest


def test_wrong_answers_may_cost_more_than_any_model() -> None:
    made = [rung("prompt", 100, 1, 0.2), rung("rag", 5000, 1, 0.9)]
    assert costs(made, alone(), tariff(), 0, hosted=True).cheapest == "prompt"
    assert costs(made, alone(), tariff(use={"wrong_answer": 1.0}), 0, hosted=True).cheapest == "rag"


def test_a_specialist_is_never_hosted_and_its_examples_are_paid() -> None:
    told = tariff(people={"engineer_hour": 0.0, "curator_hour": 60.0})
    measured = [rung(name, 500, 2.0, 0.5) for name in ("knn", "encoder", "prompt")]
    knn, encoder, prompt = (one.running for one in costs(measured, alone(), told, examples=120, hosted=True).rungs)
    assert (knn.question, encoder.question) == pytest.approx((2.0, 2.0), rel=0.05)
    assert prompt.question < 0.01
    assert (knn.up_front, prompt.up_front) == (120 * told.effort.example_minutes, 0)
    assert encoder.up_front >= knn.up_front
