"""Where documents or a subject left traces in a project's files, and taking them out. It refuses files it can't take rows out of.

A file is read line by line or row by row; what is written replaces it at once.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rung.errors import DataError
from rung.types import Json
from rung.workspace.workspace import Workspace

TEXTS = (".json", ".jsonl", ".csv", ".tsv", ".html", ".md", ".txt", ".log")


@dataclass(frozen=True)
class Sought:
    """What must go: documents by their paths, and words in any case, runs of white space being one space."""

    documents: frozenset[str]
    subject: str = ""

    def named_in(self, value: Json) -> bool:
        """Whether a JSON value holds one of the paths as a text of its own, or the words within any text."""
        if isinstance(value, str):
            return value in self.documents or self.said_in(value)
        if isinstance(value, dict):
            return any(self.named_in(key) or self.named_in(one) for key, one in value.items())
        return any(self.named_in(one) for one in value) if isinstance(value, (list, tuple)) else False

    def said_in(self, text: str) -> bool:
        """Whether the text holds the words."""
        return bool(self.subject) and folded(self.subject) in folded(text)


def folded(text: str) -> str:
    """Lower case, single spaces."""
    return " ".join(text.casefold().split())


@dataclass(frozen=True)
class Rows:
    """A file of rows: the hashes of those that must go, by their number from 0."""

    file: str
    rows: tuple[tuple[int, str], ...]


def rows_of(ws: Workspace) -> list[Path]:
    """The project's files of cases and examples."""
    named = (ws.config.project.cases, ws.config.project.examples, ws.config.tuning.general)
    return [ws.folder / name for name in dict.fromkeys(named) if name and (ws.folder / name).is_file()]


def rows_with(path: Path, sought: Sought) -> Rows:
    """The rows of a file that must go. DataError where there are some and the file is of a kind that can't be written again."""
    parts = list(_parts(path))
    found = tuple((number, _digest(raw)) for number, (raw, value) in enumerate(parts) if sought.named_in(value))
    if found and path.suffix.lower() not in (".jsonl", ".csv", ".tsv"):
        raise DataError(f"{path} holds what must be forgotten, and rows can't be taken out of a file of its kind", "save it as JSON Lines")
    return Rows(str(path), found)


def drop_rows(path: Path, sought: Sought) -> int:
    """Write the file without the rows that must go; how many there were. Comments and order of the others stay."""
    from rung.measure.record import write_whole

    parts = list(_parts(path))
    kept = [raw for raw, value in parts if not sought.named_in(value)]
    if len(kept) < len(parts):
        write_whole(path, "".join(kept).encode("utf-8", "surrogatepass"))
    return len(parts) - len(kept)


def _parts(path: Path) -> Iterator[tuple[str, Json]]:
    """Each row as it stands in the file, with what it says."""
    text = path.read_bytes().decode("utf-8", "surrogatepass")
    if path.suffix.lower() in (".csv", ".tsv"):
        mark = "\t" if path.suffix.lower() == ".tsv" else ","
        for row in csv.reader(io.StringIO(text), delimiter=mark):
            out = io.StringIO()
            csv.writer(out, delimiter=mark, lineterminator="\n").writerow(row)
            yield out.getvalue(), row
        return
    if path.suffix.lower() == ".json":
        yield text, _value(text)
        return
    for line in text.splitlines(keepends=True):
        yield line, _value(line)


def _value(line: str) -> Json:
    try:
        return json.loads(line)
    except ValueError:
        return line


def mentions(path: Path, sought: Sought) -> bool:
    """Whether a text file holds the words, or a document's path as a value (JSON) or anywhere (other text)."""
    if path.suffix.lower() not in TEXTS:
        return False
    raw = path.read_bytes().decode("utf-8", "replace")
    if path.suffix.lower() in (".json", ".jsonl", ".csv", ".tsv"):
        return any(sought.named_in(value) for _, value in _parts(path))
    return any(document in raw for document in sought.documents) or sought.said_in(raw)


def raw_mentions(folder: Path, probes: tuple[str, ...], sought: Sought, apart: frozenset[str]) -> list[str]:
    """Files below a folder whose bytes hold one of the texts, as they are or escaped as in JSON, or the words that are sought.

    What lies in the folders `apart` is not looked at.
    """
    needles = [one for text in probes for one in {text.encode("utf-8", "replace"), json.dumps(text)[1:-1].encode()} if text]
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.relative_to(folder).parts[0] not in apart:
            content = path.read_bytes()
            if any(needle in content for needle in needles) or sought.said_in(content.decode("utf-8", "replace")):
                found.append(path.relative_to(folder).as_posix())
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
