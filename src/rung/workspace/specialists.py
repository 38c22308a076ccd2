"""From a project to its specialists: the nearest examples and a tuned encoder, or an extractor; each kept under the hash of its makings.

Like an adapter, they learn only from what everyone may read, and never from a held-out case.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import ConfigError, TuningError
from rung.types import Case
from rung.workspace import extractors
from rung.workspace import workspace as w
from rung.workspace.privacy import remote
from rung.workspace.training import writing
from rung.workspace.workspace import Progress, Workspace

if TYPE_CHECKING:
    from rung.approach.specialist import Specialist
    from rung.knowledge.knowledge import Knowledge
    from rung.tuning.rows import Row
    from rung.tuning.specialist import SpecialistRecipe
    from rung.types import ChatModel, Embedder

Losses = tuple[dict[str, float], ...]


def specialist(
    ws: Workspace, kind: str, examples: Sequence[Case], knowledge: Knowledge | None, progress: Progress
) -> tuple[ChatModel, Losses]:
    """The `knn`, `encoder` or `extractor` of the project, made if it isn't there, and its loss curve."""
    from rung.measure.record import lines_of
    from rung.models import load

    made, home, other = _rows(ws, examples, knowledge), ws.home / "specialists", ws.config.project.other
    if kind == "extractor":
        folder = extractors.trained(ws, made, progress)
        return load(f"extractor:{folder}"), _losses(lines_of(folder / "loss.jsonl"))
    if kind == "knn":
        return neighbours(home, encoder(ws), made, ws.config.specialist.k, progress), ()
    folder = trained(home, encoder(ws), made, recipe(ws), other, progress)
    return open_specialist(folder, other, ws.config.specialist.threshold), _losses(lines_of(folder / "loss.jsonl"))


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
    made = _rows(ws, w.examples(ws), synced[0] if synced else None)
    if task == "extract":
        folder = extractors.trained(ws, made, progress)
    else:
        folder = trained(ws.home / "specialists", encoder(ws), made, recipe(ws), ws.config.project.other, progress)
    return folder, json.loads((folder / "specialist.json").read_text(encoding="utf-8"))


def _rows(ws: Workspace, examples: Sequence[Case], knowledge: Knowledge | None) -> list[Row]:
    """The questions as they will be asked, with their labels. ConfigError where `other` is no label."""
    from rung.approach.prompt import BARE
    from rung.tuning.audit.personal import cleaned
    from rung.tuning.rows import no_context, rows

    other = ws.config.project.other
    if other and other not in w.labels(ws):
        raise ConfigError(f"other is '{other}', which is no label of {ws.config.project.labels}", "add it to the labels, or mend the name")
    public = w.shown(ws, knowledge, "") if knowledge else None
    made = cleaned(rows(w.told(ws, public, examples), BARE, no_context), ws.config.tuning.personal_data)
    if not made:
        raise TuningError("the project has no solved examples to learn from", 'add examples = "examples.jsonl" under [project]')
    return made


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


def trained(home: Path, plain: Embedder, made: Sequence[Row], recipe: SpecialistRecipe, other: str, progress: Progress) -> Path:
    """The folder of the encoder tuned on these rows. Rows that carry the label `other` teach no label and set the threshold."""
    from rung.tuning.adapters import find
    from rung.tuning.specialist import label_of, specialist_name, train_specialist

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
    with writing(home):
        return train_specialist(base, base_id, training, others, recipe, home, partial(progress, "train encoder"))


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


def neighbours(home: Path, plain: Embedder, made: Sequence[Row], k: int, progress: Progress) -> Specialist:
    """The k nearest examples vote; their vectors are kept, so that they are computed once."""
    from safetensors.numpy import load_file, save_file

    from rung.approach.specialist import Specialist, nearest_labels
    from rung.tuning.adapters import find, lineage, store
    from rung.tuning.specialist import label_of, text_of

    name = _name("knn", plain.id, [[row.id, row.hash] for row in made]).removeprefix("knn-")
    labels = sorted({label_of(row) for row in made})
    folder = find(home, name)
    if folder is None:
        with writing(home):
            work = home / f"{name}.tmp"
            work.mkdir(exist_ok=True)
            parts = []
            for at in range(0, len(made), 256):
                parts.append(plain.embed([text_of(row) for row in made[at : at + 256]], query=True))
                progress("embed examples", min(len(made), at + 256), len(made))
            save_file({str(number): part for number, part in enumerate(parts)}, work / "vectors.safetensors")
            folder = store(work, home, name, {"specialist.json": {"encoder": plain.id}, "rows.json": lineage(made, (), {})})
    vectors = _stacked(load_file(folder / "vectors.safetensors"))
    shares = nearest_labels(plain, vectors, [labels.index(label_of(row)) for row in made], len(labels), k)
    return Specialist(_name(f"knn-{name}", k), tuple(labels), shares)


def _stacked(parts: dict[str, Any]) -> Any:
    import numpy as np

    return np.concatenate([parts[str(number)] for number in range(len(parts))])


def _name(kind: str, *told: object) -> str:
    return f"{kind}-{hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]}"
