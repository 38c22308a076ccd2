"""Rows of any database that SQLAlchemy reaches. It refuses to write: the query stands inside a SELECT that is rolled back.

With a timestamp column only keys and timestamps are listed, and only rows that are new or newer are read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Select,
    column,
    create_engine,
    func,
    literal_column,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from rung.errors import ConfigError, KnowledgeError
from rung.knowledge.origins import Entry
from rung.knowledge.origins.shape import Shape, document, path_of, written
from rung.knowledge.reading import Unreadable
from rung.types import Document

if TYPE_CHECKING:
    from rung.sources import SqlSource


@dataclass(frozen=True)
class Sql:
    """A query's rows, grouped by key. `made` holds documents, or with a timestamp the keys, of the last listing."""

    engine: Engine = field(repr=False)
    query: str
    shape: Shape
    timestamp: str = ""
    made: dict[str, Any] = field(default_factory=dict, repr=False)

    def entries(self) -> Iterator[Entry]:
        """The documents in order of key. KnowledgeError where the database refuses."""
        self.made.clear()
        with self._connected() as connection:
            yield from self._stamped(connection) if self.timestamp else self._rendered(connection)

    def read(self, path: str) -> Document:
        """A document of the last listing; with a timestamp its rows are asked for now."""
        made = self.made[path]
        if isinstance(made, Document):
            return made
        key: ColumnElement[Any] = column(self.shape.key)
        with self._connected() as connection:
            asked: Select[Any] = select(literal_column("*")).select_from(self._table).where(key == made).order_by(column(self.timestamp))
            rows = [dict(row) for row in connection.execute(asked).mappings()]
        if not rows:
            raise Unreadable("was deleted while it was being read")
        return document(self.shape, path, rows)

    @property
    def _table(self) -> FromClause:
        # Every colon is escaped: the query has no parameters, and SQLAlchemy would take 'HH:MI' for one.
        return text(re.sub(r":", r"\\:", self.query.strip().rstrip(";"))).columns().subquery("q")

    def _stamped(self, connection: Connection) -> Iterator[Entry]:
        key: ColumnElement[Any] = column(self.shape.key)
        newest: ColumnElement[Any] = func.max(column(self.timestamp))
        asked = select(key, newest, func.count()).select_from(self._table).group_by(key).order_by(key)
        for value, stamp, count in connection.execute(asked):
            path = path_of(self.shape, {self.shape.key: value})
            if path and stamp is not None:
                self.made[path] = value
                yield Entry(path, f"{written(stamp)} {count}")
            else:
                empty = self.timestamp if path else self.shape.key
                yield Entry(path or "a row", refused=f"has nothing in the column '{empty}'")

    def _rendered(self, connection: Connection) -> Iterator[Entry]:
        asked: Select[Any] = select(literal_column("*")).select_from(self._table).order_by(column(self.shape.key))
        rows = (dict(row) for row in connection.execute(asked).mappings())
        for path, group in groupby(rows, key=lambda row: path_of(self.shape, row)):
            if not path:
                yield Entry("a row", refused=f"has nothing in the column '{self.shape.key}'")
                continue
            try:
                self.made[path] = document(self.shape, path, list(group))
                yield Entry(path, self.made[path].hash)
            except Unreadable as error:
                yield Entry(path, refused=str(error))

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                yield connection
                connection.rollback()
        except SQLAlchemyError as error:
            said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            shown = self.engine.url.render_as_string(hide_password=True)
            raise KnowledgeError(f"{shown} refused: {said}", "check url, query and key of the source in rung.toml") from None


def open_origin(source: SqlSource, project: Path, cache: Path) -> Sql:
    """The database and query that the table names. ConfigError for a URL that is none, KnowledgeError without its driver."""
    named = os.environ.get(source.url_env, "") if source.url_env else source.url
    if not named:
        raise ConfigError(f"the environment variable {source.url_env or 'of the source'} is not set", "set it, or write url = ... instead")
    try:
        url = make_url(named)
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).is_absolute() and url.database != ":memory:":
            url = url.set(database=str(project / url.database))
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(f"the url of the source '{source.name}' names no database", "for example sqlite:///shop.db") from error
    except ModuleNotFoundError as error:
        raise KnowledgeError(f"the database's driver {error.name} is not installed", f"pip install {error.name}") from None
    return Sql(engine, source.query, Shape(source.key, source.text, source.title, source.meta), source.timestamp)
