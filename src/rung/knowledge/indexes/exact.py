"""An exact index in memory, one file for each state: for tests, small corpora, and to check others. It refuses to approximate."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.knowledge.access import allows
from rung.knowledge.chunk import searchable
from rung.knowledge.indexes.bm25 import BM25
from rung.knowledge.replace import replace_file
from rung.types import ALL, Filter, Hit, Labels, Passage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rung.types import Vectors


@dataclass
class Exact:
    """Brute-force cosine, and BM25 over headings and text. Mutable, since a commit changes what is searched."""

    folder: Path
    dimensions: int
    held: list[Passage]
    vectors: Vectors
    state: str = ""
    labels: dict[str, Labels] = field(default_factory=dict)  # by document
    words_index: BM25 | None = field(default=None, repr=False)  # built by the first search by words

    def commit(self, remove: Sequence[str], add: Sequence[Passage], vectors: Vectors, labels: Mapping[str, Labels] | None = None) -> str:
        """Remove the documents, add the passages under their documents' labels; the new state's name. The state before stays."""
        import numpy as np

        gone = set(remove)
        kept = [number for number, passage in enumerate(self.held) if passage.document not in gone]
        held = [*(self.held[number] for number in kept), *add]
        every = np.concatenate([self.vectors[kept], np.asarray(vectors, np.float32).reshape(len(add), self.dimensions)])
        order = sorted(range(len(held)), key=lambda number: (held[number].document, held[number].start))
        held, every = [held[number] for number in order], every[order]
        known = {**{path: of for path, of in self.labels.items() if path not in gone}, **(labels or {})}
        known = {path: known[path] for path in sorted({passage.document for passage in held} & known.keys())}
        state = _save(self.folder, held, every, known)
        self.held, self.vectors, self.state, self.labels, self.words_index = held, every, state, known, None
        return state

    def tidy(self, keep: Sequence[str] | None = ()) -> None:
        """Delete other states, those of `keep` excepted. Only to be called when the last commit's state has been noted."""
        if keep is None:
            return
        kept = {f"{state}.npz" for state in (self.state, *keep)}
        for old in self.folder.glob("*"):
            if old.name not in kept:
                old.unlink(missing_ok=True)

    def dense(self, vector: Vectors, k: int, only: Filter = ALL, thin: bool = False) -> list[Hit]:
        """The k nearest by cosine to one unit vector of shape (d,); ties in order of document and start."""
        import numpy as np

        may = np.flatnonzero(self._may(only))
        scores = self.vectors[may] @ np.asarray(vector, np.float32)
        return [Hit(self.held[may[at]], float(scores[at])) for at in np.argsort(-scores, kind="stable")[:k]]

    def words(self, text: str, k: int, only: Filter = ALL, thin: bool = False) -> list[Hit]:
        """The k best by BM25; passages that share no word with the query are left out."""
        if self.words_index is None:
            self.words_index = BM25([searchable(passage) for passage in self.held])
        return [Hit(self.held[number], score) for number, score in self.words_index.best(text, k, self._may(only))]

    def whole(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits: none is thin here."""
        return list(hits)

    def passages(self, only: Filter = ALL) -> Iterator[Passage]:
        """All passages in order of document and start."""
        return (passage for passage, may in zip(self.held, self._may(only), strict=True) if may)

    def stored(self, documents: Sequence[str]) -> tuple[list[Passage], Vectors]:
        """The passages of these documents and their vectors."""
        asked = set(documents)
        found = [number for number, passage in enumerate(self.held) if passage.document in asked]
        return [self.held[number] for number in found], self.vectors[found]

    def _may(self, only: Filter) -> NDArray[Any]:
        """True for each passage that the filter lets through, shape (passages,)."""
        import numpy as np

        through = {path: allows(only, self.labels.get(path, Labels())) for path in {passage.document for passage in self.held}}
        return np.array([through[passage.document] for passage in self.held], bool)


def open_state(folder: Path, dimensions: int, state: str) -> Exact:
    """The state's file, or an empty index. OSError or ValueError where it is damaged."""
    import numpy as np

    if not state:
        return Exact(folder, dimensions, [], np.zeros((0, dimensions), np.float32))
    with np.load(folder / f"{state}.npz", allow_pickle=False) as stored:
        vectors, told = stored["vectors"], json.loads(stored["passages"].tobytes().decode())
    labels = {path: Labels(tuple(readers), tuple(facts)) for path, (readers, facts) in told["labels"].items()}
    return Exact(folder, dimensions, [_passage(row) for row in told["passages"]], vectors, state, labels)


def _passage(row: dict[str, Any]) -> Passage:
    return Passage(**{**row, "headings": tuple(row["headings"])})


def _save(folder: Path, held: Sequence[Passage], vectors: Vectors, labels: Mapping[str, Labels]) -> str:
    import numpy as np

    kept = {path: [of.readers, of.facts] for path, of in labels.items()}
    told = json.dumps({"passages": [asdict(passage) for passage in held], "labels": kept}, ensure_ascii=False).encode()
    state = hashlib.sha256(told + vectors.tobytes()).hexdigest()[:16]
    buffer = io.BytesIO()
    np.savez(buffer, vectors=vectors, passages=np.frombuffer(told, np.uint8))
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / f"{state}.npz", buffer.getbuffer())
    return state
