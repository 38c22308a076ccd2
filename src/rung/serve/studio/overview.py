"""The first page: what the project holds, what was decided, what runs, and what to do next. It counts, it judges nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from rung.errors import DataError
from rung.serve.studio.people import Person
from rung.serve.studio.room import Ask, Room, route
from rung.workspace import jobs
from rung.workspace.importing import held
from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from rung.climb import Climb


@dataclass(frozen=True)
class State:
    """A project in figures, as somebody may see it."""

    ws: Workspace
    documents: int
    cases: int
    examples: int
    climbed: Climb | None  # the last climb


def state(room: Room, person: Person) -> State:
    """How a project stands. RungError where its rung.toml or one of its files can't be read."""
    from rung.runs import last_climb

    ws, knowledge = room.ws(), room.at.offers.knowledge(person.key)
    try:
        climbed = last_climb(ws)
    except DataError:
        climbed = None
    return State(ws, len(knowledge.documents()) if knowledge else 0, len(held(ws, "cases")), len(held(ws, "examples")), climbed)


def routes(room: Room) -> list[Route]:
    """`/`."""

    def overview(ask: Ask) -> Response:
        now = state(room, ask.person)
        return ask.page("overview.html", state=now, recent=jobs.jobs(room.home, 5), steps=_next(now))

    return [route(room, "/", overview)]


def _next(now: State) -> list[tuple[str, str]]:
    """What is still missing, as a link and a sentence."""
    missing = []
    if not now.documents:
        missing.append(("/documents", "Upload the documents that hold the answers."))
    if not now.cases:
        missing.append(("/cases", "Add questions with their ideal answers, to measure on."))
    if not now.examples:
        missing.append(("/cases?side=examples", "Add solved examples, to show and to train on."))
    if now.climbed is None and now.documents and now.cases:
        missing.append(("/climb", "Climb: measure every rung on your questions."))
    if now.climbed and not now.climbed.verdict.chosen:
        missing.append(("/diagnose", "No rung clears your bar: diagnose why, then add what is missing."))
    return missing or [("/chat", "Ask what won.")]
