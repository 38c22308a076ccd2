"""Reads the server-sent events of a streamed chat completion; refuses whatever is not one.

Format: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rung.errors import EndpointError
from rung.types import Json, Usage


@dataclass
class Reading:
    """What has been read of one answer."""

    text: str = ""
    finish: str = ""
    usage: Usage | None = None
    calls: list[dict[str, Json]] = field(default_factory=list)


def read_events(lines: Iterable[str], reading: Reading, url: str) -> Iterator[str]:
    """Pieces of text as they arrive, kept in `reading` too. EndpointError where the stream is malformed or cut short."""
    ended = False
    for line in lines:
        if ended:
            continue  # to the end, so that the connection can be used again
        if not line.startswith("data:"):
            if line.startswith("{"):
                raise _malformed(url, line)
            continue  # comments and other fields of the event
        data = line[5:].strip()
        if data == "[DONE]":
            ended = True
            continue
        event = _event(data, url)
        if piece := _take(event, reading, url):
            yield piece
    if not ended and not reading.finish:
        raise EndpointError(f"{url} ended its answer before it was done", "ask again; if it stays so, look at the server's log")


def _event(data: str, url: str) -> dict[str, Json]:
    try:
        event = json.loads(data)
    except ValueError as error:
        raise _malformed(url, data) from error
    if not isinstance(event, dict):
        raise _malformed(url, data)
    if event.get("error"):
        said = event["error"].get("message") if isinstance(event["error"], dict) else event["error"]
        raise EndpointError(f"{url} failed in the middle of an answer: {str(said)[:200]}", "look at the server's log")
    return event


def _take(event: dict[str, Json], reading: Reading, url: str) -> str:
    """Note what an event says; its piece of text, often ""."""
    try:
        if isinstance(event.get("usage"), dict):
            reading.usage = _usage(event["usage"])
        if not event.get("choices"):
            return ""
        choice = event["choices"][0]
        reading.finish = choice.get("finish_reason") or reading.finish
        delta = choice.get("delta") or {}
        for part in delta.get("tool_calls") or ():
            _called(reading, part)
        piece = delta.get("content") or ""
        reading.text += piece
        return str(piece)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise _malformed(url, json.dumps(event)) from error


def _called(reading: Reading, part: dict[str, Json]) -> None:
    """A call of a tool comes in pieces, each with its number among the calls."""
    while len(reading.calls) <= min(int(part["index"]), len(reading.calls)):
        reading.calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
    call, told = reading.calls[int(part["index"])], part.get("function") or {}
    call["id"] = part.get("id") or call["id"]
    call["function"]["name"] = told.get("name") or call["function"]["name"]
    call["function"]["arguments"] += told.get("arguments") or ""


def _usage(usage: dict[str, Json]) -> Usage:
    details = usage.get("prompt_tokens_details") or {}
    return Usage(int(usage["prompt_tokens"]), int(usage["completion_tokens"]), int(details.get("cached_tokens") or 0))


def _malformed(url: str, data: str) -> EndpointError:
    return EndpointError(f"{url} sent something that is no chat completion: {data[:120]}", "is it an OpenAI-compatible server?")
