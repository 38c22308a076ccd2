"""Indexes by name. A commit makes a new state and returns its name; a state once made is never changed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from rung.errors import KnowledgeError, MissingExtra
from rung.types import Index

KINDS = {"lance": "lance:open_lance", "exact": "exact:open_exact"}


def open_index(kind: str, folder: Path, dimensions: int, state: str = "") -> Index:
    """The index in `folder` as of `state`, or an empty one."""
    if kind not in KINDS:
        raise KnowledgeError(f"'{kind}' names no index", f"write one of {', '.join(KINDS)}")
    module, function = KINDS[kind].split(":")
    try:
        return cast("Index", getattr(import_module(f"rung.knowledge.indexes.{module}"), function)(folder, dimensions, state))
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the index '{kind}' ({error.name})", "knowledge") from None
