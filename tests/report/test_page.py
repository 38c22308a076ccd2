"""The whole page of two models with costs, a diagnosis and choices: strict HTML, every part named, verdict, then why, then evidence."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from rung.approach.ladder import row
from rung.costs.costs import Measured, costs
from rung.costs.tariff import read_tariff
from rung.measure.diagnose import Cause, Diagnosis, Reach, Share
from rung.measure.kept import Kept, keep, kept
from rung.measure.stats import compare_all
from rung.report.html import Report, RungReport, html
from rung.report.matrix import contrasts, matrix, told
from rung.report.terminal import table
from rung.types import Answer, Case, Interval, Score, Summary, Usage, Verdict

VOID = {"meta", "link", "input", "br", "hr", "img", "line", "circle", "path"}
CASES = [Case(f"c{n:02}", f"Question {n}?", "yes") for n in range(20)]
RIGHT = {"prompt@small": 2, "prompt@large": 9, "tuned@small": 19, "tuned@large": 20}


def rung_report(name: str, right: int) -> RungReport:
    answers = [Answer(case.question, "yes", usage=Usage(100, 10), generation_seconds=0.1) for case in CASES]
    scores = [Score(case.id, float(n < right), {"facts": float(n < right)}) for n, case in enumerate(CASES)]
    share = right / len(CASES)
    interval = Interval(share, max(0.0, share - 0.1), min(1.0, share + 0.1), 20, 20)
    note = "warning: it learned nothing (loss 2.000 before, 2.100 after)" if name == "tuned@large" else ""
    summary = Summary(name, interval, {"facts": share}, 0.1, 0.2, 0.5, 0.01, Usage(2000, 200), note)
    return RungReport(summary, answers, scores)


def found() -> Diagnosis:
    whole = Interval(0.5, 0.3, 0.7, 20, 20)
    shares = (Share("retrieval", 10, whole, tuple(f"c{n:02}" for n in range(10))),)
    causes = tuple(Cause(f"c{n:02}", "retrieval", "not found") for n in range(10))
    return Diagnosis(20, whole, causes, shares, (Reach("rag", whole),), "mend the search")


@pytest.fixture
def report() -> Report:
    rungs = [rung_report(name, right) for name, right in RIGHT.items()]
    clusters = {case.id: case.id for case in CASES}
    compared = compare_all({one.summary.name: {s.case: s.primary for s in one.scores} for one in rungs}, clusters)
    verdict = Verdict("tuned@small: 95 % right", "tuned@small", ("tuned@small",), {"prompt@small": "10 % right"}, compared, 0.8, True)
    money = costs([Measured(one.summary.name, one.answers, one.scores) for one in rungs], clusters, read_tariff(), 40, hosted=True)
    facts = {"model": "x; y", "choice of the prompt": "on a development split of 20 of 40 examples"}
    return Report("shop", "1 May 2026", verdict, rungs, CASES, facts, money, Kept("rag", "30 April 2026", found()))


class Strict(HTMLParser):
    """Refuses tags that are not closed in order, and collects ids, references to them, and headings with the text they hold."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.refers: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        assert len(held) == len(attrs), f"an attribute of {tag} stands twice"
        self.elements.append((tag, held))
        self.ids.update([held["id"] or ""] if "id" in held else [])
        self.refers += (held.get("aria-labelledby") or "").split()
        if tag in ("h1", "h2", "h3"):
            self.headings.append((tag, ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            tag, text = self.headings.pop()
            self.headings.append((tag, text + data))


def parsed(page: str) -> Strict:
    reader = Strict()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_it_is_strict_and_accessible(report: Report) -> None:
    page = parsed(html(report))
    assert max(page.ids.values()) == 1
    assert set(page.refers) <= set(page.ids)
    assert page.elements[0] == ("html", {"lang": "en"})
    for tag, attributes in page.elements:
        if tag == "th":
            assert attributes.get("scope") in ("col", "row")
        if tag == "section":
            assert attributes.get("aria-labelledby") or attributes.get("aria-label")
        if tag == "svg":
            assert attributes["role"] == "img"
    levels = [int(tag[1]) for tag, _ in page.headings]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_verdict_comes_first_then_why_then_the_evidence(report: Report) -> None:
    headings = [text for _, text in parsed(html(report)).headings]
    order = ["tuned@small: 95 % right", "Why", "Why answers are wrong", "The rungs", "Rungs and models", "What it costs"]
    order += ["The cases", "What was chosen, and on which rows", "What made this"]
    assert [text for text in headings if text in order] == order


def test_it_holds_costs_diagnosis_warnings_and_choices(report: Report) -> None:
    page = html(report)
    assert "it learned nothing (loss 2.000 before, 2.100 after)" in page
    assert "mend the search" in page
    assert "50 % (30-70)" in page
    assert "per correct answer, 95 % interval" in page
    assert "on a development split of 20 of 40 examples" in page
    assert page.count("<svg") == 1
    assert "No prices are set" not in page


def test_one_model_has_no_matrix_and_nothing_more_is_needed(report: Report) -> None:
    plain = replace(report, rungs=[rung_report("prompt", 3)], costs=None, diagnosis=None, facts={"model": "x"})
    page = html(replace(plain, verdict=replace(report.verdict, comparisons=())))
    parsed(page)
    for words in ("Rungs and models", "What it costs", "Why answers are wrong", "What was chosen", "<svg"):
        assert words not in page


def test_a_small_tuned_model_against_a_large_prompted_one_is_a_row(report: Report) -> None:
    summaries = [one.summary for one in report.rungs]
    shape = matrix(summaries)
    assert shape
    assert (shape.rungs, shape.models) == (("prompt", "tuned"), ("small", "large"))
    rows = {(one.tuned.name, one.prompted.name): one for one in contrasts(summaries, report.verdict)}
    assert set(rows) == {("tuned@small", "prompt@large"), ("tuned@large", "prompt@small")}
    one = rows["tuned@small", "prompt@large"]
    assert one.difference.estimate == pytest.approx(0.5)
    assert one.difference.low > 0
    assert one.tells
    assert "+50 points" in told(one)
    assert "better; 1,000 answers 0.5 against 0.5" in told(one)
    back = contrasts(summaries[::-1], replace(report.verdict, comparisons=compared_backwards(report)))
    assert {(c.tuned.name, round(c.difference.estimate, 6)) for c in back} == {
        (c.tuned.name, round(c.difference.estimate, 6)) for c in rows.values()
    }
    out = io.StringIO()
    table(report, Console(file=out, width=100))
    assert "tuned@small against prompt@large" in out.getvalue()
    assert row("rag", "small") in ("rag@small",)


def compared_backwards(report: Report) -> tuple:  # type: ignore[type-arg]
    scores = {one.summary.name: {s.case: s.primary for s in one.scores} for one in reversed(report.rungs)}
    return compare_all(scores, {case.id: case.id for case in CASES})


def test_a_diagnosis_is_kept_whole(tmp_path: Path) -> None:
    from rung.errors import DataError

    assert kept(tmp_path) is None
    keep(tmp_path, "rag", found())
    back = kept(tmp_path)
    assert back
    assert (back.system, back.found) == ("rag", found())
    (tmp_path / "diagnoses" / "last.json").write_text("{")
    with pytest.raises(DataError, match="can't be read"):
        kept(tmp_path)
