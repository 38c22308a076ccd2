"""One document edited in an index of synthetic vectors: how long until both legs find it, at 10,000 and at a million passages.

The time starts when the new vectors are there and ends when the commit is done, from when on any search sees the edit. A
search by words and one by vectors then have to find it, at their own cost, which is told apart. No figure for an edit that isn't found.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from rung.knowledge.indexes import StoredIndex, open_index
from rung.types import Passage

if TYPE_CHECKING:
    from rung.types import Vectors

DIMENSIONS, PER_DOCUMENT, EDITS = 384, 10, 60
BATCH = 250_000  # passages that a commit adds while the index is built


def run(small: bool = False) -> dict[str, object]:
    """The p50 and p95 in ms of an edit, with both searches, and the processor's time for it; in small without the million."""
    figures: dict[str, object] = {}
    print(f"{'passages':>10}{'p50 ms':>9}{'p95 ms':>9}{'with searches':>15}{'processor':>11}{'built in s':>12}")
    for name, size in (("10k", 10_000), *(() if small else (("100k", 100_000), ("1m", 1_000_000)))):
        with tempfile.TemporaryDirectory() as folder:
            figures |= {f"{key}_{name}": value for key, value in _measured(size, Path(folder)).items()}
    return figures


def _measured(size: int, folder: Path) -> dict[str, float]:
    started = time.perf_counter()
    words = _vocabulary()
    index = open_index("lance", folder, DIMENSIONS)
    for at in range(0, size, BATCH):
        numbers = range(at, min(at + BATCH, size))
        index.commit([], [_passage(number, _text(words, number)) for number in numbers], _vectors(len(numbers), at))
    built = time.perf_counter() - started
    edits = [_edited(index, words, number, size) for number in range(EDITS)]
    commits, whole, processor = (sorted(1000 * edit[column] for edit in edits) for column in range(3))
    p95 = commits[int(0.95 * len(commits))]
    print(f"{size:>10}{median(commits):>9.1f}{p95:>9.1f}{median(whole):>15.1f}{median(processor):>11.1f}{built:>12.1f}", flush=True)
    return {
        "p50_ms": round(median(commits), 2),
        "p95_ms": round(p95, 2),
        "with_searches_p50_ms": round(median(whole), 2),
        "processor_p50_ms": round(median(processor), 2),
    }


def _edited(index: StoredIndex, words: Sequence[str], number: int, size: int) -> tuple[float, float, float]:
    document = random.Random(f"edit/{number}").randrange(size // PER_DOCUMENT)
    marker = f"edition{number}"
    first = document * PER_DOCUMENT
    new = [_passage(n, f"{marker} {_text(words, size + first + n)}") for n in range(first, first + PER_DOCUMENT)]
    vectors = _vectors(PER_DOCUMENT, 10**9 + number)
    started, processor = time.perf_counter(), time.process_time()
    index.commit([f"{document}.md"], new, vectors)
    committed, used = time.perf_counter(), time.process_time() - processor
    found = {hit.passage.text for hit in index.words(marker, PER_DOCUMENT)}, index.dense(vectors[0], 1)[0].passage.text
    ended = time.perf_counter()
    if found != ({passage.text for passage in new}, new[0].text):
        raise SystemExit(f"the edit of document {document} was not found")
    return committed - started, ended - started, used


def _vocabulary() -> list[str]:
    """A long text of made-up words, about as unequal as a language's."""
    chance = random.Random(0)
    return [f"w{int(chance.paretovariate(0.9)) % 50_000}" for _ in range(200_000)]


def _text(words: Sequence[str], number: int) -> str:
    at = random.Random(number).randrange(len(words) - 80)
    return " ".join(words[at : at + 80])


def _passage(number: int, text: str) -> Passage:
    document, place = divmod(number, PER_DOCUMENT)
    return Passage(f"{number:016x}", f"{document}.md", 1000 * place, 1000 * place + len(text), text)


def _vectors(count: int, seed: int) -> Vectors:
    raw = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    unit: Vectors = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    return unit
