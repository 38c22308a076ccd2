"""Documents to passages with their vectors: the next window is cut while the encoder computes. It refuses to embed a text twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

from rung.knowledge.chunk import chunk, searchable
from rung.knowledge.embedded import remember, remembered
from rung.types import Document, Embedder, Passage

if TYPE_CHECKING:
    from rung.types import Vectors

WINDOW = 256  # passages that are cut, embedded and noted together: what a kill costs
AHEAD = 2  # windows cut before the encoder asks for them
T = TypeVar("T")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Window:
    """Passages of some documents, and the share of all text that has been cut by then."""

    passages: list[Passage]
    share: float


def embedded(
    home: Path,
    embedder: Embedder,
    documents: Sequence[Document],
    longest: int,
    known: Mapping[str, Vectors],
    dimensions: int,
    progress: Progress | None = None,
) -> tuple[list[Passage], Vectors]:
    """The documents' passages of at most `longest` tokens, and their vectors, shape (passages, dimensions).

    `known` vectors by searchable text are taken as they are, and those that a killed sync has left in `home`. The total
    told to `progress` is an estimate from the share of the text that has been cut, until all of it has been.
    """
    import numpy as np

    vector, passages, done = dict(known), list[Passage](), 0
    recall = remembered(home, dimensions)
    with closing(ahead(windows(documents, embedder.count, longest), AHEAD)) as cut:
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
                remember(home, missing, rows)
            if progress:
                progress(done, done if window.share == 1 else max(done + 1, round(done / window.share)), "embedding")
    dimensions = len(next(iter(vector.values()))) if vector else dimensions
    return passages, np.array([vector[searchable(one)] for one in passages], np.float32).reshape(len(passages), dimensions)


def windows(documents: Sequence[Document], count: Callable[[str], int], longest: int) -> Iterator[Window]:
    """All passages in order, about WINDOW at a time."""
    passages, read, total = list[Passage](), 0, sum(len(document.text) for document in documents)
    for number, document in enumerate(documents, 1):
        passages += chunk(document, count, longest)
        read += len(document.text)
        if len(passages) >= WINDOW or number == len(documents):
            yield Window(passages, read / total if number < len(documents) else 1.0)
            passages = []


def ahead(items: Iterator[T], most: int) -> Iterator[T]:
    """The same items, made by a thread of their own, `most` of them before they are asked for; its errors are raised here."""
    queue: Queue[tuple[T | None, BaseException | None]] = Queue(most)
    stopped = Event()

    def make() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                queue.put((item, None))
                if stopped.is_set():
                    return
        except BaseException as raised:  # handed over
            error = raised
        queue.put((None, error))

    thread = Thread(target=make, daemon=True)
    thread.start()
    try:
        while (made := queue.get())[0] is not None:
            yield made[0]
        if made[1]:
            raise made[1]
    finally:
        stopped.set()
        while thread.is_alive():  # it may wait for room in the queue
            with suppress(Empty):
                queue.get(timeout=0.01)
