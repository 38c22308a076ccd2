"""The knowledge of a project: an index kept in step with documents, and searched. It refuses to hold half a change.

A commit makes a new state of the index, then one file that names it is replaced: a kill leaves the old state or the new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import ConfigError, DataError, KnowledgeError, MissingExtra
from rung.knowledge.access import Lists, allows, conditions, labels
from rung.knowledge.choice import resolved
from rung.knowledge.chunk import VERSION as CHUNKED
from rung.knowledge.embedded import forget
from rung.knowledge.embedding import Change, Progress, make
from rung.knowledge.fold import folded
from rung.knowledge.fusion import fused, fusion
from rung.knowledge.history import Moment, keep, moments, prune, recalled
from rung.knowledge.indexes import LAYOUT, StoredIndex, open_index
from rung.knowledge.read import VERSION as READ
from rung.knowledge.read import Skipped
from rung.knowledge.reading import page_at
from rung.knowledge.state import Held, State, SyncReport, compared, read_state, state_stamp, write_state
from rung.knowledge.writing import UNWRITABLE, alone, refused, uncollected
from rung.types import ALL, Document, Embedder, Filter, Hit, Labels, Passage

if TYPE_CHECKING:
    from rung.knowledge.cluster import Cluster
    from rung.knowledge.mirror import Mirror

__all__ = [
    "Knowledge",
    "SyncReport",
    "current",
    "history",
    "legs",
    "narrowed",
    "open_knowledge",
    "purge",
    "reopened",
    "search",
    "seen",
    "share",
    "sync",
]

Merge = Callable[[Mapping[str, Held], Mapping[str, Document]], Mapping[str, Document]]
POOL = 100  # candidates that each leg brings to the fusion


@dataclass
class Knowledge:
    """An index and the state it stands on, as far as `only` lets it be seen.

    Not frozen: `sync` moves both to the next state, together. Nothing that `only` forbids comes out of any of it.
    """

    folder: Path
    embedder: Embedder
    kind: str
    passage_tokens: int
    index: StoredIndex
    state: State
    only: Filter = ALL
    keep_days: float = 30  # how long earlier states can be opened again
    chunker: str = "structure"
    ocr: str = ""  # languages of scanned pages, where they are read
    stamp: tuple[int, ...] = ()  # of the state's file when `current` last looked
    mirror: Mirror | None = None  # where copies of the project on other machines share the index

    @property
    def version(self) -> str:
        """16 hex digits that name documents, embedder, chunking and what may be seen, whatever order or history led here."""
        held = sorted((path, held.hash) for path, held in self.state.documents.items())
        told = [held, self.embedder.id, self.passage_tokens, READ, CHUNKED, *_made(self.chunker, self.ocr)]
        return _named(told if self.only == ALL else [*told, *self._seen()])

    @property
    def choice(self) -> Path:
        """The file that keeps the chosen way to rank; embedders that share an index have one each."""
        return self.folder / f"choice-{_named([self.embedder.id])}.json"

    def _seen(self) -> list[object]:
        """All that decides what the filter lets through."""
        of = sorted((path, held.labels(path)) for path, held in self.state.documents.items())
        sets = [sorted(wanted) for wanted in self.only.facts]
        readers = None if self.only.readers is None else sorted(self.only.readers)
        return [readers, sets, [(path, one.readers, one.facts) for path, one in of]]

    def shows(self, path: str) -> bool:
        """Whether the knowledge holds this document and lets it be seen."""
        return path in self.state.documents and allows(self.only, self.state.documents[path].labels(path))

    def documents(self) -> Mapping[str, str]:
        """Path → hash of each document's bytes."""
        return {path: held.hash for path, held in self.state.documents.items() if self.shows(path)}

    def passages(self) -> Iterator[Passage]:
        """All passages in order of document and start."""
        return self.index.passages(self.only)

    def pages(self, passage: Passage) -> tuple[int, int] | None:
        """First and last page, or slide, of a passage; None where its format has none."""
        held = self.state.documents.get(passage.document)
        first = page_at(held.meta, passage.start) if held else None
        return (first, page_at(held.meta, passage.end - 1) or first) if held and first else None

    def recall(self, path: str, digest: str) -> Document | None:
        """A document as it was read before, if its bytes are still the same: `read_folder` need not parse it again."""
        held = self.state.documents.get(path)
        if held is None or held.hash != digest or not self.shows(path):
            return None
        passages, _ = self.index.stored([path])
        text = "".join(passage.text for passage in sorted(passages, key=lambda passage: passage.start))
        return Document(path, text, held.title, digest, held.meta)


