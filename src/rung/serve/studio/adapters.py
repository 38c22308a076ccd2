"""The adapters: promote, roll back, label, export, where each came from, and forgetting. Every act is a job, so it stands in the log."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from starlette.responses import Response
from starlette.routing import Route

from rung.errors import ConfigError
from rung.serve.studio.room import Ask, Room, route
from rung.serve.studio.shown import flow
from rung.workspace import labels
from rung.workspace.catalogue import catalogue, exports, moves


def routes(room: Room) -> list[Route]:
    """`/adapters`, one adapter with its lineage, what can be done with it, and `/forget`."""
    here = str(room.folder)

    def listed(ask: Ask) -> Response:
        from rung.workspace.lineage import all_known

        ws = room.ws()
        verbs = [ask.latest(verb) for verb in ("adapters promote", "adapters rollback", "adapters label", "export")]
        now = max((one for one in verbs if one), key=lambda one: one.id, default=None)
        told: dict[str, Any] = {
            "adapters": all_known(ws),
            "moves": moves(catalogue(ws))[::-1][:30],
            "exports": exports(catalogue(ws))[::-1][:30],
        }
        _, gate = ask.told("adapters promote")
        return ask.page("adapters.html", **told, now=now, formats=_formats(), gate=gate)

    def one(ask: Ask) -> Response:
        from rung.workspace.lineage import known, lineage

        ws, name = room.ws(), ask.text("name")
        found = known(ws, labels.folder_of(ws, name))
        tree = lineage(ws, found.name)
        sources = [(name, len({row for rows in passages.values() for row in rows})) for name, passages in tree.documents.items()]
        if tree.alone and tree.rows.keys() - set(tree.alone):
            sources.append(("rows without a document", len(tree.alone)))
        ends = [*found.labels, *(f"{out.format} in {Path(out.folder).name}" for out in tree.exports)]
        return ask.page("adapter.html", one=found, tree=asdict(tree), drawn=flow(sources, ends) if sources else None)

    def promote(ask: Ask) -> Response:
        why = ["--force", ask.text("why")] if ask.text("why") else []
        return ask.start(("adapters", "promote", _adapter(ask), _label(ask), here, *why, "--json"), "heavy", "/adapters")

    def label(ask: Ask) -> Response:
        return ask.start(("adapters", "label", _adapter(ask), _label(ask), here, "--json"), "light", "/adapters")

    def roll_back(ask: Ask) -> Response:
        why = ["--why", ask.text("why")] if ask.text("why") else []
        return ask.start(("adapters", "rollback", _label(ask), here, *why, "--json"), "light", "/adapters")

    def export(ask: Ask) -> Response:
        kind, name = ask.text("format"), _adapter(ask)
        if kind not in _formats():
            raise ConfigError(f"'{kind[:50]}' is no format", f"choose {', '.join(_formats())}")
        to = room.home / "exports" / f"{name}-{kind}"
        return ask.start(("export", name, here, "--to", str(to), "--format", kind, "--json"), "heavy", "/adapters")

    def forgetting(ask: Ask) -> Response:
        job, told = ask.told("forget")
        dry = bool(job and "--dry-run" in job.words)
        knowledge = room.at.offers.knowledge(ask.person.key)
        documents = sorted(knowledge.documents()) if knowledge else []
        return ask.page("forget.html", documents=documents, chosen=ask.text("path"), told=told, dry=dry, job=job, now=ask.latest("forget"))

    def forget(ask: Ask) -> Response:
        paths, subject = ask.texts("path"), ask.text("subject")
        if not paths and not subject:
            raise ConfigError("nothing was named to forget", "choose documents, or write a subject")
        known = [("delete_source", "--delete-source"), ("ignore", "--ignore"), ("retrain", "--retrain")]
        ticked = [option for name, option in known if ask.text(name)]
        about = ["--subject", subject] if subject else []
        dry = [] if ask.text("really") else ["--dry-run"]
        return ask.start(("forget", "--project", here, *about, *ticked, *dry, "--json", "--", *paths), "heavy", "/forget")

    return [
        route(room, "/adapters", listed),
        route(room, "/adapters/one", one),
        route(room, "/adapters/promote", promote, ("POST",), "admin"),
        route(room, "/adapters/label", label, ("POST",), "admin"),
        route(room, "/adapters/rollback", roll_back, ("POST",), "admin"),
        route(room, "/adapters/export", export, ("POST",), "admin"),
        route(room, "/forget", forgetting, role="admin"),
        route(room, "/forget", forget, ("POST",), "admin"),
    ]


def _formats() -> tuple[str, ...]:
    from rung.workspace.model_export import Format

    return get_args(Format)


def _adapter(ask: Ask) -> str:
    return labels.folder_of(ask.room.ws(), ask.text("name")).name


def _label(ask: Ask) -> str:
    labels.check_label(ask.text("label"))
    return ask.text("label")
