"""Documents in a folder of files. It refuses to follow links out of the folder, and trusts no stamp of the last two seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import DataError
from rung.knowledge.origins import Entry, wanted
from rung.knowledge.read import HINT, LARGEST, check_file, check_name, check_size, files, printable, read_document
from rung.knowledge.reading import Unreadable
from rung.types import Document

if TYPE_CHECKING:
    from rung.sources import FolderSource

RACY = 2.0  # seconds: a file may change again within the grain of its time stamp


@dataclass(frozen=True)
class Folder:
    """The files under `root`; stamps are their times and sizes."""

    root: Path
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    largest: int = LARGEST
    ocr: str = ""

    def entries(self) -> Iterator[Entry]:
        """The files in order of path, hidden ones left out. DataError where there is no folder."""
        if not self.root.is_dir():
            raise DataError(f"there is no folder {self.root}", HINT)
        root, now = self.root.resolve(), time.time()
        for path in files(self.root):
            name = path.relative_to(self.root).as_posix()
            if not wanted(name, self.include, self.exclude):
                continue
            try:
                check_file(path, name, root)
                check_name(name)
                told = path.stat()
                check_size(told.st_size, self.largest)
            except Unreadable as error:
                yield Entry(printable(name), refused=str(error))
                continue
            except OSError as error:
                yield Entry(printable(name), refused=f"could not be opened: {error.strerror or error}")
                continue
            settled = max(told.st_mtime, told.st_ctime) < now - RACY
            yield Entry(name, f"{told.st_mtime_ns}-{told.st_ctime_ns}-{told.st_size}" if settled else "")

    def read(self, path: str) -> Document:
        """The file as a document."""
        return read_document((self.root / path).read_bytes(), path, self.ocr)


def open_origin(source: FolderSource, project: Path, cache: Path) -> Folder:
    """The folder that the table names. DataError where there is none, before anything is opened or made."""
    root = project / source.path
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", HINT)
    return Folder(root, source.include, source.exclude, source.largest_mb << 20)
