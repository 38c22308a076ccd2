"""Another engine speaks and ours is in front: passages, tools, schemas and adapters reach it, and its secrets stay."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from adapters_project import stored
from serving_project import Served, asked, served, write_project
from tiny_model import save_random_model
from vllm_server import Engine, vllm_server

from rung.tuning.adapters import block
from rung.workspace import labels, trail
from rung.workspace.store import open_store
from rung.workspace.workspace import open_workspace

WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with vllm_server() as made:
        made.key = "engine-secret-7"
        yield made


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Path:
    """Adapters were trained on the base model's weights here; the engine serves the same base there."""
    more = f'[serve]\nengine = "endpoint:base@{engine.url}"\nengine_options = {{key_env = "ENGINE_KEY", retries = 0}}\n'
    folder = write_project(tmp_path_factory.mktemp("shop"), "local:model", more)
    save_random_model(folder / "model", seed=0)
    return folder


@pytest.fixture(scope="module")
def server(shop: Path) -> Iterator[Served]:
    ws = open_workspace(shop)
    labels.give(ws, stored(ws, 1).name, "support/prod")
    os.environ["ENGINE_KEY"] = "engine-secret-7"
    try:
        with served(shop) as made:
            yield made
    finally:
        del os.environ["ENGINE_KEY"]


@pytest.fixture(autouse=True)
def fresh(engine: Engine) -> None:
    engine.pieces = engine.call = None
    engine.asked.clear()


def test_passages_and_prompt_are_ours_and_the_words_are_the_engines(server: Served, engine: Engine) -> None:
    engine.pieces = ["The gear costs 40 euros [1]."]
    said = server.client.post("/v1/chat/completions", json=asked("What does the gear cost?", max_tokens=9, top_p=0.5)).json()
    assert said["choices"][0]["message"]["content"] == "The gear costs 40 euros [1]."
    assert said["choices"][0]["message"]["annotations"][0]["file_citation"]["quote"] == "The gear costs 40 euros"
    assert said["usage"]["prompt_tokens_details"] == {"cached_tokens": 16}
    [body] = engine.asked
    assert "The gear costs 40 euros." in body["messages"][-1]["content"]
    assert body["max_tokens"] == 9


def test_a_label_is_a_model_whose_adapter_the_engine_loads(server: Served, engine: Engine, shop: Path) -> None:
    ws = open_workspace(shop)
    [first] = [one for one in server.client.get("/v1/models").json()["data"] if one["id"] == "support/prod"]
    said = server.client.post("/v1/chat/completions", json=asked("x", "support/prod")).json()
    assert engine.adapters == {first["adapter"]: str(shop / ".rung" / "adapters" / first["adapter"])}
    assert said["choices"][0]["message"]["content"] == f"{first['adapter']} speaks"
    assert said["rung"]["adapter"] == first["adapter"][:16]
    second = stored(ws, 2).name
    labels.give(ws, second, "support/prod")
    said = server.client.post("/v1/chat/completions", json=asked("x", "support/prod")).json()
    assert said["choices"][0]["message"]["content"] == f"{second} speaks"
    assert said["rung"]["adapter"] == second[:16]
    assert engine.calls.count(("load_lora_adapter", second)) == 1


def test_the_label_that_the_configuration_names_is_followed(tmp_path: Path, engine: Engine) -> None:
    """By the rungs that have no adapter of their own, too; and where it is blocked, nothing answers in its place."""
    engine.key = ""
    folder = write_project(tmp_path, "local:model", f'[serve]\nengine = "endpoint:base@{engine.url}"\n')
    save_random_model(folder / "model", seed=0)
    text = (folder / "rung.toml").read_text()
    (folder / "rung.toml").write_text(text.replace('name = "local:model"', 'name = "local:model"\nadapter = "support/prod"'))
    ws = open_workspace(folder)
    first, second = stored(ws, 1), stored(ws, 2)
    labels.give(ws, first.name, "support/prod")
    with served(folder) as server:
        for adapter in (first, second):
            labels.give(ws, adapter.name, "support/prod")
            said = server.client.post("/v1/chat/completions", json=asked("x", "prompt")).json()
            assert said["choices"][0]["message"]["content"] == f"{adapter.name} speaks"
        block(second, "it learned from what was forgotten")
        said = server.client.post("/v1/chat/completions", json=asked("x", "prompt")).json()
        assert "blocked: it learned from what was forgotten" in said["error"]["message"]
    engine.key = "engine-secret-7"


