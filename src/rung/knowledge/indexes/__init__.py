"""Indexes by name. A commit makes a new state and returns its name; a named state is never changed. Unknown names are refused."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from rung.errors import ConfigError, MissingExtra
from rung.types import Index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rung.types import Hit, Passage, Vectors

KINDS = {"lance": "knowledge", "exact": "knowledge", "postgres": "postgres"}  # name → the extra it needs
ELSEWHERE = ("lance", "postgres")  # those that take a place: lance:s3://bucket/folder, postgres:postgresql://host/database
LAYOUT = "4"  # raise it when an index of an earlier layout can't be read any more


class StoredIndex(Index, Protocol):
    """An index that also hands back what it was given, so that nothing is embedded twice, and cleans up.

    The passage of a thin hit may be a stand-in: its document, start and end are true, its id is the index's own, it has no
    text, and its only heading is a key that copies share (`rung.knowledge.fold.key`)."""

    def whole(self, hits: Sequence[Hit]) -> list[Hit] | None:
        """Thin hits with their passages, in the same order; None where a commit came between, so that one must search again."""

    def stored(self, documents: Sequence[str]) -> tuple[list[Passage], Vectors]:
        """The passages of these documents and their vectors, shape (passages, dimensions)."""

    def tidy(self, keep: Sequence[str] | None = ()) -> None:
        """Delete what earlier states left, those of `keep` excepted, or nothing where that is None; then do what a commit put off.

        Only once the last commit's state has been noted. Searches work before, meanwhile and after."""


def open_index(spec: str, folder: Path, dimensions: int, state: str = "") -> StoredIndex:
    """The index in `folder`, or at the place that follows the kind's name and a colon, as of `state`; or an empty one.

    ConfigError for an unknown kind, MissingExtra, KnowledgeError where a server can't be reached."""
    kind, _, where = spec.partition(":")
    if kind not in KINDS:
        raise ConfigError(f"'{spec}' names no index", f"write one of {', '.join(KINDS)}")
    if where and kind not in ELSEWHERE:
        raise ConfigError(f"the index '{kind}' is kept in the project, not at '{where}'", f"write {kind} alone")
    try:
        module = import_module(f"rung.knowledge.indexes.{kind}")
        return cast("StoredIndex", module.open_state(folder, dimensions, state, **({"where": where} if where else {})))
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the index '{kind}' ({error.name})", KINDS[kind]) from None
