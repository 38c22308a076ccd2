"""What became of the answers: the figures of `rung watch`, what they ask for, and corrected answers to be taken; thumbs from the chat.

Words of answers from documents that the visitor may not read are not shown.
"""

from __future__ import annotations

from typing import Literal

from starlette.responses import Response
from starlette.routing import Route

from rung.errors import ConfigError, DataError
from rung.serve.rating import counted, seen_by
from rung.serve.running import who
from rung.serve.studio.room import SMALL, Ask, Room, route
from rung.workspace.feedback import Thumb, give, take

DAY = 86400.0
SPANS = {"1": "a day", "7": "a week", "30": "30 days"}


def routes(room: Room) -> list[Route]:
    """`/monitor`, and `/feedback`, where the thumbs go."""

    def shown(ask: Ask) -> Response:
        from rung.monitoring.watch import watch

        ws, days = room.ws(), ask.text("days") if ask.text("days") in SPANS else "7"
        view = room.at.offers.knowledge(ask.person.key) if ws.config.access.on else None
        if ws.config.access.on and view is None:
            raise DataError("the project has no documents yet", "upload some")
        done = watch(ws, room.store, float(days) * DAY, view=view)
        return ask.page("monitor.html", done=done, days=days, spans=SPANS)

    def taken(ask: Ask) -> Response:
        to: Literal["case", "example"] = "case" if ask.text("as") == "case" else "example"
        made = take(room.ws(), room.store, ask.text("answer"), to, ask.person.name, seen_by(room.at, ask.person.key))
        return ask.back("/monitor", f"{made.id} is {'a case' if to == 'case' else 'an example'} now.")

    def rated(ask: Ask) -> Response:
        thumb, words = ask.text("thumb"), room.at.settings.audit == "text"
        if thumb not in ("up", "down", ""):
            raise ConfigError("the thumb is neither up nor down", "load the page again")
        said: Thumb = "up" if thumb == "up" else "down" if thumb == "down" else ""
        made = give(room.store, ask.text("answer"), who(ask.person.key), said, ask.text("correction"), ask.text("reason"), words=words)
        counted(room.at, made)
        return ask.page("rated.html", said=made)

    return [
        route(room, "/monitor", shown, role="editor"),
        route(room, "/monitor/take", taken, ("POST",), "editor"),
        route(room, "/feedback", rated, ("POST",), "reader", SMALL),
    ]
