"""Logging in and out, by a password or a provider, and the first password, set with the code that whoever started the server can read."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from rung.errors import DataError, RungError
from rung.serve.studio import oidc, people
from rung.serve.studio.room import COOKIE, SMALL, Ask, Room, check_token, posted, route
from rung.workspace.trail import note

BEFORE = "rung_login"  # the cookie whose value the login's form must hold
UNDER_WAY = "rung_oidc"  # the cookie of a login at the provider; Lax, as the way back comes from another site
CALLBACK = "/oidc/callback"
PATIENCE = 600  # seconds to log in at the provider
# The session's cookie is Strict: a redirect on the way from another site would arrive without it, a page of ours that goes on would not.
ONWARD = '<!doctype html><html lang="en"><title>Logged in</title><meta http-equiv="refresh" content="0;url=/"><a href="/">Go on</a></html>'


def routes(room: Room) -> list[Route]:
    """`/login`, `/setup` and `/logout`, and the way to a provider and back where there is one."""
    provider = oidc.provider(room.at.settings.oidc)
    host = (urlsplit(provider.config.issuer).hostname or "") if provider else ""
    room.templates.env.globals["provider"] = host

    def log_in(request: Request, form: FormData) -> Response:
        name, password = _text(form, "name"), _text(form, "password")
        role = people.checked(room.store, name, password, request.client.host if request.client else "")
        if role is None:
            raise DataError("the name or the password is wrong", "try again; after five failures a name has to wait")
        return with_session(request, people.begin(room.store, name, role))

    def set_up(request: Request, form: FormData) -> Response:
        code = people.setup_code(room.store, room.home)
        if not code:
            raise DataError("the first password is set already", "log in")
        if not hmac.compare_digest(_text(form, "code").encode(), code.encode()):
            raise DataError("the code is wrong", f"whoever started the server finds it in .rung/{people.SETUP}")
        people.put(room.store, _text(form, "name"), "admin", _text(form, "password"))
        people.setup_code(room.store, room.home)  # which deletes the file
        return with_session(request, people.begin(room.store, _text(form, "name").strip(), "admin"))

    def log_out(ask: Ask) -> Response:
        people.end(room.store, ask.request.cookies.get(COOKIE, ""))
        left = RedirectResponse("/login", 303)
        left.delete_cookie(COOKIE)
        return left

    def open_page(request: Request, form: FormData) -> Response:
        if request.url.path == "/login" and people.setup_code(room.store, room.home):
            return RedirectResponse("/setup", 303)
        if request.url.path == "/setup" and not people.setup_code(room.store, room.home):
            return RedirectResponse("/login", 303)
        return _form(room, request)

    return [
        Route("/login", _guarded(room, open_page, log_in), methods=["GET", "POST"]),
        Route("/setup", _guarded(room, open_page, set_up), methods=["GET", "POST"]),
        route(room, "/logout", log_out, ("POST",)),
        *(_by_provider(room, provider) if provider else ()),
    ]


def _by_provider(room: Room, provider: oidc.Provider) -> list[Route]:
    """To the provider, and back with what it says."""

    def back(request: Request) -> str:
        return (provider.config.studio.rstrip("/") or str(request.base_url).rstrip("/")) + CALLBACK

    def start(request: Request) -> Response:
        login = oidc.begun()
        there = RedirectResponse(oidc.asking(provider, login, back(request)), 303)
        secure = request.url.scheme == "https"
        there.set_cookie(UNDER_WAY, login.cookie(), max_age=PATIENCE, path=CALLBACK, httponly=True, samesite="lax", secure=secure)
        return there

    def arrive(request: Request) -> Response:
        known = oidc.answered(provider, oidc.begun_in(request.cookies.get(UNDER_WAY, "")), back(request), request.query_params)
        if any(name == known.name for name, _ in people.everybody(room.store)):
            raise DataError(f"'{known.name}' has a password here", "log in with that, or have an admin remove that person")
        note(room.store, "login", known.name, {"role": known.role, "issuer": provider.config.issuer})
        token = people.begin(room.store, known.name, known.role, local=False)
        return _kept(request, HTMLResponse(ONWARD), token)

    def told(work: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            try:
                made = work(request)
            except RungError as error:
                made = _form(room, request, error.message, error.hint, 400)
            if work is arrive:
                made.delete_cookie(UNDER_WAY, path=CALLBACK)  # it serves once
            return made

        return endpoint

    return [Route("/oidc/start", told(start)), Route(CALLBACK, told(arrive))]


def with_session(request: Request, token: str, to: str = "/") -> Response:
    """To a page, with the session's cookie."""
    return _kept(request, RedirectResponse(to, 303), token)


def _kept(request: Request, reply: Response, token: str) -> Response:
    secure = request.url.scheme == "https"
    reply.set_cookie(COOKIE, token, max_age=int(people.LASTS), httponly=True, samesite="strict", secure=secure)
    reply.delete_cookie(BEFORE)
    return reply


def _guarded(
    room: Room, page: Callable[[Request, FormData], Response], work: Callable[[Request, FormData], Response]
) -> Callable[[Request], Awaitable[Response]]:
    """GET shows the form, POST does the work; the form's token is that of a cookie, as there is no session yet."""

    async def endpoint(request: Request) -> Response:
        if request.method == "GET":
            return await run_in_threadpool(page, request, FormData())
        try:
            form = await posted(request, SMALL)
            check_token(form, request.cookies.get(BEFORE, ""))
            return await run_in_threadpool(work, request, form)
        except HTTPException as refused:
            return await run_in_threadpool(_form, room, request, str(refused.detail), "", refused.status_code)
        except RungError as error:
            status = 429 if error.message.startswith("too many") else 400
            return await run_in_threadpool(_form, room, request, error.message, error.hint, status)

    return endpoint


def _form(room: Room, request: Request, message: str = "", hint: str = "", status: int = 200) -> Response:
    token = request.cookies.get(BEFORE) or secrets.token_urlsafe(24)
    told = {"token": token, "message": message, "hint": hint, "setup": request.url.path == "/setup", "shortest": people.SHORTEST}
    page = room.templates.TemplateResponse(request, "login.html", told, status)
    page.set_cookie(BEFORE, token, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return page


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""
