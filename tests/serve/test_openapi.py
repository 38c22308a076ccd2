"""The document of the API names every route, and what the server answers has the form that the document says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from serving_project import Served, asked, served, write_project
from starlette.routing import Mount, Route

from rung.serve.app import application, desk
from rung.serve.openapi import openapi
from rung.serve.projects import documents_of
from rung.workspace.keys import add_key
from rung.workspace.store import open_store
from rung.workspace.workspace import open_workspace

PUSHES = 'folder = "docs"\n[[knowledge.sources]]\nkind = "push"\nname = "crm"\npath = "pushed"\nlargest_mb = 1\n'
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("shop"), more=PUSHES)


@pytest.fixture(scope="module")
def server(shop: Path) -> Iterator[Served]:
    store = open_store(open_workspace(shop))
    _, text = add_key(store, "editor", role="editor")
    store.close()
    with served(shop, text) as running:
        yield running


def check(server: Served, path: str, method: str, place: str = "", **sent: Any) -> Any:
    """Ask, and hold the answer to what the document says of this route and status."""
    said = server.client.request(method, place or path, **sent)
    document = server.client.get("/openapi.json").json()
    told = document["paths"][path][method.lower()]["responses"]
    assert str(said.status_code) in told, (path, said.status_code, said.text)
    where = f"#/paths/{path.replace('/', '~1')}/{method.lower()}/responses/{said.status_code}/content/application~1json/schema"
    assert said.headers["content-type"].partition(";")[0] == "application/json"
    Draft202012Validator({**document, "$ref": where}).validate(said.json())
    return said


def test_answers_have_the_form_that_the_document_says(server: Served) -> None:
    for path in ("/v1/models", "/health", "/ready", "/openapi.json"):
        assert check(server, path, "GET").status_code == 200
    chat, response = "/v1/chat/completions", "/v1/responses"
    for body in (asked("What does the gear cost?"), asked("The pump?", "long-context")):
        assert check(server, chat, "POST", json=body).json()["choices"][0]["message"]["annotations"]
    assert check(server, response, "POST", json={"model": "rag", "input": "What does the valve cost?"}).status_code == 200
    assert check(server, chat, "POST", json=asked("x", response_format={"type": "json_object"})).status_code in (200, 422)
    assert check(server, chat, "POST", json=asked("x", tools=[TOOL])).status_code in (200, 422)
    for form in ("float", "base64"):
        assert check(server, "/v1/embeddings", "POST", json={"input": ["a"], "encoding_format": form}).status_code == 200
    for back in (True, False):
        body = {"query": "a", "documents": ["a", {"text": "b"}], "return_documents": back}
        assert check(server, "/v1/rerank", "POST", json=body).status_code == 200
    assert check(server, "/v1/search", "POST", json={"query": "gear"}).json()["data"]


def test_feedback_and_metrics_too(server: Served) -> None:
    name = check(server, "/v1/chat/completions", "POST", json=asked("What does the gear cost?")).json()["id"]
    assert check(server, "/v1/feedback", "POST", json={"answer": name, "thumb": "up", "correction": "41 euros"}).status_code == 200
    assert check(server, "/v1/feedback", "POST", json={"answer": "nothing", "thumb": "up"}).status_code == 404
    assert check(server, "/v1/feedback", "GET").json()["data"]
    assert check(server, "/v1/feedback/take", "POST", json={"answer": name, "as": "case"}).status_code == 200
    assert check(server, "/metrics", "GET").status_code == 404, "they are off"


def test_refusals_too(server: Served) -> None:
    for path in ("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/rerank", "/v1/search"):
        assert check(server, path, "POST", json={"query": 1}).status_code == 400
        assert check(server, path, "POST", json={}, headers={"Authorization": "Bearer none"}).status_code == 401
        assert check(server, path, "POST", content=b"x" * (5 << 20)).status_code == 413
    assert check(server, "/v1/chat/completions", "POST", json=asked("x", "nothing")).status_code == 404
    assert check(server, "/v1/search", "POST", json={"query": "x", "where": ["nonsense"]}).status_code == 400


def test_documents_too(server: Served) -> None:
    path, belt = "/v1/documents/{path}", "/v1/documents/crm/belt"
    assert check(server, path, "PUT", belt, json={"text": "# Belt\n\nIt costs 7."}).status_code == 202
    assert check(server, path, "PUT", belt, json={"text": "# Belt\n\nIt costs 7."}).status_code == 200
    assert check(server, path, "GET", belt).json()["status"] in ("pending", "indexed")
    end = time.monotonic() + 30
    while check(server, "/v1/sync", "GET").json()["pending"]:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert check(server, path, "GET", belt).json()["status"] == "indexed"
    assert check(server, path, "DELETE", belt).status_code == 202
    assert check(server, path, "DELETE", belt).status_code == 404
    assert check(server, path, "PUT", "/v1/documents/nowhere/x", json={"text": "x"}).status_code == 400
    assert check(server, path, "PUT", "/v1/documents/crm/x.exe", content=b"x").status_code == 415
    assert check(server, path, "PUT", "/v1/documents/crm/x.md", content=b"x" * (2 << 20)).status_code == 413
    assert check(server, "/v1/sync", "GET", headers={"Authorization": "Bearer none"}).status_code == 401


def test_the_document_names_every_route(tmp_path: Path) -> None:
    shop = write_project(tmp_path, more=PUSHES)
    at = desk(shop)
    _, documents = documents_of(shop, at)
    routes = [one for one in application(at, documents).routes if not isinstance(one, Mount)]
    named = {(path, method.upper()) for path, item in openapi(documents=True)["paths"].items() for method in item if method != "parameters"}
    served = {
        (one.path.replace("{path:path}", "{path}"), method)
        for one in routes
        if isinstance(one, Route)
        for method in (one.methods or set()) - {"HEAD"}
    }
    assert named == served
    at.answers.shutdown()
    at.threads.shutdown()
    at.store.close()


def test_every_shape_is_a_schema() -> None:
    document = openapi(documents=True)
    for path in document["paths"].values():
        for method, route in path.items():
            for told in route["responses"].values() if method != "parameters" else ():
                for content in told["content"].values():
                    Draft202012Validator.check_schema(content["schema"])
