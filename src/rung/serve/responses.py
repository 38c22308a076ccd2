"""POST /v1/responses: the same answers in OpenAI's newer form. It keeps no conversation: what came before is sent with each question.

Format: https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rung.serve import refusals, told
from rung.serve.chat import Events, begun, event, named, question, spoken, text_of, whole
from rung.serve.desk import Desk, misread, sent
from rung.serve.refusals import Refusal
from rung.serve.running import Piece, Question, answering
from rung.serve.schemas import ChatRequest, Item, NamedResponseTool, ResponseRequest
from rung.types import Answer


async def respond(at: Desk, request: Request) -> Response:
    """The answer at once, or as server-sent events."""
    key = await at.key(request)
    wanted = await sent(request, ResponseRequest)
    if wanted.previous_response_id:
        raise Refusal(400, "responses are not kept here; send what came before as input", "unsupported", "previous_response_id")
    made = _made(wanted)
    pieces = answering(at, key, named(asked(wanted), made["id"], request), request)
    cached = not at.lists_on()
    if not wanted.stream:
        return JSONResponse(_done(made, await whole(pieces), cached=cached))
    first = await begun(pieces)
    return Events(_events(first, pieces, made, cached))


def asked(wanted: ResponseRequest) -> Question:
    """The same question as a chat would ask it."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": wanted.instructions}] if wanted.instructions else []
    items = [Item(role="user", content=wanted.input)] if isinstance(wanted.input, str) else wanted.input
    messages += [turn for item in items if (turn := _turn(item))]
    kind = wanted.text.format if wanted.text else None
    schema = {"json_schema": {"name": kind.name, "schema": kind.schema_}} if kind and kind.schema_ is not None else {}
    tools = [{"type": "function", "function": tool.model_dump(exclude={"type"}, exclude_none=True)} for tool in wanted.tools or ()]
    choice: Any = wanted.tool_choice
    if isinstance(choice, NamedResponseTool):
        choice = {"type": "function", "function": {"name": choice.name}}
    told_ = {
        "model": wanted.model,
        "messages": messages,
        "max_tokens": wanted.max_output_tokens,
        "temperature": wanted.temperature,
        "top_p": wanted.top_p,
        "tools": tools or None,
        "tool_choice": choice,
        "response_format": {"type": kind.type, **schema} if kind else None,
    }
    try:
        return question(ChatRequest.model_validate({name: value for name, value in told_.items() if value is not None}))
    except ValidationError as error:
        raise misread(error) from None


def _turn(item: Item) -> dict[str, Any]:
    """An item of the input as a chat's message; nothing for one that says nothing here, such as reasoning."""
    if item.type == "function_call":
        call = {"id": item.call_id or "", "type": "function", "function": {"name": item.name or "", "arguments": item.arguments or ""}}
        return {"role": "assistant", "tool_calls": [call]}
    if item.type == "function_call_output":
        return {"role": "tool", "tool_call_id": item.call_id or "", "content": item.output or ""}
    if item.type in (None, "message") and item.role:
        return {"role": item.role, "content": text_of(item.content)}
    return {}


def _made(wanted: ResponseRequest) -> dict[str, Any]:
    return {
        "id": f"resp_{uuid.uuid4().hex}", "object": "response", "created_at": int(time.time()), "model": wanted.model,
        "error": None, "incomplete_details": None, "instructions": wanted.instructions, "max_output_tokens": wanted.max_output_tokens,
        "metadata": {}, "parallel_tool_calls": False, "previous_response_id": None, "temperature": wanted.temperature,
        "text": {"format": {"type": wanted.text.format.type if wanted.text and wanted.text.format else "text"}},
        "tool_choice": wanted.tool_choice if isinstance(wanted.tool_choice, str) else "auto",
        "tools": [tool.model_dump(exclude_none=True) for tool in wanted.tools or ()], "top_p": wanted.top_p, "truncation": "auto",
    }  # fmt: skip


