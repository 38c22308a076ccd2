"""Which questions changed, and what an answer to one of them is: right, stale or neither."""

from __future__ import annotations

import pytest

from rung.measure.freshness import Change, changes, freshness
from rung.measure.score import Task
from rung.types import Answer, Case, Evidence

THEN = {"rates.md": "# Rates\n\nA berth costs  5 euros\na day.", "old.md": "The crane is red."}
NOW = {"rates.md": "# Rates\n\nA berth costs 6 euros a day."}


def case(name: str, fact: str, *evidence: Evidence) -> Case:
    return Case(name, f"Question {name}?", fact, ((fact,),), evidence)


BERTH = case("berth", "5 euros", Evidence("rates.md", "A berth costs 5 euros a day."))
BERTH_NOW = case("berth", "6 euros", Evidence("rates.md", "A berth costs 6 euros a day."))


def test_a_question_changed_where_its_evidence_is_gone() -> None:
    crane = case("crane", "red", Evidence("old.md", "The crane is red."))
    same = case("title", "Rates", Evidence("rates.md", "# Rates"))
    never = case("never", "x", Evidence("rates.md", "What nobody wrote"))
    whole = case("whole", "x", Evidence("rates.md"))
    found = changes([crane, same, never, whole, BERTH], [BERTH_NOW, same], THEN, NOW)
    assert found == [Change(BERTH, BERTH_NOW), Change(crane, None)]


@pytest.mark.parametrize(
    ("said", "right", "stale"),
    [("6 euros", 1, 0), ("It is 5 euros.", 0, 1), ("It was 5 euros and is 6 euros.", 1, 0), ("I don't know", 0, 0), ("15 euros", 0, 0)],
)
def test_an_answer_is_right_stale_or_neither(said: str, right: float, stale: float) -> None:
    found = freshness(Task(form="never met"), [Change(BERTH, BERTH_NOW)], [Answer(BERTH.question, said)])
    assert (found.asked, found.right, found.stale) == (1, right, stale)


def test_without_a_new_answer_only_staleness_is_known() -> None:
    found = freshness(Task(), [Change(BERTH), Change(BERTH)], [Answer("", "5 euros"), Answer("", "6 euros")])
    assert (found.right, found.stale) == (0, 0.5)
    assert freshness(Task(), [], []).asked == 0
