"""Logging in and out, by a password or a provider, and the first password, set with the code that whoever started the server can read.

A password opens every project of the server in which the name has it; logging out ends all of a browser's sessions.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Sequence
from html import escape

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from rung.errors import DataError, RungError
from rung.serve.studio import oidc, people
from rung.serve.studio.room import SMALL, Ask, Room, check_token, posted, route
from rung.workspace.keys import Role
from rung.workspace.trail import note

BEFORE = "rung_login"  # the cookie whose value the login's form must hold
UNDER_WAY = "rung_oidc"  # the cookie of a login at the provider; Lax, as the way back comes from another site
CALLBACK = "/oidc/callback"
PATIENCE = 600  # seconds to log in at the provider
WRONG = DataError("the name or the password is wrong", "try again; after five failures a name has to wait")
# The session's cookie is Strict: a redirect on the way from another site would arrive without it, a page of ours that goes on would
# not. And a form that is answered with a redirect to another site is stopped by the policy of its page.
ONWARD = (
    '<!doctype html><html lang="en"><title>Going on</title><meta http-equiv="refresh" content="0;url={to}"><a href="{to}">Go on</a></html>'
)

Work = Callable[[Request, FormData], Response]
Show = Callable[..., Response]  # (request, message, hint, status)


def routes(room: Room) -> list[Route]:
    """`/login`, `/setup` and `/logout`, and the way to a provider and back where there is one."""
    provider = oidc.provider(room.at.settings.oidc)
    room.templates.env.globals["provider"] = provider.host if provider else ""

    def log_in(request: Request, form: FormData) -> Response:
        name, password = text(form, "name"), text(form, "password")
        role = people.checked(room.store, name, password, address(request))
        if role is None:
            raise WRONG
        others = opened([one for one in room.house if one is not room], name, password, address(request))
        return entered(request, name, [(room, role), *others], f"{room.root}/")

    def set_up(request: Request, form: FormData) -> Response:
        code, name = people.setup_code(room.store, room.home), text(form, "name").strip()
        if not code:
            raise DataError("the first password is set already", "log in")
        if not hmac.compare_digest(text(form, "code").encode(), code.encode()):
            raise DataError("the code is wrong", f"whoever started the server finds it in .rung/{people.SETUP}")
        without = [one for one in room.house if people.setup_code(one.store, one.home)]  # who reads one's file can read all
        for one in without:
            people.put(one.store, name, "admin", text(form, "password"))
            people.setup_code(one.store, one.home)  # which deletes the file
        return entered(request, name, [(one, "admin") for one in without], f"{room.root}/")

    def log_out(ask: Ask) -> Response:
        away = provider.leaving(ask.person.token, _site(ask.request, provider) + "/login") if provider and ask.person.token else ""
        left: Response = HTMLResponse(ONWARD.format(to=escape(away))) if away else RedirectResponse("/login", 303)
        for one in room.house:
            people.end(one.store, ask.request.cookies.get(one.cookie, ""))
            left.delete_cookie(one.cookie)
        return left

    def form_page(*, setup: bool) -> Show:
        return shower(room.templates, root=room.root, setup=setup)

    def page(*, setup: bool) -> Work:
        def shown(request: Request, form: FormData) -> Response:
            if setup != bool(people.setup_code(room.store, room.home)):
                return RedirectResponse(f"{room.root}/{'login' if setup else 'setup'}", 303)
            return form_page(setup=setup)(request)

        return shown

    return [
        Route("/login", guarded(form_page(setup=False), page(setup=False), log_in), methods=["GET", "POST"]),
        Route("/setup", guarded(form_page(setup=True), page(setup=True), set_up), methods=["GET", "POST"]),
        route(room, "/logout", log_out, ("POST",)),
        *(_by_provider(room, provider) if provider else ()),
    ]


def _by_provider(room: Room, provider: oidc.Provider) -> list[Route]:
    """To the provider, and back with what it says."""

    def back(request: Request) -> str:
        return _site(request, provider) + room.root + CALLBACK

    def start(request: Request) -> Response:
        login = oidc.begun()
        there = RedirectResponse(oidc.asking(provider, login, back(request)), 303)
        secure, path = request.url.scheme == "https", room.root + CALLBACK
        there.set_cookie(UNDER_WAY, login.cookie(), max_age=PATIENCE, path=path, httponly=True, samesite="lax", secure=secure)
        return there

    def arrive(request: Request) -> Response:
        known = oidc.answered(provider, oidc.begun_in(request.cookies.get(UNDER_WAY, "")), back(request), request.query_params)
        if any(name == known.name for name, _ in people.everybody(room.store)):
            raise DataError(f"'{known.name}' has a password here", "log in with that, or have an admin remove that person")
        note(room.store, "login", known.name, {"role": known.role, "groups": known.groups, "issuer": provider.config.issuer})
        token = people.begin(room.store, known.name, known.role, local=False, groups=known.groups, token=known.token)
        return kept(request, HTMLResponse(ONWARD.format(to=f"{room.root}/")), room, token)

    def told(work: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            try:
                made = work(request)
            except RungError as error:
                made = shower(room.templates, root=room.root, setup=False)(request, error.message, error.hint, 400)
            if work is arrive:
                made.delete_cookie(UNDER_WAY, path=room.root + CALLBACK)  # it serves once
            return made

        return endpoint

    return [Route("/oidc/start", told(start)), Route(CALLBACK, told(arrive))]


def _site(request: Request, provider: oidc.Provider) -> str:
    return provider.config.studio.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"


def opened(rooms: Sequence[Room], name: str, password: str, address: str, counting: Room | None = None) -> list[tuple[Room, Role]]:
    """The projects in which the name has this password. A name that one does not know counts as a failure in `counting` alone.

    DataError where it has none, one is `counting`, and another refused to try.
    """
    found, refused = [], None
    for room in rooms:
        try:
            role = people.checked(room.store, name, password, address, strangers=room is counting)
        except DataError as error:  # too many failures there
            role, refused = None, error
        if role:
            found.append((room, role))
    if refused and counting and not found:
        raise refused
    return found


def entered(request: Request, name: str, rooms: Sequence[tuple[Room, Role]], to: str) -> Response:
    """To a page, with a session in each of the projects."""
    reply: Response = RedirectResponse(to, 303)
    for room, role in rooms:
        reply = kept(request, reply, room, people.begin(room.store, name, role))
    return reply


def kept(request: Request, reply: Response, room: Room, token: str) -> Response:
    """The reply with the session's cookie."""
    secure = request.url.scheme == "https"
    reply.set_cookie(room.cookie, token, max_age=int(people.LASTS), httponly=True, samesite="strict", secure=secure)
    reply.delete_cookie(BEFORE)
    return reply


