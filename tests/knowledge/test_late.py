"""Late interaction: what it ranks first, that no text changes another's score, and that it mixes with the search's order."""

from __future__ import annotations

import pytest

from rung.errors import ConfigError
from rung.knowledge import rerankers
from rung.knowledge.rerankers.late import Late, open_reranker, weight
from rung.types import Hit, Passage

TEXTS = [
    "Parcels are returned within thirty days of delivery.",
    "The warranty of the pump lasts two years from the date of purchase.",
    "Our office in Hamburg opens at nine.",
    "",
]
QUESTION = "How long is the pump's warranty?"


@pytest.fixture(scope="module")
def late() -> Late:
    return open_reranker("")


def hit(number: int, score: float) -> Hit:
    return Hit(Passage(f"p{number}", "a.md", 0, len(TEXTS[number]), TEXTS[number]), score)


def test_the_passage_that_answers_comes_first(late: Late) -> None:
    scores = late.scores(QUESTION, TEXTS)
    assert max(scores) == scores[1]
    assert all(-1 <= score <= 1 + 1e-5 for score in scores)


def test_a_score_does_not_depend_on_its_company(late: Late) -> None:
    together = late.scores(QUESTION, TEXTS)
    assert [late.scores(QUESTION, [text])[0] for text in TEXTS] == together


def test_both_runtimes_agree(late: Late) -> None:
    plain = open_reranker("", runtime="torch")
    assert plain.id != late.id
    assert plain.scores(QUESTION, TEXTS) == pytest.approx(late.scores(QUESTION, TEXTS), abs=0.02)
    exact = open_reranker("", precision="f32")
    assert plain.scores(QUESTION, TEXTS) == pytest.approx(exact.scores(QUESTION, TEXTS), abs=1e-4)


def test_rare_tokens_weigh_more_than_common_ones() -> None:
    assert 0 < weight(1010) == weight(1996) < weight(2054) < weight(20_000)


def test_a_text_in_itself_and_an_empty_question(late: Late) -> None:
    assert late.scores(TEXTS[1], [TEXTS[1]]) == pytest.approx([1.0], abs=0.01)
    assert late.scores("", TEXTS) == [0.0] * len(TEXTS)
    assert late.scores(QUESTION, []) == []


def test_a_long_text_is_cut_and_not_refused(late: Late) -> None:
    assert len(late.scores("word " * 2000, ["other " * 5000])) == 1


def test_its_share_of_the_score_is_its_share(late: Late) -> None:
    hits = [hit(0, 0.9), hit(1, 0.5), hit(2, 0.1)]
    again = rerankers.reranked(late, QUESTION, hits)
    assert again[0].passage.id == "p1"
    assert again[0].score == pytest.approx(0.7 * 1 + 0.3 * 0.5)
    assert [one.legs["search"] for one in again] == [{"p0": 1, "p1": 2, "p2": 3}[one.passage.id] for one in again]
    only_search = Late(late.encoder, share=1e-9)
    assert [one.passage.id for one in rerankers.reranked(only_search, QUESTION, hits)] == ["p0", "p1", "p2"]
    assert rerankers.reranked(late, QUESTION, []) == []


@pytest.mark.parametrize("spec", ["late:minilm", "hf:", "colbert", ""])
def test_a_name_nobody_knows(spec: str) -> None:
    with pytest.raises(ConfigError, match="names no reranker"):
        rerankers.load(spec)


def test_late_needs_no_name() -> None:
    assert isinstance(rerankers.load("late"), Late)
