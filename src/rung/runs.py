"""Reads the last climb of a project back from its run folder; it asks no model, opens no index and computes no score."""

from __future__ import annotations

import json
from pathlib import Path

from rung.climb import CASES, CLIMB, LOSSES, Climb, Measured
from rung.errors import DataError
from rung.measure.record import case_from_json, lines_of, score_from_json, summary_from_json, verdict_from_json
from rung.types import Case, Json
from rung.workspace.workspace import Workspace


def last_climb(ws: Workspace) -> Climb:
    """The climb that was finished last. DataError where there is none, or where its files don't fit together."""
    ended = sorted(ws.home.glob(f"runs/*/{CLIMB}"), key=lambda path: path.stat().st_mtime_ns)
    if not ended:
        raise DataError(f"{ws.folder} has no finished climb", "run `rung climb` first")
    return _opened(ended[-1].parent)


def climbs(ws: Workspace) -> list[Climb]:
    """All finished climbs of the project, the last one first."""
    ended = sorted(ws.home.glob(f"runs/*/{CLIMB}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [_opened(path.parent) for path in ended]


def climb_of(ws: Workspace, run: str) -> Climb:
    """The climb that `run` names: `last`, the start of its id, or its folder. DataError where it names none, or more than one."""
    if run == "last":
        return last_climb(ws)
    whole = [path for path in (Path(run), ws.home / "runs" / run) if run and (path / CLIMB).is_file()][:1]
    own = whole or [path.parent for path in sorted(ws.home.glob(f"runs/{run}*/{CLIMB}"))]
    if len(own) != 1:
        which = "no finished climb" if not own else f"{len(own)} climbs"
        raise DataError(f"'{run}' names {which} of {ws.folder}", "name a folder under .rung/runs, the start of its name, or last")
    return _opened(own[0])


def _opened(folder: Path) -> Climb:
    try:
        return _read(folder)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DataError(f"the climb in {folder} can't be read: {error!r}", "run `rung climb` again: it asks only what is missing") from None


def _read(folder: Path) -> Climb:
    told = json.loads((folder / CLIMB).read_bytes().decode("utf-8", "surrogatepass"))
    cases = tuple(case_from_json(row) for row in lines_of(folder / CASES))
    rungs = tuple(_rung(folder, row, cases) for row in told["rungs"])
    skipped = tuple((row["document"], row["reason"]) for row in told["skipped"])
    return Climb(verdict_from_json(told["verdict"]), rungs, cases, folder, told["facts"], told["seconds"], skipped, told.get("models", {}))


def _rung(folder: Path, row: dict[str, Json], cases: tuple[Case, ...]) -> Measured:
    from rung.measure.evaluate import recorded_answers

    summary = summary_from_json(row)
    if not summary.ran:
        return Measured(summary)
    own = folder / summary.name
    answers, scores = recorded_answers(own), {one.case: one for one in map(score_from_json, lines_of(own / "scores.jsonl"))}
    in_order = [case.id for case in cases]
    losses = tuple(lines_of(own / LOSSES))
    return Measured(summary, tuple(answers[one] for one in in_order), tuple(scores[one] for one in in_order), losses)
