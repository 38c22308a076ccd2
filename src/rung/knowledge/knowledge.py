"""The knowledge of a project: documents kept in step with an index, searched by meaning and by words, fused by rank.

One file names the committed state and is replaced at once, so a kill leaves the old knowledge or the new.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rung.errors import KnowledgeError
from rung.knowledge.chunk import chunk
from rung.knowledge.indexes import open_index
from rung.knowledge.indexes.exact import searched
from rung.knowledge.read import Skipped
from rung.types import Document, Embedder, Hit, Index, Passage

RRF = 60  # Cormack, Clarke and Büttcher 2009
POOL = 50  # candidates a leg brings to the fusion
Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class SyncReport:
    """Paths by what happened to them."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    unchanged: int = 0
    skipped: tuple[Skipped, ...] = ()


@dataclass
class Knowledge:
    """An index with the documents it holds, path → hash, and what made it."""

    folder: Path
    embedder: Embedder
    kind: str
    passage_tokens: int
    index: Index
    held: dict[str, str]

    @property
    def version(self) -> str:
        """Names documents, embedder and chunking, whatever order or history led here."""
        told = json.dumps([sorted(self.held.items()), self.embedder.id, self.passage_tokens, 1])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def documents(self) -> Mapping[str, str]:
        """Path → hash of each document's bytes."""
        return self.held

    def passages(self) -> Iterator[Passage]:
        """All passages in order of document and start."""
        return self.index.passages()


def open_knowledge(folder: Path, embedder: Embedder, kind: str = "lance", passage_tokens: int = 200) -> Knowledge:
    """The knowledge kept in `folder`, or an empty one; what another embedder or chunking made is not reused."""
    made = f"{kind}/{embedder.id}/{passage_tokens}"
    home = folder / hashlib.sha256(made.encode()).hexdigest()[:12]
    state = _read_state(home / "state.json")
    dimensions = state["dimensions"] if state else int(embedder.embed(["dimensions"]).shape[1])
    try:
        index = open_index(kind, home / "index", dimensions, state["state"] if state else "")
    except (OSError, ValueError, RuntimeError) as error:
        raise KnowledgeError(f"the index in {home} can't be opened: {error}", f"delete {home} and run `rung index`") from None
    return Knowledge(home, embedder, kind, min(passage_tokens, embedder.limit - 2), index, state["documents"] if state else {})


def sync(knowledge: Knowledge, documents: Sequence[Document], skipped: Sequence[Skipped] = (), progress: Report | None = None) -> SyncReport:
    """Bring the index in step with `documents`: only what changed is embedded, renamed files cost nothing.

    A file that can't be read any more keeps its last good passages. KnowledgeError where the disk is full.
    """
    new = {document.path: document for document in documents}
    unreadable = {s.path for s in skipped}
    removed = [path for path in knowledge.held if path not in new and path not in unreadable]
    fresh = [d for d in documents if knowledge.held.get(d.path) != d.hash]
    by_hash = {knowledge.held[path]: path for path in removed}
    renamed = {d.path: by_hash[d.hash] for d in fresh if d.hash in by_hash and d.path not in knowledge.held}
    if fresh or removed:
        passages = [p for d in fresh for p in chunk(d, knowledge.embedder.count, knowledge.passage_tokens)]
        vectors = _embed(knowledge.embedder, passages, progress)
        held = {path: h for path, h in knowledge.held.items() if path not in removed} | {d.path: d.hash for d in fresh}
        gone = [*removed, *(d.path for d in fresh if d.path in knowledge.held)]
        _commit(knowledge, gone, passages, vectors, held)
    return SyncReport(
        added=tuple(d.path for d in fresh if d.path not in renamed and d.path not in gone) if fresh or removed else (),
        changed=tuple(d.path for d in fresh if d.path in gone) if fresh or removed else (),
        removed=tuple(path for path in removed if path not in renamed.values()),
        renamed=tuple(renamed),
        unchanged=len(documents) - len(fresh),
        skipped=tuple(skipped),
    )


def _embed(embedder: Embedder, passages: Sequence[Passage], progress: Report | None) -> object:
    import numpy as np

    blocks = []
    for at in range(0, len(passages), 256):
        blocks.append(embedder.embed([searched(p) for p in passages[at : at + 256]]))
        if progress:
            progress(min(at + 256, len(passages)), len(passages), "passages")
    return np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)


def _commit(knowledge: Knowledge, gone: Sequence[str], passages: Sequence[Passage], vectors: object, held: dict[str, str]) -> None:
    try:
        state = knowledge.index.commit(gone, passages, vectors)  # type: ignore[arg-type]
        told = {"state": state, "documents": held, "dimensions": knowledge.index.dimensions, "embedder": knowledge.embedder.id}  # type: ignore[attr-defined]
        knowledge.folder.mkdir(parents=True, exist_ok=True)
        temporary = knowledge.folder / "state.tmp"
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(told, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, knowledge.folder / "state.json")
    except (OSError, RuntimeError) as error:
        raise KnowledgeError(f"the index can't be written: {error}", "free some space; the last good state is still in place") from None
    knowledge.held = held


def _read_state(path: Path) -> dict[str, object] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def search(knowledge: Knowledge, query: str, k: int, mode: str = "hybrid") -> list[Hit]:
    """The k best passages, best first. `hybrid` sums 1 / (60 + rank) over both legs (reciprocal rank fusion)."""
    legs: dict[str, list[Hit]] = {}
    if mode in ("hybrid", "dense"):
        legs["dense"] = knowledge.index.dense(knowledge.embedder.embed([query], query=True)[0], max(k, POOL))
    if mode in ("hybrid", "words"):
        legs["words"] = knowledge.index.words(query, max(k, POOL))
    if not legs:
        raise KnowledgeError(f"'{mode}' is no way to search", "write hybrid, dense or words")
    fused: dict[str, Hit] = {}
    for name, hits in legs.items():
        for rank, hit in enumerate(hits, 1):
            known = fused.get(hit.passage.id, Hit(hit.passage, 0.0))
            score = known.score + (1 / (RRF + rank) if len(legs) > 1 else hit.score)
            fused[hit.passage.id] = replace(known, score=score, legs={**known.legs, name: rank})
    return sorted(fused.values(), key=lambda hit: (-hit.score, hit.passage.id))[:k]
