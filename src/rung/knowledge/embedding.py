"""Documents to passages with their vectors: the next window is cut while the encoder computes. It refuses to embed a text twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rung.errors import KnowledgeError
from rung.knowledge.chunk import searchable
from rung.knowledge.chunkers import Chunker, chunker
from rung.knowledge.embedded import remember, remembered
from rung.types import Document, Embedder, Labels, Passage

if TYPE_CHECKING:
    from rung.knowledge.indexes import StoredIndex
    from rung.knowledge.state import State
    from rung.types import Vectors

WINDOW = 256  # passages that are cut, embedded and noted together: what a kill costs
AHEAD = 2  # windows cut before the encoder asks for them
T = TypeVar("T")
Commit = Callable[[Sequence[str], Sequence[Passage], "Vectors"], str]  # removes documents, adds what was made and these; the new state
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Window:
    """Passages of some documents, and the share of all text that has been cut by then."""

    passages: list[Passage]
    share: float


@dataclass(frozen=True)
class Change:
    """What a sync is to make of the state before it."""

    home: Path
    index: StoredIndex
    before: State
    embedder: Embedder
    longest: int  # tokens of a passage
    gone: Sequence[str]  # documents that are not held any more, or not as they were
    fresh: Sequence[Document]  # those to be cut and embedded
    labels: Mapping[str, Labels]
    chunker: str = "structure"


def make(change: Change, progress: Progress | None = None) -> tuple[Commit, int]:
    """A commit of the passages of all fresh documents, made on this machine, and their vectors' dimensions.

    Vectors of passages that go are used again. KnowledgeError for a document that came without its text.
    """
    if any(not document.text for document in change.fresh):  # told unchanged, but another process removed it since
        raise KnowledgeError("another process changed the index while documents were read", "run the same command again")
    old, stored = change.index.stored(change.gone)
    known = {searchable(passage): row for passage, row in zip(old, stored, strict=True)}
    passages, vectors = _embedded(change, known, stored.shape[1], progress)

    def commit(remove: Sequence[str], same: Sequence[Passage], rows: Vectors) -> str:
        import numpy as np

        stacked = np.concatenate([vectors, rows]) if len(rows) else vectors
        return change.index.commit(remove, [*passages, *same], stacked, change.labels)

    return commit, vectors.shape[1]


def _embedded(change: Change, known: Mapping[str, Vectors], dimensions: int, progress: Progress | None) -> tuple[list[Passage], Vectors]:
    """The passages and their vectors, shape (passages, dimensions): known ones, those that a killed sync left, or new ones.

    The total told to `progress` is an estimate from the share of the text that has been cut, until all of it has been.
    """
    import numpy as np

    vector, passages, done = dict(known), list[Passage](), 0
    recall, embedder = remembered(change.home, dimensions), change.embedder
    with closing(ahead(windows(change.fresh, chunker(change.chunker), embedder.count, change.longest), AHEAD)) as cut:
        for window in cut:
            passages += window.passages
            texts = [text for text in dict.fromkeys(map(searchable, window.passages)) if text not in vector]
            vector |= recall(texts)
            missing = [text for text in texts if text not in vector]
            if not missing:
                continue
            rows = embedder.embed(missing)
            vector.update(zip(missing, rows, strict=True))
            done += len(missing)
            if window.share < 1:  # the last window is committed at once
                remember(change.home, missing, rows)
            if progress:
                progress(done, done if window.share == 1 else max(done + 1, round(done / window.share)), "embedding")
    dimensions = len(next(iter(vector.values()))) if vector else dimensions
    return passages, np.array([vector[searchable(one)] for one in passages], np.float32).reshape(len(passages), dimensions)


def windows(documents: Sequence[Document], cut: Chunker, count: Callable[[str], int], longest: int) -> Iterator[Window]:
    """All passages in order, about WINDOW at a time."""
    passages, read, total = list[Passage](), 0, sum(len(document.text) for document in documents)
    for number, document in enumerate(documents, 1):
        passages += cut(document, count, longest)
        read += len(document.text)
        if len(passages) >= WINDOW or number == len(documents):
            yield Window(passages, read / total if number < len(documents) else 1.0)
            passages = []


def ahead(items: Iterator[T], most: int) -> Generator[T, None, None]:
    """The same items, made by a thread of their own, `most` of them before they are asked for; its errors are raised here."""
    thread = ThreadPoolExecutor(1)
    try:
        made = deque(thread.submit(next, items, None) for _ in range(most))
        while (item := made.popleft().result()) is not None:
            made.append(thread.submit(next, items, None))
            yield item
    finally:
        thread.shutdown(cancel_futures=True)
