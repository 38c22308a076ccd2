"""The chat model that ships with the package, trained by its own recipe; it is a `local` model in a folder of ours.

It refuses every name but those whose folder was shipped.
"""

from __future__ import annotations

from pathlib import Path

from rung.errors import ModelError
from rung.models.local import LocalModel, open_local

_HOME = Path(__file__).parent


def folder(name: str) -> Path:
    """Where the weights of a bundled model lie. ModelError where there are none."""
    path = _HOME / name
    if not name.isidentifier() or not (path / "config.json").is_file():
        known = sorted(path.parent.name for path in _HOME.glob("*/config.json"))
        if not known:
            raise ModelError(f"this copy of rung ships no weights, so there is no 'bundled:{name}'", "train them by the recipe in bundled/")
        raise ModelError(f"there is no bundled model '{name}'", f"bundled are: {', '.join(known)}")
    return path


def open_bundled(name: str, adapter: Path | None = None, **options: object) -> LocalModel:
    """The bundled model of that name; options as for `local`."""
    return open_local(folder(name), adapter, **options)
