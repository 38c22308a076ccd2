"""From a project to its specialists: the nearest examples and a tuned encoder, or an extractor; each kept under the hash of its makings.

Like an adapter, they learn only from what everyone may read, and never from a held-out case.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import ConfigError, TuningError
from rung.models.folder import refuse_blocked
from rung.types import Case
from rung.workspace import extractors
from rung.workspace import workspace as w
from rung.workspace.auditing import audit_labelled, keep_audit
from rung.workspace.privacy import remote
from rung.workspace.training import audited as audit_of
from rung.workspace.training import writing
from rung.workspace.workspace import Progress, Workspace

if TYPE_CHECKING:
    from rung.approach.specialist import Specialist
    from rung.knowledge.knowledge import Knowledge
    from rung.tuning.audit.finding import Audit
    from rung.tuning.rows import Row
    from rung.tuning.specialist import SpecialistRecipe
    from rung.types import ChatModel, Embedder

Losses = tuple[dict[str, float], ...]


def specialist(
    ws: Workspace, kind: str, examples: Sequence[Case], knowledge: Knowledge | None, progress: Progress
) -> tuple[ChatModel, Losses, Path]:
    """The `knn`, `encoder` or `extractor` of the project, made if it isn't there, its loss curve and its folder."""
    from rung.measure.record import lines_of
    from rung.models import load

    folder, other = folder_of(ws, kind, examples, knowledge, progress), ws.config.project.other
    if kind == "knn":
        return open_neighbours(folder, encoder(ws), ws.config.specialist.k), (), folder
    losses = _losses(lines_of(folder / "loss.jsonl"))
    if kind == "extractor":
        return load(f"extractor:{folder}"), losses, folder
    return open_specialist(folder, other, ws.config.specialist.threshold), losses, folder


def folder_of(ws: Workspace, kind: str, examples: Sequence[Case], knowledge: Knowledge | None, progress: Progress) -> Path:
    """The folder of the project's `knn`, `encoder` or `extractor`, made if it isn't there; its rows are audited before a training."""
    ready, home = _rows(ws, examples, knowledge), ws.home / "specialists"
    if kind == "knn":
        return neighbours(home, encoder(ws), ready.rows, progress)
    audited = audit_labelled(ws, ready.solved, ready.made, progress)
    if kind == "extractor":
        return extractors.trained(ws, ready.rows, progress, audited)
    return trained(home, encoder(ws), ready.rows, recipe(ws), ws.config.project.other, progress, audited)


def _losses(lines: Iterable[dict[str, Any]]) -> Losses:
    """One for each step; what was done again after a kill stands twice."""
    told = {(line.get("member", 0), line["step"]): line["loss"] for line in lines}
    return tuple({"step": float(step), "loss": told[key]} for step, key in enumerate(sorted(told), 1))


