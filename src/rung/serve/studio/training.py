"""Training: which adapter on which base by which recipe, what it will cost in time, and the loss as it falls. It trains nothing itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from rung.errors import ConfigError
from rung.measure.record import lines_of
from rung.serve.studio.room import Ask, Room, route
from rung.serve.studio.settings import changed
from rung.types import Json
from rung.workspace import job_output, jobs
from rung.workspace.importing import held
from rung.workspace.jobs import Job

RUNGS = {"tuned": "answers without passages, and with them as hybrid", "raft": "learns to answer from passages"}
ESTIMATE = "train --estimate"
RECIPE = ("method", "rank", "epochs", "learning_rate")
BASES = ("bundled:tiny",)


def routes(room: Room) -> list[Route]:
    """`/train`, its recipe, and the loss of what trains."""

    def shown(ask: Ask) -> Response:
        ws, now, training = room.ws(), ask.latest("train"), _newest(room.home, "train")
        expected = _newest(room.home, ESTIMATE)
        methods = type(ws.config.tuning).model_fields["method"].annotation
        told: dict[str, Any] = {
            "examples": len(held(ws, "examples")),
            "config": ws.config,
            "rungs": RUNGS,
            "losses": losses(room.home, training),
            "expected": job_output.result(room.home, expected.id) if expected and expected.state == "done" else None,
            "result": job_output.result(room.home, training.id) if training and training.state in jobs.ENDED else None,
        }
        return ask.page("train.html", **told, now=now, follow=training, methods=getattr(methods, "__args__", ()), bases=BASES)

    def live(ask: Ask) -> Response:
        now = _newest(room.home, "train")
        return ask.page("loss.html", losses=losses(room.home, now), follow=now)

    def start(ask: Ask) -> Response:
        rung, options = _rung(ask), []
        if ask.text("budget"):
            options = ["--budget", ask.text("budget")]
        return ask.start(("train", str(room.folder), "--rung", rung, *options, "--json"), "heavy")

    def estimate(ask: Ask) -> Response:
        return ask.start((*ESTIMATE.split(), str(room.folder), "--rung", _rung(ask), "--json"), "heavy", "/train")

    def recipe(ask: Ask) -> Response:
        values: dict[str, dict[str, Json]] = {"tuning": {}, "model": {}}
        for name in RECIPE:
            text = ask.text(name)
            values["tuning"][name] = text if name == "method" or not text else _number(text)
        if ask.text("base"):
            values["model"]["name"] = ask.text("base")
        changed(ask, values)
        return ask.back("/train", "The recipe is kept in rung.toml.")

    return [
        route(room, "/train", shown),
        route(room, "/train/loss", live),
        route(room, "/train", start, ("POST",), "editor"),
        route(room, "/train/estimate", estimate, ("POST",), "editor"),
        route(room, "/train/recipe", recipe, ("POST",), "admin"),
    ]


def _rung(ask: Ask) -> str:
    if ask.text("rung") not in RUNGS:
        raise ConfigError(f"'{ask.text('rung')}' is not trained", f"choose {' or '.join(RUNGS)}")
    return ask.text("rung")


def _newest(home: Path, verb: str) -> Job | None:
    """The newest training, or the newest estimate of one, which is a job of the same verb."""
    found = jobs.jobs(home, verb=verb)
    return next((one for one in found if verb == ESTIMATE or "--estimate" not in one.words), None)


def losses(home: Path, job: Job | None) -> list[dict[str, float]]:
    """The losses of the training that the job is about: of the adapter that was written to since it started."""
    if job is None or job.started is None:
        return []
    found = [(path.stat().st_mtime, path) for path in home.glob("adapters/**/loss.jsonl")]
    recent = [path for at, path in found if at >= job.started and (job.ended is None or at <= job.ended + 1)]
    by_step = {line["step"]: line for path in recent[-1:] for line in lines_of(path)}
    return [by_step[step] for step in sorted(by_step)]


def _number(text: str) -> int | float:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise ConfigError(f"'{text}' is no number", "write one, or leave the field empty for what is derived") from None