def _done(made: Mapping[str, Any], answer: Answer, *, cached: bool, message: str = "") -> dict[str, Any]:
    cut = answer.finish == "length"
    counted = told.usage(answer, cached=cached)
    return {
        **made,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": _output(answer, message or _name("msg")),
        "usage": {
            "input_tokens": counted["prompt_tokens"],
            "input_tokens_details": counted["prompt_tokens_details"],
            "output_tokens": counted["completion_tokens"],
            "output_tokens_details": counted["completion_tokens_details"],
            "total_tokens": counted["total_tokens"],
        },
        "rung": told.beside(answer),
    }


def _name(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"


def _output(answer: Answer, message: str) -> list[dict[str, Any]]:
    text = _message(message, "completed", [_part(answer.text, [told.flat(one) for one in told.marked(answer)])])
    calls = [
        {"id": f"fc_{call['id']}", "type": "function_call", "status": "completed", "call_id": call["id"], **call["function"]}
        for call in answer.calls
    ]
    return [*([text] if answer.text or not calls else []), *calls]


def _message(name: str, status: str, content: Sequence[Any]) -> dict[str, Any]:
    return {"id": name, "type": "message", "role": "assistant", "status": status, "content": list(content)}


def _part(text: str, annotations: Sequence[Any] = ()) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}


async def _events(first: Piece, pieces: AsyncGenerator[Piece, None], made: Mapping[str, Any], cached: bool) -> AsyncGenerator[bytes, None]:
    number = 0

    def one(kind: str, **more: Any) -> bytes:
        nonlocal number
        number += 1
        return event({"type": kind, "sequence_number": number - 1, **more}, kind)

    begun_ = {**made, "status": "in_progress", "output": [], "usage": None}
    message, said = _name("msg"), ""
    at = {"item_id": message, "output_index": 0, "content_index": 0}
    yield one("response.created", response=begun_)
    yield one("response.in_progress", response=begun_)
    async for piece in spoken(first, pieces):
        if isinstance(piece, Refusal):
            told_ = refusals.body(piece)["error"]
            yield one("response.failed", response={**begun_, "status": "failed", "error": told_})
            return
        opening = not said
        more = piece if isinstance(piece, str) else "".join(told.rest(piece, said))
        if more and opening:
            yield one("response.output_item.added", output_index=0, item=_message(message, "in_progress", []))
            yield one("response.content_part.added", part=_part(""), **at)
        said += more
        if more:
            yield one("response.output_text.delta", delta=more, logprobs=[], **at)
        if isinstance(piece, Answer):
            for closing in _closing(piece, said, at, one):
                yield closing
            done = _done(made, piece, cached=cached, message=message)
            yield one(f"response.{done['status']}", response=done)


def _closing(answer: Answer, said: str, at: Mapping[str, Any], one: Any) -> list[bytes]:
    """The events that end a message, and those of calls of tools."""
    ended = []
    output = _output(answer, str(at["item_id"]))
    if said:
        part = output[0]["content"][0]
        ended += [
            one("response.output_text.annotation.added", annotation_index=number, annotation=annotation, **at)
            for number, annotation in enumerate(part["annotations"])
        ]
        ended += [
            one("response.output_text.done", text=part["text"], logprobs=[], **at),
            one("response.content_part.done", part=part, **at),
        ]
        ended.append(one("response.output_item.done", output_index=0, item=output[0]))
    for place, call in enumerate(output):
        if call["type"] == "function_call":
            ended.append(one("response.output_item.added", output_index=place, item={**call, "status": "in_progress", "arguments": ""}))
            where = {"item_id": call["id"], "output_index": place}
            ended.append(one("response.function_call_arguments.delta", delta=call["arguments"], **where))
            ended.append(one("response.function_call_arguments.done", arguments=call["arguments"], name=call["name"], **where))
            ended.append(one("response.output_item.done", output_index=place, item=call))
    return ended
