"""Advice without data: the interview as a form, and the rungs in order with the rules that said so. It asks no model."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from rung.advice.advise import advise
from rung.advice.situation import Situation, situation
from rung.serve.studio.room import Ask, Room, route
from rung.workspace.importing import held


def routes(room: Room) -> list[Route]:
    """`/advise`."""

    def shown(ask: Ask) -> Response:
        filled = "asked" in ask.request.query_params
        told = situation(_filled(ask), "the form") if filled else situation(_known(ask), "the project")
        return ask.page("advise.html", told=told, fields=_fields(told), advice=advise(told))

    return [route(room, "/advise", shown)]


def _known(ask: Ask) -> dict[str, Any]:
    """What the project's own files and index tell."""
    from rung.circumstances import TOKEN

    ws, knowledge = ask.room.ws(), ask.room.at.offers.knowledge(ask.person.key)
    tokens = sum(len(passage.text) for passage in knowledge.passages()) // TOKEN if knowledge else 0
    told = {"facts": bool(tokens), "knowledge_tokens": tokens, "examples": len(held(ws, "examples"))}
    return told | {"citations": ws.config.limits.citation_recall is not None, "private": ws.config.limits.private}


def _fields(told: Situation) -> list[dict[str, Any]]:
    """Each question of the interview with the kind of its answer and the answer so far."""
    found = []
    for name, field in type(told).model_fields.items():
        value = getattr(told, name)
        choices = _choices(field.annotation)
        kind = "tick" if isinstance(value, bool) else "many" if isinstance(value, tuple) else "one" if choices else "number"
        found.append({"name": name, "question": field.description, "kind": kind, "value": value, "choices": choices})
    return found


def _choices(annotation: Any) -> list[str]:
    """The words that a field takes, wherever in its type they stand."""
    inside = [one for one in getattr(annotation, "__args__", ()) if one is not Ellipsis]
    return [one for part in inside for one in ([part] if isinstance(part, str) else _choices(part))]


def _filled(ask: Ask) -> dict[str, Any]:
    """The answers of the form; a number that was left empty is not told."""
    told: dict[str, Any] = {}
    for one in _fields(Situation()):
        name, kind = one["name"], one["kind"]
        value = bool(ask.text(name)) if kind == "tick" else tuple(ask.texts(name)) if kind == "many" else ask.text(name)
        if value != "":
            told[name] = value
    return told
