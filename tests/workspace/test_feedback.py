"""What people say of answers is kept, found again, taken once and on one side alone, in SQLite and in PostgreSQL alike."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from serving_project import write_project

from rung.errors import DataError
from rung.measure.cases import read_cases
from rung.types import Answer, Citation, Hit, Passage, Sentence, Usage
from rung.workspace import trail
from rung.workspace.feedback import feedback, give, rated, take
from rung.workspace.store import Run, Store
from rung.workspace.traces import Sought
from rung.workspace.traffic import Traffic, answered, asked, figures, keep, traffic
from rung.workspace.workspace import Workspace, open_workspace

ANNA = "key 1 user anna"
MORE = '[prompt]\n[project]\nexamples = "examples.jsonl"\n'


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    write_project(tmp_path / "shop", more=MORE)
    (tmp_path / "shop" / "examples.jsonl").write_text(json.dumps({"id": "e1", "question": "Why?", "answer": "so"}) + "\n")
    return open_workspace(tmp_path / "shop")


def answer(text: str = "40 euros [1]", document: str = "gear.md") -> Answer:
    passage = Passage("p1", document, 0, 5, "40 euros")
    unsupported = (Sentence(text, "exact"), Sentence("And more.", ""))
    return Answer("q", text, (Citation(1, "p1"),), (Hit(passage, 0.7), Hit(passage, 0.9)), usage=Usage(10, 3, 2), sentences=unsupported)


def served(store: Store, name: str, question: str, document: str = "gear.md") -> Traffic:
    """An answer as the server notes it."""
    made = answer(document=document)
    content = {"question": question, "answer": made.text, "documents": [document]}

    def work(run: Run) -> Traffic:
        entry = trail.append(run, "question", ANNA, {"id": name}, content)
        told = {"who": ANNA, "model": "rag", "ended": "answered", "refusal": "No."}
        row = figures(made, id=name, entry=entry.number, at=time.time(), seconds=0.5, money=0.25, **told)
        keep(run, row)
        return row

    return store.write(work)


def test_a_row_of_traffic_comes_back_as_it_was(store: Store) -> None:
    row = served(store, "a-1", "What does the gear cost?")
    assert traffic(store) == [row]
    assert (row.score, row.passages, row.sentences, row.unsupported, row.abstained) == (0.9, 2, 2, 1, False)
    assert traffic(store, until=row.at) == traffic(store, since=row.at + 1) == []
    [one] = asked(store, [row])
    assert (one.question, one.answer, one.documents) == ("What does the gear cost?", "40 euros [1]", ("gear.md",))
    assert answered(store, "a-2") is None


def test_what_the_project_says_where_it_does_not_know_is_counted(store: Store) -> None:
    texts = (("I don't know.", "answered"), ("Ask the desk.", "answered"), ("40 euros", "answered"), ("I don't know.", "late"))
    told = {"id": "x", "entry": 1, "at": 0.0, "who": "", "model": "rag", "seconds": 1.0, "money": 0.0, "refusal": "Ask the desk."}
    said = [figures(answer(text), ended=how, **told) for text, how in texts]
    assert [one.abstained for one in said] == [True, True, False, False]


def test_feedback_is_of_ones_own_answers_and_the_last_word_counts(store: Store) -> None:
    served(store, "a-1", "What does the gear cost?")
    give(store, "a-1", ANNA, "up")
    give(store, "a-1", ANNA, "down", "41 euros", "old")
    with pytest.raises(DataError, match="no answer"):
        give(store, "a-1", "key 2 user ben", "up")
    give(store, "a-1", "key 2 user ben", "up", anybodys=True)
    said = [(one.who[-4:], one.thumb, one.correction, one.reason) for one in feedback(store)]
    assert said == [("anna", "down", "41 euros", "old"), (" ben", "up", "", "")]
    for said in ({}, {"correction": "  "}):
        with pytest.raises(DataError, match="says nothing"):
            give(store, "a-1", ANNA, **said)
    with pytest.raises(DataError, match="keeps no text"):
        give(store, "a-1", ANNA, "down", "41 euros", words=False)
    trail.verify(store)


def test_a_correction_becomes_a_row_once_and_on_one_side(store: Store, shop: Workspace) -> None:
    rows = [("a-1", "What does the gear cost?", "gear.md"), ("a-2", "Is the gear blue?", "gear.md")]
    rows += [("a-3", "what does the CRANE cost", "crane.md"), ("a-4", "What does the pump cost?", "pump.md")]
    for name, question, document in rows:
        served(store, name, question, document)
        give(store, name, ANNA, "down", "42 euros")
    made = take(shop, store, "a-1", "case")
    assert made in read_cases(shop.folder / "cases.jsonl")
    assert "a-1" in made.origin
    assert made.group == "gear.md"
    with pytest.raises(DataError, match="already"):
        take(shop, store, "a-1", "example")
    with pytest.raises(DataError, match="stands on one side"):
        take(shop, store, "a-2", "example")
    with pytest.raises(DataError, match="asks the same"):
        take(shop, store, "a-3", "example")
    example = take(shop, store, "a-4", "example")
    assert example in read_cases(shop.folder / "examples.jsonl")
    assert [one.taken for one in rated(shop, store)] == ["examples", "", "", "cases"]
    assert [entry.told["row"] for entry in trail.entries(store) if entry.kind == "feedback taken"] == [made.id, example.id]
    with pytest.raises(DataError, match="no feedback"):
        take(shop, store, "b", "case")
    with pytest.raises(DataError, match="4 answers begin"):
        take(shop, store, "a-", "case")


def test_a_thumb_up_takes_the_answer_itself_and_a_thumb_down_nothing(store: Store, shop: Workspace) -> None:
    served(store, "a-1", "What does the gear cost?")
    served(store, "a-2", "What does the pump cost?", "pump.md")
    give(store, "a-1", ANNA, "up")
    give(store, "a-2", ANNA, "down")
    assert take(shop, store, "a-1", "example").answer == "40 euros"
    with pytest.raises(DataError, match="neither corrected nor rated well"):
        take(shop, store, "a-2", "example")


def test_who_may_not_see_the_documents_neither_sees_nor_takes(store: Store, shop: Workspace) -> None:
    served(store, "a-1", "What does the gear cost?")
    give(store, "a-1", ANNA, "down", "41 euros")
    hidden = lambda document: document != "gear.md"  # noqa: E731
    assert rated(shop, store, sees=hidden) == []
    with pytest.raises(DataError, match="no feedback"):
        take(shop, store, "a-1", "case", sees=hidden)


def test_with_lists_on_an_example_is_told_only_to_those_who_may_read_its_documents(store: Store, tmp_path: Path) -> None:
    folder = write_project(tmp_path / "listed", more=MORE + '[access]\non = true\nrules = [{documents = "**", readers = ["anna"]}]\n')
    (folder / "examples.jsonl").write_text(json.dumps({"id": "e1", "question": "Why?", "answer": "so"}) + "\n")
    served(store, "a-1", "What does the gear cost?")
    give(store, "a-1", ANNA, "down", "41 euros")
    made = take(open_workspace(folder), store, "a-1", "example")
    assert [one.document for one in made.evidence] == ["gear.md"]


def test_what_is_forgotten_and_pruned_is_gone(store: Store, shop: Workspace) -> None:
    served(store, "a-1", "What does Jane's gear cost?")
    give(store, "a-1", ANNA, "down", "Jane says 41 euros")
    sought = Sought(frozenset(), "jane")
    assert trail.erase(store, lambda entry: trail.names(entry, sought), "op", {}) == 2
    [one] = rated(shop, store)
    assert (one.about.question, one.said.correction, one.said.thumb) == ("", "", "down")
    with pytest.raises(DataError, match="audit log"):
        take(shop, store, "a-1", "case")
    trail.prune(store, time.time() + 1, "op")
    assert traffic(store) == feedback(store) == []
    trail.verify(store)
