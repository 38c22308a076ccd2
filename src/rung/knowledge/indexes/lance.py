"""Vectors and full text in LanceDB, embedded. A state is a version of its table; it refuses to show half a commit.

A table of up to LARGE passages, and what a filter lets through of a larger one where that is little enough, is scanned exactly,
from memory. Else all is scanned as codes of four bits a dimension, and the nearest of them are ranked by their exact vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.knowledge.indexes import fragments
from rung.knowledge.indexes.fragments import NAME
from rung.knowledge.indexes.place import place
from rung.knowledge.indexes.table import COLUMNS, THIN, chosen, conditions, hits, nothing, passage_of, rows, schema, through
from rung.knowledge.indexes.views import View, Views, fits
from rung.types import ALL, Filter, Hit, Labels, Passage

if TYPE_CHECKING:
    from rung.types import Vectors

TIES = 10  # more than asked for, so that passages of equal score are ranked by id and not by where they are stored
NEVER = timedelta(days=36500)  # compact only: until the new state is noted, the old version must stay, however old
SMALL = 500  # passages up to which the words are indexed from scratch by every commit
CHURN = 0.05  # share of new and removed passages from which they are indexed from scratch in any table
LARGE = 30_000  # passages beyond which labels and vectors have indexes: holding all in memory takes the first search too long
LOOSE = 1_000  # passages that a search may have to scan beside the indexes, or
SHARE = 0.005  # this share of a large table: putting them into its indexes rewrites it
PROBES = 1 << 16  # more parts than an index of vectors has: all codes are compared, so that no part is missed
REFINE = 2  # candidates ranked by their exact vectors, for each one asked for
COMMIT = 20  # a commit counts as so many more: it leaves a file of its own
TAG = "oldest"  # of the version that must not be cleaned up
SLACK = (0.05, 1.0, 20.0)  # seconds: LanceDB reads the clock again after us


@dataclass(frozen=True)
class Wear:
    """What commits have done since the words were last indexed: from scratch (`churn`), and at all (`loose`), in passages."""

    churn: int = 0
    loose: int = 0


@dataclass
class Lance:
    """A LanceDB table at one version. Mutable, since a commit changes what is searched."""

    database: Any
    table: Any  # None while empty
    dimensions: int
    wear: Wear = Wear()
    views: Views = field(default_factory=Views, repr=False)
    counted: tuple[int, int] | None = field(default=None, repr=False)  # version and rows of what is searched, once asked for

    def begin(self) -> str:
        """The database's place, with a table in it that fragments can be written beside, in the way a commit takes them."""
        if self.table is None:
            _begun(self.database, self.dimensions)
        uri = str(self.database.uri)
        return uri if "://" in uri else str(Path(uri).resolve())

    def commit(
        self,
        remove: Sequence[str],
        add: Sequence[Passage],
        vectors: Vectors,
        labels: Mapping[str, Labels] | None = None,
        written: Sequence[str] = (),
    ) -> str:
        """Remove the documents, add the passages under their documents' labels; the version that holds it all.

        `written` are fragments with more passages, see `rung.knowledge.indexes.fragments`.

        A search by words scans the few passages that came after they were indexed. In small tables, and once a share of the
        passages is new, the words are indexed from scratch, so that scores depend on the passages and not on their history.
        """
        fresh = self.table is None
        before = 0 if fresh else int(self.table.version)
        try:
            if fresh:
                self.table = (_begun if written else _created)(self.database, self.dimensions)
            else:
                self._stand(before)
            wear = self._change(remove, add, vectors, labels or {}, written)
            version: int = self.table.version
        except BaseException:  # Ctrl-C too: whatever happened, we stand on the old state again
            if fresh:
                self.table = None
            else:
                self.table.checkout(before)
            raise
        finally:
            self.counted = None
        self.table.checkout(version)
        self.wear, self.counted = wear, None  # another thread may have counted meanwhile
        return f"{version}.{wear.churn}.{wear.loose}"

    def _stand(self, version: int) -> None:
        """Make the version the table's latest: a killed commit leaves newer ones behind."""
        self.table.checkout_latest()
        if self.table.version != version:
            self.table.checkout(version)
            self.table.restore()

    def _change(
        self, remove: Sequence[str], add: Sequence[Passage], vectors: Vectors, labels: Mapping[str, Labels], written: Sequence[str]
    ) -> Wear:
        held = self.table.count_rows()
        for where in chosen(remove):
            self.table.delete(where)
        gone = held - self.table.count_rows() if remove else 0
        if len(add):
            self.table.add(rows(add, vectors, self.dimensions, labels))
        if written:
            fragments.append(self.table, written)
        added = len(add) + fragments.rows_of(written)
        total = held - gone + added
        churn, loose = self.wear.churn + gone + added, self.wear.loose + added + COMMIT
        if total <= SMALL or churn > CHURN * total:
            self.table.optimize(cleanup_older_than=NEVER)
            _indexed(self.table, total)
            return Wear()
        if loose > max(LOOSE, SHARE * total):
            self.table.optimize(cleanup_older_than=NEVER)
            return Wear(churn)
        return Wear(churn, loose)

    def tidy(self, keep: Sequence[str] | None = ()) -> None:
        """Delete the versions before the oldest of `keep`. Only to be called when the last commit's state has been noted."""
        if self.table is None or keep is None:
            return
        oldest = min([self.table.version, *(_parsed(state)[0] for state in keep)])
        table = self.database.open_table(NAME)
        made = {version["version"]: version["timestamp"] for version in table.list_versions()}
        if oldest in made and oldest > min(made):
            (table.tags.update if TAG in table.tags.list() else table.tags.create)(TAG, oldest)
            _clean(table, made[oldest])

    def dense(self, vector: Vectors, k: int, only: Filter = ALL, thin: bool = False) -> list[Hit]:
        """The k nearest by cosine of what the filter lets through: exact where that is little enough to be held in memory."""
        if self._empty() or nothing(only):
            return []
        version, rows = self._counted()
        if (only != ALL or rows <= LARGE) and (view := self.views.view(version, only, lambda: self._view(only))):
            return hits(self._rows(view.best(vector, k + TIES), view, thin))[:k]
        query = self.table.search(vector, vector_column_name="vector").distance_type("cosine")
        query = query.nprobes(PROBES).refine_factor(REFINE) if rows > LARGE else query.bypass_vector_index()
        found = through(query, only).select([*(THIN if thin else COLUMNS), "_distance"]).with_row_id(thin).limit(k + TIES).to_list()
        return hits({**row, "_score": 1.0 - row["_distance"]} for row in found)[:k]

    def _view(self, only: Filter) -> View | None:
        """The vectors that the filter lets through; None where they are too many to keep."""
        import numpy as np

        most = self._counted()[1] if only == ALL else self.table.count_rows(conditions(only))
        if not fits(most, self.dimensions):
            return None
        found = through(self.table.search(), only).select(["vector", *THIN]).with_row_id(True).limit(max(most, 1)).to_arrow()
        flat = found["vector"].combine_chunks().flatten().to_numpy()
        vectors = np.asarray(flat, np.float32).reshape(-1, self.dimensions)
        return View(found["_rowid"].to_numpy(), vectors, found.select(THIN).combine_chunks())

    def _rows(self, best: Mapping[int, float], view: View | None, thin: bool) -> list[dict[str, Any]]:
        """The rows of these ids with their scores; thin ones from memory where the view holds them all."""
        rows = view.told(list(best)) if view and thin else None
        if rows is None:
            taken = self.table.take_row_ids(list(best)).select(THIN if thin else COLUMNS).with_row_id()
            rows = taken.to_list() if best else []
        return [{**row, "_score": best[row["_rowid"]]} for row in rows]

    def words(self, text: str, k: int, only: Filter = ALL, thin: bool = False) -> list[Hit]:
        """The k best by BM25 over headings and text, English words stemmed."""
        from lancedb.query import MatchQuery

        if self._empty() or nothing(only) or not text.strip():
            return []
        match: Any = MatchQuery
        query = through(self.table.search(match(text, "searchable"), query_type="fts"), only)
        if thin and (view := self.views.held_of(self._counted()[0], only)):
            found = query.select(["_score"]).with_row_id(True).limit(k + TIES).to_arrow()
            best = dict(zip(found["_rowid"].to_pylist(), found["_score"].to_pylist(), strict=True))
            return hits(self._rows(best, view, thin))[:k]
        return hits(query.select([*(THIN if thin else COLUMNS), "_score"]).with_row_id(thin).limit(k + TIES).to_list())[:k]

    def whole(self, thin: Sequence[Hit]) -> list[Hit] | None:
        """The hits with their passages; None where a row is no more, since a commit came between."""
        ids = [int(hit.passage.id) for hit in thin]
        rows = self.table.take_row_ids(ids).select(COLUMNS).with_row_id().to_list() if ids else []
        found = {row["_rowid"]: passage_of(row) for row in rows}
        return [replace(hit, passage=found[at]) for at, hit in zip(ids, thin, strict=True)] if len(found) == len(ids) else None

    def passages(self, only: Filter = ALL) -> Iterator[Passage]:
        """All passages in order of document and start."""
        none = self._empty() or nothing(only)
        rows = [] if none else through(self.table.search(), only).select(COLUMNS).limit(self.table.count_rows()).to_list()
        return iter(sorted((passage_of(row) for row in rows), key=lambda passage: (passage.document, passage.start)))

    def stored(self, documents: Sequence[str]) -> tuple[list[Passage], Vectors]:
        """The passages of these documents and their vectors."""
        import numpy as np

        asked = [] if self._empty() else list(chosen(documents))
        most = self.table.count_rows() if asked else 0
        rows = [row for where in asked for row in self.table.search().where(where).select([*COLUMNS, "vector"]).limit(most).to_list()]
        vectors = np.array([row["vector"] for row in rows], np.float32).reshape(len(rows), self.dimensions)
        return [passage_of(row) for row in rows], vectors

    def _empty(self) -> bool:
        return self.table is None or not self._counted()[1]

    def _counted(self) -> tuple[int, int]:
        if self.counted is None:
            self.counted = (self.table.version, self.table.count_rows())
        return self.counted


