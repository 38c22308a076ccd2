"""A diagnosis in the terminal: what fails and why, with intervals and cases, how far each rung could get, what to do first."""

from __future__ import annotations

from rung.measure.diagnose import CLASSES, Diagnosis
from rung.types import Interval

NAMED = 3  # cases beside each cause; --json has all


def show(found: Diagnosis, name: str) -> None:
    """Two tables and a sentence."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    print(f"{name}: {found.asked} cases asked, {spread(found.right)} right, {len(found.causes)} wrong")
    causes = Table(box=None, pad_edge=False)
    for column in ("why", "cases", "share, 95 %", "", "such as"):
        causes.add_column(column, justify="right" if column in ("cases", "share, 95 %") else "left", overflow="fold")
    for one in found.shares:
        causes.add_row(one.kind, str(one.count), spread(one.share), CLASSES[one.kind], ", ".join(one.cases[:NAMED]))
    if found.shares:
        console.print(causes, highlight=False)
        reaches = Table(box=None, pad_edge=False)
        reaches.add_column("rung")
        reaches.add_column("right at most", justify="right")
        reaches.add_column("")
        for reach in found.reaches:
            reaches.add_row(reach.rung, spread(reach.share), f"can't run yet: {reach.lacks}" if reach.lacks else "")
        console.print(reaches, highlight=False)
    for notice in found.notices:
        print(f"warning: {notice.name}: {notice.found}; {notice.do}")
    print(f"first: {found.first}")


def spread(told: Interval) -> str:
    """A share with its interval, in percent."""
    return f"{100 * told.estimate:.0f} % ({100 * told.low:.0f}-{100 * told.high:.0f})"
