"""`rung climb --against`: climbs, compares with an earlier run, and says by the exit code whether something became worse.

The earlier run's answers are scored again by today's cases and form, so that a mended ideal answer counts on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rung.climb import Climb, climb
from rung.errors import DataError
from rung.measure.against import Change, compared
from rung.measure.bootstrap import clusters_of
from rung.measure.score import score
from rung.runs import climb_of
from rung.workspace import workspace as w
from rung.workspace.workspace import Workspace

NAMED = 5  # cases named in the terminal; --json has all
WORSE = 1  # the exit code; 2 is for errors


@dataclass(frozen=True)
class Gate:
    """What became of each rung since the earlier run, on the cases that both asked in the same words."""

    run: str
    shared: int
    left_out: int  # today's cases that the earlier run did not ask
    changes: tuple[Change, ...]
    worse: bool


def gate(earlier: Climb, done: Climb, ws: Workspace, margin: float = 0.0) -> Gate:
    """Compare two climbs. DataError where they share no case or no rung."""
    asked = {case.id: case.question for case in earlier.cases}
    shared = [case for case in done.cases if asked.get(case.id) == case.question]
    now = {one.summary.name: {s.case: s.primary for s in one.scores} for one in done.rungs if one.summary.ran}
    task = w.task(ws, list(done.cases))
    before = {}
    for one in earlier.rungs:
        if one.summary.ran and one.summary.name in now:
            said = dict(zip((case.id for case in earlier.cases), one.answers, strict=True))
            before[one.summary.name] = {case.id: score(task, case, said[case.id]).primary for case in shared}
    if not shared or not before:
        what = "case" if not shared else "rung"
        raise DataError(f"the run {earlier.folder.name} and this one share no {what}", "name a run of the same cases and rungs")
    ids = {case.id for case in shared}
    kept = {rung: {case: value for case, value in now[rung].items() if case in ids} for rung in before}
    changes = tuple(compared(before, kept, clusters_of(shared), margin, ws.config.project.seed))
    return Gate(earlier.folder.name, len(shared), len(done.cases) - len(shared), changes, any(one.worse for one in changes))


def gate_and_show(
    folder: Path,
    run: str,
    margin: float,
    rungs: Sequence[str],
    workers: int | None,
    as_json: bool,
    user: str = "",
    at: str = "",
    changes: Mapping[str, object] | None = None,
    models: Sequence[str] = (),
) -> None:
    """Climb, print what changed, and exit with 1 where something became worse."""
    from rung import climb as climbing
    from rung.reporting import report
    from rung.show import print_json, talking

    ws = w.with_project(w.open_workspace(folder, user, at=at), changes or {})
    earlier = climb_of(ws, run)  # read first: a climb of the same makings writes into the same folder
    with talking(quiet=as_json) as (bar, say):
        done = climb(ws, bar, rungs, workers, say, models)
    found = gate(earlier, done, ws, margin)
    path = report(ws, done)
    if as_json:
        print_json(climbing.as_json(done) | {"report": str(path), "against": asdict(found)})
    else:
        _show(found)
        print(f"verdict: {done.verdict.sentence}\nreport: {path}")
    if found.worse:
        raise SystemExit(WORSE)


def _show(found: Gate) -> None:
    left = f"; {found.left_out} new or reworded cases left out" if found.left_out else ""
    print(f"against {found.run} on {found.shared} cases{left}")
    wide = max((13, *(len(one.rung) + 1 for one in found.changes)))
    for one in found.changes:
        what = "worse" if one.worse else "better" if one.better else "no change beyond chance"
        sides, d = f"{100 * one.before:.1f} % → {100 * one.now:.1f} %", one.difference
        gained = f"{100 * d.estimate:+.1f} ({100 * d.low:+.1f} to {100 * d.high:+.1f})"
        print(f"  {one.rung:<{wide}}{sides:<18} {gained}  p {one.p_adjusted:.3g}  {what}")
        for word, cases in (("lost", one.lost), ("won", one.won)):
            if cases:
                more = f" and {len(cases) - NAMED} more" if len(cases) > NAMED else ""
                print(f"    {word}: {', '.join(cases[:NAMED])}{more}")
    print("gate: worse than before" if found.worse else "gate: nothing became worse beyond chance")
