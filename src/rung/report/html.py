"""The climb as one HTML file that opens from disk: no request leaves it, and no answer can become markup."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import RungError
from rung.measure.diagnose import CLASSES
from rung.report import address
from rung.report.columns import parts_of, priced
from rung.report.diagnosed import spread
from rung.report.matrix import cell, contrasts, matrix
from rung.report.money import money, money_range
from rung.report.svg import Point, chart
from rung.types import Answer, Case, Score, Summary, Verdict

if TYPE_CHECKING:
    from rung.costs.costs import Costs
    from rung.measure.kept import Kept

HERE = Path(__file__).parent
LONGER = {"citation_recall": "evidence cited", "abstention_recall": "says unknown"}  # there is more room than in a terminal
FAULTS = {"label": "label wrong", "valid": "not as the schema says", "field_f1": "fields wrong", "form": "form wrong"}


@dataclass(frozen=True)
class RungReport:
    """A rung with its answers and scores (by case id), and its adapter's loss curve."""

    summary: Summary
    answers: Sequence[Answer] = ()
    scores: Sequence[Score] = ()
    losses: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True)
class Report:
    """All that a report shows. `cases` are in order of id, as each rung's answers are."""

    project: str
    made: str
    verdict: Verdict
    rungs: Sequence[RungReport]
    cases: Sequence[Case]
    facts: Mapping[str, str]
    costs: Costs | None = None
    diagnosis: Kept | None = None  # the project's last
    judged: Sequence[str] = ()  # what a judge said of each rung, in words


def html(report: Report) -> str:
    """The whole page."""
    every = [rung.summary for rung in report.rungs]
    ran = [one for one in every if one.ran]
    return rendered(
        "page",
        _data(report),
        {"spread": spread, "cell": cell, "money": money, "range": money_range},
        report=report,
        ran=ran,
        parts=_headings(ran),
        address=address,
        priced=priced(ran),
        skipped=[one for one in every if not one.ran],
        classes=CLASSES,
        matrix=matrix(every),
        contrasts=contrasts(every, report.verdict),
        money_of=lambda summary: _price(report, summary),
        chart=chart(_points(report), report.verdict.bar, report.costs.tariff.currency) if report.costs else "",
        choices={name: how for name, how in report.facts.items() if name.startswith("choice of ")},
    )


def _price(report: Report, summary: Summary) -> str:
    """What 1,000 answers of a rung cost, with the interval where costs were worked out."""
    found = [one.per_1000 for one in report.costs.rungs if one.name == summary.name] if report.costs else []
    return money_range(found[0]) if found else f"{summary.cost_per_1000:.4g}"


def _points(report: Report) -> list[Point]:
    by_name = {rung.summary.name: rung.summary.primary for rung in report.rungs}
    points = []
    for one in report.costs.rungs if report.costs else ():
        right, told = by_name[one.name], one.per_1000
        estimate = told.estimate or 0.0
        cost = (estimate, estimate if told.low is None else told.low, estimate if told.high is None else told.high)
        points.append(Point(one.name, cost, (right.estimate, right.low, right.high), one.name == report.verdict.chosen))
    return points


def rendered(name: str, data: object, filters: Mapping[str, Callable[..., str]] | None = None, **told: object) -> str:
    """The page of `name`.html with its script, our style and charts, and `data` for the script."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    environment.filters.update(filters or {})
    return environment.get_template(f"{name}.html").render(
        data=inert(data),
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / f"{name}.js").read_text(encoding="utf-8"),
        charts=(HERE / "vendor" / "echarts.common.min.js").read_text(encoding="utf-8"),
        **told,
    )


def write_html(report: Report, path: Path) -> None:
    """Write the page, replacing an older one at once. RungError where that fails."""
    write_page(html(report), path)


def write_page(page: str, path: Path) -> None:
    """Write a page, replacing an older one at once. RungError where that fails."""
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_text(page, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise RungError(f"{path} can't be written: {error.strerror}", "free some space or mend the folder's permissions") from None


def inert(value: object) -> str:
    """JSON that can stand in a script element: no text in it can end the element or start a comment."""
    told = json.dumps(value, ensure_ascii=False)
    for character, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        told = told.replace(character, code)
    return told


def _headings(ran: Sequence[Summary]) -> dict[str, str]:
    return parts_of(ran) | {part: words for part, words in LONGER.items() if part in parts_of(ran)}


def _data(report: Report) -> dict[str, Any]:
    ran = [rung.summary for rung in report.rungs if rung.summary.ran]
    return {
        "parts": _headings(ran),
        "priced": priced(ran),
        "bar": report.verdict.bar,
        "chosen": report.verdict.chosen,
        "rungs": [_rung(rung) for rung in report.rungs if rung.summary.ran],
        "cases": [
            {"id": c.id, "question": c.question, "ideal": c.text, "tags": list(c.tags), "documents": [e.document for e in c.evidence]}
            for c in report.cases
        ],
    }


def _rung(rung: RungReport) -> dict[str, Any]:
    summary = rung.summary
    return {
        "name": summary.name,
        "estimate": summary.primary.estimate,
        "low": summary.primary.low,
        "high": summary.primary.high,
        "parts": dict(summary.parts),
        "cost": summary.cost_per_1000,
        "seconds": summary.seconds_p50,
        "losses": [dict(line) for line in rung.losses],
        "answers": [_answer(a, s) for a, s in zip(rung.answers, rung.scores, strict=True)],
    }


def _answer(answer: Answer, score: Score) -> dict[str, Any]:
    cited = {citation.marker for citation in answer.citations}
    return {
        "text": answer.text,
        "primary": score.primary,
        "faults": faults(answer, score),
        "sources": [
            {"n": n, "document": hit.passage.document, "cited": n in cited, "text": hit.passage.text.strip()}
            for n, hit in enumerate(answer.hits, 1)
        ],
    }


def faults(answer: Answer, score: Score) -> list[str]:
    """What is wrong with an answer, in words."""
    unknown = score.parts.get("facts") == 0.0 and score.parts.get("abstained") == 1.0
    said = {"facts": "says it doesn't know" if unknown else "facts wrong"} | FAULTS
    found = [words for part, words in said.items() if score.parts.get(part, 1.0) < 1.0]
    if score.parts.get("false_answer", 0.0) > 0:
        found.append("answered what nothing states")
    if any(not citation.passage for citation in answer.citations):
        found.append("cites a passage that is not there")
    elif score.parts.get("citation_precision", 1.0) < 1.0:
        found.append("cites the wrong passage")
    return found
