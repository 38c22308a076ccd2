"""The climb as a table in the terminal, and as plain lines where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rung.types import Summary, Verdict

if TYPE_CHECKING:
    from rich.console import Console

    from rung.report.html import Report

COLUMNS = ("rung", "right", "95 %", "facts", "form", "cited", "p50 s", "1,000 cost", "1 right")


def cells(summary: Summary) -> tuple[str, ...]:
    """A rung's row. Parts that don't apply are a dash."""
    if not summary.ran:
        return (summary.name, f"not run: {summary.note}", *[""] * 7)
    right, parts = summary.primary, summary.parts
    shares = [f"{parts[name]:.0%}" if name in parts else "–" for name in ("facts", "form", "citation_recall")]
    correct = "–" if summary.cost_per_correct is None else f"{summary.cost_per_correct:.2g}"
    interval = f"{100 * right.low:.0f}-{100 * right.high:.0f}%"
    return (summary.name, f"{right.estimate:.1%}", interval, *shares, f"{summary.seconds_p50:.2f}", f"{summary.cost_per_1000:.3g}", correct)


def table(report: Report, console: Console) -> None:
    """Print one row per rung (share right with its interval, parts, cost of 1,000 answers and of a right one), then the reasons."""
    from rich.table import Table

    shown = Table(title=f"{report.project}: {len(report.cases)} cases", title_justify="left")
    for name in COLUMNS:
        shown.add_column(name, justify="left" if name == "rung" else "right", no_wrap=True)
    for rung in report.rungs:
        if rung.summary.ran:
            style = "bold" if rung.summary.name == report.verdict.chosen else ""
            shown.add_row(*cells(rung.summary), style=style)
    console.print(shown)
    for name, reason in report.verdict.reasons.items():
        console.print(f"  {name}: {reason}", highlight=False, markup=False)


def verdict_text(verdict: Verdict) -> str:
    """The verdict and the reasons as plain text."""
    return "\n".join([verdict.sentence, *(f"{name}: {reason}" for name, reason in verdict.reasons.items())])
