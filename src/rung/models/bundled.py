"""The models that ship with the package: `tiny`, a `local` model in a folder of ours, and `reader`, which quotes.

It refuses every name but those whose folder was shipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import ModelError
from rung.models.local import LocalModel, open_local

if TYPE_CHECKING:
    from rung.models.reading import Reader

_HOME = Path(__file__).parent


def folder(name: str) -> Path:
    """Where the weights of a bundled model lie. ModelError where there are none."""
    path = _HOME / name
    if not name.isidentifier() or not (path / "config.json").is_file():
        known = sorted(path.parent.name for path in _HOME.glob("*/config.json"))
        if not known:
            raise ModelError(f"this copy of rung ships no weights, so there is no 'bundled:{name}'", "train them by the recipe in bundled/")
        raise ModelError(f"there is no bundled model '{name}'", f"bundled are: {', '.join([*known, 'reader'])}")
    return path


def open_bundled(name: str, adapter: Path | None = None, **options: object) -> LocalModel | Reader:
    """The bundled model of that name; options as for `local`, or those of the reader."""
    if name == "reader":
        from rung.models.reading import open_reader

        return open_reader(adapter, **options)
    return open_local(folder(name), adapter, **options)
