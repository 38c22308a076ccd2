"""A real server, asked by the real `openai` client and by plain HTTP, gives answers, sources and errors in OpenAI's form."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving_project import Served, asked, served, write_project

from rung.workspace import trail
from rung.workspace.store import open_store
from rung.workspace.workspace import open_workspace

IMAGE = {"type": "image_url", "image_url": {"url": "x"}}
openai = pytest.importorskip("openai")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def server(shop: Path) -> Iterator[Served]:
    with served(shop) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_every_rung_that_runs_is_a_model(client: Any) -> None:
    found = [model.id for model in client.models.list()]
    assert found == ["long-context", "rag", "hashing-256"], "a reader answers from passages alone; the last one makes vectors"


def test_an_answer_carries_its_sources_and_what_made_it(client: Any, shop: Path) -> None:
    said = client.chat.completions.create(**asked("What does the pump cost?"))
    [choice] = said.choices
    assert (choice.message.content, choice.finish_reason) == ("310 euros [1]", "stop")
    [told] = choice.message.annotations
    cited = told.file_citation
    assert cited["filename"] == "pump.md"
    assert choice.message.content[cited["start_index"] : cited["end_index"]] == "[1]"
    text = (shop / "docs" / "pump.md").read_text()
    assert text[slice(*cited["span"])] == cited["quote"] == "The pump costs 310 euros."
    passage = said.rung["passages"][0]
    assert text[passage["start"] : passage["end"]] == passage["text"]
    assert passage["cited"]
    assert said.rung["unsupported"] == []
    assert said.rung["made_by"]["approach"] == said.system_fingerprint
    assert said.usage.total_tokens == said.usage.prompt_tokens + said.usage.completion_tokens > 0
    assert said.usage.prompt_tokens_details.cached_tokens >= 0


def test_a_stream_says_the_same_in_pieces(client: Any) -> None:
    with client.chat.completions.create(**asked("What does the gear cost?"), stream=True, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "40 euros [1]"
    assert chunks[0].choices[0].delta.role == "assistant"
    last = next(chunk for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason)
    assert last.choices[0].finish_reason == "stop"
    assert last.choices[0].delta.annotations[0]["file_citation"]["filename"] == "gear.md"
    assert last.rung["passages"][0]["document"] == "gear.md"
    assert chunks[-1].usage.completion_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1


def test_responses_whole_and_streamed(client: Any) -> None:
    said = client.responses.create(model="rag", input="What does the valve cost?", instructions="Be brief.")
    assert said.output_text == "55 euros [1]"
    assert said.status == "completed"
    assert said.output[0].content[0].annotations[0].filename == "valve.md"
    assert said.usage.total_tokens > 0
    with client.responses.stream(model="rag", input=[{"role": "user", "content": "What does the valve cost?"}]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == "55 euros [1]"
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert "response.output_text.annotation.added" in kinds


def test_a_conversation_and_parts_of_text(client: Any) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What does the gear cost?"},
        {"role": "assistant", "content": "40 euros [1]"},
        {"role": "user", "content": [{"type": "text", "text": "What does the pump "}, {"type": "text", "text": "cost?"}]},
    ]
    assert client.chat.completions.create(model="rag", messages=turns).choices[0].message.content == "310 euros [1]"


def test_embeddings_are_the_projects(client: Any, server: Served) -> None:
    [name] = [one.id for one in client.models.list() if one.rung is None]
    said = client.embeddings.create(model=name, input=["the gear", "the pump", "the gear"])  # asks for base64, as the client does
    assert said.model == name
    first, second, third = (one.embedding for one in said.data)
    assert first == third != second
    assert sum(value * value for value in first) == pytest.approx(1.0, abs=1e-5)
    raw = server.client.post("/v1/embeddings", json={"input": "the gear", "encoding_format": "base64"}).json()["data"][0]["embedding"]
    decoded = base64.b64decode(raw)
    assert list(struct.unpack(f"<{len(decoded) // 4}f", decoded)) == pytest.approx(first)


def test_an_embedding_model_that_there_is_not_is_told_as_openai_does(client: Any, server: Served) -> None:
    import openai

    for name in ("text-embedding-3-small", "rag"):
        with pytest.raises(openai.NotFoundError) as refused:
            client.embeddings.create(model=name, input="the gear")
        assert refused.value.code == "model_not_found"
        assert refused.value.param == "model"
        assert name in refused.value.message
    [name] = [one.id for one in client.models.list() if one.rung is None]
    with pytest.raises(openai.NotFoundError, match="no model"):
        client.chat.completions.create(model=name, messages=[{"role": "user", "content": "What does the gear cost?"}])


def test_rerank_and_search(server: Served) -> None:
    said = server.client.post(
        "/v1/rerank", json={"query": "price of the pump", "documents": ["a gear", {"text": "the price of the pump"}], "top_n": 1}
    ).json()
    assert [one["index"] for one in said["results"]] == [1]
    found = server.client.post("/v1/search", json={"query": "What does the pump cost?", "max_num_results": 1}).json()["data"]
    assert [one["filename"] for one in found] == ["pump.md"]
    assert "310 euros" in found[0]["content"][0]["text"]
    where = server.client.post("/v1/search", json={"query": "cost", "where": ["path=gear.md"]}).json()["data"]
    assert {one["filename"] for one in where} == {"gear.md"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (asked("x", "nothing"), 404, "model_not_found"),
        (asked("x", "tuned"), 404, "model_not_found"),
        ({"model": "rag", "messages": []}, 400, "invalid_value"),
        ({"model": "rag"}, 400, "invalid_value"),
        (asked("   "), 400, "invalid_value"),
        (asked("x", temperature=9), 400, "invalid_value"),
        (asked("x", n=2), 400, "invalid_value"),
        (asked("x", max_tokens=0), 400, "invalid_value"),
        (asked("x", tool_choice={"type": "function", "function": {"name": "f"}}), 400, "invalid_value"),
        (asked("x", response_format={"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}), 400, "invalid_json_schema"),
        (
            asked("x", response_format={"type": "json_schema", "json_schema": {"schema": {"properties": {"a": {"pattern": "(a+)+$"}}}}}),
            400,
            "invalid_json_schema",
        ),
        (
            asked("x", response_format={"type": "json_schema", "json_schema": {"schema": {"$ref": "http://127.0.0.1:1/x"}}}),
            422,
            "form_not_kept",
        ),
        ({"model": "rag", "messages": [{"role": "user", "content": [IMAGE]}]}, 400, "unsupported_content"),
    ],
)  # fmt: skip
def test_errors_are_told_as_openai_does(server: Served, body: dict[str, Any], status: int, code: str) -> None:
    for stream in (False, True):
        said = server.client.post("/v1/chat/completions", json=body | {"stream": stream})
        assert said.status_code == status, said.text
        assert said.json()["error"]["code"] == code
        assert said.json()["error"]["message"]


@pytest.mark.parametrize("sent", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"model": "rag", "messages": 1}', b"[" * 100_000])
def test_what_is_no_request_is_refused(server: Served, sent: bytes) -> None:
    for path in ("chat/completions", "responses", "embeddings", "rerank", "search"):
        said = server.client.post(f"/v1/{path}", content=sent)
        assert said.status_code == 400, said.text
        assert said.json()["error"]["type"] == "invalid_request_error"


def test_paths_methods_and_sizes_are_refused_in_the_same_form(server: Served) -> None:
    assert server.client.get("/v1/nothing").json()["error"]["code"] == "not_found"
    assert "begin with /v1" in server.client.post("/chat/completions", json=asked("x")).json()["error"]["message"]
    method = server.client.get("/v1/chat/completions")
    assert (method.status_code, method.json()["error"]["type"]) == (405, "invalid_request_error")
    assert server.client.post("/v1/search", content=b"x" * (5 << 20)).status_code == 413


def test_another_name_of_this_machine_is_not_answered_without_a_key(server: Served) -> None:
    assert server.client.get("/v1/models", headers={"Host": "evil.example.org"}).status_code == 403


def test_the_client_raises_its_own_errors(client: Any) -> None:
    with pytest.raises(openai.NotFoundError, match="no model 'nothing'"):
        client.chat.completions.create(**asked("x", "nothing"))
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model="rag", input="x", previous_response_id="resp_1")


def test_everything_asked_is_in_the_audit_log(server: Served, shop: Path) -> None:
    store = open_store(open_workspace(shop))
    before = trail.verify(store).entries
    said = server.client.post("/v1/chat/completions", json=asked("What does the gear cost?")).json()
    server.client.post("/v1/search", json={"query": "pump"})
    entries = list(trail.entries(store, before))
    assert [one.kind for one in entries] == ["question", "search"]
    assert entries[0].told["passages"] == [one["id"] for one in said["rung"]["passages"]]
    assert entries[0].told["made_by"] == said["rung"]["made_by"]
    assert entries[0].content
    assert (entries[0].content["question"], entries[0].content["answer"]) == ("What does the gear cost?", "40 euros [1]")
    assert trail.verify(store).entries == before + 2
    store.close()


def test_a_changed_document_is_answered_from_after_the_next_sync(server: Served, shop: Path) -> None:
    from rung.workspace.workspace import sync_knowledge

    (shop / "docs" / "belt.md").write_text("# The belt\n\nThe belt costs 7 euros.\n")
    assert sync_knowledge(open_workspace(shop))
    assert server.client.post("/v1/chat/completions", json=asked("What does the belt cost?")).json()["choices"][0]["message"][
        "content"
    ] == ("7 euros [1]")


def test_the_document_of_the_api_names_every_path(server: Served) -> None:
    told = server.client.get("/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    for path, methods in told["paths"].items():
        for method in methods:
            known = (200, 404) if path == "/metrics" else (200, 400)  # which are off here
            assert server.client.request(method, path).status_code in known, path
    assert json.dumps(told).count("$ref") > 5


def test_health_and_readiness(server: Served) -> None:
    assert server.client.get("/health").json() == {"status": "ok"}
    assert server.client.get("/ready").json()["status"] == "ready"
