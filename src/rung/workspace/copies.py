"""Copies of a project that share a PostgreSQL: which there are, what one of them was asked to forget, and which have done so.

What must go is told in words only as long as a known copy still needs them; then hashes, paths and names of adapters stay.
It refuses to count a copy as clean before its own certificate is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from rung.errors import DataError
from rung.workspace.store import Run, Store, open_store
from rung.workspace.workspace import Workspace

NOTE = "copy.json"  # in .rung: what this copy is called, and the file's own inode, so that who copies the folder takes no name along
_MIGRATIONS = {  # applied in this order, each once; add below, change none
    "copies": "CREATE TABLE copies (id TEXT PRIMARY KEY, name TEXT NOT NULL, joined DOUBLE PRECISION NOT NULL, "
    "seen DOUBLE PRECISION NOT NULL)",
    "forgotten": "CREATE TABLE forgotten (number BIGINT PRIMARY KEY, id TEXT NOT NULL UNIQUE, told TEXT NOT NULL)",
    "forgotten in": "CREATE TABLE forgotten_in (id TEXT NOT NULL, copy TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, "
    "PRIMARY KEY (id, copy))",
}


@dataclass(frozen=True)
class Copy:
    """A folder of the project on some machine; times are seconds since the epoch."""

    id: str
    name: str  # host:folder
    joined: float  # when it was first seen
    seen: float

    @property
    def label(self) -> str:
        """Names it to people: two copies may have one name, where a folder was put back from a backup."""
        return f"{self.name} ({self.id})"


@dataclass(frozen=True)
class Wanted:
    """What a copy was asked to forget, as far as the others must know it. Later requests have higher numbers."""

    id: str
    at: float
    documents: dict[str, str]  # path → hash
    hashes: tuple[str, ...]  # of all their versions
    row_ids: tuple[str, ...]
    adapters: tuple[str, ...]
    probes: tuple[str, ...] = ()
    subject: str = ""
    delete_source: bool = False
    ignore: bool = False
    number: int = 0


def shared(ws: Workspace) -> Store | None:
    """The store that copies share; None where the project keeps its own."""
    return _connected(open_store(ws).place) if ws.config.serve.store.startswith("postgres:") else None


@lru_cache(maxsize=8)  # it is asked for every question: the connection stays
def _connected(place: str) -> Store:
    return Store(place, postgres=True, migrations=_MIGRATIONS)


def latest(ws: Workspace) -> int:
    """The number of the last request; 0 where there was none, or nothing is shared."""
    store = shared(ws)
    return int(store.read("SELECT coalesce(max(number), 0) FROM forgotten")[0][0]) if store else 0


def enrol(ws: Workspace) -> Copy | None:
    """This copy, which the others know of from now on; None where nothing is shared."""
    store = shared(ws)
    if store is None:
        return None
    own, name, now = _own_id(ws.folder / ".rung" / NOTE), f"{socket.gethostname()}:{ws.folder.resolve()}", time.time()

    def work(run: Run) -> Copy:
        run(
            "INSERT INTO copies (id, name, joined, seen) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name, seen = excluded.seen",
            (own, name, now, now),
        )
        return Copy(*run("SELECT id, name, joined, seen FROM copies WHERE id = ?", (own,))[0])

    return store.write(work)


def _own_id(path: Path) -> str:
    """What this copy is called; made anew where the note came along with a copied folder."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["inode"] == path.stat().st_ino:
            return str(told["id"])
    part, own = path.with_name(f".{path.name}.{os.getpid()}.part"), secrets.token_hex(6)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            json.dump({"id": own, "inode": os.fstat(file.fileno()).st_ino}, file)
        os.replace(part, path)
    except OSError:  # a folder that can only be read keeps no note: it is known by where it lies
        return hashlib.sha256(f"{socket.gethostname()}:{path.resolve()}".encode()).hexdigest()[:12]
    return own


def publish(ws: Workspace, wanted: Wanted) -> int:
    """Tell all copies, which refuse what is blocked from their next answer on; the request's number, 0 where nothing is shared."""
    store = shared(ws)
    if store is None:
        return 0

    def work(run: Run) -> int:
        number = int(run("SELECT coalesce(max(number), 0) + 1 FROM forgotten")[0][0])
        earlier = run("SELECT number, told FROM forgotten WHERE id = ?", (wanted.id,))
        whole = _joined(_wanted(*earlier[0]), wanted) if earlier else wanted
        run("DELETE FROM forgotten WHERE id = ?", (wanted.id,))
        run("DELETE FROM forgotten_in WHERE id = ?", (wanted.id,))
        run("INSERT INTO forgotten (number, id, told) VALUES (?, ?, ?)", (number, wanted.id, _told(whole)))
        return number

    return store.write(work)


