"""Runs one question in a thread of its own and hands its pieces to the event loop; who leaves stops it, and so does the deadline.

What was asked and answered is in the audit log before the answer is said to be whole. It refuses to let an answer out unnoted.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request

from rung.approach.approach import Approach, answer_stream
from rung.errors import RungError
from rung.leaving import LEAVING, Leaving
from rung.measure.cost import cost, seconds
from rung.models.endpoint import UNTIL
from rung.serve.desk import Desk
from rung.serve.forms import PLAIN, Form, formed
from rung.serve.gate import gone, late
from rung.serve.refusals import Refusal
from rung.types import Answer, ChatModel, Message, Messages, Reply, Settings
from rung.workspace import workspace as w
from rung.workspace.keys import Key, Over, admitted, spend
from rung.workspace.store import Run
from rung.workspace.traffic import figures, keep
from rung.workspace.trail import append

Piece = str | Answer
GRACE = 0.2  # seconds after the deadline in which a thread sees that it is over


@dataclass(frozen=True)
class Question:
    """What a client asks, whatever API it came by. `settings` are those fields of Settings that it names."""

    model: str
    text: str
    history: tuple[Message, ...] = ()
    system: str = ""  # the client's own instructions, which follow the project's
    settings: dict[str, Any] = field(default_factory=dict)
    form: Form = PLAIN
    id: str = field(default_factory=lambda: f"answer-{uuid.uuid4().hex}")  # under which feedback finds the answer
    trace: str = ""  # the caller's own trace, as the header traceparent tells it


@dataclass
class Stop:
    """Whether a question is to be answered no further, and why. Mutable: the event loop sets it, the thread looks."""

    asked: bool = False
    why: Refusal | None = None

    def check(self) -> None:
        """Raise the reason once it is asked."""
        if self.asked:
            raise self.why or gone()


@dataclass(frozen=True)
class Stoppable:
    """A model that ends its answer at the next piece once it is asked to: the engine behind it stops generating."""

    model: ChatModel
    stop: Stop

    @property
    def id(self) -> str:
        return self.model.id

    @property
    def window(self) -> int:
        return self.model.window

    @property
    def adapter(self) -> str:
        return str(getattr(self.model, "adapter", ""))

    def count(self, messages: Messages) -> int:
        return self.model.count(messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        pieces = self.model.stream(prompts, settings)
        try:
            for piece in pieces:
                self.stop.check()
                yield piece
            self.stop.check()  # it may have ended before its end for this reason
        finally:
            if close := getattr(pieces, "close", None):
                close()


async def answering(at: Desk, key: Key, asked: Question, request: Request) -> AsyncGenerator[Piece, None]:
    """Pieces of text as they come, the Answer last. Raises Refusal and RungError; closing it stops the generation."""
    loop, stop, left_over = asyncio.get_running_loop(), Stop(), deadline(at, request)
    within, leaving = copy_context(), Leaving()
    within.run(LEAVING.set, leaving)
    within.run(UNTIL.set, time.monotonic() + left_over + GRACE)  # an engine that stalls holds its thread no longer than that
    events: asyncio.Queue[Piece | BaseException] = asyncio.Queue()
    end = loop.time() + left_over
    left = loop.create_task(_left(request))
    since = await _entered(at, left, end - loop.time())
    timer = loop.call_at(end, _expire, stop, events)
    left.add_done_callback(lambda done: None if done.cancelled() else events.put_nowait(gone()))
    put = _putting(loop, events)
    work = loop.run_in_executor(at.answers, within.run, _answer, at, key, asked, stop, put)
    work.add_done_callback(lambda done: _ended(at, since, done, events))
    try:
        while True:
            item = await events.get()
            if isinstance(item, BaseException):
                raise item
            yield item
            if isinstance(item, Answer):
                return
    finally:
        stop.asked = True
        leaving.leave()  # an engine that says nothing is waited for no longer: its place is free
        timer.cancel()
        left.cancel()


def _expire(stop: Stop, events: asyncio.Queue[Any]) -> None:
    stop.why = late()
    events.put_nowait(stop.why)


async def _entered(at: Desk, left: asyncio.Task[None], seconds: float) -> float:
    try:
        if at.draining():
            raise Refusal(503, "the server is ending; ask another", "draining", retry_after=1)
        return await at.gate.enter(left, seconds)
    except BaseException:
        left.cancel()
        raise


def deadline(at: Desk, request: Request) -> float:
    """Seconds that this answer may take: the server's, or fewer where a header or the query says so."""
    most = at.settings.deadline
    told = request.headers.get("x-request-timeout") or request.query_params.get("timeout")
    if told is None:
        return most
    with suppress(ValueError):
        if 0 < (wanted := float(told)) < float("inf"):
            return min(wanted, most)
    raise Refusal(400, "the timeout is no number of seconds above 0", "invalid_value", "timeout")


@asynccontextmanager
async def left_of(request: Request) -> AsyncIterator[asyncio.Task[None]]:
    """A task that ends when the client leaves, within the block."""
    left = asyncio.get_running_loop().create_task(_left(request))
    try:
        yield left
    finally:
        left.cancel()


