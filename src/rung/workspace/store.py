"""Where a server keeps keys, counts and its audit log: one SQLite file, or a PostgreSQL that replicas share.

Writers wait for each other, in the process and beyond it, and a write happens whole or not at all. It refuses to hold
anything that the project's folder or its knowledge holds already. Why no ORM: docs/design/005-serving.md.
"""

from __future__ import annotations

import sqlite3
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, TypeAlias, TypeVar

from rung.errors import ConfigError, MissingExtra, RungError
from rung.workspace.privacy import kept_away
from rung.workspace.workspace import Workspace

FILE = "serve.sqlite"
PATIENCE = 30.0  # seconds that a writer waits for others
LOCK = 0x72756E67  # PostgreSQL's advisory lock that writers hold
MIGRATIONS = {  # applied in this order, each once; add below, change none
    "keys": "CREATE TABLE api_keys (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, told TEXT NOT NULL, "
    "added DOUBLE PRECISION NOT NULL, revoked DOUBLE PRECISION)",
    "spent": "CREATE TABLE spent (key TEXT NOT NULL, period TEXT NOT NULL, requests BIGINT NOT NULL, tokens BIGINT NOT NULL, "
    "money DOUBLE PRECISION NOT NULL, PRIMARY KEY (key, period))",
    "trail": "CREATE TABLE trail (number BIGINT PRIMARY KEY, at DOUBLE PRECISION NOT NULL, kind TEXT NOT NULL, who TEXT NOT NULL, "
    "told TEXT NOT NULL, content TEXT, sealed TEXT NOT NULL, before TEXT NOT NULL, hash TEXT NOT NULL)",
    "studio people": "CREATE TABLE people (name TEXT PRIMARY KEY, role TEXT NOT NULL, hash TEXT NOT NULL)",
    "studio sessions": "CREATE TABLE sessions (token TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, csrf TEXT NOT NULL, "
    "local BIGINT NOT NULL, until DOUBLE PRECISION NOT NULL)",
    "studio logins": "CREATE TABLE failed_logins (name TEXT NOT NULL, at DOUBLE PRECISION NOT NULL)",
    "studio votes": "CREATE TABLE votes (id TEXT PRIMARY KEY, at DOUBLE PRECISION NOT NULL, who TEXT NOT NULL, question TEXT NOT NULL, "
    "told TEXT NOT NULL, choice TEXT NOT NULL)",
    "traffic": "CREATE TABLE traffic (id TEXT PRIMARY KEY, entry BIGINT NOT NULL, at DOUBLE PRECISION NOT NULL, who TEXT NOT NULL, "
    "model TEXT NOT NULL, ended TEXT NOT NULL, seconds DOUBLE PRECISION NOT NULL, retrieval DOUBLE PRECISION NOT NULL, "
    "prompt BIGINT NOT NULL, completion BIGINT NOT NULL, cached BIGINT NOT NULL, money DOUBLE PRECISION NOT NULL, "
    "passages BIGINT NOT NULL, score DOUBLE PRECISION, abstained BIGINT NOT NULL, sentences BIGINT NOT NULL, "
    "unsupported BIGINT NOT NULL)",
    "traffic by time": "CREATE INDEX traffic_at ON traffic (at)",
    "feedback": "CREATE TABLE feedback (entry BIGINT PRIMARY KEY, answer TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, "
    "who TEXT NOT NULL, thumb TEXT NOT NULL, corrected BIGINT NOT NULL)",
    "feedback by answer": "CREATE INDEX feedback_answer ON feedback (answer)",
    "studio sessions of a provider": "ALTER TABLE sessions ADD COLUMN told TEXT NOT NULL DEFAULT '{}'",
    "studio login addresses": "ALTER TABLE failed_logins ADD COLUMN address TEXT NOT NULL DEFAULT ''",
}
Run: TypeAlias = Callable[..., list[tuple[Any, ...]]]  # (sql with ? for values, the values) to rows
T = TypeVar("T")


