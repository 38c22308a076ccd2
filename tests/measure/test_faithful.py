"""Faithfulness without a judge: what the passages say, what they don't, and where nothing is measured; search and reading apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rung.approach.prompt import cited
from rung.measure.faithful import faithfulness
from rung.measure.score import Task, score
from rung.measure.summary import summarise
from rung.types import Answer, Case, Evidence, Hit, Passage, Score, Sentence

TEXT = "Ferry tickets are valid for 30 days. The office in Turku sells them from Monday to Friday."
HITS = (Hit(Passage("p", "a.md", 0, len(TEXT), TEXT), 1.0),)


def answer(text: str, hits: tuple[Hit, ...] = HITS) -> Answer:
    return Answer("How long is a ticket valid?", text, cited(text, hits), hits)


@pytest.mark.parametrize(
    ("text", "faithful", "hallucinated"),
    [
        ("Ferry tickets are valid for 30 days [1].", 1.0, 0.0),
        ("Ferry tickets are valid for 45 days [1].", 0.0, 1.0),
        ("The office in Turku sells ferry tickets [1]. They are valid for 45 days [1].", 0.5, 1.0),
        ("The office in Bergen sells them [1].", 0.0, 1.0),
        ("Ferry tickets are valid for 30 days [4].", 0.0, 1.0),
        ("Purple elephants dance quietly together [1].", 0.0, 0.0),  # unsupported, and nothing in it can be looked up
    ],
)
def test_sentences_against_their_passages(text: str, faithful: float, hallucinated: float) -> None:
    assert faithfulness(answer(text)) == {"faithful": faithful, "hallucinated": hallucinated}


def test_where_nothing_is_measured() -> None:
    assert faithfulness(answer("30 days", ())) == {}
    assert faithfulness(answer("I don't know.")) == {}
    assert faithfulness(answer("30 days", HITS * 51)) == {}
    assert faithfulness(answer("Ferry tickets are valid for 30 days [1].", HITS * 51)) == {"faithful": 1.0, "hallucinated": 0.0}


def test_a_check_that_was_made_counts_for_what_was_let_through() -> None:
    said, dropped = Sentence("They never expire.", "entailed"), Sentence("They cost 5 euros.", "", ("5 euros",))
    assert faithfulness(replace(answer("They never expire."), sentences=(said, dropped))) == {"faithful": 1.0, "hallucinated": 0.0}


def test_words_of_the_form_are_no_claims() -> None:
    case = Case("c", "How long is a ticket valid?", "Harbor desk: 30 days", (("30 days",),))
    task = Task(form=r"Harbor desk: [^\n]+")
    assert score(task, case, answer("Harbor desk: 30 days [1]")).parts["faithful"] == 1.0
    assert score(task, case, answer("Harbor desk: 31 days [1]")).parts["hallucinated"] == 1.0


def test_search_and_reading_have_addresses_of_their_own() -> None:
    cases = [Case(f"c{n}", f"q{n}", "x", evidence=(Evidence("a.md"),)) for n in range(4)] + [Case("u", "q", "?", unanswerable=True)]
    marks = [(1.0, 1.0), (0.0, 1.0), (0.0, 0.5), (1.0, 0.0)]
    pairs = [(Answer(c.question, "x"), Score(c.id, p, {"recall@k": r})) for c, (p, r) in zip(cases, marks, strict=False)]
    parts = summarise("rag", [*pairs, (Answer("q", "?"), Score("u", 1.0, {"abstained": 1.0}))], cases).parts
    assert parts["evidence_found"] == 0.5
    assert parts["right_if_found"] == 0.5
    assert (parts["lost_in_search"], parts["lost_in_reading"]) == (0.25, 0.25)
    none = summarise("rag", [(Answer("q", "x"), Score("c0", 0.0, {"recall@k": 0.0}))], cases[:1]).parts
    assert "right_if_found" not in none
    assert none["lost_in_search"] == 1.0
    assert "evidence_found" not in summarise("prompt", [(Answer("q", "x"), Score("c0", 0.0, {}))], cases[:1]).parts
