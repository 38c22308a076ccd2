"""The columns of a LanceDB table of passages, its rows as passages and hits, and filters as SQL. It refuses to open any table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rung.knowledge.chunk import searchable
from rung.knowledge.fold import key
from rung.types import Filter, Hit, Labels, Passage

if TYPE_CHECKING:
    from rung.types import Vectors

COLUMNS = ["id", "document", "start", "end", "text", "headings"]
THIN = ["document", "start", "end", "said"]  # all that ranking wants of a candidate


def chosen(documents: Sequence[str]) -> Iterator[str]:
    """Conditions that choose the rows of these documents, some hundred at a time."""
    for at in range(0, len(documents), 500):
        yield f"document IN ({_quoted(documents[at : at + 500])})"


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)


def through(query: Any, only: Filter) -> Any:
    """The query with the filter, which LanceDB applies before it ranks."""
    where = conditions(only)
    return query.where(where, prefilter=True) if where else query


def conditions(only: Filter) -> str:
    """The filter as a condition; empty where it lets everything through."""
    sets = [("facts", wanted) for wanted in only.facts]
    if only.readers is not None:
        sets.append(("readers", only.readers))
    return " AND ".join(f"array_has_any({column}, [{_quoted(sorted(wanted))}])" for column, wanted in sets)


def nothing(only: Filter) -> bool:
    """Whether the filter can't let anything through; SQL has no empty list of texts."""
    return only.readers == frozenset() or frozenset() in only.facts


def schema(dimensions: int) -> Any:
    """The Arrow schema of the table."""
    import pyarrow as pa

    text = [pa.field(name, pa.string()) for name in ("id", "document", "text", "searchable", "said")]
    spans = [pa.field(name, pa.int64()) for name in ("start", "end")]
    lists = [pa.field(name, pa.list_(pa.string())) for name in ("headings", "readers", "facts")]
    return pa.schema([*text, *spans, *lists, pa.field("vector", pa.list_(pa.float32(), dimensions))])


def rows(passages: Sequence[Passage], vectors: Vectors, dimensions: int, labels: Mapping[str, Labels]) -> Any:
    """The passages under their documents' labels as an Arrow table of this schema."""
    import pyarrow as pa

    columns: dict[str, Any] = {name: [getattr(passage, name) for passage in passages] for name in COLUMNS}
    columns["headings"] = [list(passage.headings) for passage in passages]
    of = [labels.get(passage.document, Labels()) for passage in passages]
    columns["readers"], columns["facts"] = [list(one.readers) for one in of], [list(one.facts) for one in of]
    columns["searchable"] = [searchable(passage) for passage in passages]
    columns["said"] = [key(passage) for passage in passages]
    columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1), pa.float32()), dimensions)
    return pa.table(columns, schema=schema(dimensions))


def passage_of(row: Mapping[str, Any]) -> Passage:
    """The passage of a row; of a thin one its stand-in, see `rung.knowledge.indexes.StoredIndex`."""
    if "said" in row:
        return Passage(str(row["_rowid"]), row["document"], row["start"], row["end"], "", (row["said"],))
    return Passage(row["id"], row["document"], row["start"], row["end"], row["text"], tuple(row["headings"]))


def hits(rows: Iterable[Mapping[str, Any]]) -> list[Hit]:
    """The rows with their `_score`, best first; ties in order of document and start."""
    found = [Hit(passage_of(row), float(row["_score"])) for row in rows]
    return sorted(found, key=lambda hit: (-hit.score, hit.passage.document, hit.passage.start))