def open_knowledge(
    folder: Path,
    embedder: Embedder,
    index: str = "lance",
    passage_tokens: int = 200,
    keep_days: float = 30,
    chunker: str = "structure",
    ocr: str = "",
    share: str = "",
) -> Knowledge:
    """The knowledge kept under `folder`, or an empty one; each embedder, index and way to make passages has its own place there.

    `passage_tokens` is the longest passage in the embedder's tokens; earlier states can be opened again for `keep_days`. Copies
    of the project with an index in PostgreSQL that name the same `share` have one index together. Raises ConfigError where
    the index is elsewhere, KnowledgeError where what is kept is damaged.
    """
    longest = min(passage_tokens, embedder.limit - 2)  # room for the special tokens
    stored_as = getattr(embedder, "stored_as", embedder.id)  # two embedders may differ in the questions alone
    home = folder / _named([index, stored_as, longest, READ, CHUNKED, LAYOUT, *_made(chunker, ocr), *_shared(share)])
    mirror = _mirror(home, index) if share else None
    while True:
        if mirror:
            mirror.pull()
        state = read_state(home)
        try:
            opened = _index(home, index, embedder, state)
            return Knowledge(home, embedder, index, longest, opened, state, ALL, keep_days, chunker, ocr, mirror=mirror)
        except KnowledgeError:
            if read_state(home) == state:  # else a commit has replaced and cleaned the state while we were opening it
                raise


def history(knowledge: Knowledge) -> list[Moment]:
    """The states that can be opened again, oldest first, the present one last."""
    return moments(knowledge.folder, seen(knowledge, ALL).version)


def reopened(knowledge: Knowledge, version: str) -> Knowledge:
    """The knowledge as it was at a version (or at the only one that begins so). For reading: a sync leads back to the present.

    KnowledgeError where no such state is kept."""
    if version and seen(knowledge, ALL).version.startswith(version):
        return knowledge
    state = recalled(knowledge.folder, version)
    return replace(knowledge, index=_index(knowledge.folder, knowledge.kind, knowledge.embedder, state), state=state)


def purge(knowledge: Knowledge) -> None:
    """Delete all earlier states, and with them what was deleted since."""
    with _writing(knowledge):
        _refresh(knowledge)
        prune(knowledge.folder, -1)
        knowledge.index.tidy()


def seen(knowledge: Knowledge, only: Filter) -> Knowledge:
    """The same knowledge as far as the filter lets it be seen. A view is for one question or run: it doesn't follow later syncs."""
    return replace(knowledge, only=only)


def current(knowledge: Knowledge) -> Knowledge:
    """The same knowledge on the state that is committed now, which another process may have made; itself where nothing changed.

    What holds the one before goes on reading that.
    """
    if knowledge.mirror:
        knowledge.mirror.pull()
    stamp = state_stamp(knowledge.folder)
    if stamp == knowledge.stamp:
        return knowledge
    held = replace(knowledge, stamp=stamp)
    _refresh(held)
    return held


def narrowed(knowledge: Knowledge, *texts: str) -> Knowledge:
    """The documents whose metadata meets every condition, such as "department=hr", "date>=2024-01-31" or "path=hr/".

    Applied before ranking, like access lists, which stay in force. ConfigError for what is no condition.
    """
    known = {fact for path, held in knowledge.state.documents.items() for fact in held.labels(path).facts}
    sets = (*knowledge.only.facts, *conditions(texts, known))
    return seen(knowledge, Filter(knowledge.only.readers, sets))