def open_state(folder: Path, dimensions: int, state: str, where: str = "") -> Lance:
    """The table at the version `state`, or an empty one. OSError, RuntimeError or ValueError where it is damaged.

    `where` is a folder on storage that speaks S3, such as s3://bucket/folder; keys and endpoint come from the AWS_* variables.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return opened(f"{where.rstrip('/')}/{place(folder)}" if where else str(folder), dimensions, state)


def opened(uri: str, dimensions: int, state: str) -> Lance:
    """The same by the place of the database, from any machine that sees it."""
    import lancedb

    database = lancedb.connect(uri)
    if not state:
        return Lance(database, None, dimensions)
    table = database.open_table(NAME)
    version, wear = _parsed(state)
    table.checkout(version)
    return Lance(database, table, dimensions, wear)


def _parsed(state: str) -> tuple[int, Wear]:
    """A state's name is the table's version and its wear."""
    version, *wear = (int(part) for part in state.split("."))
    return version, Wear(*wear)


def _clean(table: Any, since: datetime) -> None:
    """Delete the versions made before then. Where time passed so fast that it would take the tagged one, it takes none."""
    for slack in SLACK:
        with suppress(RuntimeError):
            table.optimize(cleanup_older_than=max(datetime.now() - since, timedelta(0)) + timedelta(seconds=slack))
            return


def _created(database: Any, dimensions: int) -> Any:
    if NAME in database.list_tables().tables:  # left by a first commit that was killed
        database.drop_table(NAME)
    return database.create_table(NAME, schema=schema(dimensions))


def _indexed(table: Any, rows: int) -> None:
    """Index the words from scratch; in larger tables what a commit removes, and in large ones labels and vectors too."""
    from lancedb.index import FTS, BTree, IvfRq, LabelList

    if rows:
        table.create_index("searchable", config=FTS(stem=True, remove_stop_words=True), replace=True)
    if rows > SMALL:
        table.create_index("document", config=BTree(), replace=True)  # a commit finds what it removes without a scan
    if rows > LARGE:
        for column in ("readers", "facts"):
            table.create_index(column, config=LabelList(), replace=True)
    if rows > LARGE and table.schema.field("vector").type.list_size % 8 == 0:  # others are scanned
        table.create_index("vector", config=IvfRq(distance_type="cosine", num_bits=4), replace=True)


def _begun(database: Any, dimensions: int) -> Any:
    """The table as it was created, with the files beside it that a killed first commit had finished."""
    if NAME not in database.list_tables().tables:
        return _created(database, dimensions)
    table = database.open_table(NAME)
    if table.version > 1:
        try:
            table.checkout(1)
            table.restore()
        except (RuntimeError, ValueError):  # of an index whose state was lost
            return _created(database, dimensions)
    return table
