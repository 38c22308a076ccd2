"""What the pages share: who asks, the form they sent, templates, jobs. It refuses a form without its token, a role that is not
enough, and bodies over their size.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from rung.errors import RungError
from rung.serve.desk import Desk
from rung.serve.studio import people
from rung.serve.studio.people import Person
from rung.workspace import job_output, jobs
from rung.workspace.jobs import Job
from rung.workspace.keys import Role
from rung.workspace.store import Store
from rung.workspace.trail import note
from rung.workspace.workspace import Workspace, open_workspace

COOKIE = "rung_session"
SMALL, LARGE = 1 << 20, 100 << 20  # bytes of a form, and of one that carries files
FILES = 200  # in one form


@dataclass(frozen=True, eq=False)
class Room:
    """A project as the pages see it. `name` is "" where the server has this one alone, else it stands at /p/NAME."""

    at: Desk
    templates: Jinja2Templates
    name: str = ""
    house: list[Room] = field(default_factory=list, repr=False)  # all rooms of the server, this one among them

    @property
    def root(self) -> str:
        """What stands before every path of the project."""
        return f"/p/{quote(self.name, safe='')}" if self.name else ""

    @property
    def cookie(self) -> str:
        """The name of the session's cookie; each project has its own, as it has its own people."""
        return f"{COOKIE}_{quote(self.name, safe='')}" if self.name else COOKIE

    @property
    def folder(self) -> Path:
        """Where rung.toml lies."""
        return self.at.offers.folder

    @property
    def store(self) -> Store:
        """Where people, sessions and votes are kept."""
        return self.at.store

    @property
    def home(self) -> Path:
        """Where everything that was made is kept."""
        return self.folder / ".rung"

    def ws(self) -> Workspace:
        """The project, read afresh."""
        return open_workspace(self.folder)

    def person(self, request: Request) -> Person | None:
        """Who asks; None where their session has ended, or never was."""
        return people.person(self.store, request.cookies.get(self.cookie, ""))


@dataclass(frozen=True)
class Ask:
    """A request with whom it comes from and what they filled in."""

    room: Room
    request: Request
    person: Person
    form: FormData

    def text(self, name: str, default: str = "") -> str:
        """A field of the form, or of the address."""
        value = self.form.get(name, self.request.query_params.get(name, default))
        return value.strip() if isinstance(value, str) else default

    def texts(self, name: str) -> list[str]:
        """All values of a field, such as ticked boxes."""
        return [value for value in (self.form.getlist(name) or self.request.query_params.getlist(name)) if isinstance(value, str)]

    @property
    def here(self) -> str:
        """The path of the page within the project."""
        return self.request.url.path.removeprefix(self.request.scope.get("root_path", ""))

    def page(self, name: str, status: int = 200, **told: Any) -> Response:
        """A template with what all pages show."""
        context = {"person": self.person, "here": self.here, "project": title(self.room), "now": None, "root": self.room.root, **told}
        return self.room.templates.TemplateResponse(self.request, name, context, status)

    def back(self, path: str = "", said: str = "") -> Response:
        """To a page of the project after a form, with a sentence for it."""
        return RedirectResponse(self.room.root + (path or self.here) + (f"?said={quote(said)}" if said else ""), 303)

    def start(self, words: Sequence[str], lane: str, path: str = "") -> Response:
        """Put a verb into the queue, and go to the page that follows it."""
        one = jobs.add(self.room.home, words, lane, self.person.name)
        note(self.room.store, "job", self.person.name, {"job": one.id, "verb": one.words[0]})
        jobs.wake(self.room.folder)
        return self.back(path)

    def latest(self, verb: str) -> Job | None:
        """The newest job of a verb."""
        return next(iter(jobs.jobs(self.room.home, 1, verb)), None)

    def told(self, verb: str) -> tuple[Job | None, Any]:
        """The newest job of a verb that has printed a JSON object, and the object."""
        for one in jobs.jobs(self.room.home, verb=verb):
            if one.state in jobs.ENDED and (found := job_output.result(self.room.home, one.id)) is not None:
                return one, found
        return None, None


Handler = Callable[[Ask], Response | Awaitable[Response]]


def route(room: Room, path: str, handler: Handler, methods: Sequence[str] = ("GET",), role: Role = "reader", most: int = SMALL) -> Route:
    """A page for those with the role. Handlers run in threads, unless they are coroutines; what they raise is told on a page."""

    async def endpoint(request: Request) -> Response:
        person = await run_in_threadpool(room.person, request)
        if person is None:
            return _to_login(room, request)
        ask = Ask(room, request, person, FormData())
        try:
            if not person.may(role):
                raise HTTPException(403, f"this needs the role {role}, and yours is {person.role}")
            if request.method == "POST":
                ask = Ask(room, request, person, await posted(request, most))
                check_token(ask.form, person.csrf)
            found = handler(ask) if iscoroutinefunction(handler) else await run_in_threadpool(handler, ask)
            return await found if isinstance(found, Awaitable) else found
        except HTTPException as refused:
            return _said(ask, refused.status_code, str(refused.detail), "")
        except RungError as error:
            return _said(ask, 400, error.message, error.hint)
        except OSError as error:
            return _said(ask, 507, f"a file can't be used: {error.strerror or error}", "make room or mend the permissions")

    return Route(path, endpoint, methods=list(methods))


def _said(ask: Ask, status: int, message: str, hint: str) -> Response:
    return ask.page("said.html", status, message=message, hint=hint)


def _to_login(room: Room, request: Request) -> Response:
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": f"{room.root}/login"})
    return RedirectResponse(f"{room.root}/login", 303) if request.method == "GET" else Response("log in first", 401)


async def posted(request: Request, most: int) -> FormData:
    """The form, no larger than `most` bytes. HTTPException with 403 where it comes from another site, 413 where it is larger."""
    origin = request.headers.get("origin", "")
    if origin and origin.partition("://")[2] != request.headers.get("host", ""):
        raise HTTPException(403, "this form comes from another site")
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most:
        raise HTTPException(413, f"this is larger than {most >> 20} MB")
    receive, read = request.receive, 0

    async def counted() -> Any:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise HTTPException(413, f"this is larger than {most >> 20} MB")
        return message

    counted_receive: Callable[[], Awaitable[Any]] = counted
    return await Request(request.scope, counted_receive).form(max_files=FILES, max_fields=1000)


def check_token(form: FormData, token: str) -> None:
    """HTTPException with 403 where the form does not hold the session's token."""
    sent = form.get("csrf", "")
    if not isinstance(sent, str) or not token or not hmac.compare_digest(sent.encode(), token.encode()):
        raise HTTPException(403, "this form is not of this session; load the page again")


def from_page(ask: Ask) -> str:
    """The page of ours that a button stands on."""
    path = ask.text("from")
    return path if path.startswith("/") and not path.startswith("//") else "/jobs"


def title(room: Room) -> str:
    """What the project calls itself."""
    try:
        return room.ws().config.project.name
    except RungError:
        return room.folder.resolve().name
