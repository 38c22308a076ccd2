"""A finished climb as its report: what was measured, what it costs, and what is known of why. It asks no model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from rung.climb import CLIMB, Climb

if TYPE_CHECKING:
    from rung.report.html import Report
    from rung.workspace.workspace import Workspace


def report(ws: Workspace, done: Climb) -> Path:
    """Write the climb's HTML report and return its path."""
    from rung.report.html import write_html

    path = done.folder / "report.html"
    write_html(as_report(ws, done), path)
    return path


def as_report(ws: Workspace, done: Climb) -> Report:
    """The climb as the report wing takes it."""
    from rung.costing import costs_of
    from rung.measure.agree import read_judged
    from rung.measure.kept import kept
    from rung.report.html import Report, RungReport
    from rung.report.judged import line

    rungs = [RungReport(m.summary, m.answers, m.scores, m.losses) for m in done.rungs]
    made = time.strftime("%d %B %Y", time.localtime((done.folder / CLIMB).stat().st_mtime))
    costs = costs_of(ws, done, None, None, None)
    judged = tuple(map(line, read_judged(done.folder)))
    return Report(done.facts["project"], made, done.verdict, rungs, done.cases, done.facts, costs, kept(ws.home), judged)
