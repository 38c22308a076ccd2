"""The report holds every rung and case, asks for nothing, and lets no text become markup."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from rung.report.html import Report, RungReport, faults, html, inert, write_html
from rung.report.terminal import table, verdict_text
from rung.types import Answer, Case, Citation, Hit, Interval, Passage, Score, Summary, Usage, Verdict

HOSTILE = "</script><script>document.title='broken'</script><!-- \u2028 <img src=x onerror=document.title='broken'>"

PROBE = """<script>addEventListener('load', () => {
  const over = document.documentElement.scrollWidth - window.innerWidth, count = what => document.querySelectorAll(what).length;
  document.body.dataset.probe = JSON.stringify([window.failed || '', over, count('canvas'), count('article'), document.title]);
})</script>"""
ASK = "onload = () => setTimeout(() => document.body.append(document.getElementById('f').contentDocument.body.dataset.probe), 500)"


def summary(name: str, right: float, ran: bool = True) -> Summary:
    interval = Interval(right, right - 0.1, min(right + 0.1, 1), 3, 3)
    return Summary(
        name, interval, {"facts": right, "form": 0.5}, 0.2, 0.4, 0.01, 0.02, Usage(10, 5, 2), note="too long" if not ran else "", ran=ran
    )


@pytest.fixture
def report() -> Report:
    cases = [Case(f"c{i}", f"Question {i} {HOSTILE}", f"ideal {i}") for i in range(3)]
    hits = (Hit(Passage("p", "d.md", 0, 5, HOSTILE, ("T",)), 1.0),)
    answers = [Answer(c.question, f"said {HOSTILE}", (Citation(1, "p", "d.md", 0, 5), Citation(4, "")), hits) for c in cases]
    scores = [Score(c.id, float(i % 2), {"facts": float(i % 2), "form": 1.0}) for i, c in enumerate(cases)]
    losses = [{"step": 1, "tokens": 5, "loss": 2.0}, {"step": 2, "tokens": 5, "loss": 1.0, "val_loss": 1.2}]
    rungs = [RungReport(summary("rag", 0.4), answers, scores), RungReport(summary("tuned", 0.5), answers, scores, losses)]
    rungs.append(RungReport(summary("long-context", 0.0, ran=False)))
    verdict = Verdict("rag: 40 % right", "rag", ("rag",), {"tuned": "not distinguishable", "long-context": "too long"}, bar=0.3, met=True)
    return Report("shop", "1 May 2026", verdict, rungs, cases, {"model": "x"})


class References(HTMLParser):
    """What a page would fetch, and the elements in it."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]


def test_the_page_fetches_nothing_and_hostile_text_stays_text(report: Report) -> None:
    page, parser = html(report), References()
    parser.feed(page)
    assert parser.fetched == []
    assert "img" not in parser.tags
    assert parser.tags.count("script") == 3
    source = Path(__file__).parents[2] / "src" / "rung" / "report"
    own = (source / "page.css").read_text() + (source / "page.js").read_text()
    assert not re.search(r"https?://|url\(|fetch\(|import\(|innerHTML", own)


def test_every_case_and_rung_is_in_the_data(report: Report) -> None:
    told = re.search(r'<script type="application/json" id="data">(.*?)</script>', html(report), re.S)
    assert told
    data = json.loads(told.group(1))
    assert [case["id"] for case in data["cases"]] == ["c0", "c1", "c2"]
    assert [rung["name"] for rung in data["rungs"]] == ["rag", "tuned"]
    assert data["rungs"][0]["answers"][1]["text"] == f"said {HOSTILE}"


def test_a_rung_that_did_not_run_is_named_with_its_reason(report: Report) -> None:
    assert "long-context" in html(report)
    assert "too long" in html(report)


def test_inert_json_round_trips() -> None:
    assert json.loads(inert(HOSTILE)) == HOSTILE
    assert "<" not in inert(HOSTILE)


def test_faults_are_named() -> None:
    answer = Answer("q", "a", (Citation(4, ""),))
    assert faults(answer, Score("c", 0.0, {"facts": 0.0, "form": 0.0})) == [
        "facts wrong",
        "form wrong",
        "cites a passage that is not there",
    ]
    assert faults(Answer("q", "a"), Score("c", 1.0, {"facts": 1.0})) == []


