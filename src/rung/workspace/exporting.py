"""Writes a project's training rows for other trainers, audited as before a training. It refuses a folder that holds other files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rung.errors import ConfigError, DataError
from rung.workspace import workspace as w
from rung.workspace.workspace import Progress, Workspace, silent


@dataclass(frozen=True)
class Written:
    """Where the files are, and how many rows each holds."""

    folder: str
    files: tuple[str, ...]
    training: int
    validation: int
    next: str  # what to do with them


def write_rows(ws: Workspace, form: str, out: Path, *, raft: bool = False, progress: Progress = silent) -> Written:
    """The rows of `tuned` or `raft` in a folder of their own. TuningError where the audit would stop a training on them."""
    from rung.measure.record import write_whole
    from rung.tuning.formats import FEWEST, FORMATS, Base
    from rung.workspace.auditing import audit_rows
    from rung.workspace.training import prepare, recipe_for

    if form not in FORMATS:
        raise ConfigError(f"there is no format '{form}'", f"name one of {', '.join(FORMATS)}")
    solved = w.examples(ws)
    synced = w.sync_knowledge(ws, progress) if raft or ws.config.access.on else None
    if raft and synced is None:
        raise ConfigError(
            "raft's rows hold passages, and the project has no documents", "set folder under [knowledge], or take --rung tuned"
        )
    ready = prepare(ws, solved, w.shown(ws, synced[0], "") if synced else None, raft=raft)
    audit_rows(ws, ready.solved, ready.made, ready.validation, progress)
    if form == "openai" and len(ready.training) < FEWEST:
        raise DataError(f"OpenAI's fine-tuning takes {FEWEST} examples or more; these are {len(ready.training)}", "add examples")
    name, window = _base(ws)
    files = FORMATS[form](ready.training, ready.validation, recipe_for(ws, len(ready.training)), Base(name, window))
    _check_folder(out, files)
    for file, text in files.items():
        write_whole(out / file, text.encode("utf-8", "surrogatepass"))
    then = {
        "openai": "upload both files with purpose fine-tune and start a job on them",
        "trl": f"python {out / 'train.py'}",
        "axolotl": f"cd {out} && axolotl train config.yml",
    }
    return Written(str(out), tuple(files), len(ready.training), len(ready.validation), then[form])


def _base(ws: Workspace) -> tuple[str, int]:
    """The model as other trainers load it: a Hugging Face name, or a folder; and its window, 2,048 where it is not at hand."""
    from rung.models import base_folder, on_this_machine
    from rung.workspace.auditing import window_of

    name = ws.config.model.name
    if name.startswith("endpoint:"):
        return name.removeprefix("endpoint:").rpartition("@")[0], 2048
    window = window_of(base_folder(name, ws.folder)) if on_this_machine(name) else 2048
    return name.removeprefix("hf:") if name.startswith("hf:") else str(base_folder(name, ws.folder).resolve()), window


def _check_folder(out: Path, files: dict[str, str]) -> None:
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file", "name a folder to write to")
    other = sorted(path.name for path in out.iterdir() if path.name not in files) if out.exists() else []
    if other and not {"output", "adapter"} >= set(other):
        raise DataError(f"{out} holds other files, such as {other[0]}", "name a new folder")
