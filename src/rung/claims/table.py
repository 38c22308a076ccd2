"""The verb `claims`: every claim measured on every project that can tell, in one table. A project never climbed is climbed first."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from rung.claims import money, quality, speed
from rung.claims.claim import Claim, Finding, Outcome, Scene, unmeasured
from rung.errors import ConfigError, DataError, RungError
from rung.workspace.workspace import Progress, Workspace, open_workspace, silent

CLAIMS: tuple[Claim, ...] = (*speed.CLAIMS, *quality.CLAIMS, *money.CLAIMS)
WIDTH = 124  # of the table where no terminal tells its own


@dataclass(frozen=True)
class Row:
    """A claim with what one project says of it; `project` is "" where none could tell."""

    claim: Claim
    project: str
    finding: Finding


def claims(folders: Sequence[Path], *, full: bool = False, progress: Progress = silent) -> list[Row]:
    """Measure the claims on the projects in these folders. Without `full`, what would climb or train anew is left out and says so."""
    scenes = [scene(open_workspace(folder), progress) for folder in folders]
    return [row for claim in CLAIMS for row in _rows(claim, scenes, full)]


def scene(ws: Workspace, progress: Progress = silent) -> Scene:
    """The project with its last climb, or with one made now."""
    from rung.climb import climb
    from rung.runs import last_climb

    try:
        return Scene(ws, last_climb(ws), progress)
    except DataError:
        return Scene(ws, climb(ws, progress), progress)


def projects(folder: Path | None, data: Path | None) -> list[Path]:
    """The named project and those below `data`. ConfigError where there is none."""
    below = [path.parent for path in sorted(data.glob("*/rung.toml"))] if data else []
    if data and not below:
        raise ConfigError(f"no folder in {data} holds a project", "make some: `python -m examples.scenarios NAME DATA FOLDER`")
    return [folder or Path(), *below] if folder or not data else below


def _rows(claim: Claim, scenes: Sequence[Scene], full: bool) -> Iterator[Row]:
    if claim.heavy and not full:
        yield Row(claim, "", unmeasured("it climbs or trains anew: ask for it by --full"))
        return
    found = [(one.ws.config.project.name, _measured(claim, one)) for one in scenes]
    told = [Row(claim, name, finding) for name, finding in found if finding.outcome != "not measured"]
    why: dict[str, list[str]] = {}
    for name, finding in found:
        why.setdefault(finding.measured, []).append(name)
    yield from told or [Row(claim, "", unmeasured("; ".join(f"{', '.join(names)}: {reason}" for reason, names in why.items())))]


def _measured(claim: Claim, scene: Scene) -> Finding:
    try:
        return claim.measure(scene)
    except RungError as error:  # the other claims can still be measured
        return unmeasured(f"{error.message}; {error.hint}")


def claims_and_show(folder: Path | None, data: Path | None, full: bool, as_json: bool) -> None:
    """Measure and print."""
    from rung.show import print_json, progress

    with progress(quiet=as_json) as bar:
        rows = claims(projects(folder, data), full=full, progress=bar)
    if as_json:
        print_json({"claims": [_plain(row) for row in rows]})
    else:
        _show(rows)


def _plain(row: Row) -> dict[str, object]:
    said = {"claim": row.claim.name, "sentence": row.claim.sentence, "source": row.claim.source, "project": row.project}
    return said | asdict(row.finding)


def _show(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for column, width in (("claim", 34), ("project", 11), ("measured, with 95 % intervals", 60), ("", 12)):
        table.add_column(column, max_width=width)
    for before, row in zip([None, *rows], rows, strict=False):
        first = not before or before.claim is not row.claim
        table.add_row(row.claim.sentence if first else "", row.project or "-", row.finding.measured, row.finding.outcome)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table, highlight=False)
    counts = {name: sum(row.finding.outcome == name for row in rows) for name in get_args(Outcome)}
    print(", ".join(f"{count} {name}" for name, count in counts.items()))
