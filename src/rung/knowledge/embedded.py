"""Vectors of a sync that is under way, so that a killed one goes on where it stopped. It refuses to outlive the commit.

A file of equal records, each the hash of a text and its vector; a record that a kill cut short is not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rung.knowledge.chunk import searchable

if TYPE_CHECKING:
    from rung.types import Embedder, Passage, Vectors

FILE = "embedded.part"
DIGEST = 16
BATCH = 64  # texts embedded between two reports of progress
Progress = Callable[[int, int, str], None]


def embedded(
    home: Path, embedder: Embedder, before: tuple[Sequence[Passage], Vectors], passages: Sequence[Passage], progress: Progress | None
) -> Vectors:
    """Vectors of the passages, shape (passages, dimensions): known ones from those held before, the others embedded."""
    import numpy as np

    old, stored = before
    known = {searchable(passage): row for passage, row in zip(old, stored, strict=True)}
    texts = [searchable(passage) for passage in passages]
    known |= remembered(home, texts, stored.shape[1])
    missing = list(dict.fromkeys(text for text in texts if text not in known))
    for at in range(0, len(missing), BATCH):
        part = missing[at : at + BATCH]
        rows = embedder.embed(part)
        known.update(zip(part, rows, strict=True))
        if len(missing) > BATCH:
            remember(home, part, rows)
        if progress:
            progress(min(at + BATCH, len(missing)), len(missing), "embedding")
    dimensions = len(next(iter(known.values()))) if known else stored.shape[1]
    return np.array([known[text] for text in texts], np.float32).reshape(len(texts), dimensions)


def stacked(first: Vectors, second: Vectors) -> Vectors:
    """Both, one under the other."""
    import numpy as np

    return np.concatenate([first, second]) if len(second) else first


def remembered(home: Path, texts: Sequence[str], dimensions: int) -> dict[str, Vectors]:
    """The vectors, shape (dimensions,), of those texts that were embedded before the kill."""
    import numpy as np

    size = DIGEST + 4 * dimensions
    raw = (home / FILE).read_bytes() if (home / FILE).exists() else b""
    records = np.frombuffer(raw, np.uint8, len(raw) // size * size).reshape(-1, size)
    places = {records[row, :DIGEST].tobytes(): row for row in range(len(records))}
    vectors = np.ascontiguousarray(records[:, DIGEST:]).view(np.float32)
    found = {text: vectors[places[digest]] for text in texts if (digest := _digest(text)) in places}
    return {text: vector for text, vector in found.items() if abs(float(vector @ vector) - 1) < 1e-2}  # not zeros after a power cut


def remember(home: Path, texts: Sequence[str], vectors: Vectors) -> None:
    """Add these to the file. On a full disk nothing is added: the commit will say so, and only time is lost."""
    import numpy as np

    size = DIGEST + 4 * vectors.shape[1]
    records = b"".join(_digest(text) + np.asarray(row, np.float32).tobytes() for text, row in zip(texts, vectors, strict=True))
    with suppress(OSError), (home / FILE).open("ab") as file:
        file.truncate(file.tell() // size * size)
        file.write(records)


def forget(home: Path) -> None:
    """Delete the file, once everything in it is committed or not wanted any more."""
    with suppress(OSError):
        (home / FILE).unlink(missing_ok=True)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:DIGEST]
