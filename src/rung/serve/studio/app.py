"""The studio as one application: its pages, its files, and the headers that keep foreign scripts, frames and sites out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
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
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


def application(at: Desk) -> Starlette:
    """The pages of a project. Whoever starts the server is told on stderr how to set the first password."""
    templates = Jinja2Templates(HERE / "templates")
    templates.env.filters.update(shown.FILTERS)
    templates.env.globals.update(shown.GLOBALS)
    room = Room(at, templates)
    templates.env.globals["steps_of"] = lambda job: job_output.steps(room.home, job.id)
    templates.env.globals["log_of"] = lambda job: job_output.printed(room.home, job.id, most=2000)
    if people.setup_code(room.store, room.home):
        print(f"studio: set the first password at /setup; the code is in {room.home / people.SETUP}", file=sys.stderr, flush=True)
    jobs.follow(room.folder)
    routes = [Mount("/static", StaticFiles(directory=HERE / "static"), name="static")]
    handlers: Mapping[Any, Any] = {HTTPException: refusals.unrouted, Exception: _fault}
    app = Starlette(routes=[*routes, *(one for page in PAGES for one in page.routes(room))], exception_handlers=handlers)
    app.add_middleware(_Headers)
    return app


async def _fault(request: Request, error: Exception) -> Response:
    """What nobody foresaw: the traceback is on stderr, the visitor is told no more."""
    return Response("The studio has a fault; the server's log says more.", 500, media_type="text/plain")


class _Headers:
    """Adds what keeps others out to every answer that doesn't say otherwise itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                static: dict[str, Any] = {"cache-control": "max-age=3600"} if scope["path"].startswith("/static/") else {}
                for name, value in (HEADERS | static).items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)
