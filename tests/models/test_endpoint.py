"""A real server on loopback that fails as told: retries, errors, counts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from chat_server import Chat, chat_server

from rung.errors import EndpointError
from rung.models import load
from rung.models.endpoint import EndpointModel
from rung.types import Message, Reply, Settings

PROMPT: list[Message] = [{"role": "user", "content": "Who approves a purchase above 5,000 euros? " * 20}]
BRIEF = Settings(max_tokens=8)
KEY = "sk-a-secret-that-must-not-show"


@pytest.fixture
def chat(model_folder: Path) -> Iterator[Chat]:
    with chat_server(load(f"local:{model_folder}")) as chat:
        yield chat


def endpoint(chat: Chat, **options: object) -> EndpointModel:
    return cast(EndpointModel, load(f"endpoint:tiny@{chat.url}", **{"backoff": 0.001, **options}))  # type: ignore[arg-type]


def ask(model: EndpointModel, count: int = 1, settings: Settings = BRIEF) -> list[Reply]:
    try:
        return [item for _, item in model.stream([PROMPT] * count, settings) if isinstance(item, Reply)]
    finally:
        model.client.clear()


def failure(model: EndpointModel, settings: Settings = BRIEF) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        ask(model, settings=settings)
    assert caught.value.hint
    return caught.value


def test_text_and_usage_are_the_servers(chat: Chat) -> None:
    [reply] = ask(endpoint(chat))
    [local] = [item for _, item in chat.model.stream([PROMPT], BRIEF) if isinstance(item, Reply)]
    assert (reply.text, reply.finish) == (local.text, local.finish)
    assert reply.usage.prompt == local.usage.prompt
    assert reply.usage.completion == local.usage.completion
    assert ask(endpoint(chat))[0].usage.cached == local.usage.cached > 0


def test_settings_reach_the_server(chat: Chat) -> None:
    ask(endpoint(chat, extra={"top_k": 3}), settings=Settings(max_tokens=3, temperature=0.5, seed=7, stop=("\n",)))
    sent = chat.asked[0]
    assert sent["top_k"] == 3
    assert (sent["max_tokens"], sent["temperature"], sent["seed"], sent["stop"]) == (3, 0.5, 7, ["\n"])
    assert sent["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("trouble", [[429], [503, 500], [429, 502, 429, 503, 500]])
def test_busy_servers_are_asked_again(chat: Chat, trouble: list[int | bytes]) -> None:
    expected = ask(endpoint(chat))[0].text
    chat.trouble += trouble
    assert ask(endpoint(chat))[0].text == expected
    assert len(chat.asked) == 2 + len(trouble)


def test_retry_after_is_honoured(chat: Chat) -> None:
    chat.trouble, chat.retry_after = [429], "0.01"
    assert ask(endpoint(chat, backoff=3600.0))


def test_retries_end(chat: Chat) -> None:
    chat.trouble = [503] * 9
    error = failure(endpoint(chat, retries=2))
    assert "503" in error.message
    assert len(chat.asked) == 3


@pytest.mark.parametrize("status", [400, 422])
def test_other_refusals_are_not_repeated(chat: Chat, status: int) -> None:
    chat.trouble = [status]
    assert f"told to say {status}" in failure(endpoint(chat)).message
    assert len(chat.asked) == 1


def test_a_model_the_server_does_not_know(chat: Chat) -> None:
    model = cast(EndpointModel, load(f"endpoint:other@{chat.url}"))
    assert "no model 'other'" in failure(model).message


def test_the_key_comes_from_the_environment_and_shows_nowhere(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    chat.key = KEY
    assert "401" in failure(endpoint(chat)).message
    monkeypatch.setenv("TINY_KEY", KEY)
    model = endpoint(chat, key_env="TINY_KEY")
    assert ask(model)
    assert KEY not in repr(model)
    chat.trouble = [400]
    monkeypatch.setenv("TINY_KEY", "told to say 400")
    assert "told to say" not in failure(endpoint(chat, key_env="TINY_KEY")).message
    monkeypatch.delenv("TINY_KEY")
    assert "TINY_KEY is not set" in failure(endpoint(chat, key_env="TINY_KEY")).message


def test_nobody_answers() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        error = failure(cast(EndpointModel, load(f"endpoint:tiny@{url}", retries=1, backoff=0.001)))
    assert f"nothing answers at {url}" in error.message


def test_a_server_that_accepts_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        error = failure(cast(EndpointModel, load(f"endpoint:tiny@{url}", retries=0, timeout=0.05)))
    assert "in time" in error.message


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"<html>hello</html>", "before it was done"),
        (b"data: {broken\n\n", "no chat completion"),
        (b"data: 7\n\n", "no chat completion"),
        (b'data: {"choices": 7}\n\n', "no chat completion"),
        (b'data: {"choices": [{"delta": {"content": "half"}}]}\n\n', "before it was done"),
        (b'{"choices": []}', "no chat completion"),
        (b'data: {"error": {"message": "out of memory"}}\n\n', "out of memory"),
    ],
)
def test_malformed_answers(chat: Chat, body: bytes, sentence: str) -> None:
    chat.trouble = [body]
    assert sentence in failure(endpoint(chat)).message


def test_a_server_that_sends_no_usage_is_estimated(chat: Chat) -> None:
    chat.trouble = [b'data: {"choices": [{"delta": {"content": "Yes."}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n']
    model = endpoint(chat)
    [reply] = ask(model)
    assert reply.text == "Yes."
    assert (reply.usage.prompt, reply.usage.completion) == (model.count(PROMPT), 1)


def test_concurrency_is_bounded(chat: Chat) -> None:
    assert len(ask(endpoint(chat, concurrency=3), count=12)) == 12
    assert 1 <= chat.most_at_once <= 3
