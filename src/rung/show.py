"""What the command line prints: progress on stderr, results on stdout, as text or as one JSON object."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import ConfigError, RungError
from rung.report.terminal import counted
from rung.workspace.workspace import Progress, Workspace, open_workspace, with_project

if TYPE_CHECKING:
    from rung.climb import Climb
    from rung.knowledge.choice import Choice
    from rung.knowledge.explain import Explanation
    from rung.knowledge.knowledge import SyncReport


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Progress]:
    """Bars with an estimate of the time left on a terminal; a line for each finished stage elsewhere."""
    with talking(quiet=quiet) as (bar, _):
        yield bar


@contextmanager
def talking(*, quiet: bool = False) -> Iterator[tuple[Progress, Callable[[str], None]]]:
    """The same, and a function that says a sentence above the bars."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True, quiet=quiet)
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal or quiet:
        yield _telling(_lines(console)), _saying(say)
        return
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}

        def update(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield update, say


def _saying(say: Callable[[str], None]) -> Callable[[str], None]:
    """The same, and the sentence in the file that RUNG_EVENTS names."""
    path = os.environ.get("RUNG_EVENTS", "")

    def both(sentence: str) -> None:
        say(sentence)
        _tell(path, {"said": sentence, "at": round(time.time(), 3)})

    return both if path else say


def _tell(path: str, event: Mapping[str, object]) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(event) + "\n")


def _telling(shown: Progress) -> Progress:
    """The same, and a JSON line for each step in the file that RUNG_EVENTS names, at most ten a second of each kind."""
    path, last = os.environ.get("RUNG_EVENTS", ""), dict[str, float]()
    if not path:
        return shown

    def update(what: str, done: int, total: int) -> None:
        shown(what, done, total)
        now = time.time()
        if what not in last or done >= total or now - last[what] > 0.1:
            last[what] = now
            _tell(path, {"what": what, "done": done, "total": total, "at": round(now, 3)})

    return update


def _lines(console: Any) -> Progress:
    finished: set[str] = set()

    def update(what: str, done: int, total: int) -> None:
        if done >= total and what not in finished:
            finished.add(what)
            console.print(f"{what}: {total}", highlight=False)

    return update


def rungs_from(typed: str, *, trained: bool = False) -> list[str]:
    """The rungs whose names begin so, for the shell's completion."""
    from rung.approach.ladder import LADDER

    return [name for name, rung in LADDER.items() if name.startswith(typed) and (rung.trained_on or not trained)]


def print_json(value: object) -> None:
    """One JSON object on stdout."""
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    print(json.dumps(plain, ensure_ascii=False, indent=1, default=str))


def index_and_show(
    folder: Path, as_json: bool, question: str = "", ray: str = "", *, allow_empty: bool = False, take_over: bool = False
) -> None:
    """Sync the index and say what changed and how it is searched; with a question, why each passage is found or not."""
    from rung.knowledge.choice import read_choice
    from rung.knowledge.explain import explain
    from rung.workspace.workspace import sync_knowledge

    ws = open_workspace(folder)
    with progress(quiet=as_json) as bar:
        synced = sync_knowledge(ws, bar, fresh=True, ray=ray, allow_empty=allow_empty, take_over=take_over)
    if synced is None:
        raise ConfigError("the project has no documents", "set folder or add [[knowledge.sources]] in rung.toml")
    knowledge, report = synced
    settings = ws.config.knowledge
    choice = read_choice(knowledge.choice) if settings.mode == "auto" else None
    explanation = explain(knowledge, question, settings.k, settings.mode) if question else None
    if as_json:
        told: dict[str, object] = asdict(report) | {"version": knowledge.version}
        told |= {"choice": asdict(choice)} if choice else {}
        print_json(told | ({"explanation": asdict(explanation)} if explanation else {}))
        return
    _show_sync(report, knowledge.version)
    if choice:
        _show_choice(choice)
    if explanation:
        _show_explanation(explanation)


def _show_choice(choice: Choice) -> None:
    print(f"ranked by {choice.mode}: {choice.why} (nDCG@10 on {choice.questions})")
    for row in choice.candidates:
        print(f"  {row.mode:<12} {row.ndcg:.3f}  95 % interval {row.low:.3f} to {row.high:.3f}")


def _show_explanation(explanation: Explanation) -> None:
    from rung.knowledge.explain import BY

    print(f"ranked by {explanation.mode}")
    for row in explanation.rows:
        headings = " > ".join(row.hit.passage.headings)
        print(f"{row.place or '-':>3}  {row.hit.score:.3f}  {row.hit.passage.document}: {headings}")
        for name, leg in row.legs.items():
            print(f"       by {BY[name]}: rank {leg.rank}, score {leg.score:.3f}")
        print(f"       {row.why}")
        if row.hit.folded:
            print(f"       copies of it: {', '.join(row.hit.folded)}")


