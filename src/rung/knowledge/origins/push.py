"""Documents that were sent to us, one file each, whole on disk before they are accepted. It refuses paths that lead elsewhere.

A file begins with a line of JSON that says what it is; the bytes that were sent follow.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from rung.errors import DataError
from rung.knowledge.origins import Entry
from rung.knowledge.read import check_name, read_document
from rung.knowledge.reading import Unreadable
from rung.knowledge.replace import replace_file
from rung.types import Document, Json

if TYPE_CHECKING:
    from rung.sources import PushSource

ENDING = ".pushed"
LONGEST = 512  # characters of a path


@dataclass(frozen=True)
class Pushed:
    """What was sent: bytes whose format the path's ending tells, or a text in Markdown, and what its sender says of it."""

    path: str
    body: bytes = field(repr=False)
    text: bool = False
    title: str = ""
    meta: Mapping[str, Json] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """16 hex digits that name all of it."""
        return hashlib.sha256(self._head()).hexdigest()[:16]

    def _head(self) -> bytes:
        digest = hashlib.sha256(self.body).hexdigest()
        told = {"path": self.path, "text": self.text, "title": self.title, "meta": dict(self.meta), "sha256": digest}
        return json.dumps(told, sort_keys=True).encode()

    def written(self) -> bytes:
        """The file's bytes."""
        return self._head() + b"\n" + self.body


@dataclass(frozen=True)
class Push:
    """The folder that keeps what was sent; stamps are versions. Files are replaced and deleted one at a time."""

    folder: Path
    may_be_empty: bool = True
    ocr: str = ""
    lock: Lock = field(default_factory=Lock, repr=False)

    def entries(self) -> Iterator[Entry]:
        """The documents in order of path; a file that is none of ours is named and left alone."""
        found = []
        for file in self.folder.glob(f"*{ENDING}"):
            try:
                with file.open("rb") as opened:
                    head = opened.readline().rstrip(b"\n")
                found.append(Entry(str(json.loads(head)["path"]), hashlib.sha256(head).hexdigest()[:16]))
            except FileNotFoundError:  # deleted since it was listed
                continue
            except (OSError, ValueError, KeyError, TypeError):
                found.append(Entry(file.name, refused="is damaged: send it again under its path, then delete the file"))
        return iter(sorted(found, key=lambda entry: entry.path))

    def read(self, path: str) -> Document:
        """A document as it was sent last. What its sender says of it counts more than what stands in it."""
        pushed = self.get(path)
        if pushed is None:
            raise Unreadable("was deleted while it was being read")
        name = "document.md" if pushed.text else path.rsplit("/", 1)[-1]
        found = read_document(pushed.body, name, self.ocr)
        said = {key.casefold() for key in pushed.meta}
        meta = {key: value for key, value in found.meta.items() if key.casefold() not in said} | dict(pushed.meta)
        untitled = found.title == "document" and pushed.text
        title = pushed.title or (path.rsplit("/", 1)[-1] if untitled else found.title)
        digest = hashlib.sha256(f"{pushed.text}\0{title}\0".encode() + pushed.body).hexdigest()
        return replace(found, path=path, title=title, hash=digest, meta=meta)

    def get(self, path: str) -> Pushed | None:
        """What is kept under the path; None where nothing is."""
        try:
            return _read(self.file(path))
        except FileNotFoundError:
            return None

    def put(self, pushed: Pushed) -> bool:
        """Keep it, durably, when this returns; False where it is kept already. DataError for a bad path, Unreadable, OSError."""
        check_path(pushed.path)
        if not pushed.text:
            check_name(pushed.path)
        with self.lock:
            if (known := self.get(pushed.path)) and known.version == pushed.version:
                return False
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(self.file(pushed.path), pushed.written())
            _settle(self.folder)
            return True

    def delete(self, path: str) -> bool:
        """Keep it no longer, durably; False where it wasn't kept."""
        with self.lock:
            try:
                self.file(path).unlink()
            except FileNotFoundError:
                return False
            _settle(self.folder)
            return True

    def file(self, path: str) -> Path:
        """Where the document of this path is kept."""
        return self.folder / (hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:32] + ENDING)


def check_path(path: str) -> None:
    """DataError for a path that is empty, too long, not printable, or has a part that is empty, hidden or leads upwards."""
    parts = path.split("/")
    if not path or len(path) > LONGEST or not path.isprintable() or any(not part or part.startswith((".", "~$")) for part in parts):
        raise DataError(
            f"'{path[:80]}' is no path of a document", f"write NAME/PATH: at most {LONGEST} characters, no part empty or hidden"
        )
    if re.search(r"[\\\ud800-\udfff]", path):
        raise DataError("the path of a document holds a backslash or half a letter", "write forward slashes and UTF-8")


def open_origin(source: PushSource, project: Path, cache: Path) -> Push:
    """The folder that the table names; it need not be there yet."""
    return Push(project / source.path / source.name)


def _read(file: Path) -> Pushed:
    head, _, body = file.read_bytes().partition(b"\n")
    told = json.loads(head)
    return Pushed(told["path"], body, told["text"], told["title"], told["meta"])


def _settle(folder: Path) -> None:
    """Force the folder itself to the disk, so that a new name or a deletion survives a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
