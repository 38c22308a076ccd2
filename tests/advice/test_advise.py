"""Advice without data: the named scenarios of the field's guides, and what holds for any situation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.advice.advise import advise
from rung.advice.rules import OUT, RULES
from rung.advice.situation import TOKENS_A_PAGE, Situation
from rung.approach.ladder import LADDER, rungs_of

PAGES = TOKENS_A_PAGE
SCENARIOS = {
    "internal policy chatbot, 500 documents, 800 employees": (
        "rag",
        Situation(knowledge_tokens=500 * 3 * PAGES, updates="monthly", citations=True, queries_per_day=400, examples=50),
    ),
    "ticket routing into 47 stable categories": (
        "tuned",
        Situation(facts=False, behaviour=("labels",), updates="yearly", queries_per_day=3000, examples=8000, seconds_p95=1),
    ),
    "clauses of contracts as JSON": (
        "tuned",
        Situation(facts=False, behaviour=("format",), updates="never", queries_per_day=500, examples=1500, seconds_p95=10),
    ),
    "analyst assistant with disclosures, house style, filings and citations": (
        "hybrid",
        Situation(behaviour=("tone", "format"), knowledge_tokens=20_000_000, updates="daily", citations=True, examples=600, team="ml"),
    ),
    "SaaS support bot, 300 pages updated weekly": (
        "rag",
        Situation(knowledge_tokens=300 * PAGES, updates="weekly", citations=True, queries_per_day=2000, examples=100),
    ),
    "medical coding, 50,000 a day under 100 ms, yearly taxonomy": (
        "tuned",
        Situation(
            facts=False, behaviour=("labels",), updates="yearly", queries_per_day=50_000, seconds_p95=0.1, examples=20_000, team="ml"
        ),
    ),
    "2,000 pages, quarterly, 5,000 employees": (
        "rag",
        Situation(knowledge_tokens=2000 * PAGES, updates="quarterly", citations=True, queries_per_day=1500, examples=100),
    ),
    "code review by house standards": (
        "hybrid",
        Situation(behaviour=("judgement",), knowledge_tokens=400_000, updates="monthly", queries_per_day=300, examples=900, seconds_p95=30),
    ),
    "support bot with tone, taxonomy and escalation": (
        "hybrid",
        Situation(
            behaviour=("tone", "labels", "judgement"), knowledge_tokens=600_000, updates="weekly", queries_per_day=4000, examples=2000
        ),
    ),
    "legal research": (
        "hybrid",
        Situation(
            behaviour=("judgement", "format"), knowledge_tokens=500_000_000, updates="daily", citations=True, examples=800, team="ml"
        ),
    ),
    "clinical assistant with current guidelines": (
        "hybrid",
        Situation(
            behaviour=("tone", "judgement"), knowledge_tokens=5_000_000, updates="monthly", citations=True, examples=700, private=True
        ),
    ),
    "knowledge under 200,000 tokens": ("long-context", Situation(knowledge_tokens=120_000, updates="quarterly", queries_per_day=200)),
    "a prompt that already solves over 80 %": ("prompt", Situation(prompt_right=0.84, knowledge_tokens=50_000, examples=1000)),
    "a prompt over 80 % though behaviour was asked for": (
        "prompt",
        Situation(facts=False, behaviour=("format",), prompt_right=0.9, examples=2000, queries_per_day=500),
    ),
    "low volume": ("prompt", Situation(facts=False, behaviour=("format",), queries_per_day=3, examples=600)),
    "low volume on large knowledge": ("prompt", Situation(knowledge_tokens=900_000, queries_per_day=2)),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_field_s_scenarios(name: str) -> None:
    wanted, told = SCENARIOS[name]
    ranked = advise(told).ranked
    assert ranked[0].rung == wanted, [(one.rung, one.points, [r.rule for r in one.reasons]) for one in ranked]


def test_long_context_is_considered_and_found_too_large() -> None:
    _, told = SCENARIOS["2,000 pages, quarterly, 5,000 employees"]
    (long,) = [one for one in advise(told).ranked if one.rung == "long-context"]
    assert long.out
    assert any("200,000 tokens" in reason.because for reason in long.reasons)


def test_a_long_prompt_loses_where_it_is_read_too_often() -> None:
    assert advise(Situation(knowledge_tokens=150_000, queries_per_day=100)).ranked[0].rung == "long-context"
    assert advise(Situation(knowledge_tokens=150_000, queries_per_day=5000)).ranked[0].rung == "rag"


def test_too_few_examples_to_tune() -> None:
    told = Situation(facts=False, behaviour=("format",), examples=20, queries_per_day=500)
    assert advise(told).ranked[0].rung == "few-shot"
    assert advise(told.model_copy(update={"examples": 1500})).ranked[0].rung == "tuned"


situations = st.builds(
    Situation,
    facts=st.booleans(),
    behaviour=st.lists(st.sampled_from(["format", "labels", "tone", "judgement"]), unique=True).map(tuple),
    prompt_right=st.none() | st.floats(0, 1),
    knowledge_tokens=st.integers(0, 10**9),
    updates=st.sampled_from(["hourly", "daily", "weekly", "monthly", "quarterly", "yearly", "never"]),
    citations=st.booleans(),
    queries_per_day=st.floats(0, 1e7),
    seconds_p95=st.floats(0.01, 100),
    examples=st.integers(0, 100_000),
    weeks=st.floats(0.1, 100),
    budget=st.none() | st.floats(0, 1e6),
    team=st.sampled_from(["none", "software", "ml"]),
    private=st.booleans(),
)


@given(situations)
def test_every_rung_has_a_place_and_the_best_is_measured(told: Situation) -> None:
    advice = advise(told)
    assert sorted(one.rung for one in advice.ranked) == sorted(rungs_of("answer"))
    assert not advice.ranked[0].out
    assert {"prompt", advice.ranked[0].rung} <= set(advice.measure)
    assert advice.ranked[0].rung in advice.first


@given(situations)
def test_what_is_ruled_out_comes_last(told: Situation) -> None:
    outs = [one.out for one in advise(told).ranked]
    assert outs == sorted(outs)


@given(situations)
def test_nothing_is_advised_that_names_no_source_where_one_is_asked_for(told: Situation) -> None:
    asked = told.model_copy(update={"citations": True})
    assert advise(asked).ranked[0].rung in ("long-context", "rag", "hybrid", "raft")


def test_every_rule_says_why_who_and_what_would_overturn_it() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert all((rule.because, rule.source, rule.overturned)), rule.name
        assert set(rule.points) <= set(LADDER), rule.name
        assert all(points == OUT or abs(points) <= 12 for points in rule.points.values()), rule.name
