"""`rung report --mlflow`: the last climb and the adapters as runs of MLflow. What is there already stays, so it can be repeated.

Figures, settings, hashes and weights go there; questions, answers and documents don't. It refuses another machine where the
project is private, and keeps MLflow from reporting its own use.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.climb import Climb
from rung.errors import ConfigError, EndpointError, MissingExtra
from rung.types import Json, Summary
from rung.workspace.lineage import Known, all_known
from rung.workspace.privacy import asked_away
from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

ID = "rung.id"  # the tag by which a run is found again
LONGEST = 500  # characters of a setting


@dataclass(frozen=True)
class Exported:
    """Where it went, and how many runs were new; `known` were there already."""

    uri: str
    experiment: str
    climbs: int
    adapters: int
    known: int


def export(ws: Workspace, done: Climb, uri: str) -> Exported:
    """The climb with a run for each rung below it, and a run with its files for each adapter that may be served.

    ConfigError where privacy forbids it, MissingExtra, EndpointError where MLflow can't be reached.
    """
    if ws.config.limits.private and asked_away(uri):
        raise ConfigError(f"the project is private, and {uri} is not this machine", "name one here, or take private out of [limits]")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ModuleNotFoundError as error:
        raise MissingExtra(f"MLflow ({error.name})", "mlflow") from None
    try:
        return _export(MlflowClient(tracking_uri=uri), ws, done, uri)
    except (MlflowException, OSError) as error:
        said = str(error).splitlines()[0][:300]
        raise EndpointError(f"MLflow at {uri} can't be used: {said}", "write http://HOST:PORT, or sqlite:////FILE") from error


def _export(client: MlflowClient, ws: Workspace, done: Climb, uri: str) -> Exported:
    name = ws.config.project.name
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name)
    climbs = int(_climb(client, experiment, done))
    able = [one for one in all_known(ws) if not one.blocked]
    adapters = sum(_adapter(client, experiment, one) for one in able)
    return Exported(uri, name, climbs, adapters, 1 - climbs + len(able) - adapters)


def _climb(client: MlflowClient, experiment: str, done: Climb) -> bool:
    """Whether it was new."""
    if _known(client, experiment, done.folder.name):
        return False
    tags = {"mlflow.note.content": done.verdict.sentence, "rung.kind": "climb", "rung.chosen": done.verdict.chosen}
    settings: dict[str, Json] = {"cases": len(done.cases), "bar": done.verdict.bar, **done.facts}
    top = _begin(client, experiment, done.folder.name, tags, settings)
    for one in done.rungs:
        if one.summary.ran:
            below = {"mlflow.parentRunId": top, "rung.kind": "rung", "mlflow.note.content": one.summary.note}
            run = _begin(client, experiment, one.summary.name, below, dict(one.answers[0].made_by) if one.answers else {})
            _end(client, run, f"{done.folder.name}/{one.summary.name}", _figures(one.summary))
    _end(client, top, done.folder.name, {f"seconds_{stage}": value for stage, value in done.seconds.items()})
    return True


def _figures(summary: Summary) -> dict[str, float]:
    told = {"right": summary.primary.estimate, "right_low": summary.primary.low, "right_high": summary.primary.high}
    times = {"seconds_p50": summary.seconds_p50, "seconds_p95": summary.seconds_p95, "cost_per_1000": summary.cost_per_1000}
    return {**told, **times, **summary.parts, **{f"tokens_{name}": float(value) for name, value in asdict(summary.usage).items()}}


def _adapter(client: MlflowClient, experiment: str, one: Known) -> bool:
    """Whether it was new. Its files go along, weights and all."""
    if _known(client, experiment, one.name):
        return False
    recipe = one.recipe if isinstance(one.recipe, dict) else {}
    tags = {"rung.kind": "adapter", "rung.labels": ", ".join(one.labels), "rung.base": one.base}
    run = _begin(client, experiment, one.name, tags, {"trained_for": one.rung, **recipe})
    client.log_artifacts(run, one.folder, "adapter")
    figures = {"rows": float(one.training), "validation_rows": float(one.validation), "documents": float(one.documents)}
    _end(client, run, one.name, {**figures, **_numbers(one.scores)})
    return True


def _begin(client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str], settings: Mapping[str, Json]) -> str:
    run = client.create_run(experiment, run_name=name, tags={key: value for key, value in tags.items() if value})
    for key, value in settings.items():
        client.log_param(run.info.run_id, _plain(key), str(value)[:LONGEST])
    return str(run.info.run_id)


def _end(client: MlflowClient, run: str, name: str, figures: Mapping[str, float]) -> None:
    """The tag by which it is found again comes last: a run that was broken off is made anew."""
    for key, value in figures.items():
        client.log_metric(run, _plain(key), value)
    client.set_tag(run, ID, name)
    client.set_terminated(run)


def _known(client: MlflowClient, experiment: str, name: str) -> bool:
    return bool(client.search_runs([experiment], f"tags.`{ID}` = '{name}'", max_results=1))


def _numbers(value: Any, before: str = "") -> dict[str, float]:
    """Every number within, by the path to it."""
    if isinstance(value, dict):
        parts = [_numbers(one, f"{before}.{key}" if before else str(key)) for key, one in value.items()]
        return {name: number for part in parts for name, number in part.items()}
    return {before: float(value)} if isinstance(value, int | float) and not isinstance(value, bool) and before else {}


def _plain(name: str) -> str:
    """A name as MLflow takes it: letters, digits, and a few marks."""
    return "".join(one if one.isascii() and (one.isalnum() or one in "_-./ ") else "_" for one in name)[:200]


def export_and_show(folder: Path, uri: str, as_json: bool) -> None:
    """Export the last climb and the adapters, and say what was new."""
    from rung.runs import last_climb
    from rung.show import print_json
    from rung.workspace.workspace import open_workspace

    ws = open_workspace(folder)
    done = export(ws, last_climb(ws), uri)
    if as_json:
        print_json(asdict(done))
        return
    print(f"{done.uri}, experiment {done.experiment}: {done.climbs} climbs and {done.adapters} adapters are new, {done.known} were there")
