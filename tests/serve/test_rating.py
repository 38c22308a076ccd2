"""Feedback over HTTP: every answer can be rated by whoever got it, and what lists keep apart stays apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving_project import Served, asked, served, write_project
from shop_project import rung

MORE = """\
[prompt]
[project]
examples = "examples.jsonl"
[access]
on = true
rules = [{documents = "**", readers = ["everyone"]}, {documents = "pump.md", readers = ["anna"]}]
"""
KEYS = {
    "anna": ("--user", "anna"),
    "ben": ("--user", "ben"),
    "editor": ("--role", "editor"),
    "boss": ("--role", "editor", "--user", "anna"),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_project(tmp_path_factory.mktemp("shop"), more=MORE)
    (folder / "examples.jsonl").write_text(json.dumps({"id": "e", "question": "Why?", "answer": "so"}) + "\n")
    return folder


@pytest.fixture(scope="module")
def keys(shop: Path) -> dict[str, str]:
    return {name: rung("keys", "add", name, str(shop), *words).stdout.strip() for name, words in KEYS.items()}


@pytest.fixture(scope="module")
def server(shop: Path, keys: dict[str, str]) -> Iterator[Served]:
    with served(shop) as running:
        yield running


def said(server: Served, key: str, path: str, body: Any = None) -> httpx.Response:
    method = "GET" if body is None else "POST"
    return server.client.request(method, path, json=body, headers={"Authorization": f"Bearer {key}"})


def test_every_kind_of_answer_has_an_id_that_takes_feedback(server: Served, keys: dict[str, str]) -> None:
    question = "What does the gear cost?"
    whole = said(server, keys["ben"], "/v1/chat/completions", asked(question)).json()["id"]
    lines = said(server, keys["ben"], "/v1/chat/completions", asked(question, stream=True)).text.splitlines()
    streamed = {json.loads(line[6:])["id"] for line in lines if line.startswith("data: {")}
    response = said(server, keys["ben"], "/v1/responses", {"model": "rag", "input": question}).json()["id"]
    for name in (whole, *streamed, response):
        assert said(server, keys["ben"], "/v1/feedback", {"answer": name, "thumb": "up"}).status_code == 200, name
        assert said(server, keys["anna"], "/v1/feedback", {"answer": name, "thumb": "up"}).status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"answer": "x", "thumb": "sideways"}, {"answer": "", "thumb": "up"}, {"answer": "x", "correction": 1}, {"answer": ["x"]}]
)
def test_what_makes_no_sense_is_refused(server: Served, keys: dict[str, str], body: dict[str, Any]) -> None:
    done = said(server, keys["ben"], "/v1/feedback", body)
    assert (done.status_code, done.json()["error"]["type"]) == (400, "invalid_request_error")


def test_what_a_key_may_not_read_it_neither_lists_nor_takes(server: Served, keys: dict[str, str], shop: Path) -> None:
    name = said(server, keys["anna"], "/v1/chat/completions", asked("What does the pump cost?")).json()["id"]
    said(server, keys["anna"], "/v1/feedback", {"answer": name, "thumb": "down", "correction": "311 euros", "reason": "dearer now"})
    assert said(server, keys["ben"], "/v1/feedback").status_code == 403
    assert "311 euros" not in said(server, keys["editor"], "/v1/feedback").text
    assert said(server, keys["editor"], "/v1/feedback/take", {"answer": name, "as": "example"}).status_code == 400
    [found] = [one for one in said(server, keys["boss"], "/v1/feedback").json()["data"] if one["answer"] == name]
    assert (found["correction"], found["reason"], found["question"]) == ("311 euros", "dearer now", "What does the pump cost?")
    made = said(server, keys["boss"], "/v1/feedback/take", {"answer": name, "as": "example"}).json()
    assert made["evidence"][0]["document"] == "pump.md"
    rows = [json.loads(line) for line in (shop / "examples.jsonl").read_text().splitlines()]
    assert rows[-1]["id"] == made["id"]
    assert name in rows[-1]["origin"]
    assert said(server, keys["boss"], "/v1/feedback/take", {"answer": name, "as": "case"}).status_code == 400


def test_the_list_is_paged(server: Served, keys: dict[str, str]) -> None:
    name = said(server, keys["ben"], "/v1/chat/completions", asked("What does the valve cost?")).json()["id"]
    for _ in range(3):
        more = said(server, keys["ben"], "/v1/chat/completions", asked("What does the valve cost?")).json()["id"]
        said(server, keys["ben"], "/v1/feedback", {"answer": more, "thumb": "up"})
    said(server, keys["ben"], "/v1/feedback", {"answer": name, "thumb": "up"})
    whole = said(server, keys["editor"], "/v1/feedback").json()
    assert not whole["has_more"]
    found: list[int] = []
    page = {"has_more": True, "data": []}
    while page["has_more"]:
        after = f"&after={found[-1]}" if found else ""
        page = said(server, keys["editor"], f"/v1/feedback?limit=2{after}").json()
        found += [one["entry"] for one in page["data"]]
    assert found == [one["entry"] for one in whole["data"]]
    assert found == sorted(found, reverse=True)
    for wrong in ("limit=0", "limit=1001", "after=x", "after=-1", "limit=1_0"):
        refused = said(server, keys["editor"], f"/v1/feedback?{wrong}")
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, wrong.partition("=")[0])


def test_where_no_text_is_kept_a_thumb_is_all(tmp_path: Path) -> None:
    with served(write_project(tmp_path, more='[serve]\naudit = "hashes"\n')) as server:
        name = server.client.post("/v1/chat/completions", json=asked("What does the gear cost?")).json()["id"]
        refused = server.client.post("/v1/feedback", json={"answer": name, "correction": "41 euros"})
        assert (refused.status_code, "keeps no text" in refused.text) == (400, True)
        assert server.client.post("/v1/feedback", json={"answer": name, "thumb": "down"}).status_code == 200
    assert b"gear" not in b"".join(path.read_bytes() for path in (tmp_path / ".rung").glob("serve.sqlite*"))
