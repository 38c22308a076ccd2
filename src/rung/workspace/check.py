"""Reads all that a climb would read and counts it; asks no model and writes nothing but the cache of web pages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rung.types import Case
from rung.workspace import workspace as w
from rung.workspace.beside import besides
from rung.workspace.specialists import encoder
from rung.workspace.workspace import Progress, silent

if TYPE_CHECKING:
    from rung.tuning.audit.finding import Audit


@dataclass(frozen=True)
class Checked:
    """What a project holds, and what deserves a look before a climb."""

    project: str
    cases: int
    groups: int
    unanswerable: int
    examples: int
    documents: int
    skipped: tuple[tuple[str, str], ...]  # path and reason
    warnings: tuple[str, ...]
    audit: Audit | None = None  # of the examples, where the project has any


def check_project(folder: Path, show: str = "", progress: Progress = silent) -> Checked:
    """Read configuration, cases, examples and documents. Raises the first RungError met; what is wrong with examples is a finding.

    `show` names the example whose rendered row the audit holds; the first if "".
    """
    from rung.knowledge.access import doubts
    from rung.knowledge.gather import gather
    from rung.workspace.auditing import audit_examples, read_examples
    from rung.workspace.ignoring import remembered
    from rung.workspace.places import places

    ws = w.open_workspace(folder)
    cases, (examples, _, broken) = w.cases(ws), read_examples(ws)
    _check_names(ws)
    read = remembered(ws.folder, gather(places(ws)))
    w.task(ws, cases)
    groups = {case.group or case.id for case in cases}
    warnings = _warnings(ws, cases, examples, {document.path for document in read.documents})
    held = w.lists(ws)
    warnings += doubts(held, read.documents) if held else []
    audited = audit_examples(ws, cases, read.documents, show, progress) if examples or broken else None
    return Checked(
        ws.config.project.name,
        len(cases),
        len(groups),
        sum(case.unanswerable for case in cases),
        len(examples),
        len(read.documents),
        tuple((s.path, s.reason) for s in read.skipped),
        tuple(warnings),
        audited,
    )


def _warnings(ws: w.Workspace, cases: Sequence[Case], examples: Sequence[Case], known: Collection[str]) -> list[str]:
    found, project = [], ws.config.project
    if len(cases) < 50:
        tell = "case tells" if len(cases) == 1 else "cases tell"
        found.append(f"{len(cases)} {tell} only large differences apart; 100 or more are better")
    lost = sorted({e.document for case in (*cases, *examples) for e in case.evidence}.difference(known))
    if lost:
        are = "document that is" if len(lost) == 1 else "documents that are"
        found.append(f"evidence names {len(lost)} {are} not in the folder, such as {lost[0]}")
    if project.task == "answer" and (project.labels or project.json_schema):
        found.append("labels and json_schema are read for the tasks classify and extract only; this project's task is answer")
    return found


def _check_names(ws: w.Workspace) -> None:
    """Raise where the model or the embedder can't be what is named; weights are not loaded and no server is asked."""
    from rung.models import base_folder, reads_only
    from rung.models.folder import check_model

    name = ws.config.model.name
    if name.startswith(("bundled:", "local:")) and not reads_only(name):
        check_model(base_folder(name, ws.folder))
    elif not name.startswith("hf:"):
        w.base_model(ws)
    if (ws.config.knowledge.default_folder or ws.config.knowledge.sources) and not ws.config.knowledge.embedder.startswith("hf:"):
        w.embedder(ws)
        w.index(ws)
    besides(ws)
    if ws.config.project.task == "classify" and not ws.config.specialist.encoder.startswith("hf:"):
        encoder(ws)
