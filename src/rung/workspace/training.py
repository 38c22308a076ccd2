"""From a project to a trained adapter: which rows, which base, where it is kept."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
    from rung.tuning.rows import Row, TrainingSource


@dataclass(frozen=True)
class Prepared:
    """What is trained on: the examples that may be told, their rows, and what is left of these after cleaning, split in two."""

    solved: list[Case]
    made: list[Row]
    training: list[Row]
    validation: list[Row]


def prepare(ws: Workspace, examples: Sequence[Case], public: Knowledge | None, *, raft: bool) -> Prepared:
    """The rows of `tuned` or, with a knowledge, of `raft`. TuningError where there is nothing to train on."""
    from rung.tuning.audit.personal import cleaned
    from rung.tuning.rows import no_context, rows
    from rung.tuning.split import split

    if not examples:
        raise TuningError("the project has no solved examples to train on", 'add examples = "examples.jsonl" under [project]')
    solved = w.told(ws, public, examples)
    made = rows(solved, w.style(ws), _raft(ws, public) if raft and public else no_context)
    kept = cleaned(made, ws.config.tuning.personal_data)
    if made and not kept:
        raise TuningError("every training row holds personal data and is left out", 'set personal_data = "redact" under [tuning]')
    return Prepared(solved, made, *split(kept, 0.1, ws.config.project.seed))


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
    from rung.workspace.auditing import audit_rows, keep_audit

    weights = base_folder(ws.config.model.name, ws.folder)
    public = w.shown(ws, knowledge, "") if knowledge else None
    ready = prepare(ws, examples, public, raft=raft)
    training, validation = ready.training, ready.validation
    recipe, base, adapters = w.recipe(ws), w.base_model(ws, workers=workers).id, ws.home / "adapters"
    folder = find(adapters, adapter_name(recipe, base, training, validation))
    if folder is None:
        done = audit_rows(ws, ready.solved, ready.made, validation, progress)
        documents, what = (public.documents(), "train raft") if raft and public else ({}, "train tuned")
        bar = partial(progress, what)
        with writing(adapters):
            folder = train(weights, training, validation, recipe, adapters, documents, base, bar)
        keep_audit(done, audited(folder))
    by_step = {line["step"]: line for line in lines_of(folder / "loss.jsonl")}  # steps after the checkpoint before a kill stand twice
    return folder, tuple(by_step[step] for step in sorted(by_step))


def audited(adapter: Path) -> Path:
    """The file that holds the audit made before an adapter was trained."""
    return adapter.with_name(f"{adapter.name}.audit.json")


@contextmanager
def writing(adapters: Path) -> Iterator[None]:
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
