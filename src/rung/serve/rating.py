"""/v1/feedback: thumbs, corrections and reasons about answers, and taking a corrected answer as a case or an example.

Whoever asked may say what they think of the answer; all of it is read and taken by keys with the role `editor`, as far as they
may read the documents behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rung.errors import DataError
from rung.serve.desk import Desk, sent
from rung.serve.refusals import Refusal
from rung.serve.running import over, who
from rung.serve.schemas import FeedbackRequest, TakeRequest
from rung.workspace.feedback import Feedback, Rated, give, rated, take
from rung.workspace.importing import as_row
from rung.workspace.keys import Key, admitted


async def rate(at: Desk, request: Request) -> Response:
    """Keep what was said. 404 for an answer that there is not, or that another key asked for."""
    key = await at.key(request)
    said = await sent(request, FeedbackRequest)

    def work() -> dict[str, Any]:
        if limit := admitted(at.store, key):
            raise over(limit)
        words = at.settings.audit == "text"
        try:
            made = give(at.store, said.answer, who(key), said.thumb or "", said.correction or "", said.reason or "", words=words)
        except DataError as error:
            missing = error.message.startswith("there is no answer")
            raise Refusal(404 if missing else 400, f"{error.message}; {error.hint}", "not_found" if missing else "invalid_value") from None
        counted(at, made)
        return {"object": "feedback", "id": made.entry, "answer": made.answer, "created": int(made.at)}

    return JSONResponse(await at.in_thread(work))


def counted(at: Desk, made: Feedback) -> None:
    """Tell the metrics, where they are on."""
    if at.meter:
        model = at.store.read("SELECT model FROM traffic WHERE id = ?", (made.answer,))[0][0]
        for kind in (made.thumb, "corrected" if made.correction else ""):
            if kind:
                at.meter.rated(model, kind)


async def listed(at: Desk, request: Request) -> Response:
    """The latest feedback with what it is about, newest first; what comes after the entry that the query's `after` names."""
    key = await at.key(request, "editor")
    after, most = _whole(request, "after", 0, 2**62), _whole(request, "limit", 1000, 1000)

    def work() -> dict[str, Any]:
        found = rated(at.offers.open().ws, at.store, sees=seen_by(at, key), after=after, most=most + 1)
        return {"object": "list", "data": [_shown(one) for one in found[:most]], "has_more": len(found) > most}

    return JSONResponse(await at.in_thread(work))


def _whole(request: Request, name: str, default: int, most: int) -> int:
    """A number from 1 on in the query."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 1 <= int(text) <= most):
        raise Refusal(400, f"{name} is no number from 1 to {most}", "invalid_value", name)
    return int(text)


def _shown(one: Rated) -> dict[str, Any]:
    about = {"model": one.about.figures.model, "question": one.about.question, "said": one.about.answer}
    return {**asdict(one.said), **about, "taken": one.taken}


async def taken(at: Desk, request: Request) -> Response:
    """Make a row of a corrected or well-rated answer."""
    key = await at.key(request, "editor")
    wanted = await sent(request, TakeRequest)

    def work() -> dict[str, Any]:
        ws = at.offers.open().ws
        made = take(ws, at.store, wanted.answer, wanted.to, who(key), seen_by(at, key), wanted.question or "")
        return {"object": wanted.to, **as_row(made)}

    return JSONResponse(await at.in_thread(work))


def seen_by(at: Desk, key: Key) -> Callable[[str], bool] | None:
    """Which documents a key may see; None where no list keeps any apart."""
    if not at.lists_on():
        return None
    knowledge = at.offers.knowledge(key)
    return knowledge.shows if knowledge else lambda document: False
