"""The web studio: server-rendered pages over a project. It does no work itself, it starts the verbs as jobs and follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from rung.serve.desk import Desk


def studio(at: Desk) -> Starlette:
    """The application that `rung serve` mounts at "/". MissingExtra where a library is not installed."""
    from rung.errors import MissingExtra

    try:
        from rung.serve.studio.app import application
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the studio ({error.name})", "serve") from None
    return application(at)
