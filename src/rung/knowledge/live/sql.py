"""Looks a question up in a database, by a bound parameter. It refuses to write, and cancels what takes too long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from rung.errors import ConfigError, KnowledgeError
from rung.knowledge.live import keywords, passage
from rung.knowledge.origins.shape import Shape, document, path_of
from rung.knowledge.origins.sql import open_origin
from rung.knowledge.reading import Unreadable
from rung.sources import SqlSource
from rung.types import Passage

if TYPE_CHECKING:
    from rung.sources import SqlBeside

_PARAMETER = re.compile(r"(?<![:\w]):(question|keywords)\b")
READ_ONLY = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY", "mysql": "START TRANSACTION READ ONLY"}


@dataclass(frozen=True)
class LiveSql:
    """A query and its shape; at most `rows` rows are read."""

    name: str
    engine: Engine = field(repr=False)
    query: str
    shape: Shape
    rows: int
    timeout: float

    def ask(self, question: str) -> list[Passage]:
        """The rows, in the query's order. None are asked for where the query takes keywords and the question has none."""
        known = {"question": question, "keywords": keywords(question)}
        given = {name: known[name] for name in set(_PARAMETER.findall(self.query))}
        if not all(given.values()):
            return []
        with self._connected() as connection:
            rows = [dict(row) for row in connection.execute(text(self.query), given).mappings().fetchmany(self.rows)]
        found = []
        for row in rows:
            path = path_of(self.shape, row) or "a row"
            try:
                said = document(self.shape, path, [row])
            except Unreadable:  # a row without a text
                continue
            found.append(passage(path, said.text, said.title if self.shape.title else ""))
        return found

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection that may only read, and whose query is cancelled after the timeout."""
        cancelled: list[bool] = []
        try:
            with self.engine.connect() as connection:
                if only := READ_ONLY.get(self.engine.dialect.name):
                    connection.exec_driver_sql(only)
                timer = Timer(self.timeout, _cancel, (connection, cancelled))
                timer.daemon = True
                timer.start()
                try:
                    yield connection
                finally:
                    timer.cancel()
                    connection.rollback()
        except SQLAlchemyError as error:
            if cancelled:
                raise KnowledgeError(f"the live source '{self.name}' took longer than {self.timeout:g} s", "raise its timeout") from None
            said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise KnowledgeError(f"the live source '{self.name}' refused: {said}", "check its url and query in rung.toml") from None


def _cancel(connection: Connection, cancelled: list[bool]) -> None:
    raw = connection.connection.driver_connection
    stop = getattr(raw, "interrupt", None) or getattr(raw, "cancel", None)  # SQLite's name and PostgreSQL's
    if stop:
        cancelled.append(True)
        stop()


def open_live(source: SqlBeside, project: Path) -> LiveSql:
    """The database and query that the table names. ConfigError for a query that takes no question or is no SELECT."""
    query = source.query.strip().rstrip(";")
    if not re.match(r"(?i)(select|with)\b", query):
        raise ConfigError(f"the query of the live source '{source.name}' is no SELECT", "only questions are asked, nothing is changed")
    if not _PARAMETER.search(query):
        raise ConfigError(f"the query of the live source '{source.name}' doesn't take the question", "write :question or :keywords in it")
    named = SqlSource(kind="sql", name=source.name, url=source.url, url_env=source.url_env, query=query)
    url = open_origin(named, project, project).engine.url
    engine = create_engine(url, poolclass=NullPool)  # a connection for each question: none grows stale or is left open
    file = engine.url.database
    if engine.dialect.name == "sqlite" and file and file != ":memory:" and not Path(file).is_file():
        raise ConfigError(f"there is no database {file}", f"mend the url of the live source '{source.name}'")
    shape = Shape(source.key, source.text, source.title)
    return LiveSql(source.name, engine, query, shape, source.k, source.timeout)
