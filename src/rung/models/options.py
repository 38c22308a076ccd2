"""Turns keywords from `rung.toml` into a back end's frozen options; refuses unknown ones and wrong types by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from typing import TypeVar

from rung.errors import ModelError

Kind = TypeVar("Kind")


def chosen(kind: type[Kind], options: Mapping[str, object]) -> Kind:
    """An instance of the options dataclass; every field needs a default, whose type a value must have."""
    known = {item.name: _default(item) for item in fields(kind)}  # type: ignore[arg-type]
    for name, value in options.items():
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0) or sorted(known)
            hint = f"did you mean '{near[0]}'? It knows {', '.join(sorted(known))}."
            raise ModelError(f"this kind of model has no option '{name}'", hint)
        if not _fits(value, known[name]):
            raise ModelError(f"option '{name}' is {value!r}", f"it takes a value like {known[name]!r}")
    return kind(**options)


def _default(item: Field[object]) -> object:
    return item.default if item.default_factory is MISSING else item.default_factory()


def _fits(value: object, default: object) -> bool:
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    return isinstance(value, (int, float)) if isinstance(default, float) else isinstance(value, type(default))
