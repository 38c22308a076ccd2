"""From a project to a trained adapter: which rows, which base, which recipe, where it is kept."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import ConfigError, RungError, TuningError
from rung.types import Case, Json
from rung.workspace import workspace as w
from rung.workspace.privacy import remote
from rung.workspace.searching import searching
from rung.workspace.workspace import Progress, Workspace

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge
    from rung.tuning.lr_range import Curve
    from rung.tuning.raft_sweep import Cell
    from rung.tuning.recipe import Means, Recipe
    from rung.tuning.remote import Remote
    from rung.tuning.rows import Row, TrainingSource

Say = Callable[[str], None]


def quiet(sentence: str) -> None:
    """Sentences for nobody."""


@dataclass(frozen=True)
class Plan:
    """All that a training is made of, before anything is trained."""

    training: list[Row]
    validation: list[Row]
    solved: list[Case]
    made: list[Row]  # of the solved examples, before any cleaning
    recipe: Recipe
    means: Means
    base: Path  # where the weights lie; empty where another machine trains
    base_id: str
    adapters: Path
    documents: dict[str, str]  # path to hash
    what: str


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
    made = rows(solved, w.style(ws), raft_source_of(ws, public) if raft and public else no_context)
    kept = cleaned(made, ws.config.tuning.personal_data)
    if made and not kept:
        raise TuningError("every training row holds personal data and is left out", 'set personal_data = "redact" under [tuning]')
    return Prepared(solved, made, *split(kept, 0.1, ws.config.project.seed))


def is_raft(rung: str) -> bool:
    """Whether a rung's adapter is trained with passages. ConfigError for one that is not trained."""
    from rung.approach.ladder import LADDER

    if rung not in LADDER or not LADDER[rung].trained_on:
        raise ConfigError(f"'{rung}' is not a rung that is trained", "name tuned, hybrid or raft")
    return LADDER[rung].model == "raft"


def knowledge_for(ws: Workspace, progress: Progress, *, raft: bool) -> Knowledge | None:
    """The documents, where a training needs them."""
    needed = raft or ws.config.access.on or ws.config.tuning.method == "pretrain"
    synced = w.sync_knowledge(ws, progress) if needed else None
    return synced[0] if synced else None


def train_adapter(
    ws: Workspace,
    examples: Sequence[Case],
    knowledge: Knowledge | None,
    progress: Progress,
    workers: int | None = None,
    *,
    raft: bool = False,
    say: Say = quiet,
) -> tuple[Path, tuple[dict[str, float], ...]]:
    """The adapter's folder and its loss curve; trained if it isn't there.

    An adapter tells what it learned to whoever asks it, so with access lists it learns what everyone may read, and no more.
    TuningError where there is nothing to train on; RungError where the disk is full or another training is running.
    """
    from rung.measure.record import lines_of
    from rung.tuning.adapters import adapter_name, find
    from rung.tuning.defaults import told
    from rung.tuning.spread import started
    from rung.workspace.auditing import audit_rows, keep_audit

    plan = planned(ws, examples, knowledge, workers, raft=raft)
    folder = find(plan.adapters, adapter_name(plan.recipe, plan.base_id, plan.training, plan.validation))
    if folder is None:
        if not ws.config.tuning.remote:
            say(told(ws.config.tuning, plan.recipe))
        done = audit_rows(ws, plan.solved, plan.made, plan.validation, progress) if plan.made else None
        with writing(plan.adapters):
            folder = _elsewhere(ws, plan, say) if ws.config.tuning.remote else _here(plan, progress, say)
        if done and started().rank == 0:
            keep_audit(done, audited(folder))
    path = folder / "loss.jsonl"
    lines = lines_of(path) if path.exists() else ()
    by_step = {line["step"]: line for line in lines}  # steps after the checkpoint before a kill stand twice
    return folder, tuple(by_step[step] for step in sorted(by_step))


def _here(plan: Plan, progress: Progress, say: Say) -> Path:
    from rung.tuning.recipe import Heard, train

    heard = Heard(partial(progress, plan.what), say)
    return train(plan.base, plan.training, plan.validation, plan.recipe, plan.adapters, plan.documents, plan.base_id, heard, plan.means)


