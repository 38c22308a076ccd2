"""The one place where a question, passages and solved examples become messages, for training and serving alike.

It never sees a case, so no gold label can reach a prompt through it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from rung.errors import ModelError
from rung.models.numbered import written
from rung.types import ChatModel, Citation, Hit, Message, Messages, Passage

CITE = "Cite the passage number in brackets."
MARKER = re.compile(r"\[(\d{1,3})\]")
QUOTED = re.compile(r"\[ \d{1,3} \]")  # how a marker that stands in a document is shown, so that quoting it cites nothing


@dataclass(frozen=True)
class PromptStyle:
    """What every prompt of a project says: its instructions and, with passages, the wish for citations."""

    system: str = "Answer the question from the passages."
    cite: bool = True
    before: str = "Question: "  # stands before every question


BARE = PromptStyle("", cite=False, before="")  # the question and nothing else, for models that were made for one task


def render(
    style: PromptStyle, question: str, hits: Sequence[Hit] = (), shots: Sequence[tuple[str, str]] = (), history: Messages = ()
) -> list[Message]:
    """System, solved examples as turns, the chat so far, then passages and the question.

    Passages stand before the question, so prompts over the same passages share a prefix that can be cached.
    """
    system = f"{style.system} {CITE}".strip() if hits and style.cite else style.system
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    for asked, answered in shots:
        messages += [{"role": "user", "content": written((), asked, style.before)}, {"role": "assistant", "content": answered}]
    return [*messages, *history, {"role": "user", "content": written([passage(hit) for hit in hits], question, style.before)}]


def passage(hit: Hit) -> str:
    """A passage under the headings it stands below. No document can number passages, or begin another: its markers are loosened."""
    headings = " > ".join(hit.passage.headings)
    text = f"{headings}\n{hit.passage.text.strip()}" if headings else hit.passage.text.strip()
    return MARKER.sub(r"[ \1 ]", text)


@cache
def sample(style: PromptStyle) -> str:
    """A prompt of this style as text. It changes when the way prompts are written does, so hashes of prompts are made of it."""
    hit = Hit(Passage("", "", 0, 0, "It is seven [1].", ("Prices", "Part [2]")), 1.0)
    return "\n\n".join(turn["content"] for turn in render(style, "What?", [hit, hit], [("Which?", "This.")]))


class Wider(Protocol):
    """Shows hits wider than they were found, up to a reach beyond which nothing more is shown."""

    def reach(self, hits: Sequence[Hit]) -> int:
        """How far it can go."""

    def widen(self, hits: Sequence[Hit], reach: int) -> list[Hit]:
        """The hits with their neighbours; overlapping ones are one."""


def fit(
    model: ChatModel,
    style: PromptStyle,
    question: str,
    hits: Sequence[Hit],
    shots: Sequence[tuple[str, str]],
    room: int,
    *,
    whole: bool,
    history: Messages = (),
    wider: Wider | None = None,
) -> tuple[list[Message], tuple[Hit, ...], int]:
    """Messages that leave `room` tokens in the window, the hits in them, and how many were left out.

    The oldest turns of the chat go first, then the lowest hits, then examples. What stays is widened as far as there is
    room. ModelError where not even the bare question fits, or where `whole` forbids leaving anything out.
    """
    kept, examples, turns = list(hits), list(shots), list(history)
    while (tokens := model.count(render(style, question, kept, examples, turns))) + room > model.window:
        if not turns and (whole or not (kept or examples)):
            asked = question if len(question) <= 60 else f"{question[:57]}..."
            raise ModelError(
                f"the prompt of '{asked}' needs {tokens:,} tokens and the answer {room:,}, but the model's window is {model.window:,}",
                "choose a model with a longer window, or search instead of reading everything" if whole else "shorten the question",
            )
        if turns:
            del turns[0]
        elif kept:
            kept.pop()
        else:
            examples.pop(0)  # the nearest example stands last

    def fits(shown: Sequence[Hit]) -> bool:
        return model.count(render(style, question, shown, examples, turns)) + room <= model.window

    shown = widest(wider, kept, fits) if wider and kept else kept
    return render(style, question, shown, examples, turns), tuple(shown), len(hits) - len(kept)


def widest(wider: Wider, hits: Sequence[Hit], fits: Callable[[Sequence[Hit]], bool]) -> list[Hit]:
    """The hits with as many neighbours as fit: the farthest reach is found by halving."""
    most = wider.reach(hits)
    if most == 0 or fits(shown := wider.widen(hits, most)):
        return shown if most else list(hits)
    low, high, shown = 0, most - 1, list(hits)
    while low < high:
        middle = (low + high + 1) // 2
        wide = wider.widen(hits, middle)
        low, high, shown = (middle, high, wide) if fits(wide) else (low, middle - 1, shown)
    return shown


def cited(text: str, hits: Sequence[Hit]) -> tuple[Citation, ...]:
    """The markers of an answer in order, each once, with the passages they point to."""
    found: list[Citation] = []
    for number in dict.fromkeys(int(marker) for marker in MARKER.findall(text)):
        if 1 <= number <= len(hits):
            passage = hits[number - 1].passage
            found.append(Citation(number, passage.id, passage.document, passage.start, passage.end))
        else:
            found.append(Citation(number, ""))
    return tuple(found)
