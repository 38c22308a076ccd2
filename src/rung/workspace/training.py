"""From a project to a trained adapter: which rows, which base, where it is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import TuningError
from rung.types import Case
from rung.workspace import workspace as w
from rung.workspace.workspace import Progress, Workspace

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge
    from rung.tuning.rows import TrainingSource


def train_adapter(
    ws: Workspace, examples: Sequence[Case], knowledge: Knowledge | None, progress: Progress, *, raft: bool = False
) -> tuple[Path, tuple[dict[str, float], ...]]:
    """The adapter's folder and its loss curve; trained if it isn't there.

    An adapter tells what it learned to whoever asks it, so with access lists it learns what everyone may read, and no more.
    """
    from rung.models import base_folder
    from rung.tuning.recipe import train
    from rung.tuning.rows import no_context, rows
    from rung.tuning.split import split

    if not examples:
        raise TuningError("the project has no solved examples to train on", 'add examples = "examples.jsonl" under [project]')
    public = w.shown(ws, knowledge, "") if knowledge else None
    source = _raft(ws, public) if raft and public else no_context
    training, validation = split(rows(w.told(ws, public, examples), w.style(ws), source), 0.1, ws.config.project.seed)
    what = "train raft" if raft else "train tuned"
    folder = train(
        base_folder(ws.config.model.name, ws.folder),
        training,
        validation,
        w.recipe(ws),
        ws.home / "adapters",
        public.documents() if raft and public else {},
        w.base_model(ws).id,
        lambda done, total: progress(what, done, total),
    )
    return folder, tuple(json.loads(line) for line in (folder / "loss.jsonl").read_text(encoding="utf-8").splitlines())


def _raft(ws: Workspace, knowledge: Knowledge) -> TrainingSource:
    from rung.tuning.rows import raft_source

    source = w.searching(ws, knowledge)
    return raft_source(
        lambda question, k: list(replace(source, k=k).find(question).hits),
        knowledge.passages(),
        ws.config.tuning.gold_probability,
        source.k,
        ws.config.project.seed,
    )
