"""Windows cover the text, spans point into it, and probabilities share one whole with "no answer"."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.knowledge.embedders import minilm
from rung.models.spans import CLS, SEP, Span, Window, best, covered, kinds, spread, windows

TOKENIZER = minilm.tokenizer(minilm.open_embedder().folder)
WORDS = st.lists(st.sampled_from(["harbor", "12", "invoice", "the", "Überweisung", "x-20", "(net)", "days."]), max_size=120).map(" ".join)


@given(WORDS, st.integers(24, 64), st.integers(4, 40))
def test_every_token_of_the_text_is_in_a_window_that_fits(text: str, size: int, stride: int) -> None:
    parts = list(windows(TOKENIZER, "how many days", text, size, stride))
    whole = TOKENIZER.encode(text, add_special_tokens=False).offsets
    assert {offset for part in parts for offset in part.offsets} == set(whole)
    for part in parts:
        assert len(part.ids) <= size
        assert (part.ids[0], part.ids[-1]) == (CLS, SEP)
        assert len(part.ids) == part.first + len(part.offsets) + 1


def test_headings_are_read_and_never_quoted() -> None:
    text = "Leave > Calder Quay\nStaff receive 27 days."
    (window,) = windows(TOKENIZER, "how many days", text, skip=20)
    assert text[window.offsets[0][0] : window.offsets[-1][1]] == "Staff receive 27 days."
    assert TOKENIZER.decode(list(window.ids)).startswith("how many days leave > calder quay staff")


def test_a_long_question_leaves_room_for_the_text() -> None:
    parts = list(windows(TOKENIZER, "why " * 500, "word " * 300))
    assert all(len(part.ids) <= 256 for part in parts)
    assert len(parts) == 2


def test_the_types_change_behind_the_question() -> None:
    (window,) = windows(TOKENIZER, "how many", "ten days")
    assert kinds(window) == [0, 0, 0, 0, 1, 1, 1]


@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 1000))
def test_the_best_span_is_the_one_a_search_of_all_finds(n: int, longest: int, seed: int) -> None:
    window = Window((CLS, 7, SEP, *range(200, 200 + n), SEP), 3, tuple((5 * i, 5 * i + 4) for i in range(n)))
    logits = np.random.default_rng(seed).normal(size=(16 * math.ceil((n + 4) / 16), 2)).astype(np.float32)
    score, start, end = best(logits, window, longest)
    here = logits - logits[0]
    pairs = {(i, j): float(here[3 + i, 0] + here[3 + j, 1]) for i in range(n) for j in range(i, min(n, i + longest))}
    assert score == pytest.approx(max(pairs.values()), abs=1e-5)
    assert pairs[start // 5, (end - 4) // 5] == pytest.approx(score, abs=1e-5)


def test_an_empty_window_has_no_span() -> None:
    assert best(np.zeros((16, 2), np.float32), Window((CLS, SEP, SEP), 2, ())) == (float("-inf"), 0, 0)


def test_tokens_of_characters() -> None:
    (window,) = windows(TOKENIZER, "how many", "Staff receive 27 days.")
    assert covered(window, 14, 21) == (window.first + 2, window.first + 3)
    assert covered(window, 14, 99) is None


@given(st.lists(st.floats(-50, 50), max_size=9))
def test_the_spans_and_no_answer_share_one_probability(scores: list[float]) -> None:
    shares = spread([Span(n, 0, 1, score) for n, score in enumerate(scores)])
    none = 1 / (1 + sum(math.exp(score) for score in scores))
    assert sum(shares) + none == pytest.approx(1)
    assert all((a >= b) == (shares[i] >= shares[j]) for i, a in enumerate(scores) for j, b in enumerate(scores) if abs(a - b) > 1e-6)
