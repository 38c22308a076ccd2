"""The prompt module: what is rendered, what is dropped when the window is full, and where markers point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.approach.approach import Approach, answer_all, answer_stream
from rung.approach.prompt import CITE, PromptStyle, cited, fit, render, sample
from rung.approach.source import Context, Nothing
from rung.errors import ModelError
from rung.types import Answer, Hit, Messages, Passage, Reply, Settings, Usage


def hit(n: int, words: int = 5) -> Hit:
    return Hit(Passage(f"p{n}", f"d{n}.md", n, n + 10, "word " * words, ("Title", f"Part {n}")), 1 / (n + 1))


@dataclass(frozen=True)
class Echo:
    """A model that repeats the last message and counts words as tokens."""

    window: int = 1000
    id: str = "echo"

    def count(self, messages: Messages) -> int:
        return sum(len(m["content"].split()) for m in messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        for number, messages in enumerate(prompts):
            text = f" it is in [1] and [7] {messages[-1]['content'].split()[-1]}"
            yield number, text
            yield number, Reply(text, Usage(self.count(messages), 8), 0.01)


@dataclass(frozen=True)
class Fixed:
    """A source that always brings the same hits."""

    hits: tuple[Hit, ...]
    whole: bool = False
    id: str = "fixed"

    def find(self, question: str) -> Context:
        return Context(self.hits)


def test_what_a_prompt_is_known_by_holds_all_that_rendering_decides() -> None:
    told = sample(PromptStyle("Be brief.", before="Q: "))
    for part in ("Be brief.", CITE, "Q: What?", "This.", "Prices > Part [ 2 ]", "seven [ 1 ]", "[1]", "[2]"):
        assert part in told
    assert CITE not in sample(PromptStyle("Be brief.", cite=False))


def test_passages_stand_before_the_question_and_are_numbered() -> None:
    messages = render(PromptStyle("Be brief."), "Why?", [hit(1), hit(2)])
    assert [m["role"] for m in messages] == ["system", "user"]
    assert messages[0]["content"] == f"Be brief. {CITE}"
    assert messages[1]["content"].startswith("[1] Title > Part 1\nword")
    assert "\n\n[2] Title > Part 2\n" in messages[1]["content"]
    assert messages[1]["content"].endswith("\n\nQuestion: Why?")


def test_without_passages_nothing_is_to_be_cited() -> None:
    assert render(PromptStyle("Be brief."), "Why?") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Question: Why?"},
    ]


def test_solved_examples_are_turns() -> None:
    messages = render(PromptStyle(""), "Why?", shots=[("How?", "So.")])
    assert [(m["role"], m["content"]) for m in messages] == [("user", "Question: How?"), ("assistant", "So."), ("user", "Question: Why?")]


@given(st.integers(min_value=30, max_value=120))
def test_the_lowest_hits_are_dropped_first_and_the_rest_fits(window: int) -> None:
    hits = [hit(n) for n in range(8)]
    messages, kept, _ = fit(Echo(window), PromptStyle("s"), "Why?", hits, [], 10, whole=False)
    assert list(kept) == hits[: len(kept)]
    assert Echo().count(messages) + 10 <= window


def test_a_source_that_must_be_whole_is_refused_with_the_numbers() -> None:
    with pytest.raises(ModelError, match=r"needs \d+ tokens .* window is 40"):
        fit(Echo(40), PromptStyle("s"), "Why?", [hit(n) for n in range(8)], [], 10, whole=True)


def test_a_question_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ModelError) as error:
        fit(Echo(5), PromptStyle("s"), "one two three four five six", [], [], 1, whole=False)
    assert error.value.hint == "shorten the question"


def test_markers_point_to_passages_or_nowhere() -> None:
    found = cited("both [2] and [1], again [2], and [9]", [hit(1), hit(2)])
    assert [(c.marker, c.passage) for c in found] == [(2, "p2"), (1, "p1"), (9, "")]


def test_an_answer_carries_what_made_it() -> None:
    approach = Approach("rag", Echo(), Fixed((hit(1), hit(2))), PromptStyle("s"), Settings(max_tokens=8))
    (_, answer), (_, other) = sorted(answer_all(approach, ["Why?", "How?"]), key=lambda pair: pair[0])
    assert (answer.question, other.question) == ("Why?", "How?")
    assert answer.text == "it is in [1] and [7] Why?"
    assert [c.passage for c in answer.citations] == ["p1", ""]
    assert answer.made_by["approach"] == approach.id
    assert set(answer.made_by) == {"model", "source", "prompt", "approach"}
    assert answer.usage.completion == 8


def test_a_streamed_answer_ends_with_the_whole() -> None:
    pieces = list(answer_stream(Approach("prompt", Echo(), Nothing()), "Why?"))
    assert isinstance(pieces[0], str)
    assert isinstance(pieces[-1], Answer)
    assert pieces[-1].text == str(pieces[0]).strip()


def test_dropped_hits_are_counted() -> None:
    approach = Approach("rag", Echo(60), Fixed(tuple(hit(n) for n in range(8))), PromptStyle("s"), Settings(max_tokens=10))
    ((_, answer),) = answer_all(approach, ["Why?"])
    assert answer.dropped == 8 - len(answer.hits) > 0


def test_the_id_changes_with_every_part() -> None:
    base = Approach("rag", Echo(), Nothing(), PromptStyle("s"))
    others = [
        Approach("rag", Echo(id="other"), Nothing(), PromptStyle("s")),
        Approach("rag", Echo(), Fixed(()), PromptStyle("s")),
        Approach("rag", Echo(), Nothing(), PromptStyle("t")),
        Approach("rag", Echo(), Nothing(), PromptStyle("s"), Settings(max_tokens=3)),
    ]
    assert len({base.id, *(other.id for other in others)}) == 5
    assert base.id == Approach("other name", Echo(), Nothing(), PromptStyle("s")).id
