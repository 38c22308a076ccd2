"""The web studio: server-rendered pages over projects. It does no work itself, it starts the verbs as jobs and follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from rung.serve.desk import Desk
    from rung.serve.studio.room import Room


def studio(at: Desk, name: str = "", house: list[Room] | None = None) -> Starlette:
    """The application that `rung serve` mounts at "/", or at /p/NAME beside others of a house. MissingExtra without a library."""
    from rung.errors import MissingExtra

    try:
        from rung.serve.studio.app import application
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the studio ({error.name})", "serve") from None
    return application(at, name, [] if house is None else house)
