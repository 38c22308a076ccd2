"""The first page: what the project holds, what was decided, what runs, and what to do next."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from rung.errors import DataError
from rung.serve.studio.room import Ask, Room, route
from rung.workspace import jobs
from rung.workspace.importing import held


def routes(room: Room) -> list[Route]:
    """`/`."""

    def overview(ask: Ask) -> Response:
        from rung.runs import last_climb

        ws = room.ws()
        knowledge = room.at.offers.knowledge(ask.person.key)
        counts = {
            "documents": len(knowledge.documents()) if knowledge else 0,
            "cases": len(held(ws, "cases")),
            "examples": len(held(ws, "examples")),
        }
        try:
            climbed = last_climb(ws)
        except DataError:
            climbed = None
        steps = _next(counts, climbed.verdict.chosen if climbed else None)
        return ask.page("overview.html", counts=counts, climbed=climbed, recent=jobs.jobs(room.home, 5), config=ws.config, steps=steps)

    return [route(room, "/", overview)]


def _next(counts: dict[str, int], chosen: str | None) -> list[tuple[str, str]]:
    """What is still missing, as a link and a sentence. `chosen` is None before the first climb, "" where nothing cleared the bar."""
    missing = []
    if not counts["documents"]:
        missing.append(("/documents", "Upload the documents that hold the answers."))
    if not counts["cases"]:
        missing.append(("/cases", "Add questions with their ideal answers, to measure on."))
    if not counts["examples"]:
        missing.append(("/cases?side=examples", "Add solved examples, to show and to train on."))
    if chosen is None and counts["documents"] and counts["cases"]:
        missing.append(("/climb", "Climb: measure every rung on your questions."))
    if chosen == "":
        missing.append(("/diagnose", "No rung clears your bar: diagnose why, then add what is missing."))
    return missing or [("/chat", "Ask what won.")]
