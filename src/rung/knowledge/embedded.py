"""Vectors of a sync that is under way, so that a killed one goes on where it stopped. It refuses to outlive the commit.

A file of equal records, each the hash of a text and its vector; a record that a kill cut short is not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rung.types import Vectors

FILE = "embedded.part"
DIGEST = 16


def remembered(home: Path, dimensions: int) -> Callable[[Sequence[str]], dict[str, Vectors]]:
    """A function from texts to the vectors, shape (dimensions,), of those that were embedded before the kill."""
    import numpy as np

    size = DIGEST + 4 * dimensions
    raw = (home / FILE).read_bytes() if (home / FILE).exists() else b""
    records = np.frombuffer(raw, np.uint8, len(raw) // size * size).reshape(-1, size)
    places = {records[row, :DIGEST].tobytes(): row for row in range(len(records))}
    vectors = np.ascontiguousarray(records[:, DIGEST:]).view(np.float32)

    def recall(texts: Sequence[str]) -> dict[str, Vectors]:
        found = {text: vectors[places[digest]] for text in texts if (digest := _digest(text)) in places}
        return {text: vector for text, vector in found.items() if abs(float(vector @ vector) - 1) < 1e-2}  # not zeros after a power cut

    return recall


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
