"""Doubts about a case: what its evidence says otherwise or of something else, and what is only hard; facts in other spellings."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.measure.doubt import Ground, asked_twice, doubt, in_digits, says, unmoved
from rung.types import Answer, Case, Evidence, Hit, Passage

TEXT = "It has a draught of 47 decimetres. The crew is 12 people. A refit takes 30 hours, a wash 5 hours. Her captain is Falk."
QUOTE = "It has a draught of 47 decimetres."


def hit(text: str, document: str = "aurora.md", heading: str = "The Aurora") -> Hit:
    return Hit(Passage(f"{document}/{len(text)}", document, 0, len(text), text, (heading,)), 0.0)


def case(answer: str, quote: str = QUOTE, question: str = "What is the draught of the Aurora?") -> Case:
    return Case("c", question, answer, ((answer,),), (Evidence("aurora.md", quote),))


SHIP, OTHER = hit(TEXT), hit("It has a draught of 20 decimetres.", "belmar.md", "The Belmar")
GROUND = Ground((SHIP,), True, (SHIP,))
SAID = Answer("q", "Answer: 47 decimetres [1]", hits=(OTHER, SHIP))


@pytest.mark.parametrize(
    ("told", "replayed", "why"),
    [
        (case("52 decimetres"), "Answer: 47 decimetres [1]", "does hold 'Answer: 47 decimetres [1]'"),
        (case("52 decimetres"), "Answer: 61 decimetres [1]", ""),  # both are wrong: nothing says which
        (case("47 decimetres"), "Answer: 12 people [1]", ""),  # the evidence holds the ideal answer
        (case("forty-seven decimetres"), "Answer: 12 people [1]", ""),
        (case("35 hours", "A refit takes 30 hours, a wash 5 hours."), "Answer: 30 hours [1]", ""),  # a sum of what is held
        (case("39 hours", "A refit takes 30 hours, a wash 5 hours."), "Answer: 35 hours [1]", "does not hold the ideal answer"),
        (case("Yes", QUOTE, "Is the draught of the Aurora over 40 decimetres?"), "Answer: No [1]", ""),
        (case("Rosa", "Her captain is Falk."), "Her captain is Falk [1]", "does not hold the ideal answer"),
        (case("47 decimetres", QUOTE, "What is the draught of the Belmar?"), "I don't know", "nothing of Belmar"),
    ],
)
def test_evidence_against_its_case(told: Case, replayed: str, why: str) -> None:
    found = doubt(told, GROUND, SAID, Answer("q", replayed), ("Answer",))
    assert why in found
    assert bool(found) is bool(why)


def test_what_every_document_is_called_names_nothing() -> None:
    asked = case("47 decimetres", QUOTE, "What is the draught of Aurora Boat?")
    boats = Answer("q", "x", hits=(hit("Deep.", "a.md", "Belmar Boat"), hit("Wide.", "b.md", "Corvus Boat")))
    assert doubt(asked, GROUND, boats, Answer("q", "I don't know"), ()) == ""


def test_evidence_that_has_little_to_do_with_the_question() -> None:
    asked = Case("c", "how early must one ask for a day off", "3 days", (("3 days",),), (Evidence("aurora.md", QUOTE),))
    found = hit("Ask three days early for a day off.", "leave.md", "Leave")
    assert "little to do" in doubt(asked, GROUND, Answer("q", "three days [1]", hits=(found,)), Answer("q", "I don't know"))
    assert doubt(asked, GROUND, Answer("q", "I don't know", hits=(found,)), Answer("q", "I don't know")) == ""


def test_a_document_that_changed_and_one_that_lost_a_sentence() -> None:
    lost = Ground((), False, (SHIP,))
    assert "it says 'It has a draught of 47 decimetres.'" in doubt(case("9 m", "It has a draught of 9 decimetres."), lost, SAID, None)
    assert doubt(case("blue", "Its sails were dyed blue."), lost, SAID, None) == ""
    assert doubt(case("9 m"), Ground(), SAID, None) == ""


def test_no_doubt_without_a_wrong_replay_or_evidence() -> None:
    assert doubt(case("52 decimetres"), GROUND, SAID, None) == ""
    assert doubt(Case("c", "q?", "52"), GROUND, SAID, Answer("q", "47 decimetres")) == ""
    assert doubt(Case("c", "q?", "?", unanswerable=True, evidence=(Evidence("a"),)), GROUND, SAID, Answer("q", "47")) == ""


def test_a_question_asked_twice() -> None:
    cases = [Case("a", "Where?", "Rome"), Case("b", "where?", "Oslo"), Case("c", "When?", "now"), Case("d", "when?", "now")]
    assert asked_twice(cases) == {"a": "b", "b": "a"}


def test_facts_in_other_spellings() -> None:
    assert says("It takes one hundred and seven minutes [1]", [["107 minutes"]])
    assert not says("It takes one hundred and eight minutes", [["107 minutes"]])
    assert not says("It takes 107 hours", [["107 minutes"]])
    assert says("In Rome, for two years", [["Rome"], ["2 years"]])
    assert not says("anything", [])
    assert not says("Yes", [["No"]])


def test_answers_that_nothing_moved() -> None:
    assert unmoved("Answer: 5 [1]", "answer: 5 [2]", "Answer: 5")
    assert not unmoved("5 days", "5 days", "6 days")


WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
ONES = re.findall(r"\w+", f"{WORDS} nineteen")
TENS = ["", "", *re.findall(r"\w+", "twenty thirty forty fifty sixty seventy eighty ninety")]


def spelled(number: int) -> str:
    if number >= 1000:
        return f"{spelled(number // 1000)} thousand" + (f" {spelled(number % 1000)}" if number % 1000 else "")
    if number >= 100:
        return f"{ONES[number // 100]} hundred" + (f" and {spelled(number % 100)}" if number % 100 else "")
    return ONES[number] if number < 20 else TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")


@given(st.integers(2, 999_999))
def test_numbers_in_words_are_numbers(number: int) -> None:
    assert in_digits(f"It is {spelled(number)} days.") == f"It is {number} days."


def test_a_lone_one_stays() -> None:
    assert in_digits("One of these, one hundred times, a hundred, a million") == "One of these, 100 times, a hundred, a million"