def _elsewhere(ws: Workspace, plan: Plan, say: Say) -> Path:
    from rung.tuning.remote import tune

    return tune(remote_of(ws), plan.training, plan.validation, plan.recipe, plan.adapters, plan.documents, plan.base_id, say)


def planned(
    ws: Workspace, examples: Sequence[Case], knowledge: Knowledge | None, workers: int | None = None, *, raft: bool = False
) -> Plan:
    """Rows, split and recipe of the project's training. TuningError where there is nothing to train on."""
    from rung.models import base_folder
    from rung.tuning.recipe import Means
    from rung.tuning.rows import raw_rows
    from rung.tuning.split import split

    tuning, pretrain = ws.config.tuning, ws.config.tuning.method == "pretrain" and not raft
    base = Path() if tuning.remote else base_folder(ws.config.model.name, ws.folder)
    public = w.shown(ws, knowledge, "") if knowledge else None
    raw = raw_rows(public.passages()) if pretrain and public else []
    alone = raw and not examples
    ready = Prepared([], [], *split(raw, 0.1, ws.config.project.seed)) if alone else prepare(ws, examples, public, raft=raft)
    training, validation = ready.training + (raw if examples else []), ready.validation
    recipe = recipe_for(ws, len(training))
    documents = dict(public.documents()) if (raft or pretrain) and public else {}
    what, base_id = "train raft" if raft else "train tuned", w.base_model(ws, workers=workers).id
    means, adapters = Means(tuning.checkpointing, tuning.compile, tuning.shard), ws.home / "adapters"
    return Plan(training, validation, ready.solved, ready.made, recipe, means, base, base_id, adapters, documents, what)


def recipe_for(ws: Workspace, rows: int) -> Recipe:
    """How an adapter is trained on so many rows: as configured, and what is not, derived."""
    from rung.models import base_folder
    from rung.tuning.defaults import derived, hidden_size

    name, tuning = ws.config.model.name, ws.config.tuning
    away = tuning.remote or name.startswith("endpoint:")
    return derived(tuning, rows, 2000 if away else hidden_size(base_folder(name, ws.folder)), ws.config.project.seed)


def remote_of(ws: Workspace) -> Remote:
    """The tuner on another machine. ConfigError where privacy forbids it or no model is named."""
    from rung.tuning.remote import Remote

    tuning, name = ws.config.tuning, ws.config.model.name
    if ws.config.limits.private and remote(f"endpoint:model@{tuning.remote}"):
        sentence = f"the project is private, and '{tuning.remote}' would be sent its examples"
        raise ConfigError(sentence, "take remote out of [tuning], or private out of [limits]")
    model = tuning.remote_model or (name[9:].rpartition("@")[0] if name.startswith("endpoint:") else "")
    if not model:
        raise ConfigError(f"'{tuning.remote}' must be told which model to tune", "set remote_model under [tuning]")
    return Remote(tuning.remote.rstrip("/"), model, tuning.key_env)


def audited(adapter: Path) -> Path:
    """The file that holds the audit made before an adapter was trained."""
    return adapter.with_name(f"{adapter.name}.audit.json")


def learned(adapter: Path) -> str:
    """What the check after a training found wrong, with what to do; "" where it learned, or where another machine trained."""
    path = adapter / "scores.json"
    return str(json.loads(path.read_text(encoding="utf-8")).get("why", "")) if path.exists() else ""


@contextmanager
def writing(adapters: Path) -> Iterator[None]:
    """Hold the one lock for training, and tell a full disk from a fault: torch and safetensors don't raise OSError for it."""
    from filelock import FileLock, Timeout
    from safetensors import SafetensorError

    from rung.tuning.spread import started

    try:
        adapters.mkdir(parents=True, exist_ok=True)
        with FileLock(adapters / "lock").acquire(timeout=0) if started().rank == 0 else nullcontext():
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


