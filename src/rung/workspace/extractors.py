"""From an `extract` project to its extractor: the bundled reader, tuned on texts and their fields, kept under the hash of its makings.

It reads the question alone, so it refuses projects whose questions don't hold the text, and nested schemas.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import ModelError, TuningError
from rung.workspace import workspace as w
from rung.workspace.auditing import keep_audit
from rung.workspace.training import audited as audit_of
from rung.workspace.training import writing
from rung.workspace.workspace import Progress, Workspace

if TYPE_CHECKING:
    from rung.models.extracting import Extractor
    from rung.tuning.audit.finding import Audit
    from rung.tuning.extractor import Solved
    from rung.tuning.rows import Row

ASIDE = 0.25  # of the examples, for the thresholds
ENOUGH = 300  # examples that are read once; fewer are read oftener
MOST_EPOCHS = 10


def schema_of(ws: Workspace) -> dict[str, Any]:
    """The project's JSON Schema. TuningError without one, or where it isn't flat."""
    from rung.models.extracting import questions

    name = ws.config.project.json_schema
    if not name:
        raise TuningError(
            "an extractor fills the fields of a schema, and the project has none", 'add json_schema = "schema.json" under [project]'
        )
    schema = w.read_json(ws.folder / name)
    try:
        questions(schema if isinstance(schema, dict) else {})
    except ModelError as error:
        raise TuningError(f"{name}: {error.message}", error.hint) from None
    assert isinstance(schema, dict)
    return schema


def trained(ws: Workspace, made: Sequence[Row], progress: Progress, audited: Callable[[Sequence[Row]], Audit]) -> Path:
    """The folder of the extractor tuned on these rows, trained if it isn't there. TuningError where nothing can be learned.

    `audited` audits the rows, told which are set aside; it is asked before a training alone.
    """
    from rung.models.reading import HOME
    from rung.tuning.adapters import find, lineage, store
    from rung.tuning.extractor import RECIPE, train_extractor
    from rung.tuning.split import split

    schema, home = schema_of(ws), ws.home / "specialists"
    training, validation = split(made, ASIDE, ws.config.project.seed)
    epochs = min(MOST_EPOCHS, math.ceil(ENOUGH / len(training)))
    recipe = replace(RECIPE, epochs=epochs, seed=ws.config.project.seed)
    reader = json.loads((HOME / "reader.json").read_text(encoding="utf-8"))["sha256"]
    rows = [[[row.id, row.hash] for row in part] for part in (training, validation)]
    told = json.dumps([asdict(recipe), reader, schema, rows], sort_keys=True)
    name = hashlib.sha256(told.encode()).hexdigest()[:16]
    ready = find(home, name)
    if ready:
        return ready
    done = audited(validation)
    with writing(home):
        work = home / f"{name}.tmp"
        work.mkdir(exist_ok=True)
        learn, settle = ([solved(row) for row in part] for part in (training, validation))
        steps, texts = partial(_step, work / "loss.jsonl", progress), partial(progress, "settle thresholds")
        extractor = train_extractor(learn, settle, schema, work, recipe, progress=steps, settled=texts)
        for checkpoint in work.glob("*.pt"):
            checkpoint.unlink()
        files = {"specialist.json": {"scores": scores(extractor, settle)}, "rows.json": lineage(training, validation, {})}
        folder = store(work, home, name, files)
        keep_audit(done, audit_of(folder))
    return folder


def _step(kept: Path, progress: Progress, step: int, steps: int, loss: float) -> None:
    with kept.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, "loss": round(loss, 4)}) + "\n")
    progress("train extractor", step, steps)


def solved(row: Row) -> Solved:
    """A row's question as the text, its answer as the values. TuningError where the answer is no JSON object."""
    from rung.tuning.extractor import Solved
    from rung.tuning.specialist import label_of, text_of

    try:
        values = json.loads(label_of(row))
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise TuningError(f"the answer of the example '{row.id}' is no JSON object", "an extractor learns from fields and their values")
    return Solved(row.id, text_of(row), values)


def scores(extractor: Extractor, aside: Sequence[Solved]) -> dict[str, Any]:
    """F1 of the fields of the texts set aside, on which the thresholds were chosen, too, so it is kind; and which are never said."""
    from rung.models.values import absent
    from rung.tuning.extractor import NEVER, same

    right = said = true = 0
    for one in aside:
        for field, found in zip(extractor.fields, extractor.extract(one.text), strict=True):
            silent = absent(field.schema)
            value = one.values.get(field.name, silent)
            said, true = said + (found.value != silent), true + (value != silent)
            right += found.value != silent and same(found.value, value)
    never = [field.name for field in extractor.fields if field.threshold == NEVER]
    return {"rows": len(aside), "field_f1": round(2 * right / max(said + true, 1), 4), "never": never}
