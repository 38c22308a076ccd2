"""Candidates are worded after solved examples, without repetition, and the configured instruction comes first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rung.approach.instructions import SETS, instructions, shots
from rung.types import Case, Messages, Reply, Settings, Usage

POOL = [Case(f"c{n}", f"What is the price of part {n}?", f"It costs {n}0 euros.") for n in range(8)]
POOL += [Case(f"u{n}", f"Who made part {n}?", "Nobody knows.", unanswerable=True) for n in range(2)]


@dataclass(frozen=True)
class Says:
    """A model that says one thing."""

    text: str
    window: int = 2048
    id: str = "says"

    def count(self, messages: Messages) -> int:
        return sum(len(message["content"].split()) for message in messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        for number in range(len(prompts)):
            yield number, Reply(self.text, Usage(), 0.0)


def test_they_say_what_the_examples_show() -> None:
    told = instructions("Answer.", POOL, "answer", Says('"Give the price and nothing more."'), 0)
    assert told[0] == "Answer."
    assert len(set(told)) == len(told)
    assert any("at most 4 words" in text for text in told)
    assert any("Nobody knows." in text for text in told)
    assert told[-1] == "Give the price and nothing more."


def test_what_a_model_babbles_is_left_out_and_a_small_window_is_no_error() -> None:
    for model in (Says("eh"), Says("word " * 200), Says("Give the price in euros.", window=90)):
        assert not any(
            "word" in text.split() or text in ("eh", "Give the price in euros.") for text in instructions("A.", POOL, "answer", model, 0)
        )


def test_labels_and_fields_have_their_own() -> None:
    assert any("label" in text for text in instructions("S.", POOL, "classify", Says(""), 0))
    assert any("JSON" in text for text in instructions("S.", POOL, "extract", Says(""), 0))


def test_sets_of_examples_are_drawn_by_the_seed_and_some_are_those_that_are_right() -> None:
    right = {"c0", "c1", "c2"}
    found = shots(POOL, right, 2, 0)
    assert found == shots(POOL, right, 2, 0) != shots(POOL, right, 2, 1)
    own = {POOL[n].question for n in range(3)}
    assert all({question for question, _ in one} <= own for one in found[:2])
    assert all(len(one) == 2 for one in found)
    assert len(shots(POOL, set(), 2, 0)) <= SETS
    assert shots(POOL[:1], set(), 2, 0) == []
