"""Several projects behind one server: each stands at /p/NAME with its own API, keys, people and audit log, and / lists them.

One that can't be opened does not keep the others from being served. It refuses to make a project anywhere but in the folder of
projects that was named at the start.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from rung.errors import ConfigError, DataError, RungError
from rung.knowledge.origins.push import Push
from rung.serve import refusals
from rung.serve.app import application, desk
from rung.serve.desk import Desk, Handler, log
from rung.serve.forgotten import follow
from rung.serve.push import routes as push_routes
from rung.serve.refusals import Refusal
from rung.serve.syncing import Syncing
from rung.sources import PushSource
from rung.workspace.init import init_project
from rung.workspace.store import open_store
from rung.workspace.trail import note
from rung.workspace.workspace import open_workspace

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from rung.serve.studio.people import Person
    from rung.serve.studio.room import Room

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True)
class Served:
    """A project that is open: what answers, what syncs it where documents are sent to it, and what ends forgetting for other copies."""

    desk: Desk
    app: Starlette
    syncing: Syncing | None
    forgotten: Callable[[], None]

    def close(self) -> None:
        """After the last answer."""
        if self.syncing:
            self.syncing.stop()
        self.forgotten()
        self.desk.closing()
        self.desk.store.close()


@dataclass(frozen=True)
class Opening:
    """How a server opens its projects: see `desk` for what these are."""

    names: frozenset[str]
    draining: Callable[[], bool]
    sync: bool
    address: str = ""


def opened(folder: Path, how: Opening, name: str = "", house: list[Room] | None = None) -> Served:
    """The project, ready for its first question; it stands at /p/NAME where it has a name. RungError where it can't be opened."""
    at = desk(folder, how.names, how.draining, sync=how.sync)
    at.address = how.address
    syncing, documents = documents_of(folder, at)
    app = application(at, documents, name, house)
    if syncing:
        syncing.start()
    return Served(at, app, syncing, follow(folder))


def documents_of(folder: Path, at: Desk) -> tuple[Syncing | None, list[BaseRoute]]:
    """The routes that take documents, for keys of editors, and the thread that syncs them; nothing without a source to send to."""
    config = at.offers.open().ws.config
    sources = {source.name: source for source in config.knowledge.sources if isinstance(source, PushSource)}
    if not sources:
        return None, []
    syncing = Syncing(folder, {name: Push(folder / source.path / name) for name, source in sources.items()})

    def guarded(handler: Handler) -> Handler:
        async def guard(request: Request) -> Response:
            await at.key(request, "editor")
            return await handler(request)

        return at.route(guard)

    return syncing, push_routes(folder, sources, syncing, config.access.metadata, guarded)


@dataclass
class Projects:
    """Those that are served. Mutable: one that is new in `home`, or was mended, is opened when somebody looks."""

    folders: dict[str, Path]
    home: Path | None  # the folder of projects, in which new ones may be made
    how: Opening
    house: list[Room] = field(default_factory=list)
    open: dict[str, Served] = field(default_factory=dict)
    stuck: dict[str, tuple[int, ...]] = field(default_factory=dict)  # by name, the rung.toml that could not be opened
    lock: Lock = field(default_factory=Lock, repr=False)

    def look(self) -> list[str]:
        """Open what is not open yet; the names of what can't be."""
        with self.lock:
            self.folders |= projects_in(self.home) if self.home else {}
            for name, folder in self.folders.items():
                stamp = _stamp(folder)
                if name not in self.open and self.stuck.get(name) != stamp:
                    self._open(name, folder, stamp)
            return sorted(self.stuck)

    def _open(self, name: str, folder: Path, stamp: tuple[int, ...]) -> None:
        try:
            self.open[name] = opened(folder, self.how, name, self.house)
            self.stuck.pop(name, None)
        except RungError as error:
            print(f"the project {name} can't be served", file=sys.stderr)
            log(error)
            self.stuck[name] = stamp

    def find(self, name: str) -> Served | None:
        """One by its name."""
        if name not in self.open and (name in self.folders or (self.home and NAME.fullmatch(name) and (self.home / name).is_dir())):
            self.look()
        return self.open.get(name)

    def make(self, name: str, example: bool, by: Room, person: Person) -> Room:
        """A new project in the folder of projects, whose first admin is whoever makes it, with the password of theirs `by` another.

        DataError for a name that won't do.
        """
        from rung.serve.studio.people import bring

        assert self.home is not None
        if not NAME.fullmatch(name) or name in self.folders or (self.home / name).exists():
            what = "is taken" if NAME.fullmatch(name) else "won't do"
            raise DataError(f"the name '{name[:100]}' {what}", "choose another, of letters, digits, dots, lines and underlines")
        folder = self.home / name
        init_project(folder, example=example)
        store = open_store(open_workspace(folder))
        bring(by.store, person.name, store)
        note(store, "project", person.name, {"made": name})
        store.close()
        self.look()
        if name not in self.open:
            raise DataError(f"{name} is made, and can't be opened", "the server's log says why")
        return next(room for room in self.house if room.name == name)

    def close(self) -> None:
        """After the last answer."""
        for one in self.open.values():
            one.close()


