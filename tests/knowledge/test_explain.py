"""An explanation shows what the search brings, in its order, with each leg's rank and score and a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from rung.errors import KnowledgeError
from rung.knowledge.choice import Candidate, Choice, read_choice, resolved, write_choice
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.explain import explain
from rung.knowledge.knowledge import Knowledge, open_knowledge, search, sync
from rung.knowledge.read import read_document

TEXTS = {
    "leave.md": "# Leave\n\nStaff get 25 days of paid leave a year.",
    "copy/leave.md": "# Leave\n\nStaff get 25 days of paid leave a year.",
    "sick.md": "# Sick leave\n\nA doctor's note is due on day three of sick leave.",
    "crane.md": "# Crane\n\nThe crane costs 900 euros a day.",
    "hours.md": "# Hours\n\nThe shop opens at nine.",
}


@pytest.fixture
def knowledge(tmp_path: Path) -> Knowledge:
    made = open_knowledge(tmp_path, Hashing(), "exact", 60)
    sync(made, [read_document(text.encode(), path) for path, text in TEXTS.items()])
    return made


@pytest.mark.parametrize("mode", ["hybrid", "dense", "words", "z-score:0.4", "rank:60"])
def test_it_shows_what_the_search_brings(knowledge: Knowledge, mode: str) -> None:
    told = explain(knowledge, "days of paid leave", 2, mode)
    assert [row.hit for row in told.rows if row.place] == search(knowledge, "days of paid leave", 2, mode)
    assert [row.place for row in told.rows if row.place] == [1, 2]
    for row in told.rows:
        assert sum(leg.added for leg in row.legs.values()) == pytest.approx(row.hit.score)
        assert {name: leg.rank for name, leg in row.legs.items()} == row.hit.legs


def test_reasons_name_legs_copies_and_what_was_short(knowledge: Knowledge) -> None:
    rows = explain(knowledge, "days of paid leave", 1).rows
    assert rows[0].hit.folded == ("leave.md",)
    assert "1. by words added 0.500" in rows[0].why
    assert rows[1].why.startswith("a copy of a passage above")
    assert any("short of place 1" in row.why and "not among the 100 best by words" in row.why for row in rows[2:])


def test_nothing_to_explain(tmp_path: Path) -> None:
    assert explain(open_knowledge(tmp_path, Hashing(), "exact"), "leave", 3).rows == ()


def test_auto_is_what_was_chosen_and_hybrid_before(knowledge: Knowledge) -> None:
    assert resolved(knowledge.choice, "auto") == "hybrid"
    assert search(knowledge, "leave", 3, "auto") == search(knowledge, "leave", 3)
    choice = Choice("words", "why", "9 questions", "aa", 5, (Candidate("words", 0.5, 0.4, 0.6),))
    write_choice(knowledge.choice, choice)
    assert read_choice(knowledge.choice) == choice
    assert search(knowledge, "leave", 3, "auto") == search(knowledge, "leave", 3, "words")
    assert explain(knowledge, "leave", 3, "auto").mode == "words"


def test_a_damaged_choice_is_named(knowledge: Knowledge) -> None:
    knowledge.choice.write_text("{")
    with pytest.raises(KnowledgeError, match="can't be read"):
        search(knowledge, "leave", 3, "auto")
