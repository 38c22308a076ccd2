"""Vectors in PostgreSQL with pgvector, words in its tsvector. A commit is one transaction; it refuses to rank what a filter forbids.

A row is born in one state and dies in another, so every state that was not cleaned can be read while later ones are written.
Up to LARGE passages, or as many as a filter lets through, are scanned exactly. More are found in a graph (pgvector's HNSW) of
the rows that live, which is walked until the filter has let enough through; what died since the state is scanned. Ranking by
words is BM25 as the exact index computes it, from the frequencies that a tsvector holds: PostgreSQL's own ts_rank knows
neither rare words nor long passages.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from rung.errors import KnowledgeError
from rung.knowledge.chunk import searchable
from rung.knowledge.indexes.bm25 import K1, B, tokenized
from rung.knowledge.indexes.place import place
from rung.knowledge.indexes.statements import (
    ADD,
    BACK,
    BEGIN,
    COLUMNS,
    COUNT,
    CREATE,
    DENSE,
    GRAPH,
    GRAPHED,
    NEAR,
    PASSAGES,
    REMOVE,
    SESSION,
    SHARE,
    SHOWN,
    SIZE,
    STORED,
    TIDY,
    UNGRAPH,
    WORDS,
)
from rung.types import ALL, Filter, Hit, Labels, Passage

if TYPE_CHECKING:
    from rung.types import Vectors

INLINE = 1024  # dimensions up to which a vector stays in its row's page, where a scan finds it without a second look-up
MOST = 255  # times that a tsvector can count a word
LONGEST = 2000  # bytes of a word in a tsvector
LARGE = 30_000  # passages beyond which vectors have a graph, and that a filter must let through for it to be asked
DEEP = 2000  # dimensions that pgvector takes into a graph
WIDE = 100  # passages asked of the graph at least: a wider search misses less
CHURN = 0.2  # share of new passages from which the graph is built anew: a row put into it takes longer
KNOWN = 1000  # filters whose share is remembered
SLOW = "all documents are in place, but searches by meaning scan them until the next change has built the graph"


@dataclass
class Postgres:
    """One knowledge's tables at one state. Mutable, since a commit changes what is searched, and a lost connection is made anew."""

    server: str
    folder: Path
    dimensions: int
    connection: psycopg.Connection[Any]
    state: int = 0  # 0 while empty
    large: int = LARGE
    many: dict[tuple[int, Filter], bool] = field(default_factory=dict, repr=False)  # whether a state's filter is for the graph

    def commit(self, remove: Sequence[str], add: Sequence[Passage], vectors: Vectors, labels: Mapping[str, Labels] | None = None) -> str:
        """Remove the documents, add the passages under their documents' labels, all in one transaction; the new state's name."""
        connection = self._live()
        with translated():
            if self.state and len(add) > CHURN * self._size():
                connection.execute(self._sql(UNGRAPH))  # searches scan until `tidy` has built it anew
        with translated(), connection.transaction():
            if not self.state:
                self._create(connection)
            connection.execute(self._sql(BACK))
            row = connection.execute(self._sql(BEGIN), {"state": self.state}).fetchone()
            assert row is not None, "INSERT ... RETURNING of one row"
            new = int(row[0])
            connection.execute(self._sql(REMOVE), {"new": new, "remove": list(remove)})
            words = [_counted(found) for found in tokenized([searchable(passage) for passage in add])]
            self._copy(connection, add, vectors, labels or {}, words, new)
            lengths = sum(sum(found.values()) for found in words)
            connection.execute(self._sql(COUNT), {"new": new, "added": len(add), "words": lengths})
        self.state = new
        return str(new)

    def tidy(self, keep: Sequence[str] | None = ()) -> None:
        """Delete what neither the state we stand on nor one of `keep` needs; build the graph where it is due and isn't there."""
        if not self.state:
            return
        if keep is not None:
            kept = [self.state, *(int(state) for state in keep)]
            with translated(), self._live().transaction():
                for statement in TIDY.split(";"):
                    self.connection.execute(self._sql(statement), {"keep": kept})
        if self.dimensions <= DEEP and self._size() > self.large and self._asked(GRAPHED, None, {})[0][0] is None:
            with translated(SLOW), self._live().transaction():  # a killed one leaves none
                self.connection.execute(self._sql(GRAPH))

    def dense(self, vector: Vectors, k: int, only: Filter = ALL, thin: bool = False) -> list[Hit]:
        """The k nearest by cosine: from the graph where the filter lets much through, else exactly; ties by document and start."""
        asked, wide = _text(vector), max(2 * k, WIDE)
        rows = self._rows(NEAR, only, vector=asked, k=k, wide=wide) if self._much(only) else []
        if len(rows) < k:  # also where the graph was left before enough was found
            rows = self._rows(DENSE, only, vector=asked, k=k)
        return [Hit(_passage(row), float(row[6])) for row in rows]

    def _much(self, only: Filter) -> bool:
        """Whether the filter lets more than `large` passages through."""
        key = (self.state, only)
        if key not in self.many:
            if len(self.many) >= KNOWN:
                self.many.clear()
            self.many[key] = self._size() > self.large and self._rows(SHARE, only, k=self.large + 1)[0][0] > self.large
        return self.many[key]

    def _size(self) -> int:
        """The passages of the state."""
        return int(self._asked(SIZE, None, {"state": self.state})[0][0]) if self.state else 0

    def words(self, text: str, k: int, only: Filter = ALL, thin: bool = False) -> list[Hit]:
        """The k best by BM25; passages that share no word with the query are left out."""
        asked = _counted(next(iter(tokenized([text]))))
        if not asked:
            return []
        terms, times = list(asked), [float(count) for count in asked.values()]
        anything = " | ".join(f"'{term}'" for term in terms)
        rows = self._rows(WORDS, only, terms=terms, times=times, any=anything, k=k)
        return [Hit(_passage(row), float(row[6])) for row in rows]

    def whole(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits: none is thin here."""
        return list(hits)

    def passages(self, only: Filter = ALL) -> Iterator[Passage]:
        """All passages in order of document and start."""
        return (_passage(row) for row in self._rows(PASSAGES, only))

    def stored(self, documents: Sequence[str]) -> tuple[list[Passage], Vectors]:
        """The passages of these documents and their vectors."""
        import numpy as np

        rows = self._rows(STORED, ALL, documents=list(documents)) if documents else []
        return [_passage(row) for row in rows], np.array([row[6] for row in rows], np.float32).reshape(len(rows), self.dimensions)

    def _rows(self, query: LiteralString, only: Filter, **values: object) -> list[Any]:
        """The rows of a query over what this state holds and the filter lets through."""
        if not self.state:
            return []
        told: dict[str, object] = {"state": self.state, "readers": None if only.readers is None else sorted(only.readers), **values}
        sets = [SQL(" AND facts && {}::text[]").format(Literal(sorted(wanted))) for wanted in only.facts]
        return self._asked(query, SQL(SHOWN) + SQL("").join(sets), told)

    def _asked(self, query: LiteralString, shown: Any, told: dict[str, object]) -> list[Any]:
        for last in (False, True):
            connection = self._live()
            try:
                with translated():
                    return connection.execute(self._sql(query, shown), told).fetchall()
            except KnowledgeError:
                if last or not connection.closed:
                    raise  # a server that was restarted closes connections: ask once more on a new one
        raise AssertionError("the second turn returned or raised")

    def _live(self) -> psycopg.Connection[Any]:
        if self.connection.closed:
            self.connection = connected(self.server)
            weakref.finalize(self, self.connection.close)
        return self.connection

    def _create(self, connection: psycopg.Connection[Any]) -> None:
        """The tables, in place of those that a first commit left whose state nobody noted."""
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('rung'))")  # two projects may need the schema at once
        connection.execute("CREATE SCHEMA IF NOT EXISTS rung; CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(self._sql("DROP TABLE IF EXISTS {passages}, {states}"))
        connection.execute(self._sql(CREATE))
        if self.dimensions <= INLINE:
            connection.execute(self._sql("ALTER TABLE {passages} ALTER COLUMN vector SET STORAGE PLAIN"))

    def _copy(
        self,
        connection: psycopg.Connection[Any],
        add: Sequence[Passage],
        vectors: Vectors,
        labels: Mapping[str, Labels],
        words: Sequence[Mapping[str, int]],
        new: int,
    ) -> None:
        with connection.cursor() as cursor, cursor.copy(self._sql(ADD)) as copy:
            for passage, vector, counts in zip(add, vectors, words, strict=True):
                of = labels.get(passage.document, Labels())
                span = (passage.id, passage.document, passage.start, passage.end, passage.text, list(passage.headings))
                lexemes = " ".join(f"'{word}':{','.join(map(str, range(1, count + 1)))}" for word, count in counts.items())
                copy.write_row((*span, list(of.readers), list(of.facts), lexemes, sum(counts.values()), _text(vector), new))

    def _sql(self, query: LiteralString, shown: Any = None) -> Any:
        name = place(self.folder)
        return SQL(query).format(
            passages=Identifier("rung", f"passages_{name}"),
            states=Identifier("rung", f"states_{name}"),
            graph=Identifier(f"graph_{name}"),
            state=Literal(self.state),
            dimensions=Literal(self.dimensions),
            columns=SQL(COLUMNS),
            shown=shown,
            k1=Literal(K1),
            b=Literal(B),
        )


def open_state(folder: Path, dimensions: int, state: str, where: str = "") -> Postgres:
    """The state on the server `where` names (a libpq URL or key=value string; empty: the PG* variables). KnowledgeError."""
    connection = connected(where)
    index = Postgres(where, folder, dimensions, connection, int(state or 0))
    weakref.finalize(index, connection.close)
    if state and not index._asked("SELECT FROM {states} WHERE state = %(state)s", None, {"state": int(state)}):
        raise ValueError(f"the server holds no state {state}")
    return index


def connected(where: str) -> psycopg.Connection[Any]:
    """A connection to the server, each statement a transaction of its own. KnowledgeError where there can be none."""
    with translated():
        made = psycopg.connect(where, autocommit=True, connect_timeout=10, client_encoding="UTF8", application_name="rung")
        made.execute(SESSION)
        return made


@contextmanager
def translated(hint: str = "the server needs the extension vector (pgvector), and the user the right to create a schema") -> Iterator[None]:
    """PostgreSQL's errors as ours. Its messages name host, port and user, never a password."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise KnowledgeError(f"PostgreSQL can't be reached: {_line(error)}", "check the address under [knowledge] in rung.toml") from None
    except psycopg.Error as error:
        raise KnowledgeError(f"PostgreSQL refused: {_line(error)}", hint) from None


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _counted(words: Sequence[str]) -> dict[str, int]:
    """How often each word occurs, as far as a tsvector can hold it."""
    return {word: min(count, MOST) for word, count in Counter(words).items() if len(word.encode()) <= LONGEST}


def _text(vector: Vectors) -> str:
    return "[" + ",".join(map(repr, vector.tolist())) + "]"


def _passage(row: Sequence[Any]) -> Passage:
    return Passage(row[0], row[1], row[2], row[3], row[4], tuple(row[5]))
