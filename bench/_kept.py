"""A made-up corpus in an index of ours, written in pieces, with progress, and kept where asked. It refuses to write a piece twice.

Pieces are files beside the table that one commit takes in, so the indexes are built once; a run that was cut off goes on
behind its last piece, and one that finds the corpus finished opens it.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from bench import _million
from rung.knowledge.indexes import LAYOUT, fragments, open_index
from rung.knowledge.indexes.lance import Lance
from rung.knowledge.indexes.table import rows
from rung.types import Labels

if TYPE_CHECKING:
    from rung.types import Vectors

PIECE = 50_000  # passages written at once


@dataclass(frozen=True)
class Stored:
    """An index that holds the corpus, its state, the vectors of shape (size, 384), and the seconds spent on filling the index."""

    index: Lance
    state: str
    vectors: Vectors
    built: float


def stored(held: _million.Words, size: int, folder: Path) -> Stored:
    """The corpus of so many passages under `folder`, made where it isn't there yet."""
    home = folder / f"{size}-{'novels' if _million.NOVELS.exists() else 'words'}-{LAYOUT}"
    home.mkdir(parents=True, exist_ok=True)
    mode, shape = "r+" if (home / "vectors").exists() else "w+", (size, _million.DIMENSIONS)
    vectors: Vectors = np.memmap(home / "vectors", np.float32, mode, shape=shape)
    done = home / "done.json"
    if not done.exists():
        written, spent = _written(held, size, home, vectors)
        _tell(f"{size:,} written, indexing words, labels and vectors")
        begun = time.perf_counter()
        state = _opened(home).commit([], [], vectors[:0], {}, written)
        done.write_text(json.dumps({"state": state, "built": spent + time.perf_counter() - begun}))
        _tell("")
    told = json.loads(done.read_text())
    return Stored(_opened(home, told["state"]), told["state"], vectors, told["built"])


def _opened(home: Path, state: str = "") -> Lance:
    return cast("Lance", open_index("lance", home / "index", _million.DIMENSIONS, state))


def _written(held: _million.Words, size: int, home: Path, vectors: Vectors) -> tuple[list[str], float]:
    """All pieces as a commit takes them, and the seconds that writing them took; each is noted as soon as it is there."""
    uri, note = f"{_opened(home).begin()}/{fragments.NAME}.lance", home / "pieces.jsonl"
    noted = [json.loads(line) for line in note.read_text().splitlines()] if note.exists() else []
    begun, first = time.perf_counter(), PIECE * len(noted)
    for at in range(first, size, PIECE):
        numbers = range(at, min(at + PIECE, size))
        passages, labels = _million.passages(held, numbers)
        vectors[at : numbers.stop] = _million.vectors(numbers, size)
        started = time.perf_counter()
        table = rows(passages, vectors[at : numbers.stop], _million.DIMENSIONS, cast("dict[str, Labels]", labels))
        noted.append([fragments.write(uri, table), time.perf_counter() - started])
        with note.open("a") as file:
            file.write(json.dumps(noted[-1]) + "\n")
        left = (time.perf_counter() - begun) / (numbers.stop - first) * (size - numbers.stop)
        _tell(f"{numbers.stop:,} of {size:,} written, {left:.0f} s left")
    return [one for piece, _ in noted for one in piece], sum(spent for _, spent in noted)


def _tell(said: str) -> None:
    print(f"{said:<70}", end="\r", file=sys.stderr, flush=True)