def train_specialist(ws: Workspace, progress: Progress) -> tuple[Path, dict[str, Any]]:
    """The folder of the project's tuned encoder or extractor, trained if it isn't there, and what it tells of itself."""
    task = ws.config.project.task
    if task == "answer":
        sentence = "a specialist names labels or fills fields, and this project's task is not classify or extract"
        raise ConfigError(sentence, 'set task = "classify" under [project]')
    synced = w.sync_knowledge(ws, progress) if ws.config.access.on else None
    folder = folder_of(ws, "extractor" if task == "extract" else "encoder", w.examples(ws), synced[0] if synced else None, progress)
    return folder, json.loads((folder / "specialist.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Ready:
    """What is learned from: the examples that may be told, their rows, and what is left of these after cleaning."""

    solved: list[Case]
    made: list[Row]
    rows: list[Row]


def _rows(ws: Workspace, examples: Sequence[Case], knowledge: Knowledge | None) -> Ready:
    """The questions as they will be asked, with their labels. ConfigError where `other` is no label."""
    from rung.approach.prompt import BARE
    from rung.tuning.audit.personal import cleaned
    from rung.tuning.rows import no_context, rows

    other = ws.config.project.other
    if other and other not in w.labels(ws):
        raise ConfigError(f"other is '{other}', which is no label of {ws.config.project.labels}", "add it to the labels, or mend the name")
    public = w.shown(ws, knowledge, "") if knowledge else None
    solved = w.told(ws, public, examples)
    made = rows(solved, BARE, no_context)
    kept = cleaned(made, ws.config.tuning.personal_data)
    if not kept:
        raise TuningError("the project has no solved examples to learn from", 'add examples = "examples.jsonl" under [project]')
    return Ready(solved, made, kept)


def recipe(ws: Workspace) -> SpecialistRecipe:
    """How the encoder is trained."""
    from rung.knowledge.embedders.openvino import has_bf16
    from rung.tuning.specialist import SpecialistRecipe

    chosen = ws.config.specialist
    precision = ("bf16" if has_bf16() else "fp32") if chosen.precision == "auto" else chosen.precision
    return SpecialistRecipe(
        members=chosen.members, epochs=chosen.epochs, learning_rate=chosen.learning_rate, precision=precision, seed=ws.config.project.seed
    )


def encoder(ws: Workspace) -> Embedder:
    from rung.knowledge.embedders import load

    spec = ws.config.specialist.encoder
    if ws.config.limits.private and remote(spec):
        sentence = f"the project is private, and the encoder '{spec}' would send its questions to another machine"
        raise ConfigError(sentence, "choose minilm or hf:<folder>, or take private out of [limits]")
    return load(w.located(ws, spec))


def trained(
    home: Path,
    plain: Embedder,
    made: Sequence[Row],
    recipe: SpecialistRecipe,
    other: str,
    progress: Progress,
    audited: Callable[[Sequence[Row]], Audit] | None = None,
) -> Path:
    """The folder of the encoder tuned on these rows. Rows that carry the label `other` teach no label and set the threshold.

    `audited` audits the rows, told which are set aside; it is asked before a training alone.
    """
    from rung.tuning.adapters import find
    from rung.tuning.specialist import label_of, set_aside, specialist_name, train_specialist

    base = getattr(plain, "folder", None)
    if not isinstance(base, Path):
        raise TuningError(f"the encoder '{plain.id}' has no weights that could be tuned", 'set encoder = "minilm" under [specialist]')
    _refuse_other_kinds(base)
    with (base / "model.safetensors").open("rb") as file:
        base_id = hashlib.file_digest(file, "sha256").hexdigest()
    training, others = ([row for row in made if (label_of(row) == other) == apart] for apart in (False, True))
    ready = find(home, specialist_name(recipe, base_id, training, others))
    if ready:
        return ready
    done = audited(set_aside(training, recipe)) if audited else None
    with writing(home):
        folder = train_specialist(base, base_id, training, others, recipe, home, partial(progress, "train encoder"))
        if done:
            keep_audit(done, audit_of(folder))
    return folder


def _refuse_other_kinds(base: Path) -> None:
    kind = json.loads((base / "config.json").read_text(encoding="utf-8")).get("model_type")
    pooling = base / "1_Pooling" / "config.json"
    mean = not pooling.is_file() or json.loads(pooling.read_text(encoding="utf-8")).get("pooling_mode_mean_tokens", False)
    if kind != "bert" or not mean or not all((base / file).is_file() for file in ("tokenizer.json", "model.safetensors")):
        sentence = f"{base.name} is not a BERT with mean pooling, model.safetensors and tokenizer.json"
        raise TuningError(sentence, 'choose such an encoder, or encoder = "minilm", under [specialist]')


def open_specialist(folder: Path, other: str = "", threshold: float | None = None) -> Specialist:
    """A tuned encoder, ready to be asked, on the fast runtime of MiniLM. `threshold` None is the one chosen in training."""
    from safetensors.numpy import load_file

    from rung.approach.specialist import UNSURE, Specialist, linear
    from rung.knowledge.embedders import minilm

    refuse_blocked(folder, "encoder", "train another with rung train --specialist")
    told = json.loads((folder / "specialist.json").read_text(encoding="utf-8"))
    sums = json.loads((folder / "sums.json").read_text(encoding="utf-8"))
    limit = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))["tokens"]
    plain = replace(minilm.open_embedder(), limit=limit)
    members = [f"member-{number}" for number in range(told["members"])]
    embedders = [replace(plain, folder=folder / one, sha256=sums[f"{one}/model.safetensors"]) for one in members]
    heads = [load_file(folder / one / "head.safetensors") for one in members]
    cut, said = told["threshold"] if threshold is None else threshold, other or UNSURE
    shares = linear(embedders, [head["weight"] for head in heads], told["temperature"])
    return Specialist(_name(f"encoder-{folder.name}", plain.id, cut, said), tuple(told["labels"]), shares, cut, said)


def neighbours(home: Path, plain: Embedder, made: Sequence[Row], progress: Progress) -> Path:
    """The folder that keeps the examples' vectors and labels, so that they are computed once."""
    from safetensors.numpy import save_file

    from rung.tuning.adapters import find, lineage, store
    from rung.tuning.specialist import label_of, text_of

    name = _name("knn", 2, plain.id, [[row.id, row.hash] for row in made]).removeprefix("knn-")
    if ready := find(home, name):
        return ready
    with writing(home):
        work = home / f"{name}.tmp"
        work.mkdir(exist_ok=True)
        parts = []
        for at in range(0, len(made), 256):
            parts.append(plain.embed([text_of(row) for row in made[at : at + 256]], query=True))
            progress("embed examples", min(len(made), at + 256), len(made))
        save_file({str(number): part for number, part in enumerate(parts)}, work / "vectors.safetensors")
        told = {"encoder": plain.id, "labels": [label_of(row) for row in made]}
        return store(work, home, name, {"specialist.json": told, "rows.json": lineage(made, (), {})})


def open_neighbours(folder: Path, plain: Embedder, k: int) -> Specialist:
    """The k nearest examples vote."""
    from safetensors.numpy import load_file

    from rung.approach.specialist import Specialist, nearest_labels

    refuse_blocked(folder, "kNN", "ask again: it is made anew")
    said = json.loads((folder / "specialist.json").read_text(encoding="utf-8"))["labels"]
    labels = sorted(set(said))
    shares = nearest_labels(plain, _stacked(load_file(folder / "vectors.safetensors")), [labels.index(one) for one in said], len(labels), k)
    return Specialist(_name(f"knn-{folder.name}", k), tuple(labels), shares)


def _stacked(parts: dict[str, Any]) -> Any:
    import numpy as np

    return np.concatenate([parts[str(number)] for number in range(len(parts))])


def _name(kind: str, *told: object) -> str:
    return f"{kind}-{hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]}"
