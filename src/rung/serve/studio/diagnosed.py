"""Why a rung fails: starts the diagnosis and shows its causes. It computes none of them."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from rung.approach.ladder import check_rungs, rungs_of
from rung.serve.studio.room import Ask, Room, route


def routes(room: Room) -> list[Route]:
    """`/diagnose`."""

    def shown(ask: Ask) -> Response:
        _, found = ask.told("diagnose")
        return ask.page("diagnose.html", found=found, rungs=rungs_of(room.ws().config.project.task), now=ask.latest("diagnose"))

    def start(ask: Ask) -> Response:
        rung, most = ask.text("rung", "rag"), ask.text("cases", "100")
        check_rungs([rung])
        words = ("diagnose", str(room.folder), "--rung", rung, "--cases", most if most.isdecimal() else "100", "--json")
        return ask.start(words, "heavy")

    return [route(room, "/diagnose", shown), route(room, "/diagnose", start, ("POST",), "editor")]
