"""/metrics in Prometheus's text, parsed by its own client, and a dashboard whose every query names a metric that is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from serving_project import Served, asked, served, write_project
from shop_project import rung

prometheus = pytest.importorskip("prometheus_client.parser")
ROOT = Path(__file__).resolve().parents[2]
ON = "[serve]\nmetrics = true\n"
SECRET = "zanzibar"


def samples(server: Served, **headers: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    said = server.client.get("/metrics", headers=headers)
    assert said.status_code == 200, said.text
    families = prometheus.text_string_to_metric_families(said.text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(found: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_every_figure_is_there_and_no_word_of_a_client(tmp_path: Path) -> None:
    with served(write_project(tmp_path, more=ON)) as server:
        bodies = [asked(text) for text in ("What does the gear cost?", f"Who is {SECRET}?")]
        said = [server.client.post("/v1/chat/completions", json=body).json() for body in bodies]
        server.client.post("/v1/chat/completions", json=asked(SECRET, SECRET))
        server.client.get(f"/v1/{SECRET}")
        server.client.post("/v1/feedback", json={"answer": said[0]["id"], "thumb": "down", "correction": SECRET, "reason": SECRET})
        found = samples(server)
        text = server.client.get("/metrics").text
    assert SECRET not in text
    assert value(found, "rung_questions_total", model="rag", ended="answered") == 2
    assert value(found, "rung_answer_seconds_count", model="rag") == 2
    assert value(found, "rung_abstained_total", model="rag") == 1
    spent = sum(one["usage"]["prompt_tokens"] for one in said)
    assert value(found, "rung_tokens_total", model="rag", kind="prompt") == spent
    assert [value(found, "rung_feedback_total", model="rag", kind=kind) for kind in ("down", "corrected")] == [1, 1]
    assert value(found, "rung_requests_total", path="/v1/chat/completions", status="404") == 1
    assert value(found, "rung_running") == value(found, "rung_waiting") == 0
    names = {name for name, _ in found}
    board = json.loads((ROOT / "deploy" / "grafana.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [one["query"]["query"] for one in board["templating"]["list"] if isinstance(one["query"], dict)]
    asked_for = {name for query in queries for name in re.findall(r"\brung_\w+", query)}
    assert len(queries) > 10
    assert asked_for <= names, asked_for - names
    for query in queries:
        assert all(query.count(left) == query.count(right) for left, right in ("()", "{}", "[]"))
        labels = {label for _, of in found for label, _ in of}
        inside = [part for part in re.findall(r"\{([^}]*)\}", query) if part]
        assert {name for part in inside for name in re.findall(r"(\w+)(?:=~|!=|=)", part)} <= labels


def test_off_they_are_not_there_and_on_they_are_for_editors(tmp_path: Path) -> None:
    with served(write_project(tmp_path / "off")) as server:
        assert server.client.get("/metrics").status_code == 404
    shop = write_project(tmp_path / "on", more=ON)
    keys = [rung("keys", "add", role, str(shop), "--role", role).stdout.strip() for role in ("reader", "editor")]
    with served(shop) as server:
        found = [server.client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code for key in ("none", *keys)]
    assert found == [401, 403, 200]


@pytest.mark.slow
def test_workers_add_up(tmp_path: Path) -> None:
    with served(write_project(tmp_path, more=ON), "", "--workers", "2") as server:
        for _ in range(30):
            with_its_own_connection = {"Connection": "close"}
            server.client.post("/v1/chat/completions", json=asked("What does the gear cost?"), headers=with_its_own_connection)
        found = [samples(server, Connection="close") for _ in range(4)]
    assert {value(one, "rung_questions_total", model="rag", ended="answered") for one in found} == {30}
    assert {value(one, "rung_running") for one in found} == {0}
