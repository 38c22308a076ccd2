"""What the command line prints about training data: the audit, a row as it is trained on, imports, exports and made questions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import ConfigError
from rung.report.terminal import counted
from rung.show import print_json, progress
from rung.workspace.workspace import open_workspace

if TYPE_CHECKING:
    from rung.tuning.audit.finding import Audit, Finding, Rendered
    from rung.workspace.check import Checked
    from rung.workspace.holding_out import Side


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
    else:
        print("no row is shown, no mask was checked: the model's tokenizer is not here, the model can't be tuned, or no row is renderable")
    colours = {"stop": "bold red", "warn": "yellow", "note": "dim"}
    for one in audit.findings:
        allowed = " (allowed)" if one.severity == "stop" and one not in audit.stops else ""
        console.print(
            Text.assemble((f"{one.severity:<5}", colours[one.severity]), (f"{one.kind}{allowed}: ", "bold"), one.message), soft_wrap=True
        )
        console.print(Text(f"     fix: {one.fix}{_rows(one)}"), soft_wrap=True)
    seconds = sum(audit.seconds.values())
    found = f"{counted(len(audit.findings), 'finding')}, {len(audit.stops)} of them stop a training"
    print(f"audit of {counted(audit.rows, 'row')}: {found}; {seconds:.1f} s")


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


def import_and_show(folder: Path, file: Path, to: str, columns: str, held_out: float, as_json: bool, *, skip: bool, dry: bool) -> None:
    """Say what the file holds, show the first rows, and append them."""
    from rung.workspace.importing import columns_from, import_rows

    if to not in ("examples", "cases"):
        raise ConfigError(f"rows can't go to '{to}'", "write --to examples or --to cases")
    side: Side = "cases" if to == "cases" else "examples"
    done = import_rows(open_workspace(folder), file, side, columns_from(columns), held_out=held_out, skip=skip, dry=dry)
    if as_json:
        print_json(done)
        return
    print(f"{done.file}: {counted(done.read, 'row')}, {done.form}")
    for case in done.preview:
        print(f"  {case.id}\n    question: {_line(case.question)}\n    answer:   {_line(case.text)}")
    for number, said in ((done.known, "there already"), (done.not_rated, "neither rated well nor corrected")):
        if number:
            print(f"{counted(number, 'row')} left out: {said}")
    if done.earlier_turns:
        print(
            f"{counted(done.earlier_turns, 'row')} with more turns: the last question and its answer were taken, without what stands before"
        )
    for one in done.skipped[:5]:
        print(f"left out, line {one.line}: {one.reason}")
    if len(done.skipped) > 5:
        print(f"left out: {len(done.skipped) - 5} more; --json names all")
    became = "would be added to" if done.added + done.held_out and not done.written else "added to"
    print(f"{counted(done.added, 'row')} {became} {done.to}" + (f", {done.held_out:,} held out as cases" if done.held_out else ""))


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:99]}…"


def synthesize_and_show(folder: Path, number: int, share: float, model: str, as_json: bool, *, cut: bool) -> None:
    """Make questions, and say how many were kept, why others were not, and what they look like."""
    from rung.workspace.synthesize import synthesize

    with progress(quiet=as_json) as bar:
        done = synthesize(open_workspace(folder), number, share, model=model, cut=cut, progress=bar)
    if as_json:
        print_json(done)
        return
    for case in done.preview:
        print(f"  {case.evidence[0].document}\n    question: {_line(case.question)}\n    answer:   {_line(case.text)}")
    added = f"added {counted(done.cases, 'case')} and {counted(done.examples, 'example')}"
    print(f"{counted(done.asked, 'passage')} tried; {added}; {done.before:,} there before")
    for reason, times in sorted(done.rejected.items(), key=lambda pair: -pair[1]):
        print(f"  not kept, {times:,} times: {reason}")
    sides = ", ".join(f"{counted(n, 'document')} for {side}" for side, n in sorted(done.documents.items()))
    print(f"{sides}; no document stands on both sides")
    if done.both:
        print(f"{counted(len(done.both), 'document')} left out, behind both cases and examples already, such as {done.both[0]}")


def rows_and_show(folder: Path, form: str, out: Path, rung: str, as_json: bool, allow: Sequence[str]) -> None:
    """Write the training rows for another trainer, and say what to do with them."""
    from rung.workspace.auditing import allowing
    from rung.workspace.exporting import write_rows

    if rung not in ("tuned", "raft"):
        raise ConfigError(f"'{rung}' has no training rows of its own", "write --rung tuned or --rung raft")
    with progress(quiet=as_json) as bar:
        done = write_rows(allowing(open_workspace(folder), allow), form, out, raft=rung == "raft", progress=bar)
    if as_json:
        print_json(done)
        return
    print(f"{done.folder}: {', '.join(done.files)}")
    print(f"{counted(done.training, 'row')} to train on, {done.validation:,} to validate on; no held-out case among them")
    print(f"next: {done.next}")