def test_tools_are_passed_on_and_their_calls_come_back(server: Served, engine: Engine) -> None:
    engine.call = {"name": "weather", "arguments": '{"city": "Oslo"}'}
    said = server.client.post("/v1/chat/completions", json=asked("Weather in Oslo?", tools=[WEATHER], tool_choice="auto")).json()
    [choice] = said["choices"]
    assert choice["finish_reason"] == "tool_calls"
    [call] = choice["message"]["tool_calls"]
    assert (call["id"], call["function"]) == ("call_1", {"name": "weather", "arguments": '{"city": "Oslo"}'})
    assert engine.asked[0]["tools"] == [WEATHER]
    engine.call, engine.pieces = None, ["It rains."]
    turns: list[dict[str, Any]] = [{"role": "user", "content": "Weather in Oslo?"}, choice["message"]]
    turns.append({"role": "tool", "tool_call_id": call["id"], "content": "rain"})
    said = server.client.post("/v1/chat/completions", json={"model": "prompt", "messages": turns, "tools": [WEATHER]}).json()
    assert said["choices"][0]["message"]["content"] == "It rains."
    assert [one["role"] for one in engine.asked[-1]["messages"][-3:]] == ["user", "assistant", "tool"]


def test_streamed_calls_of_tools_by_both_apis(server: Served, engine: Engine) -> None:
    openai = pytest.importorskip("openai")
    engine.call = {"name": "weather", "arguments": '{"city": "Oslo"}'}
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        chunks = list(client.chat.completions.create(**asked("Weather?", tools=[WEATHER], stream=True)))
        [call] = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
        assert json.loads(call.function.arguments) == {"city": "Oslo"}
        tool = {"type": "function", **WEATHER["function"]}
        said = client.responses.create(model="rag", input="Weather?", tools=[tool])
        assert [(one.type, one.name) for one in said.output] == [("function_call", "weather")]
        with client.responses.stream(model="rag", input="Weather?", tools=[tool]) as stream:
            assert "response.function_call_arguments.done" in [event.type for event in stream]


def test_a_schema_is_passed_on(server: Served, engine: Engine) -> None:
    engine.pieces = ['{"price": 40}']
    form = {"type": "json_schema", "json_schema": {"name": "price", "schema": {"type": "object"}}}
    said = server.client.post("/v1/chat/completions", json=asked("What does the gear cost?", response_format=form)).json()
    assert json.loads(said["choices"][0]["message"]["content"]) == {"price": 40}
    assert engine.asked[0]["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_while_a_label_moves_no_answer_is_by_two_adapters(server: Served, engine: Engine, shop: Path) -> None:
    ws = open_workspace(shop)
    names = [stored(ws, seed).name for seed in (3, 4)]
    ending = threading.Event()
    labels.give(ws, names[1], "support/prod")  # it may stand on another one until now

    def move() -> None:
        for n in range(1000):
            labels.give(ws, names[n % 2], "support/prod")
            if ending.wait(0.02):
                return

    moving = threading.Thread(target=move)
    moving.start()
    try:
        with ThreadPoolExecutor(8) as many:
            bodies = [asked(f"{n}", "support/prod") for n in range(120)]
            said = list(many.map(lambda body: server.client.post("/v1/chat/completions", json=body).json(), bodies))
    finally:
        ending.set()
        moving.join()
    spoken = [(one["choices"][0]["message"]["content"].split()[0][:16], one["rung"]["adapter"]) for one in said]
    assert all(by == told for by, told in spoken)
    assert {told for _, told in spoken} == {name[:16] for name in names}


def test_what_the_engine_says_of_itself_is_not_told(server: Served, engine: Engine, shop: Path) -> None:
    engine.key, key = "another", engine.key
    try:
        said = server.client.post("/v1/chat/completions", json=asked("x", "prompt"))
    finally:
        engine.key = key
    assert (said.status_code, said.json()["error"]["code"]) == (502, "engine_failed")
    store = open_store(open_workspace(shop))
    assert [one.told.get("ended") for one in trail.entries(store)][-1] == "EndpointError"
    store.close()
    assert engine.url not in said.text
    assert "secret" not in said.text
