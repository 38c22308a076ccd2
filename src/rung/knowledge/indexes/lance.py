"""Vectors and full text in LanceDB, embedded; a state is a version of its table, so half a commit is never seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.knowledge.indexes.exact import searched
from rung.types import Hit, Passage

if TYPE_CHECKING:
    from rung.types import Vectors

COLUMNS = ["id", "document", "start", "end", "text", "headings"]
NAME = "passages"


@dataclass
class Lance:
    """A LanceDB table checked out at one version."""

    database: Any
    table: Any  # None while empty
    dimensions: int

    def commit(self, remove: Sequence[str], add: Sequence[Passage], vectors: Vectors) -> str:
        """Remove the documents, add the passages, index the new words; the version that holds it all."""
        from lancedb.index import FTS

        if self.table is None:
            self.table = self.database.create_table(NAME, schema=_schema(self.dimensions), mode="overwrite")
        else:
            self.table.restore()  # back to the state we were opened at: a killed commit leaves versions behind
        for at in range(0, len(remove), 500):
            quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in remove[at : at + 500])
            self.table.delete(f"document IN ({quoted})")
        if len(add):
            self.table.add(_rows(add, vectors, self.dimensions))
        if self.table.count_rows():
            self.table.create_index("searched", config=FTS(stem=True, remove_stop_words=True, with_position=False), replace=True)
        version = self.table.version
        self.table.checkout(version)
        return str(version)

    def dense(self, vector: Vectors, k: int) -> list[Hit]:
        """The k nearest by cosine, exact: a scan is fine to some tens of thousands of passages."""
        if self.table is None or not self.table.count_rows():
            return []
        query = self.table.search(vector, vector_column_name="vector").distance_type("cosine").bypass_vector_index()
        rows = query.select([*COLUMNS, "_distance"]).limit(k).to_list()
        return _hits(rows, lambda row: 1.0 - row["_distance"])

    def words(self, text: str, k: int) -> list[Hit]:
        """The k best by BM25."""
        from lancedb.query import MatchQuery

        if self.table is None or not self.table.count_rows() or not text.strip():
            return []
        rows = self.table.search(MatchQuery(text, "searched"), query_type="fts").select([*COLUMNS, "_score"]).limit(k).to_list()
        return _hits(rows, lambda row: row["_score"])

    def passages(self) -> Iterator[Passage]:
        """All passages in order of document and start."""
        if self.table is None:
            return iter(())
        rows = self.table.search().select(COLUMNS).limit(self.table.count_rows()).to_list() if self.table.count_rows() else []
        return iter(sorted((_passage(row) for row in rows), key=lambda p: (p.document, p.start)))


def _schema(dimensions: int) -> Any:
    import pyarrow as pa

    text = [pa.field(name, pa.string()) for name in ("id", "document", "text", "searched")]
    spans = [pa.field(name, pa.int64()) for name in ("start", "end")]
    return pa.schema([*text, *spans, pa.field("headings", pa.list_(pa.string())), pa.field("vector", pa.list_(pa.float32(), dimensions))])


def _rows(passages: Sequence[Passage], vectors: Vectors, dimensions: int) -> Any:
    import pyarrow as pa

    columns = {name: [getattr(passage, name) for passage in passages] for name in COLUMNS}
    columns["headings"] = [list(passage.headings) for passage in passages]
    flat = pa.array(vectors.reshape(-1), pa.float32())
    data = {**columns, "searched": [searched(p) for p in passages], "vector": pa.FixedSizeListArray.from_arrays(flat, dimensions)}
    return pa.table(data, schema=_schema(dimensions))


def _passage(row: dict[str, Any]) -> Passage:
    return Passage(row["id"], row["document"], row["start"], row["end"], row["text"], tuple(row["headings"]))


def _hits(rows: list[dict[str, Any]], score: Any) -> list[Hit]:
    hits = [Hit(_passage(row), float(score(row))) for row in rows]
    return sorted(hits, key=lambda hit: (-hit.score, hit.passage.id))


def open_lance(folder: Path, dimensions: int, state: str) -> Lance:
    """The table at the version `state`, or an empty one."""
    import lancedb

    folder.mkdir(parents=True, exist_ok=True)
    database = lancedb.connect(str(folder))
    table = None
    if state:
        table = database.open_table(NAME)
        table.checkout(int(state))
    return Lance(database, table, dimensions)
