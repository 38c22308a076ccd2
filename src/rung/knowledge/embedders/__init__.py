"""Embedders by name; a name nobody knows is refused, a missing extra is named."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from rung.errors import KnowledgeError, MissingExtra
from rung.types import Embedder

KINDS = {"minilm": "encoder:open_minilm", "hf": "encoder:open_encoder", "endpoint": "endpoint:open_endpoint", "hashing": "hashing:open_hashing"}


def load(spec: str, **options: object) -> Embedder:
    """`minilm`, `hashing`, `hf:<name or folder>` or `endpoint:<model>@<url>`."""
    kind, _, name = spec.partition(":")
    if kind not in KINDS:
        raise KnowledgeError(f"'{spec}' names no embedder", f"write one of {', '.join(KINDS)}")
    module, function = KINDS[kind].split(":")
    try:
        opener = getattr(import_module(f"rung.knowledge.embedders.{module}"), function)
        return cast("Embedder", opener(name, **options))
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the embedder '{kind}' ({error.name})", "local,knowledge") from None
