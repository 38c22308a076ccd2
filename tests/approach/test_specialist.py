"""Specialists answer as chat models do: one label, how sure, and nothing below their threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.approach.approach import Approach, answer_all
from rung.approach.prompt import BARE, render
from rung.approach.source import Nothing
from rung.approach.specialist import UNSURE, Specialist, asked, linear, nearest_labels, softmax
from rung.knowledge.embedders import load
from rung.measure.abstention import abstains
from rung.types import Message, Reply, Settings, Usage

SOLVED = {"where is my card": "card", "my card is late": "card", "what is the rate": "rate", "which rate applies today": "rate"}
LABELS = ("card", "rate")


def neighbours(k: int = 2, **options: Any) -> Specialist:
    embedder = load("hashing")
    gold = [LABELS.index(label) for label in SOLVED.values()]
    return Specialist("knn", LABELS, nearest_labels(embedder, embedder.embed(list(SOLVED)), gold, 2, k), **options)


def test_the_nearest_examples_vote() -> None:
    (card, sure), (rate, _), (_, torn) = neighbours().labelled(["is my card late", "today which rate is it", "zebra"])
    assert (card, rate) == ("card", "rate")
    assert sure > 0.9
    assert torn <= 1
    assert neighbours(k=4).labelled(["is my card late"])[0][1] < sure


def test_below_its_threshold_it_names_no_label() -> None:
    assert neighbours(threshold=1.01).labelled(["is my card late"])[0][0] == UNSURE
    assert neighbours(threshold=1.01, other="none of these").labelled(["is my card late"])[0][0] == "none of these"
    assert abstains(UNSURE)


def test_an_approach_brings_it_the_question_alone_and_keeps_its_confidence() -> None:
    ready = Approach("knn", neighbours(), Nothing(), BARE)
    (_, answer), (_, other) = answer_all(ready, ["is my card late", "which rate"])
    assert (answer.text, other.text) == ("card", "rate")
    assert answer.confidence == neighbours().labelled(["is my card late"])[0][1]
    assert answer.usage == Usage()
    assert answer.generation_seconds > 0
    assert render(BARE, "is my card late") == [{"role": "user", "content": "is my card late"}]


def test_every_prompt_gets_one_reply_that_is_its_pieces_joined() -> None:
    prompts: list[list[Message]] = [[{"role": "user", "content": "card"}], [{"role": "system", "content": "Hm."}]]
    said = list(neighbours().stream(prompts, Settings()))
    assert [number for number, _ in said] == [0, 0, 1, 1]
    assert all(isinstance(piece, Reply) and piece.text == text for (_, text), (_, piece) in zip(said[::2], said[1::2], strict=True))


def test_it_reads_the_last_user_message() -> None:
    assert asked([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]) == "c"
    assert asked([]) == ""


def test_members_are_averaged_before_the_temperature() -> None:
    embedder = load("hashing:8")
    weights = [np.eye(8, dtype=np.float32)[:3] * scale for scale in (1, 3)]
    both, cold = linear([embedder, embedder], weights, 1.0), linear([embedder, embedder], weights, 0.5)
    texts = ["one two", "three"]
    expected = softmax(embedder.embed(texts) @ weights[0].T * 2)
    assert both(texts) == pytest.approx(expected)
    assert cold(texts) == pytest.approx(softmax(embedder.embed(texts) @ weights[0].T * 4))


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=9))
def test_shares_sum_to_one_and_keep_the_order(logits: list[float]) -> None:
    shares = softmax(np.array(logits))
    assert shares.sum() == pytest.approx(1)
    assert shares[int(np.argmax(logits))] == shares.max()
