"""From a project and a time to the best recipe found in it, and the lines of rung.toml that use it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rung.errors import ConfigError
from rung.workspace import workspace as w
from rung.workspace.training import Say, planned, writing
from rung.workspace.workspace import Progress, Workspace

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge
    from rung.tuning.search import Base, Tried

_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Found:
    """All that was tried, best first, the best that was trained to its end, and how to use it."""

    tried: list[Tried]
    best: Tried
    lines: tuple[str, ...]


def seconds_of(budget: str) -> float:
    """30m, 2h, 90s to seconds. ConfigError for anything else."""
    told = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", budget.strip())
    if not told or not float(told[1]):
        raise ConfigError(f"'{budget}' is no time", "write it as 90s, 30m or 2h")
    return float(told[1]) * _UNITS[told[2]]


def search_recipe(ws: Workspace, knowledge: Knowledge | None, progress: Progress, say: Say, seconds: float, *, raft: bool = False) -> Found:
    """Search on the project's validation split. Raises what a training raises."""
    from rung.tuning.recipe import Heard
    from rung.tuning.search import search
    from rung.tuning.spread import started

    if ws.config.tuning.remote:
        raise ConfigError("a search on a remote tuner is not built", "take remote out of [tuning]")
    if started().size > 1:
        raise ConfigError("a search runs in one process", "start it without torchrun")
    plan = planned(ws, w.examples(ws), knowledge, raft=raft)
    bases = [_base(ws, name, len(plan.training)) for name in ws.config.tuning.bases or (ws.config.model.name,)]
    with writing(plan.adapters):
        heard = Heard(partial(progress, "search"), say)
        tried, best = search(bases, plan.training, plan.validation, plan.adapters, plan.documents, seconds, heard, plan.means)
    lines = (f"rank = {best.rank}", f"learning_rate = {best.learning_rate!r}", f"epochs = {best.epochs}")
    return Found(tried, best, (*lines, f'name = "{best.model}"') if len(bases) > 1 else lines)


def _base(ws: Workspace, name: str, rows: int) -> Base:
    from dataclasses import replace

    from rung.models import base_folder
    from rung.tuning.defaults import derived, hidden_size
    from rung.tuning.search import Base

    there = replace(ws, config=ws.config.model_copy(update={"model": ws.config.model.model_copy(update={"name": name})}))
    folder = base_folder(name, ws.folder)
    return Base(name, folder, w.base_model(there).id, derived(ws.config.tuning, rows, hidden_size(folder), ws.config.project.seed))
