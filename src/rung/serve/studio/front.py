"""The page before several projects: which there are and how each stands, one login for those with the same password, and a new one.

It tells of a project only to those who are logged in there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rung.errors import RungError
from rung.serve.offers import labelled
from rung.serve.studio import people
from rung.serve.studio.app import STATIC, pages, with_headers
from rung.serve.studio.login import WRONG, address, entered, guarded, kept, opened, shower, text
from rung.serve.studio.overview import state
from rung.serve.studio.people import Person
from rung.serve.studio.room import SMALL, Room, check_token, posted, title
from rung.workspace import jobs

Make = Callable[[str, bool, Room, Person], Room]  # a new project's name, whether with an example, and the admin who makes it, and where


def front(house: list[Room], look: Callable[[], list[str]], make: Make | None) -> Starlette:
    """The pages. `look` opens what is new and names what can't be opened; `make` makes a project, where that may be done here."""
    templates = pages()

    def known(request: Request) -> dict[Room, Person]:
        return {room: person for room in house if (person := room.person(request))}

    def listed(request: Request, message: str = "", hint: str = "", status: int = 200) -> Response:
        by = known(request)
        if not by:
            return RedirectResponse("/login", 303)
        away, first, admin = look(), next(iter(by)), _admin(by)
        told: dict[str, Any] = {
            "projects": [_shown(room, by.get(room)) for room in sorted(house, key=lambda one: one.name.casefold())], "away": away,
            "names": sorted({person.name for person in by.values()}), "csrf": by[first].csrf, "leave": f"{first.root}/logout",
            "token": admin[1].csrf if make and admin else "", "message": message, "hint": hint, "root": "",
        }  # fmt: skip
        return templates.TemplateResponse(request, "projects.html", told, status)

    def doors() -> list[tuple[str, str]]:
        """Ways in that need another page: providers, and projects in which nobody has a password yet."""
        found = []
        for room in house:
            if host := room.templates.env.globals["provider"]:
                found.append((f"{room.root}/oidc/start", f"{title(room)}, at {host}"))
            if people.setup_code(room.store, room.home):
                found.append((f"{room.root}/setup", f"{title(room)}: set the first password"))
        return found

    def show(request: Request, message: str = "", hint: str = "", status: int = 200) -> Response:
        return shower(templates, root="", setup=False, doors=doors())(request, message, hint, status)

    def login_page(request: Request, form: FormData) -> Response:
        if all(people.setup_code(room.store, room.home) for room in house):
            return RedirectResponse(f"{house[0].root}/setup", 303)
        return show(request)

    def log_in(request: Request, form: FormData) -> Response:
        name = text(form, "name")
        found = opened(house, name, text(form, "password"), address(request), counting=house[0])
        if not found:
            raise WRONG
        return entered(request, name, found, "/")

    async def new(request: Request) -> Response:
        admin = _admin(await run_in_threadpool(known, request))
        try:
            if admin is None or make is None:
                raise HTTPException(403, "this needs the role admin in one of the projects, with a password there")
            room, person = admin
            form = await posted(request, SMALL)
            check_token(form, person.csrf)
            made = await run_in_threadpool(make, text(form, "name").strip(), bool(form.get("example")), room, person)
        except HTTPException as refused:
            return await run_in_threadpool(listed, request, str(refused.detail), "", refused.status_code)
        except RungError as error:
            return await run_in_threadpool(listed, request, error.message, error.hint, 400)
        session = await run_in_threadpool(people.begin, made.store, person.name, "admin")
        return kept(request, RedirectResponse(f"{made.root}/", 303), made, session)

    routes = [
        STATIC,
        Route("/", listed),
        Route("/login", guarded(show, login_page, log_in), methods=["GET", "POST"]),
        Route("/new", new, methods=["POST"]),
    ]
    return with_headers(routes, templates)


def _admin(by: dict[Room, Person]) -> tuple[Room, Person] | None:
    """Who may make a project: an admin with a password, which becomes that of the new one's first admin.

    One whom a provider knows could not log in there again.
    """
    return next(((room, person) for room, person in by.items() if person.may("admin") and person.local), None)


def _shown(room: Room, person: Person | None) -> dict[str, Any]:
    """A project as the list has it."""
    if person is None:
        return {"room": room, "title": room.name, "fresh": bool(people.setup_code(room.store, room.home))}
    told: dict[str, Any] = {"room": room, "title": title(room), "person": person}
    try:
        now = state(room, person)
        under_way = [one for one in jobs.jobs(room.home) if one.state not in jobs.ENDED]
        return told | {"state": now, "labels": [one.id for one in labelled(now.ws)], "jobs": under_way}
    except RungError as error:
        return told | {"fault": f"{error.message}. {error.hint}."}
