"""Numbered passages are read back as they were written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rung.approach.prompt import PromptStyle, render
from rung.models.numbered import parted, written
from rung.types import Hit, Passage

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="["), min_size=1, max_size=60).filter(
    lambda text: "\n\nQuestion: " not in f"\n{text}\n" and not text.startswith("Question: ")
)


@given(st.lists(TEXT, max_size=12), TEXT)
def test_what_is_written_is_read_back(passages: list[str], question: str) -> None:
    assert parted(written(passages, question)) == (passages, question)


def test_a_message_of_another_form_is_a_question() -> None:
    assert parted("What costs it?") == ([], "What costs it?")
    assert parted("Read this.\n\nQuestion: what costs it?") == ([], "Read this.\n\nQuestion: what costs it?")


def test_the_prompts_passages_are_read_back_with_their_headings() -> None:
    hits = [Hit(Passage(str(n), "d.md", 0, 5, f"Text {n}.\n\nMore.", ("Title", "Part")), 0.0) for n in range(12)]
    passages, question = parted(render(PromptStyle(), "What?", hits, (("asked", "answered"),))[-1]["content"])
    assert question == "What?"
    assert passages == [f"Title > Part\nText {n}.\n\nMore." for n in range(12)]
