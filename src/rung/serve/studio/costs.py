"""What the rungs cost: starts `rung cost` and shows its table; the page with the charts opens in an origin of its own."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from rung.errors import ConfigError
from rung.serve.studio.room import Ask, Room, route


def routes(room: Room) -> list[Route]:
    """`/cost`."""

    def shown(ask: Ask) -> Response:
        _, found = ask.told("cost")
        return ask.page("cost.html", found=found, now=ask.latest("cost"))

    def start(ask: Ask) -> Response:
        words = ["cost", str(room.folder), "--json"]
        for name in ("questions", "months"):
            if text := ask.text(name):
                words += [f"--{name}", _amount(text)]
        if ask.text("hosted") in ("yes", "no"):
            words += ["--hosted", ask.text("hosted")]
        return ask.start(words, "light")

    return [route(room, "/cost", shown), route(room, "/cost", start, ("POST",))]


def _amount(text: str) -> str:
    try:
        if 0 < float(text) < float("inf"):
            return text
    except ValueError:
        pass
    raise ConfigError(f"'{text[:50]}' is no amount", "write a number above 0")
