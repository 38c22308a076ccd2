"""Keeps the files that name the states of an index in PostgreSQL too, so that copies of a project on many machines share one index.

PostgreSQL has the last word: what a killed sync left here alone is replaced by what stands there. It refuses two writers.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from rung.errors import KnowledgeError
from rung.knowledge.history import FOLDER
from rung.knowledge.indexes.place import place
from rung.knowledge.indexes.postgres import connected, translated
from rung.knowledge.replace import replace_file
from rung.knowledge.state import BASES, FILE
from rung.knowledge.writing import alone

NOTE = "mirror"  # the number of the state there that the files here are
CREATE: LiteralString = """
CREATE SCHEMA IF NOT EXISTS rung;
CREATE TABLE IF NOT EXISTS rung.mirrors (place text PRIMARY KEY, number bigint NOT NULL);
CREATE TABLE IF NOT EXISTS rung.mirrored (place text, name text, made bigint NOT NULL, content bytea NOT NULL, PRIMARY KEY (place, name));
"""
PUT: LiteralString = """
INSERT INTO rung.mirrored (place, name, made, content) VALUES (%s, %s, %s, %s)
ON CONFLICT (place, name) DO UPDATE SET made = excluded.made, content = excluded.content
"""


@dataclass
class Mirror:
    """The files of one knowledge, here and there. Mutable: its connection is made anew where it was lost."""

    home: Path
    server: str
    place: str = field(init=False)
    connection: psycopg.Connection[Any] | None = None
    number: int = 0  # of the state that was pulled or pushed last

    def __post_init__(self) -> None:
        self.place = place(self.home / "index", self.home.name)  # the folder's name tells all that two copies must have in common

    def pull(self) -> None:
        """Bring the files here to what they are there. KnowledgeError where the server can't be reached."""
        if self._number() != self._noted():
            with suppress(KnowledgeError), alone(self.home):  # who writes here at this moment has the latest, and notes it
                self._pull()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Write as the only one of all machines, from the latest state on. What was written is there too when the block ends."""
        with translated():
            held = self._live().execute("SELECT pg_try_advisory_lock(hashtext(%s))", (self.place,)).fetchone()
        if not (held and held[0]):
            raise KnowledgeError("another machine is changing the index", "wait until it is done and run again")
        try:
            self._pull()
            (self.home / NOTE).unlink(missing_ok=True)  # if we are killed now, what stands there counts
            yield
            self.push()
        finally:
            with suppress(psycopg.Error):
                self._live().execute("SELECT pg_advisory_unlock(hashtext(%s))", (self.place,))

    def push(self) -> None:
        """Put what is new here there, in one transaction. KnowledgeError where another machine was there first."""
        here = {name: (self.home / name).stat().st_mtime_ns for name in self._names()}
        connection = self._live()
        with translated(), connection.transaction():
            there = self._there()
            gone = [name for name in there if name not in here]
            new = [name for name in here if here[name] != there.get(name)]
            if gone or new:
                self._step(connection)
                connection.execute("DELETE FROM rung.mirrored WHERE place = %s AND name = ANY(%s)", (self.place, gone))
                for name in new:
                    connection.execute(PUT, (self.place, name, here[name], (self.home / name).read_bytes()))
        self._note(self.number)

    def _step(self, connection: psycopg.Connection[Any]) -> None:
        """One state further, unless somebody else went there."""
        sql = "UPDATE rung.mirrors SET number = number + 1 WHERE place = %s AND number = %s RETURNING number"
        row = connection.execute(sql, (self.place, self.number)).fetchone()
        if row is None:
            raise KnowledgeError("another machine has changed the index meanwhile", "run it again")
        self.number = int(row[0])

    def _pull(self) -> None:
        self.number = self._number()
        if self.number == self._noted():
            return
        with translated():
            there, here = self._there(), {name: (self.home / name).stat().st_mtime_ns for name in self._names()}
            for name in sorted(there, key=lambda name: name == FILE):  # the state itself comes last, when all that it names is here
                if here.get(name) != there[name]:
                    self._fetch(name, there[name])
        for name in here.keys() - there.keys():
            (self.home / name).unlink(missing_ok=True)
        self._note(self.number)

    def _fetch(self, name: str, made: int) -> None:
        row = self._live().execute("SELECT content FROM rung.mirrored WHERE place = %s AND name = %s", (self.place, name)).fetchone()
        assert row is not None, "whoever writes there holds the lock, or we found another number"
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, row[0])
        os.utime(path, ns=(made, made))

    def _there(self) -> dict[str, int]:
        rows = self._live().execute("SELECT name, made FROM rung.mirrored WHERE place = %s", (self.place,)).fetchall()
        return {str(name): int(made) for name, made in rows}

    def _names(self) -> list[str]:
        """What is kept there of what lies here."""
        found = [path for pattern in (FILE, BASES, f"{FOLDER}/*.json", "choice-*.json") for path in self.home.glob(pattern)]
        return [path.relative_to(self.home).as_posix() for path in found]

    def _number(self) -> int:
        for last in (False, True):
            connection = self._live()
            try:
                with translated():
                    row = connection.execute("SELECT number FROM rung.mirrors WHERE place = %s", (self.place,)).fetchone()
                return int(row[0]) if row else 0
            except KnowledgeError:
                if last or not connection.closed:
                    raise  # a server that was restarted closes connections: ask once more on a new one
        raise AssertionError("the second turn returned or raised")

    def _noted(self) -> int:
        try:
            return int((self.home / NOTE).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return -1

    def _note(self, number: int) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        replace_file(self.home / NOTE, str(number).encode())

    def _live(self) -> psycopg.Connection[Any]:
        if self.connection is None or self.connection.closed:
            self.connection = connected(self.server)
            weakref.finalize(self, self.connection.close)
            with translated(), self.connection.transaction():
                self.connection.execute("SELECT pg_advisory_xact_lock(hashtext('rung'))")  # two may need the tables at once
                self.connection.execute(CREATE)
                self.connection.execute("INSERT INTO rung.mirrors VALUES (%s, 0) ON CONFLICT DO NOTHING", (self.place,))
        return self.connection
