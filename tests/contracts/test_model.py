"""What every chat model promises, held against each kind of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from chat_server import chat_server
from tiny_model import save_random_model

from rung.models import load
from rung.types import ChatModel, Message, Messages, Reply, Settings

PROMPTS: list[list[Message]] = [
    [{"role": "user", "content": "Who approves a purchase above 5,000 euros?"}],
    [{"role": "system", "content": "Answer in one word."}, {"role": "user", "content": "What does the sensor cost? " * 9}],
    [{"role": "user", "content": "Größe 🙂?"}],
]


@dataclass(frozen=True)
class Told:
    """All that a stream said about one prompt."""

    pieces: tuple[str, ...]
    reply: Reply


@pytest.fixture(scope="module", params=["local", "endpoint"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatModel]:
    local = load(f"local:{save_random_model(tmp_path_factory.mktemp('contract') / 'random')}")
    if request.param == "local":
        yield local
        return
    with chat_server(local) as chat:
        endpoint = load(f"endpoint:tiny@{chat.url}")
        yield endpoint
        endpoint.client.clear()  # type: ignore[attr-defined]


def told(model: ChatModel, prompts: list[list[Message]], settings: Settings) -> list[Told]:
    pieces: list[list[str]] = [[] for _ in prompts]
    replies: dict[int, Reply] = {}
    for number, item in model.stream(prompts, settings):
        assert number not in replies, "nothing comes after the reply"
        if isinstance(item, Reply):
            replies[number] = item
        else:
            pieces[number].append(item)
    return [Told(tuple(parts), replies[number]) for number, parts in enumerate(pieces)]


def test_every_prompt_gets_one_reply_that_is_its_pieces_joined(model: ChatModel) -> None:
    for one in told(model, PROMPTS, Settings(max_tokens=20)):
        assert one.reply.text == "".join(one.pieces)
        assert all(one.pieces)
        assert one.reply.seconds > 0


def test_no_prompt_no_reply(model: ChatModel) -> None:
    assert list(model.stream([], Settings())) == []


def test_replies_are_those_of_the_prompts_alone(model: ChatModel) -> None:
    settings = Settings(max_tokens=20)
    together = [one.reply.text for one in told(model, PROMPTS, settings)]
    assert together == [told(model, [prompt], settings)[0].reply.text for prompt in PROMPTS]
    assert together[::-1] == [one.reply.text for one in told(model, PROMPTS[::-1], settings)]


def test_usage_and_finish_say_how_it_ended(model: ChatModel) -> None:
    for one in told(model, PROMPTS, Settings(max_tokens=3)):
        assert one.reply.usage.prompt > 0
        assert one.reply.usage.completion <= 3
        assert one.reply.finish == ("length" if one.reply.usage.completion == 3 else "stop")


def test_a_stop_string_ends_the_reply_in_front_of_it(model: ChatModel) -> None:
    whole = told(model, PROMPTS[:1], Settings(max_tokens=20))[0].reply.text
    stop = whole[5:7]
    reply = told(model, PROMPTS[:1], Settings(max_tokens=20, stop=(stop,)))[0].reply
    assert reply.text == whole[: whole.index(stop)]
    assert reply.finish == "stop"


def test_sampling_follows_the_seed(model: ChatModel) -> None:
    def said(seed: int, prompts: list[list[Message]]) -> list[str]:
        return [one.reply.text for one in told(model, prompts, Settings(max_tokens=12, temperature=1.0, seed=seed))]

    assert said(1, PROMPTS) == said(1, PROMPTS)
    assert said(1, PROMPTS) != said(2, PROMPTS)
    assert said(1, PROMPTS)[1] == said(1, PROMPTS[1:])[0], "a prompt's randomness is its own"


def test_an_abandoned_stream_does_not_hold_up_the_next(model: ChatModel) -> None:
    stream = model.stream(PROMPTS, Settings(max_tokens=200))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(told(model, PROMPTS, Settings(max_tokens=2))) == len(PROMPTS)


def test_id_window_and_count(model: ChatModel) -> None:
    longer: Messages = [*PROMPTS[0], {"role": "assistant", "content": "The head of finance."}]
    assert model.id
    assert model.id == model.id
    assert model.window > 0
    assert 0 < model.count(PROMPTS[0]) < model.count(longer)