@dataclass
class Store:
    """One connection, which threads take turns at. Mutable: it is opened when first used, and again where it broke."""

    place: str  # a file, or what libpq takes
    postgres: bool
    migrations: Mapping[str, str] = field(default_factory=lambda: MIGRATIONS)
    lock: RLock = field(default_factory=RLock, repr=False)
    held: Any = None

    def read(self, sql: str, given: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one query; `?` stands for a value. RungError where the store can't be reached."""
        return self._tried(lambda run: run(sql, given), write=False)

    def write(self, work: Callable[[Run], T]) -> T:
        """What `work` returns; all that it runs is one transaction, and no other writer is beside it."""
        return self._tried(work, write=True)

    def shrink(self, *tables: str) -> None:
        """Leave nothing of what was deleted from these tables in free pages or in a log beside the file."""
        with self.lock:
            self.read("SELECT 1")
            for table in tables if self.postgres else ("",):  # not of the whole database: an index may be in it
                self.held.execute(f"VACUUM FULL {table}" if self.postgres else "VACUUM")
            if not self.postgres:
                self.held.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let the connection go; the next use opens another."""
        with self.lock, suppress(*_errors(self.postgres)):
            if self.held is not None:
                self.held.close()
        self.held = None

    def _tried(self, work: Callable[[Run], T], *, write: bool) -> T:
        """Once more on a new connection where a server has closed the old one before anything was written."""
        with self.lock:
            fresh = self.held is None
            try:
                self._open()
                return self._within(work, write=write)
            except _errors(self.postgres) as error:
                self.close()
                if self.postgres and not fresh and _lost(error):
                    return self._tried(work, write=write)
                raise RungError(
                    f"the store of `rung serve` can't be used: {_said(error)}", "check store under [serve], and the disk"
                ) from error

    def _within(self, work: Callable[[Run], T], *, write: bool) -> T:
        if not write:
            return work(self._run)
        self.held.execute("BEGIN" if self.postgres else "BEGIN IMMEDIATE")
        try:
            if self.postgres:
                self._run("SELECT pg_advisory_xact_lock(?)", (LOCK,))
            done = work(self._run)
            self.held.execute("COMMIT")
        except BaseException:
            with suppress(*_errors(self.postgres)):
                self.held.execute("ROLLBACK")
            raise
        return done

    def _run(self, sql: str, given: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        done = self.held.execute(sql.replace("%", "%%").replace("?", "%s") if self.postgres else sql, tuple(given))
        return list(done.fetchall()) if done.description else []

    def _open(self) -> None:
        if self.held is not None:
            return
        self.held = _postgres(self.place) if self.postgres else _sqlite(Path(self.place))
        weakref.finalize(self, self.held.close)
        self._within(lambda run: _migrate(run, self.migrations), write=True)


def open_store(ws: Workspace) -> Store:
    """The store that the configuration names; nothing is opened yet. ConfigError where privacy forbids it, MissingExtra."""
    spec = ws.config.serve.store
    kind, _, where = spec.partition(":")
    if kind == "sqlite":
        return Store(str(ws.home / FILE), postgres=False)
    if ws.config.limits.private and kept_away(spec):
        sentence = f"the project is private, and the store '{spec}' would keep questions and answers on another machine"
        raise ConfigError(sentence, "choose sqlite, or a server on this machine, or take private out of [limits]")
    return Store(where, postgres=True)


def _sqlite(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    held = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    _write_ahead(held)
    held.execute("PRAGMA synchronous = NORMAL")  # a commit outlives the process; the last ones may not outlive a power cut
    held.execute("PRAGMA secure_delete = ON")
    path.chmod(0o600)
    return held


def _write_ahead(held: sqlite3.Connection) -> None:
    """Keep a write-ahead log. Of several who begin a file together, all but one are refused at once, whatever their timeout."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            held.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _postgres(where: str) -> Any:
    try:
        import psycopg
    except ModuleNotFoundError as error:
        raise MissingExtra(f"a store in PostgreSQL ({error.name})", "postgres") from None
    return psycopg.connect(where, autocommit=True)


def _migrate(run: Run, migrations: Mapping[str, str]) -> None:
    run("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
    known = {name for (name,) in run("SELECT name FROM migrations")}
    for name, sql in migrations.items():
        if name not in known:
            run(sql)
            run("INSERT INTO migrations VALUES (?)", (name,))


def _errors(postgres: bool) -> tuple[type[BaseException], ...]:
    if not postgres:
        return (sqlite3.Error, OSError)
    import psycopg

    return (psycopg.Error, OSError)


def _lost(error: BaseException) -> bool:
    import psycopg

    return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))


def _said(error: BaseException) -> str:
    """The first line, which in libpq's errors names host and database and never the password."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