def guarded(show: Show, page: Work, work: Work) -> Callable[[Request], Awaitable[Response]]:
    """GET shows the form, POST does the work; the form's token is that of a cookie, as there is no session yet."""

    async def endpoint(request: Request) -> Response:
        if request.method == "GET":
            return await run_in_threadpool(page, request, FormData())
        try:
            form = await posted(request, SMALL)
            check_token(form, request.cookies.get(BEFORE, ""))
            return await run_in_threadpool(work, request, form)
        except HTTPException as refused:
            return await run_in_threadpool(show, request, str(refused.detail), "", refused.status_code)
        except RungError as error:
            status = 429 if error.message.startswith("too many") else 400
            return await run_in_threadpool(show, request, error.message, error.hint, status)

    return endpoint


def shower(templates: Jinja2Templates, **told: object) -> Show:
    """What shows the form, with what went wrong where something did."""

    def show(request: Request, message: str = "", hint: str = "", status: int = 200) -> Response:
        token = request.cookies.get(BEFORE) or secrets.token_urlsafe(24)
        context = {"token": token, "message": message, "hint": hint, "shortest": people.SHORTEST, **told}
        page = templates.TemplateResponse(request, "login.html", context, status)
        page.set_cookie(BEFORE, token, httponly=True, samesite="strict", secure=request.url.scheme == "https")
        return page

    return show


def address(request: Request) -> str:
    """The address that a request comes from."""
    return request.client.host if request.client else ""


def text(form: FormData, name: str) -> str:
    """A field of the form as it was sent."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""
