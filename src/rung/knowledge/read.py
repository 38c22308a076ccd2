"""Reads a folder of files into documents and names each file it could not read. It refuses to follow links out of the folder."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rung.errors import DataError
from rung.knowledge.languages import LANGUAGES
from rung.knowledge.reading import Unreadable, titled
from rung.types import Document

VERSION = "2"  # raise it when a reader would make another text of the same bytes

READERS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdx": "markdown",
    ".txt": "text",
    ".text": "text",
    ".rst": "text",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".pptx": "pptx",
    ".xlsx": "xlsx",
    ".epub": "epub",
    ".eml": "mail",
    ".mbox": "mail",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
} | dict.fromkeys(LANGUAGES, "code")

HINT = 'name the folder of your documents under [knowledge] in rung.toml, or write folder = "" for none'
COSTLY = {".pdf", ".docx", ".pptx", ".xlsx", ".epub"}  # slower to parse than to recall
LARGEST = 100 << 20  # bytes of a file; what is larger is skipped by name


@dataclass(frozen=True)
class Skipped:
    """A file that was not read, and why."""

    path: str
    reason: str


def read_folder(
    folder: Path, recall: Callable[[str, str], Document | None] | None = None, progress: Callable[[int, int], None] | None = None
) -> tuple[list[Document], list[Skipped]]:
    """All documents under a folder in order of path, and the files that were skipped.

    Hidden files and folders are passed over silently; links out of the folder and links to folders are skipped.
    `recall(path, hash)` may return a document as read before, which saves parsing it again. `progress(done, total)` counts
    files, and is called only where some take time to parse. Raises DataError where the folder is missing or holds nothing
    that can be read.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}", HINT)
    documents: list[Document] = []
    skipped: list[Skipped] = []
    root, found = folder.resolve(), list(files(folder))
    costly = any(path.suffix.lower() in COSTLY for path in found)
    for number, path in enumerate(found, 1):
        name = path.relative_to(folder).as_posix()
        try:
            check_file(path, name, root)
            document = _read(path, name, recall)
            documents.append(document)
            skipped.extend(unread(document))
        except Unreadable as error:
            skipped.append(Skipped(printable(name), str(error)))
        except OSError as error:
            skipped.append(Skipped(printable(name), f"could not be opened: {error.strerror or error}"))
        if progress and costly:
            progress(number, len(found))
    if not documents:
        why = f" ({len(skipped)} skipped: {skipped[0].path} {skipped[0].reason})" if skipped else ""
        raise DataError(
            f"{folder} holds no document that can be read{why}",
            f"put files there that end in {', '.join(e for e in READERS if e not in LANGUAGES)}, or code",
        )
    return documents, skipped


def read_document(raw: bytes, name: str, ocr: str = "") -> Document:
    """One document from a file's bytes; `ocr` names the languages of scanned pages. Raises Unreadable with the reason."""
    check_name(name)
    check_size(len(raw))
    suffix = Path(name).suffix.lower()
    reader = importlib.import_module(f"rung.knowledge.readers.{READERS[suffix]}")
    reading = reader.read(raw, name) if suffix in LANGUAGES else reader.read(raw, *([ocr] if suffix == ".pdf" else []))
    if not reading.text.strip():
        raise Unreadable("holds no text" + (", it may be scanned" if suffix == ".pdf" else ""))
    return Document(name, reading.text, titled(reading, name), _hash(raw), reading.meta)


def unread(document: Document) -> list[Skipped]:
    """The parts of a document that its reader could not read."""
    pages = document.meta.get("unread_pages")
    if not isinstance(pages, list) or not pages:
        return []
    which = f"page {pages[0]} is a picture" if len(pages) == 1 else f"pages {', '.join(map(str, pages))} are pictures"
    return [Skipped(document.path, f"{which} without text; the rest was read")]


def check_size(size: int, largest: int = LARGEST) -> None:
    """Raise Unreadable for a file of more than `largest` bytes."""
    if size > largest:
        raise Unreadable(f"is larger than {largest / (1 << 20):,.0f} MB")


def _read(path: Path, name: str, recall: Callable[[str, str], Document | None] | None) -> Document:
    check_size(path.stat().st_size)
    raw = path.read_bytes()
    known = recall(name, _hash(raw)) if recall and path.suffix.lower() in COSTLY else None
    return known or read_document(raw, name)


def check_name(name: str) -> None:
    """Raise Unreadable where no reader takes the name's ending."""
    suffix = Path(name).suffix.lower()
    if suffix not in READERS:
        raise Unreadable(f"has no reader for '{suffix}'" if suffix else "has no ending that tells its format")


def check_file(path: Path, name: str, root: Path) -> None:
    """Raise Unreadable for links that lead out of `root`, to a folder or nowhere, and for names that can't be written."""
    if printable(name) != name:
        raise Unreadable("has a name that is not UTF-8")
    if path.is_symlink() and not path.exists():
        raise Unreadable("is a link that leads nowhere")
    if path.is_symlink() and path.is_dir():
        raise Unreadable("is a link to a folder, which is not followed")
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        raise Unreadable("is a link out of the folder, which is not followed")


def printable(name: str) -> str:
    """A file's name with what is not UTF-8 escaped."""
    return name.encode(errors="backslashreplace").decode()


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def files(folder: Path) -> Iterator[Path]:
    """The files under a folder in order of path, hidden ones left out."""
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        hidden = any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts)
        if not hidden and (path.is_file() or path.is_symlink()):
            yield path