def located(folders: Sequence[Path]) -> tuple[Path | None, dict[str, Path], Path | None]:
    """What `rung serve` was told to serve: one project alone, or several by name and the folder of projects, if any.

    ConfigError where there is no project, or two have one name.
    """
    if len(folders) == 1 and ((folders[0] / "rung.toml").exists() or not projects_in(folders[0])):
        return folders[0], {}, None
    named: dict[str, Path] = {}
    home = None
    for folder in folders:
        alone = (folder / "rung.toml").exists()
        home = home or (None if alone else folder)
        for name, path in ({folder.resolve().name: folder} if alone else projects_in(folder)).items():
            if name in named:
                raise ConfigError(f"two projects are called '{name}': {named[name]} and {path}", "give one of the folders another name")
            named[name] = path
        if not alone and not projects_in(folder):
            raise ConfigError(f"there is no project in {folder}", f"make one: rung init {folder / 'NAME'}")
    return None, named, home


def projects_in(home: Path) -> dict[str, Path]:
    """The projects that lie side by side in a folder, by name."""
    if not home.is_dir():
        return {}
    return {one.name: one for one in sorted(home.iterdir()) if not one.name.startswith(".") and (one / "rung.toml").is_file()}


def together(projects: Projects) -> Starlette:
    """All projects as one application."""
    from rung.serve.studio.front import front

    async def entry(scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path_params"]["name"]
        found = projects.open.get(name) or await run_in_threadpool(projects.find, name)
        answer = found.app if found else refusals.response(Refusal(404, f"there is no project '{name[:100]}' here", "not_found"))
        await answer(scope, receive, send)

    async def elsewhere(request: Request) -> Response:
        return refusals.response(Refusal(404, "several projects are served here; the API of one is at /p/NAME/v1", "not_found"))

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        """Whether any project can be asked; /p/NAME/ready tells of one."""
        if projects.how.draining() or not projects.open:
            return refusals.response(Refusal(503, "the server is ending", "draining", retry_after=1))
        return JSONResponse({"status": "ready", "running": sum(one.desk.gate.running for one in projects.open.values()),
                             "waiting": sum(one.desk.gate.waiting for one in projects.open.values())})  # fmt: skip

    make = projects.make if projects.home else None
    made = front(projects.house, projects.look, make)
    first: list[BaseRoute] = [Mount("/p/{name}", app=entry), Route("/health", health), Route("/ready", ready)]
    made.router.routes[:0] = [*first, Route("/v1/{path:path}", elsewhere, methods=["GET", "POST", "PUT", "DELETE"])]
    return made


def _stamp(folder: Path) -> tuple[int, ...]:
    try:
        told = (folder / "rung.toml").stat()
    except OSError:
        return ()
    return told.st_ino, told.st_mtime_ns, told.st_size
