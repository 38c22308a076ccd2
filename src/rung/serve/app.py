"""The server as one ASGI application: the API, the documents that are sent to the project, and the studio where there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from rung.errors import RungError
from rung.serve import refusals
from rung.serve.chat import chat
from rung.serve.desk import Desk, Handler
from rung.serve.finding import embed, rerank, search
from rung.serve.gate import Gate
from rung.serve.offers import Offers
from rung.serve.openapi import openapi
from rung.serve.refusals import Refusal
from rung.serve.responses import respond
from rung.workspace.store import open_store

STUDIO = "rung.serve.studio"


def desk(folder: Path, names: frozenset[str] = frozenset(), draining: Callable[[], bool] = lambda: False, *, sync: bool = True) -> Desk:
    """Open the project, its models, its index and its store. RungError where one of them can't be."""
    offers = Offers(folder, sync)
    opened = offers.open()
    store = open_store(opened.ws)
    store.read("SELECT 1")
    if opened.knowledge:
        opened.knowledge[0].embedder.embed(["ready"], query=True)  # its weights are read now, not with the first question
    settings = opened.ws.config.serve
    answers = ThreadPoolExecutor(settings.at_once, "answer")
    return Desk(offers, store, Gate(settings.at_once, settings.queue), settings, answers, names, draining)


def application(at: Desk, more: Sequence[BaseRoute] = ()) -> Starlette:
    """The application over an open desk; `more` are routes of others, such as the documents that are sent."""
    routes: list[BaseRoute] = [*_api(at, documents=bool(more)), *more]
    if find_spec(STUDIO):
        routes.append(_studio(at.offers.folder))
    handlers: Mapping[Any, Any] = {HTTPException: _http, Exception: _fault}
    return Starlette(routes=routes, exception_handlers=handlers)


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
        found = await at.in_thread(lambda: at.offers.models(key))
        data = [
            {"id": one.id, "object": "model", "created": one.created, "owned_by": "rung", "rung": one.rung, "adapter": one.adapter or None}
            for one in found
        ]
        return JSONResponse({"object": "list", "data": data})

    async def described(request: Request) -> Response:
        return JSONResponse(openapi(documents=documents))

    handlers: list[tuple[str, str, Handler]] = [
        ("GET", "/health", health), ("GET", "/ready", ready), ("GET", "/openapi.json", described), ("GET", "/v1/models", models),
        ("POST", "/v1/chat/completions", partial(chat, at)), ("POST", "/v1/responses", partial(respond, at)),
        ("POST", "/v1/embeddings", partial(embed, at)), ("POST", "/v1/rerank", partial(rerank, at)),
        ("POST", "/v1/search", partial(search, at)),
    ]  # fmt: skip
    return [Route(path, at.route(handler), methods=[method]) for method, path, handler in handlers]


def _studio(folder: Path) -> Mount:
    made = import_module(STUDIO).studio(folder)
    return Mount("/", app=made) if isinstance(made, Starlette) else Mount("/", routes=list(made))


async def _fault(request: Request, error: Exception) -> Response:
    """What nobody foresaw: the traceback is on stderr, the client is told no more."""
    return refusals.response(Refusal(500, "the server has a fault; its log says more", "internal_error"))


async def _http(request: Request, error: Exception) -> Response:
    """Paths and methods that there are not, in OpenAI's form."""
    assert isinstance(error, HTTPException)
    refused = refusals.response(Refusal(error.status_code, str(error.detail), "not_found" if error.status_code == 404 else ""))
    refused.headers.update(error.headers or {})
    return refused