def raft_source_of(ws: Workspace, knowledge: Knowledge, p: float | None = None, distractors: int | None = None) -> TrainingSource:
    """The passages that a raft row stands on, from the search that serves; `p` and `distractors` as configured if not given."""
    from rung.tuning.rows import raft_source

    source, tuning = searching(ws, knowledge), ws.config.tuning
    most = next((n for n in (distractors, tuning.distractors) if n is not None), source.k - 1)
    return raft_source(
        lambda question, k: list(replace(source, k=k).find(question).hits),
        knowledge.passages(),
        tuning.gold_probability if p is None else p,
        most + 1,
        ws.config.project.seed,
    )


def estimated(ws: Workspace, knowledge: Knowledge | None, say: Say, *, raft: bool = False) -> dict[str, Json]:
    """What the project's training would take: rows, recipe, steps, seconds and bytes; or the adapter that it made already.

    ConfigError where another machine would train, which alone could tell.
    """
    from rung.tuning.adapters import adapter_name, find
    from rung.tuning.defaults import told
    from rung.tuning.estimate import estimate

    if ws.config.tuning.remote:
        raise ConfigError("a remote tuner says nothing before it starts", "start it, or ask its provider")
    plan = planned(ws, w.examples(ws), knowledge, raft=raft)
    known = {"training": len(plan.training), "validation": len(plan.validation), "recipe": told(ws.config.tuning, plan.recipe)}
    say(f"{known['training']} rows to train on, {known['validation']} set aside; {known['recipe']}")
    if ready := find(plan.adapters, adapter_name(plan.recipe, plan.base_id, plan.training, plan.validation)):
        return {**known, "trained": ready.name}
    return {**known, **estimate(plan.base, plan.training, plan.recipe, say, plan.means)}


def lr_range(ws: Workspace, knowledge: Knowledge | None, progress: Progress, *, raft: bool = False) -> tuple[Curve, Path]:
    """A learning-rate range test of the project's training, and the file that keeps it."""
    from rung.measure.record import write_whole
    from rung.tuning.adapters import adapter_name
    from rung.tuning.lr_range import range_test
    from rung.tuning.recipe import Heard
    from rung.tuning.spread import started

    plan = planned(ws, w.examples(ws), knowledge, raft=raft)
    curve = range_test(plan.base, plan.training, plan.recipe, Heard(partial(progress, "learning rates")), plan.means)
    name = adapter_name(plan.recipe, plan.base_id, plan.training, plan.validation)
    path = plan.adapters / f"{name}.lr-range.json"
    if started().rank == 0:
        write_whole(path, json.dumps(asdict(curve), indent=1).encode())
    return curve, path


def sweep_raft(ws: Workspace, knowledge: Knowledge, progress: Progress, say: Say, cells: Sequence[tuple[float, int]] = ()) -> list[Cell]:
    """RAFT's settings swept on the project's validation split, best first; validated on what the serving search brings.

    `cells` are pairs of gold_probability and distractors; twelve around the served k where none are given.
    """
    from rung.tuning.audit.personal import cleaned
    from rung.tuning.raft_sweep import SHARES, sweep
    from rung.tuning.recipe import Heard
    from rung.tuning.rows import rows

    examples = w.examples(ws)
    plan = planned(ws, examples, knowledge, raft=True)
    public, held = w.shown(ws, knowledge, ""), {row.id for row in plan.validation}
    solved, style, source = w.told(ws, public, examples), w.style(ws), searching(ws, public)
    kept = {row.id for row in plan.training}

    def clean(source: TrainingSource, ids: set[str]) -> list[Row]:
        """Of all rows those with these ids: refusals are drawn from all."""
        return [row for row in cleaned(rows(solved, style, source), ws.config.tuning.personal_data) if row.id in ids]

    def made(p: float, distractors: int) -> list[Row]:
        return clean(raft_source_of(ws, public, p, distractors), kept)

    served = clean(lambda case: tuple(source.find(case.question).hits), held)
    grid = list(cells) or [(p, n) for n in sorted({1, source.k - 1, 2 * source.k - 1}) for p in SHARES]
    with writing(plan.adapters):
        heard = Heard(partial(progress, "sweep"), say)
        return sweep(plan.base, made, served, grid, plan.recipe, plan.adapters, plan.documents, plan.base_id, heard, plan.means)
