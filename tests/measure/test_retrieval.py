from __future__ import annotations

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.measure.citations import citation_rates
from rung.measure.retrieval import by_case, covers, ndcg_at, precision_at, recall_at, reciprocal_rank
from rung.types import Answer, Citation, Evidence, Hit, Passage


def hit(document: str, text: str, start: int = 0) -> Hit:
    return Hit(Passage(f"{document}:{start}", document, start, start + len(text), text), 1.0)


def cite(marker: int, source: Hit) -> Citation:
    passage = source.passage
    return Citation(marker, passage.id, passage.document, passage.start, passage.end)


def test_a_graded_worked_example() -> None:
    # grades in ranked order 3 2 3 0 1 2; two more documents of grades 3 and 2 were not found (the encyclopaedia's example)
    ranked = ["d1", "d2", "d3", "d4", "d5", "d6"]
    relevant = {"d1": 3, "d2": 2, "d3": 3, "d4": 0, "d5": 1, "d6": 2, "d7": 3, "d8": 2}
    dcg = 3 / log2(2) + 2 / log2(3) + 3 / log2(4) + 1 / log2(6) + 2 / log2(7)
    assert dcg == pytest.approx(6.861, abs=1e-3)
    assert ndcg_at(ranked, relevant, 6) == pytest.approx(0.785, abs=1e-3)


def test_binary_worked_examples() -> None:
    ranked, relevant = ["a", "b", "c", "d", "e"], {"b": 1.0, "e": 1.0, "z": 1.0}
    assert recall_at(ranked, relevant, 5) == pytest.approx(2 / 3)
    assert recall_at(ranked, relevant, 2) == pytest.approx(1 / 3)
    assert precision_at(ranked, relevant, 5) == pytest.approx(0.4)
    assert precision_at(ranked, relevant, 10) == pytest.approx(0.2)
    assert reciprocal_rank(ranked, relevant) == 0.5
    assert reciprocal_rank(ranked, {"z": 1}) == 0.0
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert ndcg_at(ranked, relevant) == pytest.approx((1 / log2(3) + 1 / log2(6)) / ideal)
    assert ndcg_at(ranked, {}) == recall_at(ranked, {}, 3) == precision_at(ranked, relevant, 0) == 0.0
    assert ndcg_at(["b", "b", "b"], {"b": 1.0}) == 1.0


@given(st.permutations(list("abcdef")), st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3), min_size=1))
def test_the_best_order_has_ndcg_1_and_no_order_more(ranked: list[str], relevant: dict[str, float]) -> None:
    assert 0 <= ndcg_at(ranked, relevant) <= 1 + 1e-12
    best = sorted(relevant, key=lambda one: -relevant[one])
    assert ndcg_at(best, relevant) == pytest.approx(float(any(relevant.values())))


@pytest.mark.parametrize(
    ("passage", "quote", "held"),
    [
        ("# Fees\nA crate   costs\n12 EUR.", "a crate costs 12 EUR", True),
        ("costs 12 EUR. Next.", "A crate costs 12 EUR.", True),  # the passage begins within the quote: 3 of 5 words
        ("Before. A crate costs", "A crate costs 12 EUR.", True),
        ("Before. A crate", "A crate costs 12 EUR.", False),  # 2 of 5
        ("A crate costs 14 EUR.", "A crate costs 12 EUR.", False),
        ("It is 112 EUR", "12 EUR", False),
        ("anything", "", True),
        ("", "x", False),
    ],
)
def test_quotes_in_passages(passage: str, quote: str, held: bool) -> None:
    assert covers(passage, quote) is held


def test_a_case_from_hits_and_evidence() -> None:
    hits = [hit("b.md", "Something else."), hit("a.md", "A crate costs 12 EUR."), hit("a.md", "Crates are blue.", 40)]
    found = by_case(hits, [Evidence("a.md", "costs 12 EUR"), Evidence("c.md")])
    ideal = 1 + 1 / log2(3)
    assert found == pytest.approx({"recall@k": 0.5, "precision@k": 1 / 3, "mrr": 0.5, "ndcg@10": (1 / log2(3)) / ideal})
    assert by_case([], [Evidence("a.md")]) == {"recall@k": 0, "precision@k": 0, "mrr": 0, "ndcg@10": 0}
    assert by_case(hits, []) == {}


def test_overlapping_passages_do_not_count_twice() -> None:
    hits = [hit("a.md", "A crate costs 12 EUR."), hit("a.md", "crate costs 12 EUR. More.", 2)]
    found = by_case(hits, [Evidence("a.md", "costs 12 EUR")])
    assert found == {"recall@k": 1.0, "precision@k": 1.0, "mrr": 1.0, "ndcg@10": 1.0}
    both = by_case(hits[:1], [Evidence("a.md", "costs 12 EUR"), Evidence("a.md", "A crate")])
    assert both["ndcg@10"] == 1.0


def test_citations_against_evidence() -> None:
    good, other, wrong = hit("a.md", "A crate costs 12 EUR."), hit("a.md", "Crates are blue.", 40), hit("b.md", "Nothing.")
    evidence = [Evidence("a.md", "costs 12 EUR"), Evidence("b.md")]
    answer = Answer("q", "12 [1] [2] [9]", (cite(1, good), cite(2, other), Citation(9, "")), (good, other, wrong))
    assert citation_rates(answer, evidence) == (pytest.approx(1 / 3), 0.5)
    assert citation_rates(Answer("q", "12", (), (good,)), evidence) == (None, 0.0)
    assert citation_rates(answer, []) == (None, None)
    again = Answer("q", "12 [1], 12 [1]", (cite(1, good), cite(1, good)), (good,))
    assert citation_rates(again, evidence[:1]) == (1.0, 1.0)


def test_a_citation_may_be_a_span_within_the_passage() -> None:
    whole = hit("a.md", "Blue crates. A crate costs 12 EUR.", 100)
    evidence = [Evidence("a.md", "A crate costs 12 EUR.")]
    inside = Citation(1, "other-chunking", "a.md", 113, 134)
    beside = Citation(1, "other-chunking", "a.md", 100, 112)
    assert citation_rates(Answer("q", "12 [1]", (inside,), (whole,)), evidence) == (1.0, 1.0)
    assert citation_rates(Answer("q", "12 [1]", (beside,), (whole,)), evidence) == (0.0, 0.0)
