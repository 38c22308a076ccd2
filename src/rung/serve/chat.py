"""POST /v1/chat/completions: a chat's last question, answered by an approach. It refuses images, audio and several choices.

Format: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from rung.errors import RungError
from rung.serve import refusals, told
from rung.serve.desk import Desk, log, sent
from rung.serve.forms import PLAIN, Form
from rung.serve.refusals import Refusal, refusal_of
from rung.serve.running import Piece, Question, answering
from rung.serve.schemas import ChatRequest, NamedTool, Part, Turn
from rung.types import Answer, Message

STREAM = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class Events(Response):
    """Server-sent events as they come. Whether the client left is looked for where the answer is made, and not twice."""

    def __init__(self, pieces: AsyncGenerator[bytes, None]) -> None:
        self.pieces, self.status_code, self.background = pieces, 200, None
        self.init_headers(STREAM)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them all; an end that comes before theirs ends the answer too."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self.pieces):
            async for piece in self.pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def chat(at: Desk, request: Request) -> Response:
    """The answer at once, or as server-sent events."""
    key = await at.key(request)
    wanted = await sent(request, ChatRequest)
    made = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": wanted.model}
    pieces = answering(at, key, named(question(wanted), str(made["id"]), request), request)
    cached = not at.lists_on()
    if not wanted.stream:
        answer = await whole(pieces)
        return JSONResponse(_completion(made, answer, cached=cached))
    first = await begun(pieces)
    with_usage = bool(wanted.stream_options and wanted.stream_options.include_usage)
    return Events(_events(first, pieces, made, with_usage, cached))


def named(asked: Question, name: str, request: Request) -> Question:
    """The question with the id of its answer, and the trace that it belongs to."""
    return replace(asked, id=name, trace=request.headers.get("traceparent", "")[:100])


def question(wanted: ChatRequest) -> Question:
    """The last question with what stands before it. Refusal where there is none."""
    turns = wanted.messages
    last = max((number for number, turn in enumerate(turns) if turn.role == "user"), default=-1)
    if last < 0 or not text_of(turns[last].content).strip():
        raise Refusal(400, "there is no question: the last user message is empty or missing", "invalid_value", "messages")
    if any(turn.role not in ("tool", "function", "assistant", "system", "developer") for turn in turns[last + 1 :]):
        raise Refusal(400, "messages after the question are calls of tools and what they gave", "invalid_value", "messages")
    system = "\n".join(text_of(turn.content) for turn in turns if turn.role in ("system", "developer"))
    history: list[Message] = [
        {"role": turn.role, "content": text_of(turn.content)}
        for turn in turns[:last]
        if turn.role in ("user", "assistant") and text_of(turn.content)
    ]
    most = wanted.max_completion_tokens or wanted.max_tokens
    stop = (wanted.stop,) if isinstance(wanted.stop, str) else tuple(wanted.stop or ())
    named = {"max_tokens": most, "temperature": wanted.temperature, "seed": wanted.seed, "stop": stop or None}
    settings = {name: value for name, value in named.items() if value is not None}
    return Question(wanted.model, text_of(turns[last].content), tuple(history), system, settings, _form(wanted, turns[last + 1 :]))


def text_of(content: str | Sequence[Part] | None) -> str:
    """The text of a message. Refusal for parts that are no text."""
    if content is None or isinstance(content, str):
        return content or ""
    if other := next((part.type for part in content if part.text is None), ""):
        raise Refusal(400, f"content of type '{other}' is not read here; send text", "unsupported_content", "messages")
    return "".join(part.text or "" for part in content)


def _form(wanted: ChatRequest, after: Sequence[Turn]) -> Form:
    schema: Any = None
    asked = wanted.response_format
    if asked and asked.type != "text":
        schema = (asked.json_schema.schema_ if asked.json_schema else None) or {"type": "object"}
    tools = tuple(tool.model_dump(exclude_none=True) for tool in wanted.tools or ()) if wanted.tool_choice != "none" else ()
    choice = wanted.tool_choice.function.name if isinstance(wanted.tool_choice, NamedTool) else wanted.tool_choice or "auto"
    if choice not in ("auto", "required", "none", *(tool["function"]["name"] for tool in tools)):
        raise Refusal(400, f"there is no tool '{choice}'", "invalid_value", "tool_choice")
    tail = tuple(turn.model_dump(exclude_none=True) for turn in after if turn.role in ("assistant", "tool", "function"))
    sendable = {"tools", "tool_choice", "response_format", "top_p", "frequency_penalty", "presence_penalty"}
    extra = wanted.model_dump(include=sendable, exclude_none=True, by_alias=True)
    made = Form(schema, tools, choice, extra, tail)
    return PLAIN if made == PLAIN else made


async def whole(pieces: AsyncGenerator[Piece, None]) -> Answer:
    """The Answer at the end of a stream."""
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Answer):
                return piece
    raise AssertionError("the last piece of a stream is the Answer")


async def begun(pieces: AsyncGenerator[Piece, None]) -> Piece:
    """The first piece: what goes wrong before it still has a status of its own."""
    return await anext(pieces)


async def spoken(first: Piece, pieces: AsyncGenerator[Piece, None]) -> AsyncGenerator[Piece | Refusal, None]:
    """All pieces, and what went wrong after the first one, which a stream tells as its last event."""
    async with aclosing(pieces):
        try:
            yield first
            async for piece in pieces:
                yield piece
        except Refusal as refusal:
            yield refusal
        except RungError as error:
            log(error)
            yield refusal_of(error)


async def _events(
    first: Piece, pieces: AsyncGenerator[Piece, None], made: Mapping[str, Any], with_usage: bool, cached: bool
) -> AsyncGenerator[bytes, None]:
    said = ""
    yield _chunk(made, {"role": "assistant", "content": ""})
    async for piece in spoken(first, pieces):
        if isinstance(piece, Refusal):
            yield event(refusals.body(piece))
            return
        if isinstance(piece, str):
            said += piece
            yield _chunk(made, {"content": piece})
            continue
        for more in told.rest(piece, said):
            yield _chunk(made, {"content": more})
        if piece.calls:
            yield _chunk(made, {"tool_calls": [{"index": number, **call} for number, call in enumerate(piece.calls)]})
        last = {"annotations": told.marked(piece)} if piece.citations else {}
        yield _chunk(made, last, _finish(piece), rung=told.beside(piece))
        if with_usage:
            yield event({**_chunked(made), "choices": [], "usage": told.usage(piece, cached=cached)})
    yield b"data: [DONE]\n\n"


def event(value: Mapping[str, Any], name: str = "") -> bytes:
    """One server-sent event."""
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def _chunked(made: Mapping[str, Any]) -> dict[str, Any]:
    return {**made, "object": "chat.completion.chunk"}


def _chunk(made: Mapping[str, Any], delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> bytes:
    return event({**_chunked(made), "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], **more})


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.calls else answer.finish


def _completion(made: Mapping[str, Any], answer: Answer, *, cached: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": told.marked(answer)}
    if answer.calls:
        message |= {"content": answer.text or None, "tool_calls": list(answer.calls)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
    told_ = {"usage": told.usage(answer, cached=cached), "rung": told.beside(answer)}
    return {**made, "object": "chat.completion", "system_fingerprint": answer.made_by.get("approach"), "choices": [choice], **told_}
