"""What the command line prints about training data: the audit, a row as it is trained on, imports, exports and made questions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import TuningError
from rung.report.terminal import counted
from rung.show import print_json, progress

if TYPE_CHECKING:
    from rung.tuning.audit.finding import Audit, Finding, Rendered
    from rung.workspace.check import Checked


def check_and_show(folder: Path, as_json: bool, row: str = "") -> None:
    """Counts, warnings, and the audit of the examples with one row as it is trained on. TuningError where it would stop a training."""
    from rung.tuning.audit.audit import refuse
    from rung.workspace.check import check_project

    with progress(quiet=as_json) as bar:
        checked = check_project(folder, row, bar)
    if as_json:
        print_json(checked)
    else:
        _show_check(checked)
    if checked.audit:
        sys.stdout.flush()
        refuse(checked.audit, f"`rung check {folder} --json`")


def _show_check(checked: Checked) -> None:
    print(
        f"{checked.project}: {counted(checked.cases, 'case')} in {counted(checked.groups, 'group')} ({checked.unanswerable} unanswerable)"
    )
    print(counted(checked.examples, "example"))
    print(f"{counted(checked.documents, 'document')} read, {len(checked.skipped)} skipped")
    for path, reason in checked.skipped:
        print(f"  skipped {path}: {reason}")
    for warning in checked.warnings:
        print(f"warning: {warning}")
    if checked.audit:
        show_audit(checked.audit)


def show_audit(audit: Audit) -> None:
    """One row as it is trained on, then a line for each finding with its fix and its first rows."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    if audit.shown:
        _show_row(audit.shown, console)
    colours = {"stop": "bold red", "warn": "yellow", "note": "dim"}
    for one in audit.findings:
        allowed = " (allowed)" if one.severity == "stop" and one not in audit.stops else ""
        console.print(Text.assemble((f"{one.severity:<5}", colours[one.severity]), (f"{one.kind}{allowed}: ", "bold"), one.message), soft_wrap=True)
        console.print(Text(f"     fix: {one.fix}{_rows(one)}"), soft_wrap=True)
    seconds = sum(audit.seconds.values())
    print(f"audit of {counted(audit.rows, 'row')}: {counted(len(audit.findings), 'finding')}, {len(audit.stops)} of them stop a training; {seconds:.1f} s")


def _rows(one: Finding) -> str:
    places = [str(place) for place in one.rows]
    more = f" and {len(places) - 5:,} more" if len(places) > 5 else ""
    return f"\n     rows: {', '.join(places[:5])}{more}" if places else ""


def _show_row(shown: Rendered, console: object) -> None:
    """The prompt dim and what is trained on green; between signs where there are no colours."""
    from rich.console import Console
    from rich.text import Text

    assert isinstance(console, Console)
    signs = ("", "") if console.is_terminal and not console.no_color else ("⟦", "⟧")
    text = Text(f"row {shown.id} as it is trained on (trained: ")
    text.append(f"{signs[0]}so{signs[1]}", "bold green").append(")\n")
    for piece, trained in shown.pieces:
        text.append(f"{signs[0]}{piece}{signs[1]}" if trained else piece, "bold green" if trained else "dim")
    console.print(text, soft_wrap=True)