def wanted(ws: Workspace) -> list[Wanted]:
    """All that any copy was asked to forget, oldest first."""
    store = shared(ws)
    return [_wanted(*row) for row in store.read("SELECT number, told FROM forgotten ORDER BY number")] if store else []


def clean(ws: Workspace, number: int, own: Copy, plain: Callable[[Wanted], Wanted]) -> None:
    """This copy holds none of it any more. The last known one to say so takes the words out: `plain` is the request without them."""
    store = shared(ws)
    assert store is not None, "a copy is known where something is shared"

    def work(run: Run) -> bool:
        rows = run("SELECT number, told FROM forgotten WHERE number = ?", (number,))
        if not rows:  # it was asked again meanwhile, under another number
            return False
        one = _wanted(*rows[0])
        run("INSERT INTO forgotten_in (id, copy, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (one.id, own.id, time.time()))
        return _settled(run, one, plain)

    if store.write(work):
        store.shrink("forgotten")


def clean_of(ws: Workspace, own: Copy) -> frozenset[str]:
    """The ids of the requests that this copy is known to be clean of."""
    store = shared(ws)
    return frozenset(str(id) for (id,) in store.read("SELECT id FROM forgotten_in WHERE copy = ?", (own.id,))) if store else frozenset()


def standing(ws: Workspace, id: str) -> dict[str, float]:
    """Each known copy's label → when it was clean of the request; 0 where it isn't yet."""
    store = shared(ws)
    rows = store.read("SELECT copy, at FROM forgotten_in WHERE id = ?", (id,)) if store else []
    at = {str(copy): float(when) for copy, when in rows}
    return {one.label: at.get(one.id, 0.0) for one in known(ws)}


def known(ws: Workspace) -> list[Copy]:
    """All copies that ever looked, by name."""
    store = shared(ws)
    return [Copy(*row) for row in store.read("SELECT id, name, joined, seen FROM copies ORDER BY name")] if store else []


def gone(ws: Workspace, name: str, plain: Callable[[Wanted], Wanted]) -> Copy:
    """Wait no longer for a copy that is no more. DataError where none has this name or id."""
    found = [one for one in known(ws) if name in (one.id, one.name)]
    store = shared(ws)
    if store is None or not found:
        raise DataError(f"there is no copy '{name}'", "`rung forget --copies` lists them")

    def work(run: Run) -> bool:
        run("DELETE FROM forgotten_in WHERE copy = ?", (found[0].id,))
        run("DELETE FROM copies WHERE id = ?", (found[0].id,))
        rows = run("SELECT number, told FROM forgotten ORDER BY number")
        settled = [_settled(run, _wanted(*row), plain) for row in rows]  # each of them, not only up to the first
        return any(settled)

    if store.write(work):
        store.shrink("forgotten")
    return found[0]


def _settled(run: Run, one: Wanted, plain: Callable[[Wanted], Wanted]) -> bool:
    """Take out the words once no known copy needs them; whether there were any."""
    open_ = run("SELECT count(*) FROM copies WHERE id NOT IN (SELECT copy FROM forgotten_in WHERE id = ?)", (one.id,))[0][0]
    left = plain(one)
    if open_ or left == one:
        return False
    run("UPDATE forgotten SET told = ? WHERE number = ?", (_told(left), one.number))
    return True


def _joined(before: Wanted, now: Wanted) -> Wanted:
    """The same request made again: what was found then and now."""
    both: dict[str, Any] = {
        name: tuple(dict.fromkeys((*getattr(before, name), *getattr(now, name)))) for name in ("hashes", "row_ids", "adapters", "probes")
    }
    return replace(now, documents={**before.documents, **now.documents}, **both)


def _told(one: Wanted) -> str:
    return json.dumps({name: value for name, value in asdict(one).items() if name != "number"}, ensure_ascii=True)


def _wanted(number: int, told: str) -> Wanted:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(told).items()}
    return Wanted(number=number, **values)
