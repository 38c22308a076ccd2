"""Indexes by name. A commit makes a new state and returns its name; a named state is never changed. Unknown names are refused."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from rung.errors import ConfigError, MissingExtra
from rung.types import Index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rung.types import Passage, Vectors

KINDS = ("lance", "exact")
LAYOUT = "2"  # raise it when an index of an earlier layout can't be read any more


class StoredIndex(Index, Protocol):
    """An index that also hands back what it was given, so that nothing is embedded twice, and cleans up."""

    def stored(self, documents: Sequence[str]) -> tuple[list[Passage], Vectors]:
        """The passages of these documents and their vectors, shape (passages, dimensions)."""

    def tidy(self) -> None:
        """Delete what earlier states left; only once the last commit's state has been noted."""


def open_index(kind: str, folder: Path, dimensions: int, state: str = "") -> StoredIndex:
    """The index in `folder` as of `state`, or an empty one. ConfigError for an unknown kind, MissingExtra."""
    if kind not in KINDS:
        raise ConfigError(f"'{kind}' names no index", f"write one of {', '.join(KINDS)}")
    try:
        return cast("StoredIndex", import_module(f"rung.knowledge.indexes.{kind}").open_state(folder, dimensions, state))
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the index '{kind}' ({error.name})", "knowledge") from None
