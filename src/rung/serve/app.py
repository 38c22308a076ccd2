"""The server as one ASGI application: the API, the documents that are sent to the project, and the studio where there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from rung.errors import RungError
from rung.serve import refusals
from rung.serve.chat import chat
from rung.serve.desk import Desk, Handler
from rung.serve.finding import embed, rerank, search
from rung.serve.gate import Gate
from rung.serve.metrics import meter
from rung.serve.offers import Offers, name_of
from rung.serve.openapi import openapi
from rung.serve.rating import listed, rate, taken
from rung.serve.refusals import Refusal
from rung.serve.responses import respond
from rung.serve.studio import studio
from rung.serve.tracing import tracing
from rung.workspace.store import open_store

if TYPE_CHECKING:
    from rung.serve.studio.room import Room


def desk(folder: Path, names: frozenset[str] = frozenset(), draining: Callable[[], bool] = lambda: False, *, sync: bool = True) -> Desk:
    """Open the project, its models, its index and its store. RungError where one of them can't be."""
    offers = Offers(folder, sync)
    opened = offers.open()
    store = open_store(opened.ws)
    store.read("SELECT 1")
    if opened.knowledge:
        opened.knowledge[0].embedder.embed(["ready"], query=True)  # its weights are read now, not with the first question
    settings = opened.ws.config.serve
    answers, gate = ThreadPoolExecutor(settings.at_once, "answer"), Gate(settings.at_once, settings.queue)
    counted = meter() if settings.metrics else None
    traced = tracing(opened.ws.config) if settings.traces else None
    if counted:
        gate.changed = counted.queued
    made = Desk(offers, store, gate, settings, answers, names, draining, meter=counted)
    made.listeners = tuple(one.answered for one in (counted, traced) if one)
    made.closing = traced.close if traced else made.closing
    return made


def application(at: Desk, more: Sequence[BaseRoute] = (), name: str = "", house: list[Room] | None = None) -> Starlette:
    """The application over an open desk; `more` are routes of others, such as the documents that are sent.

    With a name it stands at /p/NAME, and its studio among those of the house.
    """
    routes: list[BaseRoute] = [*_api(at, documents=bool(more)), *more]
    handlers: Mapping[Any, Any] = {HTTPException: refusals.unrouted, Exception: _fault}
    made = Starlette(routes=routes, exception_handlers=handlers)
    made.router.default = studio(at, name, house)  # behind the API, whose paths refuse a wrong method themselves
    return made


def _api(at: Desk, *, documents: bool) -> list[BaseRoute]:
    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        if at.draining():
            raise Refusal(503, "the server is ending", "draining", retry_after=1)
        try:
            await at.in_thread(lambda: (at.store.read("SELECT 1"), at.offers.open()))
        except RungError:
            raise Refusal(503, "the project or the store can't be opened; the server's log says more", "not_ready", retry_after=5) from None
        return JSONResponse({"status": "ready", "running": at.gate.running, "waiting": at.gate.waiting})

    async def models(request: Request) -> Response:
        key = await at.key(request)
        found, embedder = await at.in_thread(lambda: (at.offers.models(key), name_of(at.offers.embedder())))
        told: list[tuple[str, int, str | None, str | None]] = [(one.id, one.created, one.rung, one.adapter or None) for one in found]
        told += [(embedder, 0, None, None)] if key.may_ask(embedder) else []
        same = {"object": "model", "owned_by": "rung"}
        data = [{"id": name, **same, "created": at, "rung": rung, "adapter": adapter} for name, at, rung, adapter in told]
        return JSONResponse({"object": "list", "data": data})

    async def described(request: Request) -> Response:
        return JSONResponse(openapi(documents=documents))

    async def metrics(request: Request) -> Response:
        await at.key(request, "editor")
        if at.meter is None:
            raise Refusal(404, "metrics are off; set metrics = true under [serve]", "not_found")
        return Response(await at.in_thread(at.meter.shown), media_type="text/plain; version=0.0.4; charset=utf-8")

    handlers: list[tuple[str, str, Handler]] = [
        ("GET", "/health", health), ("GET", "/ready", ready), ("GET", "/openapi.json", described), ("GET", "/v1/models", models),
        ("POST", "/v1/chat/completions", partial(chat, at)), ("POST", "/v1/responses", partial(respond, at)),
        ("POST", "/v1/embeddings", partial(embed, at)), ("POST", "/v1/rerank", partial(rerank, at)),
        ("POST", "/v1/search", partial(search, at)), ("POST", "/v1/feedback", partial(rate, at)),
        ("GET", "/v1/feedback", partial(listed, at)), ("POST", "/v1/feedback/take", partial(taken, at)), ("GET", "/metrics", metrics),
    ]  # fmt: skip
    return [Route(path, at.route(handler), methods=[method]) for method, path, handler in handlers]


async def _fault(request: Request, error: Exception) -> Response:
    """What nobody foresaw: the traceback is on stderr, the client is told no more."""
    return refusals.response(Refusal(500, "the server has a fault; its log says more", "internal_error"))
