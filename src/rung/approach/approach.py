"""An approach is a prompt, a source and a model; it answers questions and says what made each answer."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from rung.approach.prompt import PromptStyle, cited, fit
from rung.approach.source import Source
from rung.types import Answer, ChatModel, Hit, Message, Reply, Settings


@dataclass(frozen=True)
class Approach:
    """A cell of the ladder's table."""

    name: str
    model: ChatModel
    source: Source
    style: PromptStyle = field(default_factory=PromptStyle)
    settings: Settings = field(default_factory=Settings)

    @property
    def made_by(self) -> dict[str, str]:
        """Name → hash of each thing that decides what is answered."""
        prompt = json.dumps(asdict(self.style) | asdict(self.settings), sort_keys=True)
        return {"model": self.model.id, "source": self.source.id, "prompt": hashlib.sha256(prompt.encode()).hexdigest()[:16]}

    @property
    def id(self) -> str:
        """The hash of all of these."""
        return hashlib.sha256(json.dumps(self.made_by, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Asked:
    """A prompt with what was put into it, waiting for its reply."""

    question: str
    messages: list[Message]
    hits: tuple[Hit, ...]
    dropped: int
    seconds: float


def _prepare(approach: Approach, question: str) -> _Asked:
    started = time.perf_counter()
    found = approach.source.find(question)
    seconds = time.perf_counter() - started
    messages, kept = fit(
        approach.model, approach.style, question, found.hits, found.shots, approach.settings.max_tokens, whole=approach.source.whole
    )
    return _Asked(question, messages, kept, len(found.hits) - len(kept), seconds)


def _finish(approach: Approach, asked: _Asked, reply: Reply) -> Answer:
    text = reply.text.strip()
    return Answer(
        question=asked.question,
        text=text,
        citations=cited(text, asked.hits),
        hits=asked.hits,
        dropped=asked.dropped,
        usage=reply.usage,
        retrieval_seconds=asked.seconds,
        generation_seconds=reply.seconds,
        made_by=approach.made_by | {"approach": approach.id},
    )


def answer_all(approach: Approach, questions: Sequence[str]) -> Iterator[tuple[int, Answer]]:
    """Answers as they come, each with its question's number. ModelError where a prompt can't fit or the model fails."""
    asked = [_prepare(approach, question) for question in questions]
    for number, piece in approach.model.stream([a.messages for a in asked], approach.settings):
        if isinstance(piece, Reply):
            yield number, _finish(approach, asked[number], piece)


def answer_stream(approach: Approach, question: str) -> Iterator[str | Answer]:
    """One answer: pieces of text as they arrive, the Answer last."""
    asked = _prepare(approach, question)
    for _, piece in approach.model.stream([asked.messages], approach.settings):
        yield _finish(approach, asked, piece) if isinstance(piece, Reply) else piece
