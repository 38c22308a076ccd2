"""Canaries: cases asked of a real server and compared with the climb; worse documents make them worse, and they are no traffic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from serving_project import asked, served, write_project
from shop_project import refused, rung

from rung.monitoring.canary import last_canary
from rung.monitoring.watch import watch
from rung.workspace import trail
from rung.workspace.store import open_store
from rung.workspace.workspace import open_workspace

GOODS = {f"part{chr(97 + n)}": f"{10 + n} euros" for n in range(8)}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    documents = {f"{part}.md": f"# The {part}\n\nThe {part} costs {price}.\n" for part, price in GOODS.items()}
    folder = write_project(tmp_path_factory.mktemp("shop"), documents=documents)
    cases = [{"id": part, "question": f"What does the {part} cost?", "answer": price} for part, price in GOODS.items()]
    (folder / "cases.jsonl").write_text("".join(json.dumps(one) + "\n" for one in cases))
    done = rung("climb", str(folder), "--rung", "rag")
    assert done.returncode == 0, done.stderr
    return folder


def test_they_hold_and_then_become_worse(shop: Path) -> None:
    with served(shop) as server:
        server.client.post("/v1/chat/completions", json=asked("What does the parta cost?"))
        held = rung("watch", str(shop), "--canary", "--url", server.url)
    assert (held.returncode, held.stdout.split(":")[1].strip()) == (0, "rag holds"), held.stdout + held.stderr
    for part in GOODS:
        (shop / "docs" / f"{part}.md").write_text(f"# The {part}\n\nThe {part} costs 999 euros.\n")
    with served(shop) as server:
        worse = rung("watch", str(shop), "--canary", "--url", f"{server.url}/v1", "--json")
    told = json.loads(worse.stdout)
    assert worse.returncode == 1
    assert told["change"]["worse"]
    assert sorted(told["change"]["lost"]) == sorted(GOODS)
    assert told["altered"] == ["source"]
    ws = open_workspace(shop)
    store = open_store(ws)
    canary = last_canary(store)
    assert canary
    assert canary.words.startswith("rag became worse: 100% then, 0% now on 8 cases")
    assert "the documents or the search changed" in canary.words
    done = watch(ws, store)
    assert done.now.questions == 1, "canaries are no traffic"
    assert done.sayings[0].what == "climb"
    assert [entry.kind for entry in trail.entries(store)].count("canary") == 2
    trail.verify(store)
    store.close()


def test_nobody_there_a_key_missing_or_a_model_that_was_not_measured(shop: Path) -> None:
    refused(rung("watch", str(shop), "--canary", "--url", "http://127.0.0.1:9"), "does not answer", "rung serve")
    refused(rung("watch", str(shop), "--canary", "--url", "nonsense"), "no address")
    refused(rung("watch", str(shop), "--canary", "--model", "prompt"), "did not measure")


def test_without_a_climb_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    refused(rung("watch", str(write_project(tmp_path)), "--canary"), "no finished climb")
