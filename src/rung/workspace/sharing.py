"""Which of a project's documents are a copy's own, and which all copies see alike, where copies share an index.

What lies in the project's folder is its own; servers, and folders elsewhere, which may be a volume that all mount, show the same
to all. It refuses to take an own folder that is empty for one whose documents were deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from rung.errors import KnowledgeError
from rung.sources import FolderSource, GitSource, PushSource, RowsSource, Source
from rung.types import Document
from rung.workspace.copies import latest
from rung.workspace.ignoring import ignored
from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from rung.knowledge.brought import Brought
    from rung.knowledge.gather import Gathered
    from rung.knowledge.knowledge import Knowledge, Merge
    from rung.knowledge.state import Held


def is_own(ws: Workspace, source: Source) -> bool:
    """Whether the source lies in the project's folder."""
    if not isinstance(source, FolderSource | GitSource | RowsSource | PushSource):
        return False
    return (ws.folder / source.path).resolve().is_relative_to(ws.folder.resolve())


def bare(ws: Workspace, source: Source) -> bool:
    """Whether the source's folder or file is not there, or holds no file."""
    at = ws.folder / getattr(source, "path", "")
    return not (at.is_file() or any(path.is_file() for path in at.rglob("*")))


def brought(ws: Workspace, knowledge: Knowledge) -> Brought | None:
    """What this copy brought into the index at its last sync; None where the index is not shared."""
    from rung.knowledge.brought import read_brought

    return read_brought(knowledge.folder, _own(ws)) if ws.config.knowledge.share else None


def _own(ws: Workspace) -> Callable[[str], bool]:
    """Tells by a document's path whether it came from a place of this copy's own."""
    settings = ws.config.knowledge
    named = {source.name: is_own(ws, source) for source in settings.sources}
    rest = is_own(ws, FolderSource(kind="folder", name="folder", path=settings.default_folder or "docs"))
    return lambda path: named.get(path.partition("/")[0], rest) if "/" in path else rest


def merging(ws: Workspace, ours: Brought | None, asked: int) -> Merge:
    """What a sync asks when it alone may write: so nothing comes back that was forgotten since the documents were read.

    `asked` is the number of the last request to forget when that began. KnowledgeError where another was made since.
    """

    def merged(held: Mapping[str, Held], here: Mapping[str, Document]) -> Mapping[str, Document]:
        if latest(ws) != asked:
            raise KnowledgeError("a copy of the project was asked to forget something while the documents were read", "run it again")
        gone = ignored(ws.folder)
        left = {path: document for path, document in here.items() if not gone.holds(document)}
        return ours.merged(held, left) if ours else left

    return merged


def note_brought(ws: Workspace, knowledge: Knowledge, gathered: Gathered) -> Gathered:
    """After a sync: keep what lies here, and name among the skipped what another copy's version stands in for."""
    from rung.knowledge.brought import OTHERS, write_brought
    from rung.knowledge.read import Skipped

    if not ws.config.knowledge.share:
        return gathered
    own, held = _own(ws), knowledge.state.documents
    here = {document.path: document.hash for document in gathered.documents if own(document.path)}
    write_brought(knowledge.folder, here)
    differ = [Skipped(path, OTHERS) for path, digest in here.items() if path in held and held[path].hash != digest]
    return replace(gathered, skipped=[*gathered.skipped, *differ])
