"""What was decided about adapters: which label stood where and when, and what was exported.

It is one SQLite file in the project, or lies in the PostgreSQL that replicas share. Nothing in it is ever changed, rows are
only added: a label stands where its last move put it. It refuses a move that was decided on a state which has changed
meanwhile. Why SQLite: docs/design/003-adapters.md.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from rung.errors import RungError
from rung.types import Json
from rung.workspace.store import Run, Store, open_store
from rung.workspace.workspace import Workspace

FILE = "catalogue.sqlite"
MOVES = "number, label, adapter, kind, rung, at, who, why, numbers"
EXPORTS = "number, adapter, folder, format, at, files, numbers"
_MIGRATIONS = {  # applied in this order, each once; add below, change none
    "moves": "CREATE TABLE moves (number BIGINT PRIMARY KEY, label TEXT NOT NULL, adapter TEXT NOT NULL, kind TEXT NOT NULL, "
    "rung TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL, numbers TEXT NOT NULL)",
    "moves by label": "CREATE INDEX moves_label ON moves (label, number)",
    "exports": "CREATE TABLE exports (number BIGINT PRIMARY KEY, adapter TEXT NOT NULL, folder TEXT NOT NULL, format TEXT NOT NULL, "
    "at DOUBLE PRECISION NOT NULL, files TEXT NOT NULL, numbers TEXT NOT NULL)",
}
_TABLES = {"moves": MOVES, "exports": EXPORTS}
At = Path | Store  # a project's home, which holds the file, or the store that replicas share
T = TypeVar("T")


@dataclass(frozen=True)
class Move:
    """A label put onto an adapter. `kind` is label, promote, rollback or retrain; `numbers` is what it was decided on."""

    number: int
    label: str
    adapter: str
    kind: str
    rung: str
    at: float  # seconds since the epoch
    who: str
    why: str
    numbers: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Export:
    """An adapter written elsewhere, with the sums of its files."""

    number: int
    adapter: str
    folder: str
    format: str
    at: float
    files: Json
    numbers: Json


def catalogue(ws: Workspace) -> At:
    """Where the project's catalogue is. What its folder held before it went to PostgreSQL is taken along, once."""
    store = open_store(ws)
    return _shared(store.place, ws.home) if store.postgres else ws.home


@lru_cache(maxsize=8)  # a label is looked up for every answer: the connection stays
def _shared(place: str, home: Path) -> Store:
    store = Store(place, postgres=True, migrations=_MIGRATIONS)
    earlier = {table: _rows(home, f"SELECT {columns} FROM {table} ORDER BY number") for table, columns in _TABLES.items()}
    if any(earlier.values()):
        store.write(lambda run: _take_along(run, earlier))
    return store


def _take_along(run: Run, earlier: dict[str, list[tuple[Any, ...]]]) -> None:
    for table, rows in earlier.items():
        if not run(f"SELECT 1 FROM {table} LIMIT 1"):
            for row in rows:
                run(f"INSERT INTO {table} ({_TABLES[table]}) VALUES ({', '.join('?' * len(row))})", row)


def moves(at: At, label: str = "") -> list[Move]:
    """All moves, or those of one label, oldest first."""
    where, given = (" WHERE label = ?", (label,)) if label else ("", ())
    return [_move(row) for row in _rows(at, f"SELECT {MOVES} FROM moves{where} ORDER BY number", given)]


def standing(at: At, label: str) -> Move | None:
    """The move that put the label where it stands."""
    rows = _rows(at, f"SELECT {MOVES} FROM moves WHERE label = ? ORDER BY number DESC LIMIT 1", (label,))
    return _move(rows[0]) if rows else None


def stamp(at: At) -> str:
    """Another text after each move; it is read for every answer, so it is read without opening a database where that can be."""
    if isinstance(at, Store):
        return str(at.read("SELECT max(number) FROM moves")[0][0])
    try:
        with (at / FILE).open("rb") as file:
            return file.read(28).hex()  # SQLite's header counts the commits: https://www.sqlite.org/fileformat2.html
    except OSError:
        return "none"


