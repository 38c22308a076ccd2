"""What became of the answers: the figures of `rung watch`, what they ask for, and corrected answers to be taken; thumbs from the chat.

Words of answers from documents that the visitor may not read are not shown.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

from starlette.responses import Response
from starlette.routing import Route

from rung.errors import ConfigError, DataError
from rung.serve.rating import counted, seen_by
from rung.serve.running import who
from rung.serve.studio.room import SMALL, Ask, Room, from_page, route
from rung.workspace.feedback import Thumb, give, rated, take

DAY = 86400.0
PAGE = 50  # of what was said
SPANS = {"1": "a day", "7": "a week", "30": "30 days"}


def routes(room: Room) -> list[Route]:
    """`/monitor` with its canaries, what was said of answers, and `/feedback`, where the thumbs go."""

    def shown(ask: Ask) -> Response:
        from rung.monitoring.watch import watch
        from rung.runs import last_climb

        ws, days = room.ws(), ask.text("days") if ask.text("days") in SPANS else "7"
        view = room.at.offers.knowledge(ask.person.key) if ws.config.access.on else None
        if ws.config.access.on and view is None:
            raise DataError("the project has no documents yet", "upload some")
        done = watch(ws, room.store, float(days) * DAY, view=view)
        told: dict[str, Any] = {"done": done, "days": days, "spans": SPANS, "now": ask.latest("watch"), "here_asked": room.at.address}
        with suppress(DataError):
            return ask.page("monitor.html", **told, climbed=last_climb(ws))
        return ask.page("monitor.html", **told)

    def replay(ask: Ask) -> Response:
        words = ("watch", str(room.folder), "--canary", "--url", f"{room.at.address}{room.root}", "--json")
        return ask.start(words, "heavy", "/monitor")

    def said(ask: Ask) -> Response:
        after = ask.text("after")
        number = int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else 0
        found = rated(room.ws(), room.store, sees=seen_by(room.at, ask.person.key), after=number, most=PAGE + 1)
        return ask.page("feedback.html", found=found[:PAGE], more=found[PAGE - 1].said.entry if len(found) > PAGE else 0, after=number)

    def taken(ask: Ask) -> Response:
        to: Literal["case", "example"] = "case" if ask.text("as") == "case" else "example"
        made = take(room.ws(), room.store, ask.text("answer"), to, ask.person.name, seen_by(room.at, ask.person.key))
        return ask.back(from_page(ask), f"{made.id} is {'a case' if to == 'case' else 'an example'} now.")

    def rate(ask: Ask) -> Response:
        thumb, words = ask.text("thumb"), room.at.settings.audit == "text"
        if thumb not in ("up", "down", ""):
            raise ConfigError("the thumb is neither up nor down", "load the page again")
        said: Thumb = "up" if thumb == "up" else "down" if thumb == "down" else ""
        made = give(room.store, ask.text("answer"), who(ask.person.key), said, ask.text("correction"), ask.text("reason"), words=words)
        counted(room.at, made)
        return ask.page("rated.html", said=made)

    return [
        route(room, "/monitor", shown, role="editor"),
        route(room, "/monitor/canary", replay, ("POST",), "editor"),
        route(room, "/monitor/feedback", said, role="editor"),
        route(room, "/monitor/take", taken, ("POST",), "editor"),
        route(room, "/feedback", rate, ("POST",), "reader", SMALL),
    ]
