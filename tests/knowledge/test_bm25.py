"""BM25 in numpy against the formula written out, and its words."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.knowledge.indexes.bm25 import BM25, K1, B, tokenized

WORDS = st.lists(st.sampled_from(["crane", "cost", "leave", "week", "euro", "harbour", "plan", "gold"]), max_size=12).map(" ".join)


def written_out(texts: list[str], query: str) -> dict[int, float]:
    """Lucene's BM25 without the constant factor k1 + 1, as in Kamphuis et al. 2020."""
    counts = [Counter(tokens) for tokens in tokenized(texts)]
    mean = sum(sum(count.values()) for count in counts) / len(counts) or 1e-9
    scores: dict[int, float] = {}
    for word in tokenized([query])[0]:
        having = [number for number, count in enumerate(counts) if word in count]
        idf = math.log(1 + (len(texts) - len(having) + 0.5) / (len(having) + 0.5))
        for number in having:
            times, length = counts[number][word], sum(counts[number].values())
            scores[number] = scores.get(number, 0) + idf * times / (times + K1 * (1 - B + B * length / mean))
    return scores


@given(st.lists(WORDS, min_size=1, max_size=8), WORDS)
def test_scores_are_the_formula(texts: list[str], query: str) -> None:
    found = dict(BM25(texts).best(query, 100))
    assert found == pytest.approx(written_out(texts, query))


def test_best_first_and_ties_in_order() -> None:
    best = BM25(["gold plan", "gold", "nothing", "gold"]).best("gold", 3)
    assert [number for number, _ in best] == [1, 3, 0]
    assert BM25([]).best("gold", 3) == []


def test_words_are_folded_stemmed_and_stopped() -> None:
    assert tokenized(["The running Cafés are costing 12,50 €!"]) == [["run", "cafe", "cost", "12", "50"]]
