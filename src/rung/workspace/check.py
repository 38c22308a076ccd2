"""Reads all that a climb would read and counts it; asks no model and writes nothing but the cache of web pages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rung.workspace import workspace as w


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


def check_project(folder: Path) -> Checked:
    """Read configuration, cases, examples and documents. Raises the first RungError met."""
    from rung.knowledge.gather import gather

    ws = w.open_workspace(folder)
    cases, examples = w.cases(ws), w.examples(ws)
    read = gather(w.places(ws))
    w.task(ws, cases)
    groups = {case.group or case.id for case in cases}
    known = {document.path for document in read.documents}
    warnings = []
    if len(cases) < 50:
        warnings.append(f"{len(cases)} cases tell only large differences apart; 100 or more are better")
    lost = sorted({e.document for case in (*cases, *examples) for e in case.evidence} - known)
    if lost:
        warnings.append(f"evidence names {len(lost)} documents that are not in the folder, such as {lost[0]}")
    shared = groups & {example.group for example in examples if example.group}
    if shared:
        warnings.append(f"{len(shared)} groups stand in cases and examples, such as {min(shared)}: a tuned model may have seen their facts")
    return Checked(
        ws.config.project.name,
        len(cases),
        len(groups),
        sum(case.unanswerable for case in cases),
        len(examples),
        len(read.documents),
        tuple((s.path, s.reason) for s in read.skipped),
        tuple(warnings),
    )
