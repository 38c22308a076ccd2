"""The web studio: server-rendered pages over a project. It does no work itself, it starts the verbs as jobs and follows them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette


def studio(folder: Path) -> Starlette:
    """The application that `rung serve` mounts at "/". ConfigError for a bad `rung.toml`, MissingExtra."""
    from rung.errors import MissingExtra

    try:
        from rung.serve.studio.app import application
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the studio ({error.name})", "serve") from None
    return application(folder)