def watch_and_show(folder: Path, as_json: bool, ray: str = "") -> None:
    """Sync at once and after every change, and say each time what changed; an error is told and does not end it."""
    from rung.workspace.watching import changes

    if ray:
        raise ConfigError("--watch follows changes on this machine alone", "leave out --ray; index with it once, before")
    index_and_show(folder, as_json)
    sys.stdout.flush()
    for _ in changes(open_workspace(folder)):
        try:
            index_and_show(folder, as_json)
        except RungError as error:
            print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr, flush=True)
        sys.stdout.flush()


def one_of(options: Mapping[str, object]) -> list[str]:
    """The option that was given, if any was. ConfigError for several, of which a command could only do one."""
    asked = [option for option, given in options.items() if given]
    if len(asked) > 1:
        raise ConfigError(f"{' and '.join(asked)} don't go together", "name one of them")
    return asked


def history_and_show(folder: Path, as_json: bool, at: str, *, purge: bool) -> None:
    """The versions that can be opened again, or one of them with its documents; or none any more. Documents are not read."""
    from rung.knowledge import knowledge as k
    from rung.workspace.workspace import held_knowledge

    knowledge = held_knowledge(open_workspace(folder))
    if purge:
        k.purge(knowledge)
    if at:
        opened = k.reopened(knowledge, at)
        held = opened.documents()
        print_json({"version": opened.version, "documents": dict(held)}) if as_json else print("\n".join([opened.version, *sorted(held)]))
        return
    moments = k.history(knowledge)
    if as_json:
        print_json([asdict(moment) for moment in moments])
        return
    for moment in moments:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment.since))
        print(f"{moment.version}  {since}  {moment.documents} documents{'' if moment.until else ', the present'}")


def _show_sync(report: SyncReport, version: str) -> None:
    counts = {name: len(value) if isinstance(value, (tuple, list)) else value for name, value in asdict(report).items()}
    print(", ".join(f"{count} {name}" for name, count in counts.items()))
    for skipped in report.skipped:
        print(f"  skipped {skipped.path}: {skipped.reason}")
    print(f"knowledge: {version}")


def climb_and_show(
    folder: Path,
    rungs: Sequence[str],
    workers: int | None,
    as_json: bool,
    user: str = "",
    at: str = "",
    changes: Mapping[str, object] | None = None,
    models: Sequence[str] = (),
) -> None:
    """Climb, print the table, the time of each stage, the verdict and the report's path; `changes` are to [project]."""
    from rung import climb as climbing

    started, ws = time.perf_counter(), with_project(open_workspace(folder, user, at=at), changes or {})
    with talking(quiet=as_json) as (bar, say):
        done = climbing.climb(ws, bar, rungs, workers, say, models)
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in done.seconds.items())
    _show_climb(ws, done, as_json, f"stages: {stages}; {time.perf_counter() - started:.1f} s in all")


def report_and_show(folder: Path, as_json: bool) -> None:
    """The last climb as `rung climb` printed it; its report is written anew."""
    from rung.runs import last_climb

    ws = open_workspace(folder)
    _show_climb(ws, last_climb(ws), as_json)


def _show_climb(ws: Workspace, done: Climb, as_json: bool, *lines: str) -> None:
    from rich.console import Console

    from rung import climb as climbing
    from rung.report.terminal import table
    from rung.reporting import as_report, report

    path = report(ws, done)
    if as_json:
        print_json(climbing.as_json(done) | {"report": str(path)})
        return
    table(as_report(ws, done), Console())
    if done.skipped:
        name, reason = done.skipped[0]
        print(f"{counted(len(done.skipped), 'document')} skipped, such as {name}, which {reason}; `rung check` names all")
    for line in (*lines, *(f"{name}: {done.facts[name]}" for name in ("stopped early", "variance") if name in done.facts)):
        print(line)
    print(f"verdict: {done.verdict.sentence}")
    print(f"report: {path}")


def freshness_and_show(folder: Path, before: Path, cases: Path | None, rungs: Sequence[str], as_json: bool) -> None:
    """A line for each rung: right before, right and stale after the sync, and after it was taught anew."""
    from rung.freshness import measure

    with progress(quiet=as_json) as bar:
        done = measure(open_workspace(folder), before, cases, rungs, bar)
    if as_json:
        print_json(done)
        return
    print(f"{len(done.documents)} documents changed, and with them the answers to {len(done.questions)} questions")
    print(f"a changed document is found after {done.change_seconds_p50:.3f} s (median)")
    print(f"{'rung':<14}{'right before':>14}{'after sync':>12}{'stale':>8}{'taught anew':>13}{'stale':>8}{'seconds':>10}")
    for row in done.rungs:
        taught = f"{row.taught.right:>13.2f}{row.taught.stale:>8.2f}" if row.taught else f"{'-':>13}{'-':>8}"
        print(f"{row.rung:<14}{row.before.right:>14.2f}{row.synced.right:>12.2f}{row.synced.stale:>8.2f}{taught}{row.seconds:>10.2f}")
