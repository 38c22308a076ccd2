"""What was decided about adapters, in one SQLite file: which label stood where and when, and what was exported.

Nothing in it is ever changed, rows are only added: a label stands where its last move put it. It refuses a move that was
decided on a state which has changed meanwhile. Why SQLite: docs/design/003-adapters.md.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rung.errors import RungError
from rung.types import Json

FILE = "catalogue.sqlite"
_MIGRATIONS = {  # applied in this order, each once; add below, change none
    "moves": "CREATE TABLE moves (number INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL, adapter TEXT NOT NULL, "
    "kind TEXT NOT NULL, rung TEXT NOT NULL, at REAL NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL, numbers TEXT NOT NULL)",
    "moves by label": "CREATE INDEX moves_label ON moves (label, number)",
    "exports": "CREATE TABLE exports (number INTEGER PRIMARY KEY AUTOINCREMENT, adapter TEXT NOT NULL, folder TEXT NOT NULL, "
    "format TEXT NOT NULL, at REAL NOT NULL, files TEXT NOT NULL, numbers TEXT NOT NULL)",
}


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


def moves(home: Path, label: str = "") -> list[Move]:
    """All moves, or those of one label, oldest first."""
    with _opened(home) as held:
        where, given = (" WHERE label = ?", (label,)) if label else ("", ())
        rows = held.execute(f"SELECT * FROM moves{where} ORDER BY number", given).fetchall() if held else []
    return [_move(row) for row in rows]


def standing(home: Path, label: str) -> Move | None:
    """The move that put the label where it stands."""
    with _opened(home) as held:
        rows = held.execute("SELECT * FROM moves WHERE label = ? ORDER BY number DESC LIMIT 1", (label,)).fetchall() if held else []
    return _move(rows[0]) if rows else None


def move(
    home: Path, after: Move | None, label: str, adapter: str, kind: str, rung: str, who: str, why: str = "", numbers: Json = None
) -> Move:
    """Put a label onto an adapter. RungError where another move came since `after`, the one it was decided on."""
    with _opened(home, write=True) as held:
        assert held is not None
        last = held.execute("SELECT max(number) FROM moves WHERE label = ?", (label,)).fetchone()[0]
        if last != (after.number if after else None):
            raise RungError(f"the label '{label}' was moved by someone else meanwhile", "look at it with `rung adapters show`, then decide")
        row = (label, adapter, kind, rung, time.time(), who, why, json.dumps(numbers or {}))
        sql = "INSERT INTO moves (label, adapter, kind, rung, at, who, why, numbers) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        number = held.execute(sql, row).lastrowid
    return Move(number or 0, *row[:-1], numbers or {})


def exports(home: Path, adapter: str = "") -> list[Export]:
    """All exports, or those of one adapter, oldest first."""
    with _opened(home) as held:
        where, given = (" WHERE adapter = ?", (adapter,)) if adapter else ("", ())
        rows = held.execute(f"SELECT * FROM exports{where} ORDER BY number", given).fetchall() if held else []
    return [_export(row) for row in rows]


def exported(home: Path, adapter: str, folder: str, kind: str, files: Json, numbers: Json) -> None:
    """Note an export, before its folder takes its name: one that is known and missing is better than one unknown."""
    with _opened(home, write=True) as held:
        assert held is not None
        sql = "INSERT INTO exports (adapter, folder, format, at, files, numbers) VALUES (?, ?, ?, ?, ?, ?)"
        held.execute(sql, (adapter, folder, kind, time.time(), json.dumps(files), json.dumps(numbers)))


def redact(home: Path, held_in: Callable[[str], bool], instead: str) -> int:
    """The one exception: a text that must be forgotten is taken out of reasons and names; how many rows held it."""
    with _opened(home, write=True) as held:
        assert held is not None
        count = 0
        for table, column in (("moves", "why"), ("moves", "who"), ("moves", "numbers"), ("exports", "folder"), ("exports", "numbers")):
            for number, text in held.execute(f"SELECT number, {column} FROM {table}").fetchall():
                if held_in(text):
                    held.execute(f"UPDATE {table} SET {column} = ? WHERE number = ?", (instead, number))
                    count += 1
    if count:
        with closing(_connect(home)) as bare:
            bare.execute("VACUUM")  # else the old text lies on in free pages
    return count


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
