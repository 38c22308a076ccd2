"""The verb `cost`: the last climb's measurements and a tariff to a table, a page with charts, and one JSON object. It asks no model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.approach.ladder import model_of
from rung.costs.costs import Costs, Measured, Range, costs, curve
from rung.costs.tariff import PACKAGED, read_tariff
from rung.errors import ConfigError, DataError
from rung.report.money import money, page

if TYPE_CHECKING:
    from rung.climb import Climb
    from rung.climb import Measured as Climbed
    from rung.workspace.workspace import Workspace

SHOWN = 6  # crossings and deciders in the terminal; the page and --json have all


def cost_and_show(folder: Path, prices: Path | None, questions_day: float | None, months: float | None, hosted: str, as_json: bool) -> None:
    """Everything a climb's rungs cost, with the page beside the climb's report."""
    from rung.report.html import write_page
    from rung.runs import last_climb
    from rung.show import print_json
    from rung.workspace.workspace import open_workspace

    ws = open_workspace(folder)
    climbed = last_climb(ws)
    found = costs_of(ws, climbed, prices, questions_day, months, hosted)
    path = climbed.folder / "cost.html"
    write_page(page(_page(ws.config.project.name, found)), path)
    if as_json:
        print_json(asdict(found) | {"tariff": found.tariff.model_dump(), "page": str(path)})
    else:
        _show(found)
        print(f"page: {path}")


def write_tariff(path: Path) -> None:
    """The packaged tariff as a file to start from; one that is there stays."""
    if path.exists():
        raise ConfigError(f"{path} is there already", "name another file, or edit that one")
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(PACKAGED.read_bytes())
    os.replace(temporary, path)
    print(f"wrote {path}")


def costs_of(
    ws: Workspace, climbed: Climb, prices: Path | None, questions_day: float | None, months: float | None, hosted: str = "auto"
) -> Costs:
    """The costs of the rungs that ran. Prices of `rung.toml` go before the packaged ones, those of a file before both.

    `hosted`: "yes" pays for tokens, "no" for the machine's time, "auto" goes by where the model ran.
    """
    from rung.measure.bootstrap import clusters_of
    from rung.workspace import workspace as w
    from rung.workspace.bases import answering_by

    if hosted not in ("yes", "no", "auto"):
        raise ConfigError(f"--hosted is '{hosted}'", "write yes, no or auto")
    ran = [one for one in climbed.rungs if one.summary.ran]
    if not ran:
        raise DataError("no rung of the last climb ran", "`rung report` says why; mend it and climb again")
    use = {"questions_day": questions_day or ws.config.prices.questions_day or None, "months": months}
    changes: dict[str, dict[str, Any]] = {"use": {key: value for key, value in use.items() if value is not None}}
    if prices is None:
        own = ws.config.prices
        told = {key: getattr(own, key) for key in ("input", "cached_input", "output") if getattr(own, key)}
        changes |= {"tokens": told, "machines": {"hour": own.machine_hour} if own.machine_hour else {}}
    by_model = {label: answering_by(ws, spec) for label, spec in climbed.models.items()}
    measured = [_measured(one, by_model.get(model_of(one.summary.name), ws), hosted, ws) for one in ran]
    paid = any(one.hosted for one in measured)
    examples = int(climbed.facts["examples"]) if "examples" in climbed.facts else len(w.examples(ws))  # older runs don't tell
    return costs(measured, clusters_of(climbed.cases), read_tariff(prices, changes), examples, hosted=paid)


def _measured(one: Climbed, own: Workspace, hosted: str, ws: Workspace) -> Measured:
    """A rung with how its own model is paid for."""
    from rung.workspace.privacy import remote

    paid = remote(own.config.model.name) if hosted == "auto" else hosted == "yes"
    prices, hours = own.config.prices, sum(line.get("seconds", 0) for line in one.losses) / 3600
    tokens = (prices.input, prices.cached_input, prices.output) if prices is not ws.config.prices else None
    return Measured(one.summary.name, one.answers, one.scores, hours, paid, tokens)


def _page(project: str, found: Costs) -> dict[str, Any]:
    """What the page draws."""
    volumes = _volumes(found)
    return {
        "project": project,
        "costs": asdict(found) | {"tariff": found.tariff.model_dump()},
        "volumes": volumes,
        "curves": {one.name: curve(one, volumes, found.months) for one in found.rungs},
    }


def _volumes(found: Costs) -> list[float]:
    """Questions a month from a hundredth of the present to a hundred times it, and further where a crossing lies."""
    low, high = found.questions_month / 100, found.questions_month * 100
    for crossing in found.crossings:
        at = crossing.volume.estimate or found.questions_month
        low, high = min(low, at / 3), max(high, at * 3) if at < found.questions_month * 1e6 else high
    return [low * (high / low) ** (step / 60) for step in range(61)]


def _show(found: Costs) -> None:
    from rich.console import Console
    from rich.table import Table

    currency = found.tariff.currency
    paid = "tokens of a hosted model" if found.hosted else "time on your own machine"
    print(f"{found.questions_month:,.0f} questions a month for {found.months:g} months; {paid}; prices {found.tariff.version}, {currency}")
    table = Table(box=None, pad_edge=False)
    for column in ("rung", "right", "to build", "a month", f"in {found.months:g} months", "per 1,000", "per correct, 95 %"):
        table.add_column(column, justify="left" if column == "rung" else "right", overflow="fold")
    for one in found.rungs:
        right = "-" if one.running.right is None else f"{100 * one.running.right:.0f} %"
        cells = [money(one.running.up_front), money(one.month.estimate), money(one.total.estimate), money(one.per_1000.estimate)]
        table.add_row(one.name.replace("@", "\n@"), right, *cells, spread(one.per_correct))
    Console().print(table, highlight=False)
    for crossing in sorted(found.crossings, key=lambda c: c.volume.estimate or 0)[:SHOWN]:
        after = f", {crossing.months.estimate:.1f} months at this volume" if crossing.months.estimate else ""
        print(f"{crossing.after} is cheaper than {crossing.before} from {spread(crossing.volume)} questions a month on{after}")
    if not found.crossings:
        print("no two rungs cross: whichever is cheaper for one question is cheaper at any volume")
    print(
        f"cheapest per correct answer: {found.cheapest}"
        if _right(found.rungs)
        else f"no rung answers right; the cheapest is {found.cheapest}"
    )
    for decider in found.deciders[:SHOWN]:
        print(f"  {decider.cheapest} would be, were {decider.assumption} {decider.at:.4g} and not {decider.value:g}")
    if not found.deciders:
        print("  no single assumption changes that, were it a hundred times more or less")


def _right(rungs: Sequence[Any]) -> bool:
    return any(one.running.right for one in rungs)


def spread(told: Range) -> str:
    """An estimate with its interval."""
    return "-" if told.estimate is None else f"{money(told.estimate)} ({money(told.low)} to {money(told.high)})"
