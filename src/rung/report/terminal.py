"""The climb as a table in the terminal, and as plain lines where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rung.types import Summary, Verdict

if TYPE_CHECKING:
    from rich.console import Console

    from rung.report.html import Report

PARTS = {"facts": "facts", "macro F1": "macro_f1", "fields": "field_f1", "valid": "valid", "form": "form", "cited": "citation_recall"}


def columns(summaries: Sequence[Summary]) -> dict[str, list[str]]:
    """Headings with a cell for each rung: the parts that this project has, and what is cached or costs anything."""
    shown = {
        "rung": [one.name for one in summaries],
        "right": [f"{one.primary.estimate:.1%}" for one in summaries],
        "95 %": [f"{100 * one.primary.low:.0f}-{100 * one.primary.high:.0f}%" for one in summaries],
    }
    for heading, part in PARTS.items():
        if any(part in one.parts for one in summaries):
            shown[heading] = [f"{one.parts[part]:.0%}" if part in one.parts else "–" for one in summaries]
    if any(one.usage.cached for one in summaries):
        shown["cached"] = [f"{one.usage.cached / max(1, one.usage.prompt):.0%}" for one in summaries]
    shown["p50 s"] = [f"{one.seconds_p50:.2f}" for one in summaries]
    if any(one.cost_per_1000 for one in summaries):
        shown["1,000 cost"] = [f"{one.cost_per_1000:.3g}" for one in summaries]
        shown["1 right"] = ["–" if one.cost_per_correct is None else f"{one.cost_per_correct:.2g}" for one in summaries]
    return shown


def table(report: Report, console: Console) -> None:
    """Print a row for each rung that ran (costs are those of 1,000 answers and of a right one), then every rung's reason."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    ran = [rung.summary for rung in report.rungs if rung.summary.ran]
    shown = Table(title=f"{report.project}: {len(report.cases)} cases", title_justify="left", box=SIMPLE_HEAD, padding=0)
    filled = columns(ran)
    for name in filled:
        shown.add_column(name, justify="left" if name == "rung" else "right", no_wrap=True)
    for number, summary in enumerate(ran):
        shown.add_row(*(cells[number] for cells in filled.values()), style="bold" if summary.name == report.verdict.chosen else "")
    console.print(shown)
    for name, reason in report.verdict.reasons.items():
        console.print(f"  {name}: {reason}", highlight=False, markup=False)


def verdict_text(verdict: Verdict) -> str:
    """The verdict and the reasons as plain text."""
    return "\n".join([verdict.sentence, *(f"{name}: {reason}" for name, reason in verdict.reasons.items())])