def sync(
    knowledge: Knowledge,
    documents: Sequence[Document],
    skipped: Sequence[Skipped] = (),
    progress: Progress | None = None,
    lists: Lists | None = None,
    cluster: Cluster | None = None,
    merge: Merge | None = None,
) -> SyncReport:
    """Make the index hold just these documents, or what `merge` makes of them and of what it holds when it is changed.

    Only passages whose text or headings are new are embedded.
    `lists` say who may read what; changed lists change labels and embed nothing. Of a document that was `skipped` the
    last good version stays. A `cluster` does the work where one is given, and the result is the same.

    Calls `progress(done, total, "embedding")`. Raises KnowledgeError where the disk is full or another sync is running,
    DataError for a path given twice; after any error, a kill included, the state before is still in place.
    """
    new = {document.path: document for document in documents}
    if len(new) < len(documents):
        raise DataError("two documents have the same path", "give each document a path of its own")
    if knowledge.mirror:
        knowledge.mirror.pull()
    _refresh(knowledge)
    now, of, report = _plan(knowledge.state, new, skipped, lists, merge)
    if _differs(report):  # else nothing is written: a folder that can only be read can be searched, also during a sync
        with _writing(knowledge):
            planned = knowledge.state
            _refresh(knowledge)
            if knowledge.state is not planned:
                now, of, report = _plan(knowledge.state, new, skipped, lists, merge)
            if _differs(report):
                _change(knowledge, now, of, report.relabelled, progress, cluster)
            forget(knowledge.folder)
    return report


@contextmanager
def _writing(knowledge: Knowledge) -> Iterator[None]:
    """Nobody else writes meanwhile, on this machine or another."""
    with alone(knowledge.folder), knowledge.mirror.alone() if knowledge.mirror else nullcontext():
        yield


def share(knowledge: Knowledge) -> None:
    """Let other copies have what was noted beside the index, such as how to rank."""
    if knowledge.mirror:
        with _writing(knowledge):
            pass


def _plan(
    state: State, here: Mapping[str, Document], skipped: Sequence[Skipped], lists: Lists | None, merge: Merge | None
) -> tuple[dict[str, Document], dict[str, Labels], SyncReport]:
    """What is to be held, under which labels, and what changes by it."""
    held = state.documents
    new = merge(held, here) if merge else here
    kept = tuple(sorted({one.path for one in skipped if one.path in held and one.path not in new}))
    now = {**new, **{path: Document(path, "", held[path].title, held[path].hash, held[path].meta) for path in kept}}  # unchanged: not cut
    of = {path: labels(document, lists) for path, document in now.items()}
    return now, of, replace(compared(held, list(now.values()), of), skipped=tuple(skipped), kept=kept)


def _differs(report: SyncReport) -> bool:
    return bool(report.added or report.changed or report.removed or report.renamed or report.relabelled)


def search(knowledge: Knowledge, query: str, k: int, mode: str = "hybrid") -> list[Hit]:
    """The k best passages, best first, each with its rank in the legs that found it and the documents of its copies.

    `dense` ranks by cosine, `words` by BM25, `hybrid` sums both, scaled to [0, 1]; `auto` is what was chosen by measuring
    on this knowledge, and `rung.knowledge.fusion` names the others. Raises ConfigError for another mode.
    """
    how = fusion(resolved(knowledge.choice, mode))
    while k > 0:  # once, unless another thread commits meanwhile
        found = fused(legs(knowledge, query, max(k, POOL), how.legs, thin=True), how)
        hits = knowledge.index.whole(folded(found, k, lambda path: knowledge.state.documents[path].hash))
        if hits is not None:
            return hits
    return []


def legs(
    knowledge: Knowledge, query: str, depth: int, names: Sequence[str] = ("dense", "words"), thin: bool = False
) -> dict[str, list[Hit]]:
    """What each search brings by itself, best first, at most `depth` passages each; thin hits are for `index.whole`."""
    found: dict[str, list[Hit]] = {name: [] for name in names}
    if not knowledge.state.documents:
        return found
    with ThreadPoolExecutor(1) as beside:  # by words, while this thread embeds the question and searches by meaning
        words = beside.submit(knowledge.index.words, query, depth, knowledge.only, thin) if "words" in found else None
        if "dense" in found:
            vector = knowledge.embedder.embed([query], query=True)[0]
            found["dense"] = knowledge.index.dense(vector, depth, knowledge.only, thin)
        if words:
            found["words"] = words.result()
    return found


