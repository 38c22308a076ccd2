"""The file that says what the knowledge holds and which state of the index holds it. It is replaced at once or not at all.

Of many documents it names only those that changed since a second file was written, which is never changed itself, so that
a commit costs what it changes and not what is held.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import KnowledgeError
from rung.knowledge.access import facts
from rung.knowledge.replace import replace_file
from rung.types import Document, Json, Labels

if TYPE_CHECKING:
    from rung.knowledge.read import Skipped

FILE = "state.json"
BASES = "documents-*.json"
LONG = 1_000  # changed documents from which all are written to a file of their own


@dataclass(frozen=True)
class Held:
    """What is kept of a document beside its passages."""

    hash: str
    title: str
    meta: Mapping[str, Json] = field(default_factory=dict)
    readers: tuple[str, ...] = ()

    def labels(self, path: str) -> Labels:
        """What filters see of it under this path."""
        return Labels(self.readers, facts(path, self.meta))


@dataclass(frozen=True)
class State:
    """The documents by path and the index's name for the state that holds them; "" where there is none yet."""

    index: str = ""
    dimensions: int = 0
    documents: Mapping[str, Held] = field(default_factory=dict)
    base: str = ""  # the file that holds most of the documents; "" for none
    changed: frozenset[str] = frozenset()  # the paths that are not as they stand there, gone ones too

    def followed(self, documents: Mapping[str, Held]) -> State:
        """The state, still without an index, in which these are held. O(documents)."""
        before = self.documents
        differ = {path for path in documents if before.get(path) != documents[path]} | (before.keys() - documents.keys())
        return State("", self.dimensions, documents, self.base, self.changed | differ)


@dataclass(frozen=True)
class SyncReport:
    """Paths by what happened to them. A renamed document is neither added nor removed."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()  # under their new names
    relabelled: tuple[str, ...] = ()  # same text, other readers or metadata
    unchanged: int = 0
    skipped: tuple[Skipped, ...] = ()
    kept: tuple[str, ...] = ()  # those of the skipped whose last good version stays


def read_state(folder: Path, file: str = FILE) -> State:
    """The committed state, or an empty one. KnowledgeError where the file is damaged."""
    path = folder / file
    try:
        for last in (False, True):
            if not path.exists():
                return State()
            told = json.loads(path.read_text(encoding="utf-8"))
            base = str(told.get("base", ""))
            if last or not base or (folder / base).exists():  # else it was replaced and cleaned while we were reading
                break
        most = _base(folder / base) if base else {}
        changed = {path: held for path, row in told["documents"].items() if (held := _held(row)) or base}
        documents = {path: held for path, held in {**most, **changed}.items() if held}
        return State(told["index"], told["dimensions"], documents, base, frozenset(changed))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KnowledgeError(f"{path} can't be read: {error}", f"delete {folder} and run `rung index`") from None


def state_stamp(folder: Path) -> tuple[int, ...]:
    """Differs where the state was replaced since; () where there is none."""
    try:
        told = (folder / FILE).stat()
    except OSError:
        return ()
    return told.st_ino, told.st_mtime_ns, told.st_size


def write_state(folder: Path, state: State) -> State:
    """Replace the state at once; as it was written. O(changed documents), and of all once in LONG. OSError where the disk refuses."""
    if len(state.changed) > LONG:
        content = json.dumps(_rows(state, state.documents), ensure_ascii=False, default=str).encode()
        state = replace(state, base=BASES.replace("*", hashlib.sha256(content).hexdigest()[:16]), changed=frozenset())
        replace_file(folder / state.base, content)
    elif not state.base:
        state = replace(state, changed=frozenset(state.documents))
    told = {"index": state.index, "dimensions": state.dimensions, "base": state.base, "documents": _rows(state, state.changed)}
    replace_file(folder / FILE, json.dumps(told, ensure_ascii=False, default=str).encode())
    return state


def clean(folder: Path, kept: Iterable[State]) -> None:
    """Delete the files of documents that none of these states needs."""
    needed = {state.base for state in kept}
    for path in folder.glob(BASES):
        if path.name not in needed:
            path.unlink(missing_ok=True)


def _rows(state: State, paths: Iterable[str]) -> dict[str, Any]:
    return {path: _row(state.documents[path]) if path in state.documents else None for path in sorted(paths)}


def _row(held: Held) -> list[object]:
    return [held.hash, held.title, dict(held.meta), held.readers]


def _held(row: list[Any] | None) -> Held | None:
    if row is None:
        return None
    digest, title, meta, readers = row
    return Held(digest, title, meta, tuple(readers))


@lru_cache(maxsize=4)  # the files never change: their names are their hashes
def _base(path: Path) -> Mapping[str, Held | None]:
    return {name: _held(row) for name, row in json.loads(path.read_text(encoding="utf-8")).items()}


def compared(before: Mapping[str, Held], documents: Sequence[Document], labels: Mapping[str, Labels]) -> SyncReport:
    """What changes when `before` becomes `documents` under these labels. A new path with the bytes of a vanished one is a rename."""
    now = {document.path: document for document in documents}
    vanished = {held.hash: path for path, held in sorted(before.items(), reverse=True) if path not in now}
    renamed: dict[str, str] = {}
    same = [path for path in now if path in before and before[path].hash == now[path].hash]
    relabelled = [path for path in same if _differ(before[path], now[path], labels[path])]
    for path in sorted(now.keys() - before.keys()):
        if old := vanished.pop(now[path].hash, ""):
            renamed[path] = old
    return SyncReport(
        added=tuple(sorted(path for path in now if path not in before and path not in renamed)),
        changed=tuple(sorted(path for path in now if path in before and before[path].hash != now[path].hash)),
        removed=tuple(sorted(path for path in before if path not in now and path not in renamed.values())),
        renamed=tuple(sorted(renamed)),
        relabelled=tuple(sorted(relabelled)),
        unchanged=len(same) - len(relabelled),
    )


def _differ(held: Held, document: Document, of: Labels) -> bool:
    """Whether filters see another document than before. Equal metadata make equal facts, which are dear to make."""
    return held.readers != of.readers or (held.meta != document.meta and facts(document.path, held.meta) != of.facts)
