"""The chat: questions answered as they are spoken, with citations that open the document at the quoted span.

An answer comes as lines of JSON: pieces of text, and at the end the whole as our own template made it, every word escaped.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from rung.approach.prompt import MARKER
from rung.errors import DataError, RungError
from rung.serve import told
from rung.serve.desk import log
from rung.serve.refusals import Refusal
from rung.serve.running import Piece, Question, answering
from rung.serve.studio.room import SMALL, Ask, Room, route
from rung.types import Answer, Citation, Message

TURNS = 40  # of a chat that are sent along


def routes(room: Room) -> list[Route]:
    """`/chat`, and what answers it."""

    def shown(ask: Ask) -> Response:
        models = room.at.offers.models(ask.person.key)
        return ask.page("chat.html", models=models, chosen=ask.text("model") or _best(ask, [one.id for one in models]))

    async def say(ask: Ask) -> Response:
        question = ask.text("question")
        if not question:
            raise DataError("the question is empty", "write one")
        asked = Question(ask.text("model"), question, _history(ask.text("history", "[]")))
        pieces = answering(room.at, ask.person.key, asked, ask.request)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(_lines(ask, asked, pieces), media_type="application/x-ndjson", headers=headers)

    return [route(room, "/chat", shown), route(room, "/chat/say", say, ("POST",), "reader", SMALL)]


def _best(ask: Ask, models: list[str]) -> str:
    """The rung that the last climb chose, where it can be asked."""
    from rung.runs import last_climb

    try:
        chosen = last_climb(ask.room.ws()).verdict.chosen
    except DataError:
        chosen = ""
    return chosen if chosen in models else "rag" if "rag" in models else ""


def _history(text: str) -> tuple[Message, ...]:
    """The turns before the question. DataError for what is none."""
    try:
        turns = [(turn["role"], turn["content"]) for turn in json.loads(text)]
    except (ValueError, KeyError, TypeError):
        raise DataError("the chat can't be read", "load the page again") from None
    if any(role not in ("user", "assistant") or not isinstance(content, str) for role, content in turns):
        raise DataError("the chat can't be read", "load the page again")
    return tuple(Message(role=role, content=content) for role, content in turns[-TURNS:] if content)


async def _lines(ask: Ask, asked: Question, pieces: AsyncGenerator[Piece, None]) -> AsyncIterator[str]:
    def line(**said: str) -> str:
        return json.dumps(said, ensure_ascii=False) + "\n"

    try:
        async with aclosing(pieces):
            async for piece in pieces:
                yield line(html=answered(ask, asked, piece), answer=piece.text) if isinstance(piece, Answer) else line(text=piece)
    except Refusal as refusal:
        yield line(error=refusal.message)
    except RungError as error:
        log(error)
        yield line(error=f"{error.message}. {error.hint}")


def answered(ask: Ask, asked: Question, answer: Answer) -> str:
    """An answer as a part of a page."""
    template = ask.room.templates.get_template("answer.html")
    who = {"person": ask.person, "editor": ask.person.may("editor"), "root": ask.room.root}
    return template.render(parts=parts(answer), about=told.beside(answer), answer=answer, link=link, asked=asked, **who)


def parts(answer: Answer) -> list[dict[str, Any]]:
    """The text cut at its markers; a marker that points to a passage has a link into its document."""
    of = {citation.marker: citation for citation in answer.citations if citation.passage}
    found: list[dict[str, Any]] = []
    at = 0
    for marker in MARKER.finditer(answer.text):
        if citation := of.get(int(marker[1])):
            hit = answer.hits[citation.marker - 1]
            found += [{"text": answer.text[at : marker.start()]}, {"marker": citation.marker, "href": cited(citation), "hit": hit}]
            at = marker.end()
    return [*found, {"text": answer.text[at:]}]


def cited(citation: Citation) -> str:
    """The address of the span that a citation stands on, within the project."""
    start, end = citation.quote or (citation.start, citation.end)
    return link(citation.document, start, end)


def link(document: str, start: int, end: int) -> str:
    """The address of a span of a document, within the project."""
    return "/documents/view?" + urlencode({"path": document, "start": start, "end": end}) + "#quote"
