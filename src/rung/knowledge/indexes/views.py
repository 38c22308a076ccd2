"""What a filter lets through, vectors and all but the texts, in memory while one state is searched. It refuses to outgrow its room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from rung.types import Filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rung.types import Vectors

ROOM = 256 * 2**20  # bytes of vectors held at once; a view takes half of it at most
PIECE = 512  # rows multiplied at once: too few for BLAS to wake its threads, which would only wait for those of the other search


@dataclass(frozen=True)
class View:
    """The ids of the rows that a filter lets through, shape (rows,), their unit vectors, (rows, d), and small columns."""

    rows: NDArray[Any]
    vectors: Vectors
    columns: Any  # an Arrow table

    @cached_property
    def order(self) -> NDArray[Any]:
        """What sorts the ids."""
        return self.rows.argsort()

    def best(self, vector: Vectors, k: int) -> dict[int, float]:
        """The k rows nearest to one unit vector of shape (d,) by cosine, each with its score."""
        import numpy as np

        wanted = np.asarray(vector, np.float32)
        scores = np.empty(len(self.vectors), np.float32)
        for at in range(0, len(scores), PIECE):
            np.dot(self.vectors[at : at + PIECE], wanted, out=scores[at : at + PIECE])
        near = np.argpartition(-scores, k)[:k] if k < len(scores) else np.arange(len(scores))
        rounded = scores[near].round(6)  # the last bits of equal vectors' scores differ by where they stand in a piece
        return dict(zip(self.rows[near].tolist(), rounded.tolist(), strict=True))

    def told(self, ids: Sequence[int]) -> list[dict[str, Any]] | None:
        """The small columns of these rows, and their ids as `_rowid`; None where one isn't here."""
        import numpy as np

        if not ids or not len(self.rows):
            return None if ids else []
        wanted = np.asarray(ids, self.rows.dtype)
        places = self.order.take(np.searchsorted(self.rows, wanted, sorter=self.order), mode="clip")
        if not np.array_equal(self.rows[places], wanted):
            return None
        return [{"_rowid": at, **row} for at, row in zip(ids, self.columns.take(places).to_pylist(), strict=True)]


@dataclass
class Views:
    """The views used last, of one version of a table. Mutable and shared by the threads that search."""

    version: int = -1
    held: OrderedDict[Filter, View | None] = field(default_factory=OrderedDict)  # None: lets too much through
    lock: Lock = field(default_factory=Lock)

    def held_of(self, version: int, only: Filter) -> View | None:
        """The filter's view of this version where it is held; nothing is loaded."""
        with self.lock:
            return self.held.get(only) if self.version == version else None

    def view(self, version: int, only: Filter, load: Callable[[], View | None]) -> View | None:
        """The filter's view of this version, loaded where it isn't held."""
        with self.lock:
            if self.version != version:
                self.held.clear()
                self.version = version
            if only in self.held:
                self.held.move_to_end(only)
                return self.held[only]
        found = load()
        with self.lock:
            if self.version == version:
                self.held[only] = found
                while sum(one.vectors.nbytes for one in self.held.values() if one) > ROOM:
                    self.held.popitem(last=False)
        return found


def fits(rows: int, dimensions: int) -> bool:
    """Whether so many vectors may be kept."""
    return rows * dimensions * 4 <= ROOM // 2
