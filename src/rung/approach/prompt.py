"""The one place where a question, passages and solved examples become messages, for training and serving alike.

It never sees a case, so no gold label can reach a prompt through it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rung.errors import ModelError
from rung.models.numbered import written
from rung.types import ChatModel, Citation, Hit, Message

CITE = "Cite the passage number in brackets."
MARKER = re.compile(r"\[(\d{1,3})\]")


@dataclass(frozen=True)
class PromptStyle:
    """What every prompt of a project says: its instructions and, with passages, the wish for citations."""

    system: str = "Answer the question from the passages."
    cite: bool = True


def render(style: PromptStyle, question: str, hits: Sequence[Hit] = (), shots: Sequence[tuple[str, str]] = ()) -> list[Message]:
    """System, solved examples as turns, then passages and the question.

    Passages stand before the question, so prompts over the same passages share a prefix that can be cached.
    """
    system = f"{style.system} {CITE}".strip() if hits and style.cite else style.system
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    for asked, answered in shots:
        messages += [{"role": "user", "content": written((), asked)}, {"role": "assistant", "content": answered}]
    return [*messages, {"role": "user", "content": written([passage(hit) for hit in hits], question)}]


def passage(hit: Hit) -> str:
    """A passage under the headings it stands below."""
    headings = " > ".join(hit.passage.headings)
    return f"{headings}\n{hit.passage.text.strip()}" if headings else hit.passage.text.strip()


def fit(
    model: ChatModel, style: PromptStyle, question: str, hits: Sequence[Hit], shots: Sequence[tuple[str, str]], room: int, *, whole: bool
) -> tuple[list[Message], tuple[Hit, ...]]:
    """Messages that leave `room` tokens in the window, and the hits left in them: the lowest go first, then examples.

    ModelError where not even the bare question fits, or where `whole` forbids leaving anything out.
    """
    kept, examples = list(hits), list(shots)
    while True:
        messages = render(style, question, kept, examples)
        tokens = model.count(messages)
        if tokens + room <= model.window:
            return messages, tuple(kept)
        if whole or not (kept or examples):
            asked = question if len(question) <= 60 else f"{question[:57]}..."
            raise ModelError(
                f"the prompt of '{asked}' needs {tokens:,} tokens and the answer {room:,}, but the model's window is {model.window:,}",
                "choose a model with a longer window, or search instead of reading everything" if whole else "shorten the question",
            )
        if kept:
            kept.pop()
        else:
            examples.pop(0)  # the nearest example stands last


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
