"""An approach is a prompt, a source and a model; it answers questions and says what made each answer."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from rung.approach.entailment import Entailment, judged
from rung.approach.policy import Policy, after, allowed, quoting
from rung.approach.prompt import MARKER, PromptStyle, cited, fit, sample
from rung.approach.rewrite import TURNS, Rewritten, checked, rewritten
from rung.approach.sentences import sentences as cut
from rung.approach.sentences import streamed
from rung.approach.source import Nothing, Source
from rung.approach.support import VERSION, check_sentence
from rung.types import Answer, ChatModel, Hit, Message, Messages, Reply, Sentence, Settings


@dataclass(frozen=True)
class Approach:
    """A cell of the ladder's table."""

    name: str
    model: ChatModel
    source: Source
    style: PromptStyle = field(default_factory=PromptStyle)
    settings: Settings = field(default_factory=Settings)
    policy: Policy = field(default_factory=Policy)
    entailment: Entailment | None = None  # has the last word on sentences that the policy has checked
    rewrite: bool = True  # whether a question that leans on a chat is made to stand alone before it is searched for

    @property
    def made_by(self) -> dict[str, str]:
        """Name → hash of each thing that decides what is answered."""
        prompt = json.dumps(asdict(self.style) | asdict(self.settings) | {"sample": sample(self.style)}, sort_keys=True)
        made = {"model": self.model.id, "source": self.source.id, "prompt": hashlib.sha256(prompt.encode()).hexdigest()[:16]}
        judge = [self.entailment.id] if self.entailment else []
        policy = json.dumps([VERSION, asdict(self.policy), *judge], sort_keys=True)
        support = {"support": hashlib.sha256(policy.encode()).hexdigest()[:16]}
        made |= {} if self.rewrite else {"rewrite": "no"}
        return made if self.policy.unsupported == "keep" else made | support

    @property
    def id(self) -> str:
        """The hash of all of these."""
        return _named(self.made_by)


@dataclass(frozen=True)
class _Asked:
    """A prompt with what was put into it, waiting for its reply."""

    question: str
    query: Rewritten
    messages: list[Message]
    hits: tuple[Hit, ...]
    dropped: int
    seconds: float
    live: Mapping[str, str]


def _prepare(approach: Approach, question: str, history: Messages = ()) -> _Asked:
    model, source, turns = approach.model, approach.source, checked(history)
    searches = approach.rewrite and not (source.whole or isinstance(source, Nothing))
    query = rewritten(model, turns, question) if turns and searches else Rewritten(question)
    started = time.perf_counter()
    found = source.find(query.text)
    seconds = time.perf_counter() - started if found.seconds is None else found.seconds
    said: list[Message] = [{"role": turn["role"], "content": MARKER.sub("", turn["content"]).strip()} for turn in turns[-TURNS:]]
    room, whole = approach.settings.max_tokens, source.whole
    messages, kept, dropped = fit(
        model, approach.style, question, found.hits, found.shots, room, whole=whole, history=said, wider=found.widener
    )
    return _Asked(question, query, messages, kept, dropped, seconds, found.live)


def _finish(approach: Approach, asked: _Asked, reply: Reply) -> Answer:
    said = reply.text.strip()
    checking = approach.policy.unsupported != "keep"
    sentences = tuple(_checked_sentence(approach, asked, said[start:end]) for start, end in cut(said)) if checking else ()
    text = allowed(approach.policy, sentences) if sentences else said
    made = approach.made_by
    return Answer(
        question=asked.question,
        text=text,
        citations=quoting(cited(text, asked.hits), sentences),
        hits=asked.hits,
        dropped=asked.dropped,
        usage=reply.usage + asked.query.usage,
        retrieval_seconds=asked.seconds,
        generation_seconds=reply.seconds + asked.query.seconds,
        sentences=sentences,
        confidence=reply.confidence,
        made_by=made | {"approach": _named(made)} | _adapter(approach.model) | {f"live {name}": told for name, told in asked.live.items()},
        query="" if asked.query.text == asked.question else asked.query.text,
        finish=reply.finish,
        calls=reply.calls,
    )


def _named(made_by: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:16]


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


def answer_stream(approach: Approach, question: str, history: Messages = ()) -> Iterator[str | Answer]:
    """One answer: pieces of text as they arrive, the Answer last. Where sentences are checked, the pieces are sentences.

    `history` holds the turns of the chat before the question. It is shown to the model, as far as there is room, and the
    question is made to stand alone before it is searched for.
    """
    asked = _prepare(approach, question, history)
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
        shown = "" if whole else after(policy, _checked_sentence(approach, asked, text))
        if shown.strip():
            spoken = True
            yield shown
    answer = _finish(approach, asked, replies[0])
    if not spoken and answer.text:
        yield answer.text
    yield answer


def _checked_sentence(approach: Approach, asked: _Asked, text: str) -> Sentence:
    sentence = check_sentence(text, asked.question, asked.hits, approach.policy.given)
    return judged(approach.entailment, sentence, asked.hits) if approach.entailment else sentence


def _text(pieces: Iterator[str | Reply], replies: list[Reply]) -> Iterator[str]:
    for piece in pieces:
        if isinstance(piece, Reply):
            replies.append(piece)
        else:
            yield piece
