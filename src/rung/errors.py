"""Everything that can go wrong in a way a user can mend: one sentence and one hint, drawn as a tree.

RungError
├── ConfigError      rung.toml is missing, malformed, or holds a key nobody reads
├── DataError        a case, an example or a document can't be used as it stands
├── ModelError       a model can't be found, loaded or run
│   └── EndpointError    a chat or embedding server refused or did not answer
├── KnowledgeError   the index can't be built, opened or searched
├── TuningError      a training can't start or did not end well
└── MissingExtra     a feature needs an optional dependency that is not installed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class RungError(Exception):
    """A sentence that says what is wrong and a hint that says what to do. The CLI exits 2 on it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(RungError):
    """`rung.toml` is missing, malformed, or holds a key nobody reads."""


class DataError(RungError):
    """A case, an example or a document can't be used as it stands."""


class ModelError(RungError):
    """A model can't be found, loaded or run."""


class EndpointError(ModelError):
    """A chat or embedding server refused or did not answer."""


class KnowledgeError(RungError):
    """The index can't be built, opened or searched."""


class NoDocuments(DataError):
    """A source of documents holds none that can be read, as in a project that has just begun."""


class TuningError(RungError):
    """A training can't start or did not end well."""


class MissingExtra(RungError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the optional dependencies '{extra}'", f"pip install 'rung[{extra}]'")


def near_or_known(word: str, known: Iterable[str]) -> str:
    """A hint for a word that nobody knows: the nearest that is known, or else all of them."""
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(word, names, 1, 0.5)
    return f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(names)}"