def _change(
    knowledge: Knowledge,
    new: Mapping[str, Document],
    of: Mapping[str, Labels],
    relabelled: Sequence[str],
    progress: Progress | None,
    cluster: Cluster | None,
) -> None:
    """Commit what differs between the state and `new`; what has only other labels is put back as it was, under them."""
    before = knowledge.state.documents
    gone = [path for path in before if path not in new or before[path].hash != new[path].hash]
    fresh = [new[path] for path in sorted(new) if path not in before or before[path].hash != new[path].hash]
    held = {path: _held(before.get(path), document, of[path]) for path, document in new.items()}
    state, version = knowledge.state.followed(held), seen(knowledge, ALL).version  # what is O(documents) comes before embedding
    change = Change(
        knowledge.folder,
        knowledge.index,
        knowledge.state,
        knowledge.embedder,
        knowledge.passage_tokens,
        gone,
        fresh,
        of,
        knowledge.chunker,
    )
    commit, dimensions = (cluster.make if cluster else make)(change, progress)
    same, rows = knowledge.index.stored(relabelled)
    try:
        with uncollected():
            if knowledge.state.index:
                keep(knowledge.folder, version)
            name = commit([*gone, *relabelled], same, rows)
            state = write_state(knowledge.folder, replace(state, index=name, dimensions=dimensions))
        if knowledge.mirror:
            knowledge.mirror.push()  # before anything of the state before is cleaned away
    except BaseException as error:  # Ctrl-C too: the index and the state must stand on the same commit
        knowledge.index = _index(knowledge.folder, knowledge.kind, knowledge.embedder, knowledge.state)
        if isinstance(error, (OSError, RuntimeError, ValueError)):
            raise refused(knowledge.folder, error) from error
        raise
    knowledge.state = state
    with suppress(OSError, RuntimeError):  # what could not be cleaned up is left to the next commit
        knowledge.index.tidy(prune(knowledge.folder, knowledge.keep_days))
        if cluster:
            cluster.end(change)


def _held(before: Held | None, document: Document, of: Labels) -> Held:
    """What is kept of the document: the very object where nothing differs, so that little is made and freed."""
    same = before and (before.hash, before.title, before.readers) == (document.hash, document.title, of.readers)
    return before if before and same and before.meta == document.meta else Held(document.hash, document.title, document.meta, of.readers)


def _index(home: Path, kind: str, embedder: Embedder, state: State) -> StoredIndex:
    dimensions = state.dimensions or int(embedder.embed(["dimensions"]).shape[1])
    try:
        return open_index(kind, home / "index", dimensions, state.index)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            raise refused(home, error) from error
        raise KnowledgeError(f"the index in {home} can't be opened: {error}", f"delete {home} and run `rung index`") from None


def _refresh(knowledge: Knowledge) -> None:
    """Another process may have committed since this one opened the knowledge."""
    state = read_state(knowledge.folder)
    if state != knowledge.state:
        knowledge.index = _index(knowledge.folder, knowledge.kind, knowledge.embedder, state)
        knowledge.state = state


def _named(told: object) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _mirror(home: Path, index: str) -> Mirror:
    if index.partition(":")[0] != "postgres":
        raise ConfigError(f"copies of a project can't share the index '{index}'", "write postgres:URL, or take share out of [knowledge]")
    try:
        from rung.knowledge.mirror import Mirror
    except ModuleNotFoundError as error:
        raise MissingExtra(f"sharing an index ({error.name})", "postgres") from None
    return Mirror(home, index.partition(":")[2])


def _shared(share: str) -> list[str]:
    return [f"share={share}"] if share else []


def _made(chunker: str, ocr: str) -> list[str]:
    """What makes other passages of the same documents; nothing where both are as usual, so that their names stay."""
    return [*([f"chunker={chunker}"] if chunker != "structure" else []), *([f"ocr={ocr}"] if ocr else [])]
