"""Where documents come from, one file each: a listing with version stamps, and a lazy read of one document.

They refuse to decide what has changed; that is `gather`'s work.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from rung.errors import MissingExtra
from rung.types import Document

if TYPE_CHECKING:
    from rung.sources import SourceConfig

EXTRAS = {"sql": "sql", "s3": "s3"}


@dataclass(frozen=True)
class Entry:
    """One document of a listing."""

    path: str  # the document's path within its origin
    stamp: str = ""  # equal stamps promise equal content; "" promises nothing
    refused: str = ""  # why it will not be read


class Origin(Protocol):
    """A place that documents come from."""

    def entries(self) -> Iterable[Entry]:
        """All documents that are there now. Raises RungError where the place can't be listed."""

    def read(self, path: str) -> Document:
        """One listed document, under the path of its entry. Raises Unreadable or OSError."""


def open_origin(source: SourceConfig, project: Path, cache: Path, ocr: str = "") -> Origin:
    """The origin that a `[[knowledge.sources]]` table names; relative paths are the project's. Raises RungError.

    `ocr` names the languages of scanned pages, where origins of files are to read them.
    """
    try:
        opened = import_module(f"rung.knowledge.origins.{source.kind}").open_origin(source, project, cache)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the source '{source.name}' ({error.name})", EXTRAS.get(source.kind, "knowledge")) from None
    return cast("Origin", replace(opened, ocr=ocr) if ocr and hasattr(opened, "ocr") else opened)


def wanted(path: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> bool:
    """Whether a path matches one of `include`, if there are any, and none of `exclude`; `*` also matches slashes."""
    return (not include or any(fnmatchcase(path, p) for p in include)) and not any(fnmatchcase(path, p) for p in exclude)


def hidden(path: str) -> bool:
    """Whether a part of the path says that it is not meant to be read: `.git`, `~$report.docx`."""
    return any(part.startswith((".", "~$")) for part in path.split("/"))
