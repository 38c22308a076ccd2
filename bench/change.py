"""One document edited among synthetic ones: how long until it is found, at 10,000 and at a million passages; and a sync of nothing new.

The time starts when the new vectors are there and ends when `sync` returns, from when on any search sees the edit. What a sync
does before it embeds (it compares all documents), the index's own commit and the searches that must find the edit are told
apart. No figure for an edit that isn't found.
"""

from __future__ import annotations

import gzip
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from rung.knowledge.embedders import load
from rung.knowledge.indexes import StoredIndex, open_index
from rung.knowledge.knowledge import Knowledge, open_knowledge, search, sync
from rung.knowledge.read import read_document
from rung.knowledge.state import Held, State, write_state
from rung.types import Document, Passage

if TYPE_CHECKING:
    from rung.types import Vectors

HANDBOOK = Path(__file__).resolve().parents[2] / "shared" / "data" / "sourcegraph_handbook" / "docs_head.jsonl.gz"
DIMENSIONS, PER_DOCUMENT, EDITS, SYNCS = 384, 10, 60, 60
BATCH = 250_000  # passages that a commit adds while the index is built


@dataclass
class Drawn:
    """Unit vectors drawn for each text; it notes when it was done last."""

    id: str = "drawn"
    limit: int = 512
    done: float = 0.0
    held: dict[str, Vectors] = field(default_factory=dict)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Vectors of shape (texts, 384)."""
        for text in texts:
            if text not in self.held:
                self.held[text] = _vectors(1, len(self.held) + 10**10)[0]
        rows = np.stack([self.held[text] for text in texts])
        self.done = time.perf_counter()
        return rows

    def count(self, text: str) -> int:
        """Words."""
        return len(text.split())


def run(small: bool = False) -> dict[str, object]:
    """The p50 and p95 in ms of an edit and of its commit alone, and the seconds of a sync of nothing new; in small without the million."""
    figures: dict[str, object] = {}
    columns = f"{'p50 ms':>9}{'p95 ms':>9}{'before':>9}{'commit':>9}{'p95 ms':>9}{'searches':>10}"
    print(f"{'passages':>10}{columns}{'processor':>11}{'built in s':>12}")
    for name, size in (("10k", 10_000), *(() if small else (("100k", 100_000), ("1m", 1_000_000)))):
        with tempfile.TemporaryDirectory() as folder:
            figures |= {f"{key}_{name}": value for key, value in _measured(size, Path(folder)).items()}
    return figures | _resynced()


def _measured(size: int, folder: Path) -> dict[str, float]:
    started = time.perf_counter()
    words = _vocabulary()
    index = open_index("lance", folder / "index", DIMENSIONS)
    state = ""
    for at in range(0, size, BATCH):
        numbers = range(at, min(at + BATCH, size))
        state = index.commit([], [_passage(number, _text(words, number)) for number in numbers], _vectors(len(numbers), at))
    built = time.perf_counter() - started
    documents = {f"{n}.md": Document(f"{n}.md", "as it is held", "", f"{n:064x}") for n in range(size // PER_DOCUMENT)}
    held = {path: Held(document.hash, "") for path, document in documents.items()}
    written = write_state(folder, State(state, DIMENSIONS, held, changed=frozenset(held)))
    knowledge = Knowledge(folder, Drawn(), "lance", 100, index, written)
    synced = [_synced(knowledge, documents, words, number) for number in range(SYNCS)]
    edits = [_edited(knowledge.index, words, number, size) for number in range(EDITS)]
    whole, before = (sorted(1000 * edit[column] for edit in synced) for column in range(2))
    commits, searches, processor = (sorted(1000 * edit[column] for edit in edits) for column in range(3))
    tail, late = whole[int(0.95 * len(whole))], commits[int(0.95 * len(commits))]
    row = f"{size:>10}{median(whole):>9.1f}{tail:>9.1f}{median(before):>9.1f}{median(commits):>9.1f}{late:>9.1f}"
    print(f"{row}{median(searches):>10.1f}{median(processor):>11.1f}{built:>12.1f}", flush=True)
    return {
        "p50_ms": round(median(whole), 2),
        "p95_ms": round(tail, 2),
        "before_p50_ms": round(median(before), 2),
        "commit_p50_ms": round(median(commits), 2),
        "commit_p95_ms": round(late, 2),
        "searches_p50_ms": round(median(searches), 2),
        "processor_p50_ms": round(median(processor), 2),
    }


def _synced(knowledge: Knowledge, documents: dict[str, Document], words: Sequence[str], number: int) -> tuple[float, float]:
    """Seconds of a whole sync of one edited document from its vectors on, and before them."""
    path = f"{random.Random(f'sync/{number}').randrange(len(documents))}.md"
    parts = [f"synced{number} {_text(words, 10**7 + PER_DOCUMENT * number + part)}" for part in range(PER_DOCUMENT)]
    documents[path] = read_document("\n\n".join(parts).encode(), path)
    embedder = knowledge.embedder
    assert isinstance(embedder, Drawn)
    started = time.perf_counter()
    sync(knowledge, list(documents.values()))
    ended, vectors = time.perf_counter(), embedder.done
    if {hit.passage.document for hit in search(knowledge, f"synced{number}", 3, "words")} != {path}:
        raise SystemExit(f"the edit of {path} was not found")
    return ended - vectors, vectors - started


def _resynced() -> dict[str, object]:
    """Seconds of a sync of the handbook's documents when none has changed."""
    if not HANDBOOK.exists():
        print(f"the handbook is not at {HANDBOOK}")
        return {}
    with gzip.open(HANDBOOK, "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["text"].strip()]
    documents = [read_document(row["text"].encode(), row["path"]) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        knowledge = open_knowledge(Path(folder), load("hashing"))
        sync(knowledge, documents)
        started = time.perf_counter()
        report = sync(open_knowledge(Path(folder), load("hashing")), documents)
        spent = time.perf_counter() - started
    print(f"{report.unchanged} unchanged documents synced again in {spent:.3f} s, opening the index included")
    return {"resync_s": round(spent, 4), "resync_documents": report.unchanged}


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
    return committed - started, ended - committed, used


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