async def _left(request: Request) -> None:
    """Until the client closes the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _putting(loop: asyncio.AbstractEventLoop, events: asyncio.Queue[Any]) -> Callable[[str], None]:
    """What hands text from the thread to the loop. What came before the loop took any of it is one piece there: waking it is dear."""
    came: deque[str] = deque()
    waking = False

    def take() -> None:
        nonlocal waking
        waking = False  # before it is looked: whatever comes from here on wakes the loop again
        if text := "".join(came.popleft() for _ in range(len(came))):
            events.put_nowait(text)

    def put(piece: str) -> None:
        nonlocal waking
        came.append(piece)
        if not waking:
            waking = True
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(take)

    return put


def _ended(at: Desk, since: float, done: asyncio.Future[Answer], events: asyncio.Queue[Any]) -> None:
    """The place is given back when the thread has ended, not when the client left."""
    at.gate.leave(since)
    if not done.cancelled():
        events.put_nowait(done.exception() or done.result())


def _answer(at: Desk, key: Key, asked: Question, stop: Stop, put: Callable[[str], None]) -> Answer:
    """In a thread: find who answers, let them, and note it."""
    if limit := admitted(at.store, key):
        raise over(limit)
    started, ready = time.time(), at.offers.approach(asked.model, key)
    ready = replace(
        ready,
        style=replace(ready.style, system=f"{ready.style.system}\n{asked.system}".strip()) if asked.system else ready.style,
        settings=replace(ready.settings, **asked.settings),
    )
    spoken: list[str] = []
    try:
        with closing(_pieces(ready, asked, stop)) as pieces:
            for piece in pieces:
                if isinstance(piece, Answer):
                    noted(at, key, asked, piece, "answered", started)
                    return piece
                stop.check()
                spoken.append(piece)
                put(piece)
    except (Refusal, RungError) as error:
        ended = stop.why or (gone() if stop.asked else error)
        how = ended.code if isinstance(ended, Refusal) else type(ended).__name__
        noted(at, key, asked, Answer(asked.text, "".join(spoken), made_by=ready.made_by), how, started)
        raise
    raise AssertionError("the last piece of a stream is the Answer")


def _pieces(ready: Approach, asked: Question, stop: Stop) -> Generator[Piece, None, None]:
    def stoppable(model: ChatModel) -> ChatModel:
        return Stoppable(model, stop)

    if asked.form is PLAIN:
        return _stripped(answer_stream(replace(ready, model=stoppable(ready.model)), asked.text, asked.history))
    return _stripped(formed(ready, asked.form, asked.text, asked.history, stoppable))


def _stripped(pieces: Iterator[Piece]) -> Generator[Piece, None, None]:
    """Without white space before the first word, so that what was streamed is the answer's text."""
    begun = False
    for piece in pieces:
        if isinstance(piece, str) and not begun:
            piece = piece.lstrip()
            begun = bool(piece)
        if piece:
            yield piece


def noted(at: Desk, key: Key, asked: Question, answer: Answer, ended: str, started: float) -> None:
    """One transaction: the entry in the audit log, and what the key has spent."""
    told: dict[str, Any] = {
        "model": asked.model,
        "ended": ended,
        "made_by": dict(answer.made_by),
        "passages": [hit.passage.id for hit in answer.hits],
        "tokens": [answer.usage.prompt, answer.usage.completion, answer.usage.cached],
        "seconds": round(time.time() - started, 3),
        "id": asked.id,
    }
    said = {"question": asked.text, "history": list(asked.history), "system": asked.system, "answer": answer.text}
    said |= {"searched_for": answer.query} if answer.query else {}
    documents = list(dict.fromkeys(hit.passage.document for hit in answer.hits))  # the best one first
    content = {**said, "documents": documents} if at.settings.audit == "text" else None
    told |= {} if content else {name: hashlib.sha256(str(said[name]).encode()).hexdigest() for name in ("question", "answer")}
    ws = (at.offers.opened or at.offers.open()).ws
    money = cost(answer.usage, seconds(answer), w.prices(ws))
    row = figures(
        answer, id=asked.id, entry=0, at=started, who=who(key), model=asked.model, ended=ended, seconds=time.time() - started, money=money,
        refusal=ws.config.answer.refusal,
    )  # fmt: skip

    def work(run: Run) -> None:
        entry = append(run, "question", who(key), told, content)
        keep(run, replace(row, entry=entry.number))
        spend(run, key, answer.usage.prompt + answer.usage.completion, money, started)

    at.store.write(work)
    for tell in at.listeners:
        tell(row, answer, asked.trace)


def who(key: Key) -> str:
    """A key as the audit log names it."""
    return f"key {key.id} user {key.user}".strip() if key.id else key.name


def over(limit: Over) -> Refusal:
    """A key has reached a limit."""
    if limit.what == "rate":
        return Refusal(429, "the key has asked as often as it may in a minute", "rate_limit_exceeded", retry_after=limit.seconds)
    return Refusal(429, f"the key has used up its {limit.what} of this month", "insufficient_quota", retry_after=limit.seconds)
