"""Rows of a JSON Lines or CSV file, each row, or each group of rows with one key, a document. It refuses rows without a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import DataError
from rung.knowledge.origins import Entry
from rung.knowledge.origins.shape import Shape, document, path_of
from rung.knowledge.readers import csv, jsonl
from rung.knowledge.reading import Unreadable, decoded
from rung.types import Document

if TYPE_CHECKING:
    from rung.sources import RowsSource


@dataclass(frozen=True)
class Rows:
    """A file of rows; stamps are hashes of what a document says. `made` holds the documents of the last listing."""

    file: Path
    shape: Shape
    made: dict[str, Document] = field(default_factory=dict, repr=False)

    def entries(self) -> Iterator[Entry]:
        """The documents in order of first appearance. DataError where the file can't be read."""
        groups: dict[str, list[Mapping[str, Any]]] = {}
        read = list(_rows(self.file))
        columns = dict.fromkeys(name for _, row in read for name in row)  # JSON leaves out what is empty
        for number, told in read:
            row = {**columns, **told}
            if path := path_of(self.shape, row):
                groups.setdefault(path, []).append(row)
            else:
                yield Entry(f"{self.file.name} row {number}", refused=f"has nothing in the column '{self.shape.key}'")
        self.made.clear()
        for path, rows in groups.items():
            try:
                self.made[path] = document(self.shape, path, rows)
                yield Entry(path, self.made[path].hash)
            except Unreadable as error:
                yield Entry(path, refused=str(error))

    def read(self, path: str) -> Document:
        """A document of the last listing."""
        return self.made[path]


def open_origin(source: RowsSource, project: Path, cache: Path) -> Rows:
    """The file that the table names."""
    return Rows(project / source.path, Shape(source.key, source.text, source.title, source.meta))


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = decoded(file.read_bytes())
        if file.suffix.lower() in (".csv", ".tsv"):
            table = csv.rows(text)
            header = [name.strip() for name in next(table, [])]
            yield from ((number, dict(zip(header, row, strict=False))) for number, row in enumerate(table, 1))
            return
        for number, row in jsonl.rows(text):
            if not isinstance(row, Mapping):
                raise Unreadable(f"line {number} is not a JSON object")
            yield number, row
    except OSError as error:
        raise DataError(f"{file} can't be read: {error.strerror}", "mend the path of the source in rung.toml") from None
    except Unreadable as error:
        raise DataError(f"{file}: {error}", "mend that line; CSV files end in .csv or .tsv, all others are JSON Lines") from None
