"""The file that says what the knowledge holds and which state of the index holds it. It is replaced at once or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import KnowledgeError
from rung.knowledge.access import facts
from rung.knowledge.replace import replace_file
from rung.types import Document, Json, Labels

if TYPE_CHECKING:
    from rung.knowledge.read import Skipped

FILE = "state.json"


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
        told = json.loads(path.read_text(encoding="utf-8"))
        rows = told["documents"].items()
        documents = {path: Held(digest, title, meta, tuple(readers)) for path, (digest, title, meta, readers) in rows}
        return State(told["index"], told["dimensions"], documents)
    except FileNotFoundError:
        return State()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KnowledgeError(f"{path} can't be read: {error}", f"delete {folder} and run `rung index`") from None


def write_state(folder: Path, state: State) -> None:
    """Replace the state at once. OSError where the disk refuses."""
    documents = {path: [held.hash, held.title, dict(held.meta), held.readers] for path, held in sorted(state.documents.items())}
    told = {"index": state.index, "dimensions": state.dimensions, "documents": documents}
    replace_file(folder / FILE, json.dumps(told, ensure_ascii=False, default=str).encode())


def compared(before: Mapping[str, Held], documents: Sequence[Document], labels: Mapping[str, Labels]) -> SyncReport:
    """What changes when `before` becomes `documents` under these labels. A new path with the bytes of a vanished one is a rename."""
    now = {document.path: document for document in documents}
    vanished = {held.hash: path for path, held in sorted(before.items(), reverse=True) if path not in now}
    renamed: dict[str, str] = {}
    same = [path for path in now if path in before and before[path].hash == now[path].hash]
    relabelled = [path for path in same if before[path].labels(path) != labels[path]]
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
