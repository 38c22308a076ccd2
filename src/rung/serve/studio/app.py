"""The studio as one application: its pages, its files, and the headers that keep foreign scripts, frames and sites out."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rung.serve import refusals
from rung.serve.desk import Desk
from rung.serve.studio import (
    adapters,
    advice,
    cases,
    chat,
    climbs,
    compare,
    costs,
    diagnosed,
    documents,
    login,
    monitor,
    overview,
    people,
    queue,
    settings,
    shown,
    training,
)
from rung.serve.studio.room import Room
from rung.workspace import job_output, jobs

HERE = Path(__file__).parent
PAGES = (
    login, overview, queue, documents, cases, climbs, chat, compare, training, adapters, monitor, diagnosed, costs, advice, settings
)  # fmt: skip
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
STATIC = Mount("/static", StaticFiles(directory=HERE / "static"), name="static")
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


def application(at: Desk, name: str, house: list[Room]) -> Starlette:
    """The pages of a project, whose room is put into the house. Whoever starts the server is told how to set the first password."""
    templates = pages()
    room = Room(at, templates, name, house)
    templates.env.globals["steps_of"] = lambda job: job_output.steps(room.home, job.id)
    templates.env.globals["log_of"] = lambda job: job_output.printed(room.home, job.id, most=2000)
    if people.setup_code(room.store, room.home):
        file = room.home / people.SETUP
        print(f"studio: set the first password at {room.root}/setup; the code is in {file}", file=sys.stderr, flush=True)
    made = with_headers([STATIC, *(one for page in PAGES for one in page.routes(room))], templates, room.root)
    house.append(room)
    jobs.follow(room.folder)
    return made


def pages() -> Jinja2Templates:
    """The templates, with how values are shown."""
    templates = Jinja2Templates(HERE / "templates")
    templates.env.filters.update(shown.FILTERS)
    templates.env.globals.update(shown.GLOBALS)
    return templates


def with_headers(routes: Sequence[BaseRoute], templates: Jinja2Templates, root: str = "") -> Starlette:
    """An application of these pages, with the headers that keep others out."""
    handlers: Mapping[Any, Any] = {HTTPException: nowhere(templates, root), Exception: _fault}
    made = Starlette(routes=list(routes), exception_handlers=handlers)
    made.add_middleware(_Headers)
    return made


def nowhere(templates: Jinja2Templates, root: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Tells of paths that there are not: a page for browsers, and the API's form for its clients, whose paths end here, too."""

    async def told(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if "text/html" not in request.headers.get("accept", ""):
            return await refusals.unrouted(request, error)
        message = "There is no such page" if error.status_code == 404 else str(error.detail)
        return templates.TemplateResponse(request, "nowhere.html", {"root": root, "message": message, "hint": ""}, error.status_code)

    return told


async def _fault(request: Request, error: Exception) -> Response:
    """What nobody foresaw: the traceback is on stderr, the visitor is told no more."""
    return Response("The studio has a fault; the server's log says more.", 500, media_type="text/plain")


class _Headers:
    """Adds what keeps others out to every answer that doesn't say otherwise itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        static = scope["path"].removeprefix(scope.get("root_path", "")).startswith("/static/")
        all_headers = HEADERS | ({"cache-control": "max-age=3600"} if static else {})

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in all_headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)
