"""The climb: which rungs, how far it is, the verdict with its reasons, and the report. What is shown was recorded, nothing is scored."""

from __future__ import annotations

import base64
import hashlib
import re

from starlette.responses import Response
from starlette.routing import Route

from rung.approach.ladder import check_rungs, rungs_of
from rung.errors import DataError
from rung.serve.studio.room import Ask, Room, route

SCRIPTS = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def routes(room: Room) -> list[Route]:
    """`/climb`, and the report as it stands on the disk."""

    def shown(ask: Ask) -> Response:
        from rung.runs import climb_of, last_climb

        ws = room.ws()
        try:
            done = climb_of(ws, ask.text("run")) if ask.text("run") else last_climb(ws)
        except DataError:
            done = None
        rungs = rungs_of(ws.config.project.task)
        chosen = ws.config.project.rungs or rungs
        return ask.page("climb.html", done=done, rungs=rungs, chosen=chosen, bar=ws.config.project.bar, now=ask.latest("climb"))

    def start(ask: Ask) -> Response:
        names, project = ask.texts("rung"), room.ws().config.project
        check_rungs(names)
        if set(names) == set(project.rungs or rungs_of(project.task)):
            names = []  # the whole climb, and not one of rungs that were named for once
        words = ["climb", str(room.folder), *(word for name in names for word in ("--rung", name)), "--json"]
        return ask.start(words, "heavy")

    def report(ask: Ask) -> Response:
        from rung.runs import climb_of

        done = climb_of(room.ws(), ask.text("run", "last"))
        path = done.folder / ("cost.html" if ask.text("page") == "cost" else "report.html")
        if not path.is_file():
            raise DataError("the report is gone", "climb again, or run `rung report`")
        return apart(path.read_text(encoding="utf-8"))

    return [
        route(room, "/climb", shown),
        route(room, "/climb", start, ("POST",), "editor"),
        route(room, "/climb/report", report),
    ]


def apart(page: str) -> Response:
    """A self-contained page of ours in an origin of its own: its own scripts by their sums, no cookie, no request."""
    sums = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in SCRIPTS.findall(page)}
    allowed = " ".join(f"'sha256-{one}'" for one in sorted(sums))
    policy = f"sandbox allow-scripts; default-src 'none'; script-src {allowed or chr(39) + 'none' + chr(39)}; style-src 'unsafe-inline'; "
    headers = {"content-security-policy": policy + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
    return Response(page, media_type="text/html", headers=headers)
