"""Documents that were forgotten and must not come back: a file beside rung.toml that every reading of the documents honours."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import DataError

if TYPE_CHECKING:
    from rung.knowledge.gather import Gathered
    from rung.types import Document

FILE = "forgotten.json"
REASON = "was forgotten; take it out of forgotten.json to read it again"


@dataclass(frozen=True)
class Ignored:
    """Paths that are not read, and hashes of bytes that are not read under any path."""

    paths: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()

    def holds(self, document: Document) -> bool:
        """Whether this document is not to be read."""
        return document.path in self.paths or document.hash in self.hashes


def ignored(folder: Path) -> Ignored:
    """What the project's file lists. DataError where it is damaged: nothing that was forgotten may slip in again."""
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Ignored(frozenset(map(str, told["paths"])), frozenset(map(str, told["hashes"])))
    except FileNotFoundError:
        return Ignored()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / FILE} can't be read: {error!r}", 'it holds {"paths": [...], "hashes": [...]}') from None


def remembered(folder: Path, read: Gathered) -> Gathered:
    """What was read without what was forgotten, which is among the skipped."""
    from rung.knowledge.read import Skipped

    gone = ignored(folder)
    left = [Skipped(document.path, REASON) for document in read.documents if gone.holds(document)]
    return replace(read, documents=[document for document in read.documents if not gone.holds(document)], skipped=[*read.skipped, *left])


def ignore(folder: Path, paths: Iterable[str], hashes: Iterable[str]) -> None:
    """Add to the file, which is replaced at once."""
    from rung.measure.record import write_whole

    before = ignored(folder)
    told = {"paths": sorted({*before.paths, *paths}), "hashes": sorted({*before.hashes, *hashes} - {""})}
    write_whole(folder / FILE, json.dumps(told, indent=1, ensure_ascii=False).encode())