def move(at: At, after: Move | None, label: str, adapter: str, kind: str, rung: str, who: str, why: str = "", numbers: Json = None) -> Move:
    """Put a label onto an adapter. RungError where another move came since `after`, the one it was decided on."""
    row = (label, adapter, kind, rung, time.time(), who, why, json.dumps(numbers or {}))

    def work(run: Run) -> int:
        last = run("SELECT max(number) FROM moves WHERE label = ?", (label,))[0][0]
        if last != (after.number if after else None):
            raise RungError(f"the label '{label}' was moved by someone else meanwhile", "look at it with `rung adapters show`, then decide")
        return _added(run, "moves", row)

    return Move(_written(at, work), *row[:-1], numbers or {})


def exports(at: At, adapter: str = "") -> list[Export]:
    """All exports, or those of one adapter, oldest first."""
    where, given = (" WHERE adapter = ?", (adapter,)) if adapter else ("", ())
    return [_export(row) for row in _rows(at, f"SELECT {EXPORTS} FROM exports{where} ORDER BY number", given)]


def exported(at: At, adapter: str, folder: str, kind: str, files: Json, numbers: Json) -> None:
    """Note an export, before its folder takes its name: one that is known and missing is better than one unknown."""
    row = (adapter, folder, kind, time.time(), json.dumps(files), json.dumps(numbers))
    _written(at, lambda run: _added(run, "exports", row))


def redact(at: At, held_in: Callable[[str], bool], instead: str) -> int:
    """The one exception: a text that must be forgotten is taken out of reasons and names; how many rows held it."""

    def work(run: Run) -> int:
        count = 0
        for table, column in (("moves", "why"), ("moves", "who"), ("moves", "numbers"), ("exports", "folder"), ("exports", "numbers")):
            for number, text in run(f"SELECT number, {column} FROM {table}"):
                if held_in(text):
                    run(f"UPDATE {table} SET {column} = ? WHERE number = ?", (instead, number))
                    count += 1
        return count

    if not isinstance(at, Store) and not (at / FILE).exists():
        return 0
    if (count := _written(at, work)) and isinstance(at, Store):
        at.shrink(*_TABLES)
    elif count and isinstance(at, Path):
        with closing(_connect(at)) as bare:
            bare.execute("VACUUM")  # else the old text lies on in free pages
    return count


def _added(run: Run, table: str, row: Sequence[object]) -> int:
    """The number of a new row; whoever writes is alone."""
    number = int(run(f"SELECT coalesce(max(number), 0) + 1 FROM {table}")[0][0])
    run(f"INSERT INTO {table} ({_TABLES[table]}) VALUES (?{', ?' * len(row)})", (number, *row))
    return number


def _rows(at: At, sql: str, given: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    if isinstance(at, Store):
        return at.read(sql, given)
    with _opened(at) as held:
        return held.execute(sql, given).fetchall() if held else []


def _written(at: At, work: Callable[[Run], T]) -> T:
    if isinstance(at, Store):
        return at.write(work)
    with _opened(at, write=True) as held:
        assert held is not None
        return work(lambda sql, given=(): held.execute(sql, given).fetchall())


def _move(row: tuple[Json, ...]) -> Move:
    *told, numbers = row
    return Move(*(*told, json.loads(numbers)))


def _export(row: tuple[Json, ...]) -> Export:
    *told, files, numbers = row
    return Export(*(*told, json.loads(files), json.loads(numbers)))


@contextmanager
def _opened(home: Path, *, write: bool = False) -> Iterator[sqlite3.Connection | None]:
    """A connection within one transaction; None for reading where there is no file yet."""
    if not write and not (home / FILE).exists():
        yield None
        return
    try:
        home.mkdir(parents=True, exist_ok=True)
        with closing(_connect(home)) as held:
            held.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            _migrate(held, write)
            yield held
            held.execute("COMMIT")
    except sqlite3.Error as error:
        raise RungError(f"{home / FILE} can't be used: {error}", "check the disk and the file's permissions") from error


def _connect(home: Path) -> sqlite3.Connection:
    return sqlite3.connect(home / FILE, timeout=30, isolation_level=None)  # waits for other writers, commits when told


def _migrate(held: sqlite3.Connection, write: bool) -> None:
    if not write:
        return
    held.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
    known = {name for (name,) in held.execute("SELECT name FROM migrations")}
    for name, sql in _MIGRATIONS.items():
        if name not in known:
            held.execute(sql)
            held.execute("INSERT INTO migrations VALUES (?)", (name,))
