"""What `rung watch` says of traffic that is known: figures by hand, gaps that are there, and sentences only where figures ask."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from serving_project import write_project
from shop_project import refused, rung

from rung.monitoring.figures import DAY, HOUR, window, windows
from rung.monitoring.gaps import Gap, Heard
from rung.monitoring.watch import Watched, watch
from rung.monitoring.words import Seen, sayings
from rung.types import Answer, Hit, Passage
from rung.workspace import trail
from rung.workspace.feedback import Feedback, give
from rung.workspace.store import Run, Store, open_store
from rung.workspace.traffic import Traffic, figures, keep
from rung.workspace.workspace import Workspace, open_workspace, sync_knowledge

NOW = 1_790_000_000.0
ROW = Traffic("a", 1, NOW - 10, "anna", "rag", "answered", 1.0, 0.1, 10, 5, 2, 0.5, 1, 0.9, False, 2, 0)
MORE = '[prompt]\n[project]\nexamples = "examples.jsonl"\n'
PARTS = ["gear", "valve", "pump"]


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    write_project(tmp_path, more=MORE)
    cases = [{"id": f"c{n}", "question": f"What does the {part} cost, number {n}?", "answer": "x"} for n in range(8) for part in PARTS[:1]]
    examples = [{"id": f"e{n}", "question": f"What does the {PARTS[n % 3]} cost today, {n}?", "answer": "x"} for n in range(24)]
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(one) + "\n" for one in cases))
    (tmp_path / "examples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in examples))
    ws = open_workspace(tmp_path)
    sync_knowledge(ws)
    return ws


def serve(store: Store, question: str, at: float, text: str = "40 euros", *, words: bool = True) -> str:
    """An answer as the server notes it."""
    made = Answer(question, text, hits=(Hit(Passage("p", "gear.md", 0, 1, "x"), 1.0),))
    told = {"who": "anna", "model": "rag", "ended": "answered", "refusal": "No."}

    def work(run: Run) -> str:
        content = {"question": question, "answer": text, "documents": ["gear.md"]} if words else None
        entry = trail.append(run, "question", "anna", {}, content)
        keep(run, figures(made, id=f"a{entry.number}", entry=entry.number, at=at, seconds=0.5, money=0.1, **told))
        return f"a{entry.number}"

    return store.write(work)


def test_a_window_counts_what_began_in_it() -> None:
    rows = [replace(ROW, id=str(n), at=NOW - n, seconds=n / 10, unsupported=n % 2) for n in range(1, 11)]
    rows += [replace(ROW, id="f", ended="engine_failed", seconds=9.0), replace(ROW, id="l", ended="client_closed_request", model="prompt")]
    said = [Feedback(1, "3", NOW, "ben", "down", "better"), Feedback(2, "4", NOW, "ben", "up"), Feedback(3, "elsewhere", NOW, "ben", "up")]
    found = window(rows, said, NOW - DAY, NOW)
    assert (found.questions, found.failed, found.left, found.answered) == (12, 1, 1, 10)
    assert (found.seconds_p50, found.seconds_p99) == (pytest.approx(0.55), pytest.approx(0.991))
    assert (found.prompt, found.money, found.checked, found.unsupported) == (120, 6.0, 10, 5)
    assert (found.up, found.down, found.corrected) == (1, 1, 1)
    assert window(rows, said, NOW - DAY, NOW, "prompt").questions == 1
    assert window(rows, [], NOW, NOW + 1).seconds_p50 is None


@pytest.mark.parametrize(("span", "count"), [(HOUR, 1), (DAY, 24), (7 * DAY, 28), (30 * DAY, 30), (90 * DAY, 13), (1.5 * HOUR, 2)])
def test_windows_cover_the_span_once(span: float, count: int) -> None:
    found = windows([replace(ROW, at=NOW - 1)], [], NOW - span, NOW)
    assert len(found) == count
    assert (found[0].since, found[-1].until) == (NOW - span, NOW)
    assert all(one.until == other.since for one, other in itertools.pairwise(found))
    assert sum(one.questions for one in found) == 1


def seen(**changed: object) -> Seen:
    quiet = window([replace(ROW, id=str(n)) for n in range(100)], [], NOW - DAY, NOW)
    return replace(Seen(quiet, quiet, Heard(100), (), 0, None, None, False), **changed)  # type: ignore[arg-type]


def test_nothing_is_said_where_nothing_is_to_be_done() -> None:
    assert sayings(seen()) == ()
    chance = replace(seen().now, abstained=3)
    assert sayings(seen(now=chance)) == (), "three in a hundred where there were none is chance"


def test_each_sentence_has_its_figure() -> None:
    few = Gap("Where is it?", 2, ("Where is it?",), ("a",), "", 0.1, near=False)
    gap = replace(few, count=5)
    assert sayings(seen(heard=Heard(100, (few,)))) == ()
    [said] = sayings(seen(heard=Heard(100, (gap,))))
    assert said.what == "documents"
    assert "5 of 100 questions (5%)" in said.sentence
    assert "Where is it?" in said.sentence
    assert [one.what for one in sayings(seen(heard=Heard(100, (replace(gap, near=True, nearest="gear.md"),))))] == ["search"]
    assert [one.what for one in sayings(seen(learnable=10))] == ["retrain"]
    assert sayings(seen(learnable=9)) == ()
    worse = replace(seen().now, failed=20, abstained=40, unsupported=30, down=20, up=5)
    past = replace(seen().now, down=5, up=40)
    assert [one.what for one in sayings(seen(now=worse, before=past))] == ["engine", "climb"]
    assert [one.what for one in sayings(seen(now=worse, before=past, trained=True))] == ["engine", "retrain", "climb"]
    assert [one.what for one in sayings(seen(slowest=0.9))] == ["speed"]
    assert sayings(seen(slowest=1.1)) == ()


def said_by(ws: Workspace) -> tuple[Watched, Store]:
    store = open_store(ws)
    return watch(ws, store, DAY, NOW), store


def test_gaps_are_found_grouped_and_named(shop: Workspace) -> None:
    store = open_store(shop)
    for n in range(12):
        serve(store, f"What does the gear cost, number {n}?", NOW - 60 * n - 1)
    for text in ("Who repairs broken windows?", "Who repairs broken windows here?", "Who repairs the broken windows?"):
        serve(store, text, NOW - 30, "I don't know.")
    serve(store, "What does the pump cost?", NOW - 20, "I don't know.")
    corrected = serve(store, "What does the crane cost?", NOW - 20)
    give(store, corrected, "anna", "down", "900 euros")
    store.close()
    done, store = said_by(shop)
    store.close()
    assert done.words
    assert done.heard.questions == 17
    assert done.heard.low is not None
    first = done.heard.gaps[0]
    assert (first.name, first.count, first.near) == ("Who repairs broken windows?", 3, False)
    assert any(gap.name == "What does the pump cost?" and gap.near and gap.nearest == "pump.md" for gap in done.heard.gaps)
    assert "documents" in [one.what for one in done.sayings]
    proposed = {one.question: one for one in done.proposed}
    assert (proposed["What does the crane cost?"].answer, proposed["What does the crane cost?"].take) == ("900 euros", corrected)
    assert proposed["Who repairs broken windows?"].answer == ""


def test_what_is_asked_moves_from_the_cases_and_from_before(shop: Workspace) -> None:
    cases = [{"id": f"c{n}", "question": f"What does the gear cost, number {n}?", "answer": "x"} for n in range(20)]
    (shop.folder / "cases.jsonl").write_text("".join(json.dumps(one) + "\n" for one in cases))
    store = open_store(shop)
    for n in range(30):
        serve(store, f"What does the gear cost, number {n}?", NOW - DAY - 60 * n - 1)
        serve(store, f"How do I return order {n} by post?", NOW - 60 * n - 1)
    done, _ = watch(shop, store, DAY, NOW), store.close()
    assert done.heard.since_before
    assert done.heard.since_before.told
    assert done.heard.since_cases
    assert done.heard.since_cases.told
    assert [one.what for one in done.sayings if one.what == "climb"] == ["climb"]
    assert any("return order" in one.question for one in done.proposed)


def test_without_words_there_are_figures_and_it_says_so(shop: Workspace) -> None:
    store = open_store(shop)
    serve(store, "What does the gear cost?", time.time() - 5, "I don't know.", words=False)
    store.close()
    done = rung("watch", str(shop.folder))
    assert done.returncode == 0, done.stderr
    assert "1 question" in done.stdout
    assert "no question still has its words" in done.stdout
    told = json.loads(rung("watch", str(shop.folder), "--json", "--since", "1h").stdout)
    assert (told["now"]["questions"], told["now"]["abstained"], told["words"], told["heard"]["gaps"]) == (1, 1, False, [])


def test_a_server_that_was_never_asked_and_words_that_make_no_sense(shop: Workspace) -> None:
    done = rung("watch", str(shop.folder))
    assert done.returncode == 0
    assert "0 questions" in done.stdout
    refused(rung("watch", str(shop.folder), "--since", "soon"), "no age")
    refused(rung("watch", str(shop.folder), "--take", "x"), "--as case")
    refused(rung("watch", str(shop.folder), "--take", "x", "--as", "case"), "no feedback")
