"""Embedders by name. It refuses names nobody knows and options nobody reads, and names a missing extra."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from importlib import import_module
from typing import Any, cast

from rung.errors import ConfigError, MissingExtra
from rung.types import Embedder

KINDS = {"minilm": "minilm", "tuned": "tuned", "hf": "transformer", "endpoint": "endpoint", "hashing": "hashing"}


def load(spec: str, **options: Any) -> Embedder:
    """`minilm`, `tuned:<folder>`, `hashing`, `hf:<repo or folder>` or `endpoint:<model>@<url>`; options are the opener's keywords.

    Raises ConfigError for an unknown name or option, KnowledgeError where weights can't be used, MissingExtra.
    """
    kind, _, name = spec.partition(":")
    if kind not in KINDS:
        raise ConfigError(f"'{spec}' names no embedder", f"write one of {', '.join(KINDS)}{_nearest(kind, KINDS)}")
    try:
        opener = import_module(f"rung.knowledge.embedders.{KINDS[kind]}").open_embedder
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the embedder '{kind}' ({error.name})", "knowledge") from None
    known = [option for option in inspect.signature(opener).parameters if option != "name"]
    for option in options:
        if option not in known:
            raise ConfigError(f"the embedder '{kind}' has no option '{option}'", f"it reads {', '.join(known)}{_nearest(option, known)}")
    try:
        return cast("Embedder", opener(name, **options))
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the embedder '{kind}' ({error.name})", "local" if kind == "hf" else "knowledge") from None


def _nearest(word: str, known: Any) -> str:
    near = get_close_matches(word, list(known), 1)
    return f"; did you mean '{near[0]}'?" if near else ""
