"""A question that leans on the chat is made to stand alone; what can't be used leaves it as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from rung.approach.rewrite import TURNS, rewriting, rewritten
from rung.types import Message, Messages, Reply, Settings, Usage

HISTORY: list[Message] = [
    {"role": "system", "content": "You help the staff."},
    {"role": "user", "content": "What does the crane cost?"},
    {"role": "assistant", "content": "900 euros a day."},
]


@dataclass(frozen=True)
class Says:
    """A model that always says the same."""

    text: str
    finish: str = "stop"
    asked: list[Messages] = field(default_factory=list)
    window: int = 1000
    id: str = "says"

    def count(self, messages: Messages) -> int:
        return sum(len(message["content"].split()) for message in messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        self.asked.extend(prompts)
        yield 0, self.text
        yield 0, Reply(self.text, Usage(), 0.0, self.finish)


def test_the_model_sees_the_conversation_and_the_question_and_its_first_line_is_taken() -> None:
    model = Says("  What does the crane cost a week?\nAnything else?")
    assert rewritten(model, HISTORY, "And a week?").text == "What does the crane cost a week?"
    system, user = model.asked[0]
    assert system["role"] == "system"
    assert user["content"].endswith("Last question: And a week?")
    assert "assistant: 900 euros a day." in user["content"]
    assert "You help the staff" not in user["content"]


@pytest.mark.parametrize("history", [[], HISTORY[:1]])
def test_without_a_conversation_no_model_is_asked(history: list[Message]) -> None:
    model = Says("nonsense")
    assert rewritten(model, history, "And a week?").text == "And a week?"
    assert model.asked == []


@pytest.mark.parametrize(("text", "finish"), [("", "stop"), (" \n ", "stop"), ("What does the", "length")])
def test_silence_and_what_was_cut_off_leave_the_question(text: str, finish: str) -> None:
    assert rewritten(Says(text, finish), HISTORY, "And a week?").text == "And a week?"


def test_only_the_latest_turns_are_read() -> None:
    history: list[Message] = [{"role": "user", "content": f"turn {number}"} for number in range(20)]
    content = rewriting(history, "?")[1]["content"]
    assert content.count("user: ") == TURNS
    assert "turn 19" in content
