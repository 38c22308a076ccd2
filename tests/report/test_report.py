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
from rung.report.terminal import columns, table, verdict_text
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
    assert "…" not in shown
    assert verdict_text(report.verdict).startswith("rag: 40 % right\n")


def test_the_table_has_the_columns_that_apply(report: Report) -> None:
    summary = next(rung.summary for rung in report.rungs if rung.summary.ran)
    free = replace(summary, parts={"macro_f1": 0.5}, usage=Usage(100, 10, 0), cost_per_1000=0.0, cost_per_correct=None)
    assert list(columns([free])) == ["rung", "right", "95 %", "macro F1", "p50 s"]
    cached = replace(free, parts={"facts": 1.0}, usage=Usage(100, 10, 92), cost_per_1000=2.0)
    shown = columns([cached, free])
    assert (shown["cached"], shown["facts"], shown["1 right"]) == (["92%", "0%"], ["100%", "–"], ["–", "–"])


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
