"""The climb as a table in the terminal, and as plain lines where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rung.report import address
from rung.report.columns import parts_of, priced
from rung.report.matrix import cell, contrasts, matrix, told
from rung.types import Summary, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rich.console import Console

    from rung.report.html import Report


def cells(summary: Summary, parts: Collection[str], *, cached: bool, priced: bool) -> tuple[str, ...]:
    """A rung's row. Parts that don't apply are a dash."""
    right = summary.primary
    shares = [f"{summary.parts[name]:.0%}" if name in summary.parts else "–" for name in parts]
    correct = "–" if summary.cost_per_correct is None else f"{summary.cost_per_correct:.2g}"
    costs = (f"{summary.cost_per_1000:.3g}", correct) if priced else ()
    interval = f"{100 * right.low:.0f}-{100 * right.high:.0f}%"
    reused = (f"{summary.usage.cached / max(1, summary.usage.prompt):.0%}",) if cached else ()
    return (summary.name, f"{right.estimate:.1%}", interval, *shares, *reused, f"{summary.seconds_p50:.2f}", *costs)


def table(report: Report, console: Console) -> None:
    """Print one row per rung (share right with its interval, parts, cost of 1,000 answers and of a right one), then the reasons.

    It fits a terminal of 80 columns.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    ran = [rung.summary for rung in report.rungs if rung.summary.ran]
    parts, cached, costs = parts_of(ran), any(one.usage.cached for one in ran), priced(ran)
    shown = Table(
        title=f"{report.project}: {counted(len(report.cases), 'case')}",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=0,
    )
    measured = (*parts.values(), *(("cached",) if cached else ()))
    headings = ("rung", "right", "95 %", *measured, "p50", *(("per 1,000", "per right") if costs else ()))
    rows = [cells(summary, parts, cached=cached, priced=costs) for summary in ran]
    wide = sum(max(map(len, column)) + 1 for column in zip(headings, *rows, strict=True)) + 1 > console.width
    for name in headings:
        shown.add_column(name, justify="left" if name == "rung" else "right", no_wrap=name != "rung", overflow="fold")
    for name, *rest in rows:  # where there is no room the names give way, since a number that is cut off says nothing
        shown_as = name.replace("@", "\n@") if wide else name
        shown.add_row(shown_as, *rest, style="bold" if name == report.verdict.chosen else "")
    console.print(shown)
    _models([rung.summary for rung in report.rungs], report.verdict, console)
    _address(ran, console)
    for line in report.judged:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    for name, reason in report.verdict.reasons.items():
        console.print(f"  {name}: {reason}", highlight=False, markup=False, soft_wrap=True)


def _models(summaries: Sequence[Summary], verdict: Verdict, console: Console) -> None:
    """Rungs × models, and each tuned model against another one prompted; nothing where there is one model."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    if (found := matrix(summaries)) is None:
        return
    shown = Table(box=SIMPLE_HEAD, padding=0)
    for name in ("rung", *found.models):
        shown.add_column(name, justify="left" if name == "rung" else "right")
    for rung in found.rungs:
        shown.add_row(rung, *(cell(found.cells.get((rung, model))) for model in found.models))
    console.print(shown)
    for one in contrasts(summaries, verdict):
        console.print(f"  {told(one)}", highlight=False, markup=False, soft_wrap=True)


def _address(ran: Sequence[Summary], console: Console) -> None:
    """Where answers are lost, a line for each rung that brings passages."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    if not (headings := address.headings(ran)):
        return
    shown = Table(title="where answers are lost", title_justify="left", box=SIMPLE_HEAD, padding=0)
    shown.add_column("rung", no_wrap=True)
    for heading in headings.values():
        shown.add_column(heading, justify="right")
    for name, cells in address.rows(ran):
        shown.add_row(name, *cells)
    console.print(shown)


def counted(n: int, noun: str) -> str:
    """ "1 case", "2 cases"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def verdict_text(verdict: Verdict) -> str:
    """The verdict and the reasons as plain text."""
    return "\n".join([verdict.sentence, *(f"{name}: {reason}" for name, reason in verdict.reasons.items())])
