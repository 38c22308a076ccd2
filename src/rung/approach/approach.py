"""An approach is a prompt, a source and a model; it answers questions and says what made each answer."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from rung.approach.policy import Policy, after, allowed, quoting
from rung.approach.prompt import PromptStyle, cited, fit
from rung.approach.sentences import streamed
from rung.approach.source import Source
from rung.approach.support import VERSION, check, check_sentence
from rung.types import Answer, ChatModel, Hit, Message, Reply, Settings


@dataclass(frozen=True)
class Approach:
    """A cell of the ladder's table."""

    name: str
    model: ChatModel
    source: Source
    style: PromptStyle = field(default_factory=PromptStyle)
    settings: Settings = field(default_factory=Settings)
    policy: Policy = field(default_factory=Policy)

    @property
    def made_by(self) -> dict[str, str]:
        """Name → hash of each thing that decides what is answered."""
        prompt = json.dumps(asdict(self.style) | asdict(self.settings), sort_keys=True)
        made = {"model": self.model.id, "source": self.source.id, "prompt": hashlib.sha256(prompt.encode()).hexdigest()[:16]}
        policy = json.dumps([VERSION, asdict(self.policy)], sort_keys=True)
        checked = {"support": hashlib.sha256(policy.encode()).hexdigest()[:16]}
        return made if self.policy.unsupported == "keep" else made | checked

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
    said = reply.text.strip()
    checking = approach.policy.unsupported != "keep"
    checked = check(said, asked.question, asked.hits, approach.policy.given) if checking else ()
    text = allowed(approach.policy, checked) if checked else said
    return Answer(
        question=asked.question,
        text=text,
        citations=quoting(cited(text, asked.hits), checked),
        hits=asked.hits,
        dropped=asked.dropped,
        usage=reply.usage,
        retrieval_seconds=asked.seconds,
        generation_seconds=reply.seconds,
        sentences=checked,
        made_by=approach.made_by | {"approach": approach.id} | _adapter(approach.model),
    )


def _adapter(model: ChatModel) -> dict[str, str]:
    """The name of the adapter that spoke; it is part of the model's id, and here for those who look for it."""
    name = str(getattr(model, "adapter", ""))[:16]
    return {"adapter": name} if name else {}


def answer_all(approach: Approach, questions: Sequence[str]) -> Iterator[tuple[int, Answer]]:
    """Answers as they come, each with its question's number. ModelError where a prompt can't fit or the model fails."""
    asked = [_prepare(approach, question) for question in questions]
    for number, piece in approach.model.stream([a.messages for a in asked], approach.settings):
        if isinstance(piece, Reply):
            yield number, _finish(approach, asked[number], piece)


def answer_stream(approach: Approach, question: str) -> Iterator[str | Answer]:
    """One answer: pieces of text as they arrive, the Answer last. Where sentences are checked, the pieces are sentences."""
    asked = _prepare(approach, question)
    pieces = (piece for _, piece in approach.model.stream([asked.messages], approach.settings))
    if approach.policy.unsupported != "keep":
        yield from _checked(approach, asked, pieces)
        return
    for piece in pieces:
        yield _finish(approach, asked, piece) if isinstance(piece, Reply) else piece


def _checked(approach: Approach, asked: _Asked, pieces: Iterator[str | Reply]) -> Iterator[str | Answer]:
    """Each sentence once it is whole, as the policy lets it through; a refusal replaces everything, so it waits for the end."""
    replies: list[Reply] = []
    spoken, policy = False, approach.policy
    for text in streamed(_text(pieces, replies)):
        whole = policy.unsupported == "refuse"
        shown = "" if whole else after(policy, check_sentence(text, asked.question, asked.hits, policy.given))
        if shown.strip():
            spoken = True
            yield shown
    answer = _finish(approach, asked, replies[0])
    if not spoken and answer.text:
        yield answer.text
    yield answer


def _text(pieces: Iterator[str | Reply], replies: list[Reply]) -> Iterator[str]:
    for piece in pieces:
        if isinstance(piece, Reply):
            replies.append(piece)
        else:
            yield piece
