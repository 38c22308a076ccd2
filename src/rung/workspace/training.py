"""From a project to a trained adapter: which rows, which base, where it is kept."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import RungError, TuningError
from rung.types import Case
from rung.workspace import workspace as w
from rung.workspace.searching import searching
from rung.workspace.workspace import Progress, Workspace

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge
    from rung.tuning.rows import TrainingSource


def train_adapter(
    ws: Workspace,
    examples: Sequence[Case],
    knowledge: Knowledge | None,
    progress: Progress,
    workers: int | None = None,
    *,
    raft: bool = False,
) -> tuple[Path, tuple[dict[str, float], ...]]:
    """The adapter's folder and its loss curve; trained if it isn't there.

    An adapter tells what it learned to whoever asks it, so with access lists it learns what everyone may read, and no more.
    TuningError where there is nothing to train on; RungError where the disk is full or another training is running.
    """
    from rung.measure.record import lines_of
    from rung.models import base_folder
    from rung.tuning.adapters import adapter_name, find
    from rung.tuning.recipe import train
    from rung.tuning.rows import no_context, rows
    from rung.tuning.split import split

    if not examples:
        raise TuningError("the project has no solved examples to train on", 'add examples = "examples.jsonl" under [project]')
    weights = base_folder(ws.config.model.name, ws.folder)
    public = w.shown(ws, knowledge, "") if knowledge else None
    source = _raft(ws, public) if raft and public else no_context
    training, validation = split(rows(w.told(ws, public, examples), w.style(ws), source), 0.1, ws.config.project.seed)
    recipe, base, adapters = w.recipe(ws), w.base_model(ws, workers=workers).id, ws.home / "adapters"
    folder = find(adapters, adapter_name(recipe, base, training, validation))
    if folder is None:
        documents, what = (public.documents(), "train raft") if raft and public else ({}, "train tuned")
        bar = partial(progress, what)
        with _writing(adapters):
            folder = train(weights, training, validation, recipe, adapters, documents, base, bar)
    by_step = {line["step"]: line for line in lines_of(folder / "loss.jsonl")}  # steps after the checkpoint before a kill stand twice
    return folder, tuple(by_step[step] for step in sorted(by_step))


@contextmanager
def _writing(adapters: Path) -> Iterator[None]:
    """Hold the one lock for training, and tell a full disk from a fault: torch and safetensors don't raise OSError for it."""
    from filelock import FileLock, Timeout
    from safetensors import SafetensorError

    try:
        adapters.mkdir(parents=True, exist_ok=True)
        with FileLock(adapters / "lock").acquire(timeout=0):
            yield
    except Timeout:
        raise RungError(f"another process is training in {adapters}", "wait until it is done and run again") from None
    except (OSError, RuntimeError, SafetensorError) as error:
        said = str(error)
        if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise RungError(f"{adapters} can't be written: {error.strerror}", "mend the permissions and run again") from error
        if not any(words in said for words in ("No space left", "File too large", "quota", "inline_container", "PytorchStreamWriter")):
            raise
        hint = "make room and run again: it goes on from the last checkpoint"
        raise RungError(f"the disk is full, {adapters} can't be written", hint) from error


def _raft(ws: Workspace, knowledge: Knowledge) -> TrainingSource:
    from rung.tuning.rows import raft_source

    source = searching(ws, knowledge)
    return raft_source(
        lambda question, k: list(replace(source, k=k).find(question).hits),
        knowledge.passages(),
        ws.config.tuning.gold_probability,
        source.k,
        ws.config.project.seed,
    )
