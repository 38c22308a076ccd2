"""What `rung watch` prints. It decides nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from rung.errors import ConfigError
from rung.monitoring.canary import replay
from rung.monitoring.figures import Window
from rung.monitoring.watch import Watched, watch
from rung.report.terminal import counted
from rung.show import print_json, progress
from rung.show_serving import seconds
from rung.workspace.feedback import take
from rung.workspace.importing import as_row
from rung.workspace.keys import lent
from rung.workspace.store import open_store
from rung.workspace.workspace import open_workspace

SHOWN = 5  # groups, corrections and proposals in the terminal; --json has all
WORSE = 1  # the exit code; 2 is for errors
KEY = "RUNG_KEY"  # the environment variable with the API key of a canary


def watch_and_show(folder: Path, since: str, as_json: bool) -> None:
    """The figures and what they ask for."""
    ws = open_workspace(folder)
    store = open_store(ws)
    done = watch(ws, store, seconds(since))
    store.close()
    print_json(asdict(done)) if as_json else print("\n".join(lines(done)))


def take_and_show(folder: Path, answer: str, to: str, as_json: bool) -> None:
    """Make a row of one answer and say where it went."""
    if to not in ("case", "example"):
        raise ConfigError(f"--as {to or 'nothing'} is no row", "write --as case, to measure on it, or --as example, to train on it")
    side: Literal["case", "example"] = "case" if to == "case" else "example"
    ws = open_workspace(folder)
    store = open_store(ws)
    made = take(ws, store, answer, side)
    store.close()
    print_json(as_row(made)) if as_json else print(f"added {made.id} to the {side}s: {made.question} → {made.text}")


def canary_and_show(folder: Path, url: str, model: str, number: int, as_json: bool) -> None:
    """Replay the canary cases; exit with 1 where something became worse."""
    ws = open_workspace(folder)
    store = open_store(ws)
    given = os.environ.get(KEY, "")
    with progress(quiet=as_json) as bar, nullcontext(given) if given else lent(store, "canary") as key:
        done = replay(ws, store, f"{url.rstrip('/').removesuffix('/v1')}/v1", key, model, number, progress=bar)
    store.close()
    print_json(asdict(done)) if as_json else print(f"canary: {done.words}")
    if done.change.worse:
        raise SystemExit(WORSE)


def lines(done: Watched) -> list[str]:
    """For people."""
    now = done.now
    said = [f"{_day(now.since)} to {_day(now.until)}: {counted(now.questions, 'question')} ({_beside(done)})"]
    if not now.questions:
        return [*said, *(f"- {one.sentence}" for one in done.sayings)]
    said += _table([now, *(done.models if len(done.models) > 1 else ())])
    said += _feedback(now)
    if not done.words:
        said.append('no question still has its words (audit = "hashes", forgotten or pruned): nothing to say of gaps and drift')
    said += _heard(done)
    said += _proposed(done)
    said += ["", *(f"- {one.sentence}" for one in done.sayings)] if done.sayings else ["", "Nothing to do: no figure asks for anything."]
    return said


def _beside(done: Watched) -> str:
    before = done.before
    return f"{before.questions:,} in the span before" if before.questions else "none in the span before"


def _table(rows: Sequence[Window]) -> list[str]:
    """One line a model, the first for all."""
    head = ("", "questions", "failed", "p50 s", "p95 s", "p99 s", "tokens in", "out", "cost", "don't know", "unsupported")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    said = []
    for row in cells:
        said.append("  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]))
    return said


def _cells(row: Window) -> tuple[str, ...]:
    times = ["–" if one is None else f"{one:.2f}" for one in (row.seconds_p50, row.seconds_p95, row.seconds_p99)]
    shares = [f"{part / of:.0%}" if of else "–" for part, of in ((row.abstained, row.answered), (row.unsupported, row.checked))]
    counts = (f"{row.questions:,}", f"{row.failed:,}", *times, f"{row.prompt:,}", f"{row.completion:,}", f"{row.money:.4g}")
    return (row.model or "all", *counts, *shares)


def _feedback(now: Window) -> list[str]:
    return [f"feedback: {now.up} up, {now.down} down, {now.corrected} corrected"]


def _heard(done: Watched) -> list[str]:
    told, said = done.heard, []
    if told.nearness is not None:
        low = f", and a question below {told.low:.2f} found nothing" if told.low is not None else ""
        said.append(f"nearest passage: cosine {told.nearness:.2f} on average{low}")
    for what, drift in (("the span before", told.since_before), ("the cases", told.since_cases)):
        if drift:
            word = "moved" if drift.told else "the same"
            said.append(f"drift from {what}: {word} (MMD² {drift.mmd:.3f}, p {drift.p:.3f}; {drift.now} questions against {drift.before})")
    if told.gaps:
        count = sum(gap.count for gap in told.gaps)
        said.append(f"knowledge gaps: {count} of {counted(told.questions, 'question')}")
        said += [f"  {gap.count:>3}  {gap.name}" + (f"  (near: {gap.nearest})" if gap.near else "") for gap in told.gaps[:SHOWN]]
    if done.canary:
        said.append(f"canary of {_day(done.canary.at)}: {done.canary.words}")
    return said


def _proposed(done: Watched) -> list[str]:
    if not done.proposed:
        return []
    said = ["cases to add:"]
    for one in done.proposed[:SHOWN]:
        said.append(f"  {one.question} → {one.answer or '(to be written)'}  ({one.why}{'; --take ' + one.take if one.take else ''})")
    more = len(done.proposed) - SHOWN
    return [*said, f"  and {more} more; --json has all"] if more > 0 else said


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
