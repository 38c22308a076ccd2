"""Causes of wrong answers from replays: one failure of each kind, the order of the questions, counts and reaches."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.measure.diagnose import CLASSES, FIRST, RUNGS, Replays, cause, content, diagnosis, right
from rung.types import Case, Evidence, Score

CASE = Case("c", "How long?", "two years", evidence=(Evidence("a.md", "two years"),))
OPEN = Case("u", "Who?", "I don't know", unanswerable=True)
WRONG = Score("c", 0.0, {"facts": 0.0, "form": 1.0})
RIGHT = Score("c", 1.0, {"facts": 1.0, "form": 1.0})
FORMLESS = Score("c", 0.0, {"facts": 1.0, "form": 0.0})
ANSWERED = Score("u", 0.0, {"abstained": 0.0, "false_answer": 1.0})
SILENT = Score("u", 1.0, {"abstained": 1.0, "false_answer": 0.0})


@pytest.mark.parametrize(
    ("kind", "case", "told"),
    [
        ("doubtful", CASE, Replays(WRONG, gold=WRONG, known=True, found=True, doubt="asked twice")),
        ("form", CASE, Replays(FORMLESS, gold=FORMLESS, known=True, found=True)),
        ("unstable", CASE, Replays(WRONG, gold=RIGHT, repeats=(WRONG, RIGHT), known=True, found=True)),
        ("missing", CASE, Replays(WRONG, known=False, found=False, looked_up=True)),
        ("missing", CASE, Replays(WRONG, gold=RIGHT, known=True, looked_up=False)),
        ("retrieval", CASE, Replays(WRONG, gold=RIGHT, known=True, found=False, looked_up=True)),
        ("retrieval", CASE, Replays(WRONG, gold=RIGHT, repeats=(RIGHT,), known=True, found=False, looked_up=True)),
        ("distracted", CASE, Replays(WRONG, gold=RIGHT, known=True, found=True, looked_up=True)),
        ("distracted", CASE, Replays(WRONG, gold=FORMLESS, known=True, found=True, looked_up=True)),
        ("reasoning", CASE, Replays(WRONG, gold=WRONG, known=True, found=True, looked_up=True)),
        ("reasoning", Case("c", "Which label?", "refund"), Replays(Score("c", 0.0, {"label": 0.0}))),
        ("unread", CASE, Replays(WRONG, known=True, found=True)),
        ("unread", CASE, Replays(WRONG, known=True)),
        ("distracted", OPEN, Replays(ANSWERED, nothing=SILENT)),
        ("reasoning", OPEN, Replays(ANSWERED, nothing=ANSWERED)),
    ],
)
def test_each_cause(kind: str, case: Case, told: Replays) -> None:
    found = cause(case, told)
    assert found.kind == kind
    assert found.why


def test_what_comes_after_a_miss_is_said() -> None:
    assert "still be wrong" in cause(CASE, Replays(WRONG, gold=WRONG, known=True, found=False)).why
    assert "still be wrong" not in cause(CASE, Replays(WRONG, gold=RIGHT, known=True, found=False)).why


def test_passages_that_changed_nothing_were_ignored() -> None:
    told = Replays(WRONG, gold=WRONG, nothing=WRONG, known=True, found=True, unmoved=True)
    assert cause(CASE, told).kind == "distracted"
    assert "ignored" in cause(CASE, told).why
    assert cause(CASE, replace(told, found=False)).kind == "retrieval"  # what comes first on the way


def test_facts_in_another_spelling_are_a_matter_of_form() -> None:
    assert cause(CASE, Replays(WRONG, gold=WRONG, known=True, found=True, spelled=True)).kind == "form"


def test_each_rung_that_is_asked_for_has_its_reach_and_what_it_lacks() -> None:
    cases = [Case(f"c{n}", f"q{n}", "refund") for n in range(4)]
    wrong = Score("c", 0.0, {"label": 0.0})
    told = {"c0": Replays(wrong), "c1": Replays(wrong, doubt="asked twice")}
    found = diagnosis(cases, {case.id: float(case.id not in told) for case in cases}, told, 0, {"knn": "", "encoder": "no examples"})
    assert [(one.rung, one.share.estimate, one.lacks) for one in found.reaches] == [("knn", 0.75, ""), ("encoder", 0.75, "no examples")]


def test_right_and_content_are_two_things() -> None:
    assert right(RIGHT)
    assert not right(FORMLESS)
    assert content(FORMLESS)
    assert not content(None)
    assert content(SILENT)
    assert not content(Score("x", 0.5, {"field_f1": 0.5, "valid": 1.0}))


def test_every_kind_has_words_and_a_first_step() -> None:
    assert set(CLASSES) == set(FIRST)


def test_counts_reaches_and_what_to_do_first() -> None:
    cases = [Case(f"c{n}", f"q{n}", "a", evidence=(Evidence("a.md", "x"),)) for n in range(10)]
    scores = {case.id: float(n < 4) for n, case in enumerate(cases)}
    replays = {f"c{n}": Replays(FORMLESS, gold=FORMLESS, known=True, found=True) for n in (4, 5, 6)}
    replays |= {f"c{n}": Replays(WRONG, gold=RIGHT, known=True, found=False, looked_up=True) for n in (7, 8)}
    replays["c9"] = Replays(WRONG, known=False, found=False, looked_up=True)
    found = diagnosis(cases, scores, replays)
    assert [(one.kind, one.count) for one in found.shares] == [("form", 3), ("retrieval", 2), ("missing", 1)]
    assert found.shares[0].cases == ("c4", "c5", "c6")
    assert found.first == FIRST["form"]
    reach = {one.rung: round(one.share.estimate * 10) for one in found.reaches}
    assert reach == {"few-shot": 7, "long-context": 6, "rag": 6, "tuned": 7, "hybrid": 9, "raft": 9}


def test_what_nobody_tried_to_answer_from_its_evidence_is_within_reach() -> None:
    replays = {"c": Replays(WRONG, known=True, found=False, looked_up=True)}
    reach = {one.rung: one.share.estimate for one in diagnosis([CASE], {"c": 0.0}, replays).reaches}
    assert reach == {"few-shot": 0, "long-context": 1, "rag": 1, "tuned": 0, "hybrid": 1, "raft": 1}
    plain = {"c": Replays(WRONG)}  # nothing to look up
    assert {one.rung: one.share.estimate for one in diagnosis([CASE], {"c": 0.0}, plain).reaches}["rag"] == 0


def test_nothing_failed() -> None:
    found = diagnosis([CASE], {"c": 1.0}, {})
    assert (found.causes, found.shares) == ((), ())
    assert "nothing failed" in found.first


scores_ = st.sampled_from([WRONG, RIGHT, FORMLESS])
replayed = st.builds(
    Replays,
    st.sampled_from([WRONG, FORMLESS]),
    st.none() | scores_,
    st.none() | scores_,
    st.lists(scores_, max_size=3).map(tuple),
    st.none() | st.booleans(),
    st.none() | st.booleans(),
    st.none() | st.booleans(),
    st.sampled_from(["", "asked twice"]),
)


@given(st.lists(replayed, min_size=1, max_size=8))
def test_every_failure_has_one_cause_and_no_rung_reaches_below_now(told: list[Replays]) -> None:
    cases = [Case(f"c{n}", f"q{n}", "a") for n in range(len(told) + 2)]
    scores = {case.id: float(n >= len(told)) for n, case in enumerate(cases)}
    found = diagnosis(cases, scores, {f"c{n}": one for n, one in enumerate(told)})
    assert sum(one.count for one in found.shares) == len(found.causes) == len(told)
    assert all(one.kind in CLASSES for one in found.causes)
    assert [one.rung for one in found.reaches] == list(RUNGS)
    assert all(one.share.estimate >= found.right.estimate for one in found.reaches)
    reach = {one.rung: one.share.estimate for one in found.reaches}
    assert reach["hybrid"] >= reach["few-shot"]
    assert reach["raft"] >= reach["few-shot"]