def test_writing_replaces_the_page_and_leaves_nothing_behind(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_html(report, path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_the_terminal_shows_each_rung_and_reason(report: Report) -> None:
    out = io.StringIO()
    table(report, Console(file=out, width=160))
    shown = out.getvalue()
    assert "rag" in shown
    assert "40.0%" in shown
    assert "long-context: too long" in shown
    assert verdict_text(report.verdict).startswith("rag: 40 % right\n")


def of_parts(report: Report, parts: dict[str, float], cost: float) -> Report:
    rungs = [replace(rung, summary=replace(rung.summary, parts=parts, cost_per_1000=cost)) for rung in report.rungs]
    return replace(report, rungs=rungs)


def printed(report: Report, width: int) -> str:
    out = io.StringIO()
    table(report, Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize(
    ("parts", "headings"),
    [
        ({"facts": 1.0, "form": 1.0, "citation_recall": 1.0, "abstention_recall": 1.0}, ["facts", "form", "cited", "unknown"]),
        ({"label": 1.0, "macro_f1": 0.5, "accuracy": 1.0}, ["label", "macro F1"]),
        ({"field_f1": 1.0, "valid": 1.0}, ["fields", "valid"]),
    ],
)
def test_the_columns_are_those_of_the_task_and_fit_80_letters(report: Report, parts: dict[str, float], headings: list[str]) -> None:
    shown = printed(of_parts(report, parts, 1234.5), 80)
    assert "…" not in shown
    assert all(heading in shown for heading in (*headings, "per 1,000", "per right"))
    assert "100%" in shown
    page = html(of_parts(report, parts, 1234.5))
    assert "cost per 1,000" in page
    assert ("evidence cited</th>" in page) is ("citation_recall" in parts)


def test_with_several_models_no_number_is_cut_off(report: Report) -> None:
    parts = {"facts": 1.0, "form": 1.0, "citation_recall": 1.0, "abstention_recall": 1.0}
    priced = of_parts(report, parts, 1234.5)
    rows = [
        replace(one, summary=replace(one.summary, name=f"long-context@{model}")) for one, model in zip(priced.rungs, "abc", strict=True)
    ]
    named = replace(priced, rungs=rows)
    assert "long-context@a" in printed(named, 160)
    narrow = printed(named, 80)
    assert "…" not in narrow
    assert "long-context " in narrow
    assert "40.0%" in narrow


def test_without_prices_nothing_is_said_to_cost_nothing(report: Report) -> None:
    free = of_parts(report, {"facts": 1.0}, 0.0)
    assert "per 1,000" not in printed(free, 80)
    assert "Quality against cost" not in html(free)
    assert "No prices are set" in html(free)


def test_reasons_are_not_broken_into_lines_where_output_is_a_file(report: Report) -> None:
    long = replace(report, verdict=replace(report.verdict, reasons={"tuned": "word " * 60}))
    assert f"  tuned: {'word ' * 60}".rstrip() in printed(long, 80)


def test_faults_of_labels_and_fields_are_named() -> None:
    assert faults(Answer("q", "a"), Score("c", 0.0, {"label": 0.0})) == ["label wrong"]
    assert faults(Answer("q", "a"), Score("c", 0.0, {"valid": 0.0, "field_f1": 0.5})) == ["not as the schema says", "fields wrong"]
    assert faults(Answer("q", "I don't know."), Score("c", 0.0, {"facts": 0.0, "abstained": 1.0})) == ["says it doesn't know"]


@pytest.mark.parametrize("width", [1280, 390])
def test_a_real_browser_draws_it_without_errors_or_overflow(report: Report, tmp_path: Path, width: int) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium on this machine")
    path = tmp_path / "report.html"
    head, tail = html(report).rsplit("</body>", 1)
    page = head.replace("<main>", "<script>window.onerror = m => { window.failed = m }</script><main>", 1) + PROBE + "</body>" + tail
    path.write_text(page, encoding="utf-8")
    frame = tmp_path / "frame.html"  # headless windows are at least 500 wide, so the phone is a frame
    shape = f"width:{width}px;height:900px;border:0"
    frame.write_text(f'<iframe id="f" src="report.html" style="{shape}"></iframe><script>{ASK}</script>')
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--allow-file-access-from-files"]
    command = [browser, *options, "--virtual-time-budget=8000", "--dump-dom", frame.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    probed = re.search(r"\[.*\]", done.stdout.split("</script>")[-1])
    assert probed, done.stdout[-500:] + done.stderr[-500:]
    failed, over, canvases, articles, title = json.loads(probed.group(0))
    assert failed == ""
    assert over <= 0
    assert canvases >= 4
    assert articles == 3
    assert title == "shop – rung"
