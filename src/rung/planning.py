"""`rung climb --plan`: how many cases tell the rungs apart, printed before any is asked. It asks no model and opens no index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rung.approach.ladder import SPECIALISTS, check_rungs, rungs_of
from rung.errors import DataError
from rung.measure.looks import WEIGHTS
from rung.measure.plan import ALPHA, DIFFERENCES, POWERS, Plan, Variation, assumed, measured, plan
from rung.runs import climb_of
from rung.workspace import workspace as w
from rung.workspace.bases import bases
from rung.workspace.workspace import Workspace

LAST = "last"


def planned(ws: Workspace, rungs: Sequence[str] = (), differences: Sequence[float] = (), run: str = "", models: Sequence[str] = ()) -> Plan:
    """The plan for the project's rungs, models and cases, with the variance of `run`; by default of the last climb, if there is one."""
    from rung.measure.bootstrap import clusters_of

    check_rungs(rungs)
    project, cases = ws.config.project, w.cases(ws)
    chosen, based = set(rungs or project.rungs or rungs_of(project.task)), bases(ws, models)
    number = sum(1 if name in SPECIALISTS else len(based) for name in chosen)
    alpha = ALPHA * WEIGHTS[-1] if project.stop_early else ALPHA
    return plan(number, len(cases), len(set(clusters_of(cases).values())), _variation(ws, run), differences or DIFFERENCES, alpha)


def _variation(ws: Workspace, run: str) -> Variation:
    from rung.measure.bootstrap import clusters_of

    try:
        earlier = climb_of(ws, run or LAST)
        scores = {one.summary.name: {s.case: s.primary for s in one.scores} for one in earlier.rungs if one.summary.ran}
        return measured(scores, clusters_of(earlier.cases), f"the run {earlier.folder.name}")
    except DataError:
        if run:  # it was named, so what is wrong with it is said
            raise
        return assumed(w.cases(ws), ws.config.project.bar)


def plan_and_show(
    folder: Path,
    rungs: Sequence[str],
    differences: Sequence[float],
    run: str,
    as_json: bool,
    changes: Mapping[str, object],
    models: Sequence[str] = (),
) -> None:
    """Print the plan as a table, or as one JSON object."""
    from rung.show import print_json

    told = planned(w.with_project(w.open_workspace(folder), changes), rungs, differences, run, models)
    print_json(asdict(told)) if as_json else _show(told)


def _show(told: Plan) -> None:
    there = f"{told.cases:,} cases" + (f" in {told.clusters:,} groups" if told.clusters < told.cases else "")
    print(f"{told.rungs} rungs, {told.pairs} pairs (Holm over all of them), {there}")
    print(f"variance of a paired difference {told.variation.variance:.3f}, {told.variation.origin}")
    if told.alpha < ALPHA:
        print(f"with --stop-early: {told.alpha / ALPHA:.0%} of the 5 % are left for the last look")
    powers = [f"{power:.0%}" for power in POWERS]
    print(f"\n{'':<14}{'cases that tell a pair, power':<36}cases that name the best of all, power")
    print(f"{'difference':<14}" + "".join(f"{power:>10}" for power in powers) + " " * 6 + "".join(f"{power:>10}" for power in powers))
    for gap in dict.fromkeys(need.difference for need in told.needs):
        row = [need for need in told.needs if need.difference == gap]
        cells = "".join(f"{need.pair:>10,}" for need in row) + " " * 6 + "".join(f"{need.best:>10,}" for need in row)
        print(f"{100 * gap:>4.3g} points   {cells}")
    shown = [f"{100 * gap:.1f} points with {float(power):.0%} power" for power, gap in told.tells.items() if gap < 1]
    print(f"\nplan: the {there} there are tell {', '.join(shown) or 'no difference at all'}")
