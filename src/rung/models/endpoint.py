"""A chat model behind any OpenAI-compatible server, streamed, with retries, and several prompts at a time.

It refuses to hold an API key: the key is read from the environment variable that `key_env` names, at each call, and
never appears in an error.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from random import Random

from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import EmptyPoolError, HTTPError, NameResolutionError, NewConnectionError, ProxyError, TimeoutError

from rung.asking import client, is_address, lines, posted
from rung.errors import EndpointError, ModelError
from rung.leaving import LEAVING, Leaving
from rung.models.events import Reading, read_events
from rung.models.options import chosen
from rung.types import Json, Messages, Reply, Settings, Usage

UNTIL: ContextVar[float] = ContextVar("until", default=float("inf"))  # the time.monotonic() after which nobody waits for an answer
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LONGEST_WAIT = 60.0

Event = tuple[int, str | Reply | BaseException]


@dataclass(frozen=True)
class Options:
    """Seconds are per attempt: `timeout` for each wait for more of an answer, `connect_timeout` for the connection."""

    window: int = 8192
    concurrency: int = 8
    timeout: float = 120.0
    connect_timeout: float = 10.0
    retries: int = 5
    backoff: float = 0.5  # seconds before the first retry, doubled at each
    key_env: str = ""
    seed: bool = True  # whether the server takes a seed
    extra: dict[str, Json] = field(default_factory=dict)  # more fields of the request, such as repeat_penalty


@dataclass(frozen=True)
class EndpointModel:
    """`name` as the server knows it; `url` is the API's base, such as http://127.0.0.1:8000/v1."""

    name: str
    url: str
    options: Options
    client: PoolManager
    adapter: str = ""  # the hash of the adapter that the server adds, where we had it loaded

    @property
    def id(self) -> str:
        """A hash of address, name and extra fields. The server may change what is behind the name without our seeing it."""
        told = json.dumps(self.options.extra, sort_keys=True) + self.adapter
        return hashlib.sha256(f"{self.url}/{self.name}/{told}".encode()).hexdigest()

    @property
    def window(self) -> int:
        return self.options.window

    def count(self, messages: Messages) -> int:
        """An estimate, since the tokenizer is out of reach: four bytes a token, and four tokens around each message."""
        return 3 + sum(4 + -(-len(message["content"].encode()) // 4) for message in messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        """See the protocol. An error ends the call: requests that have not begun are dropped. Raises EndpointError."""
        events: SimpleQueue[Event] = SimpleQueue()
        gone = (LEAVING.get() or Leaving()).gone if len(prompts) == 1 else threading.Event()
        if len(prompts) == 1:  # needs no threads
            yield from ((0, item) for item in _ask(self, prompts[0], settings, gone))
            return
        waiting = len(prompts)
        pool = ThreadPoolExecutor(max_workers=self.options.concurrency, thread_name_prefix="endpoint")
        try:
            for number, prompt in enumerate(prompts):
                asked = pool.submit(_deliver, self, number, prompt, settings, events, gone)
                asked.add_done_callback(partial(_report, number, events))
            while waiting:
                number, item = events.get()
                if isinstance(item, BaseException):
                    raise item
                waiting -= isinstance(item, Reply)
                yield number, item
        finally:
            gone.set()
            pool.shutdown(wait=False, cancel_futures=True)


def open_endpoint(name: str, adapter: Path | None = None, **options: object) -> EndpointModel:
    """`<model>@<base url>` to a model; nothing is asked of the server yet. Options: see `Options`."""
    if adapter is not None:
        raise ModelError("a server's model can't take a local adapter", "let the server load it, and name it as the server does")
    settings = chosen(Options, options)
    model, _, url = name.rpartition("@")
    if not model or not is_address(url):
        raise ModelError(f"'endpoint:{name}' names no server", "write endpoint:<model>@http://<host>:<port>/v1")
    if settings.concurrency < 1 or settings.retries < 0:
        raise ModelError("concurrency must be 1 or more and retries 0 or more", "leave them out to take the defaults")
    return EndpointModel(model, url.rstrip("/"), settings, client(url, settings.timeout, settings.concurrency))


def _deliver(
    model: EndpointModel, number: int, prompt: Messages, settings: Settings, events: SimpleQueue[Event], gone: threading.Event
) -> None:
    for item in _ask(model, prompt, settings, gone):
        events.put((number, item))


def _report(number: int, events: SimpleQueue[Event], asked: Future[None]) -> None:
    """What went wrong in a thread of the pool is raised where the answers are read."""
    if not asked.cancelled() and (error := asked.exception()):
        events.put((number, error))


def _ask(model: EndpointModel, prompt: Messages, settings: Settings, gone: threading.Event) -> Iterator[str | Reply]:
    """Pieces, then the reply. Tried again only as long as no piece has been handed out."""
    body = _body(model, prompt, settings)
    for attempt in range(model.options.retries + 1):
        begun, reading = time.perf_counter(), Reading()
        try:
            with posted(model.client, f"{model.url}/chat/completions", body, headers(model), _patience(model)) as response:
                if response.status in _AGAIN and attempt < model.options.retries:
                    wait = _wait(response.headers.get("retry-after", ""), attempt, model.options.backoff, f"{settings.seed}/{body}")
                else:
                    yield from _answer(model, response, reading, gone)
                    yield _reply(model, prompt, reading, time.perf_counter() - begun)
                    return
        except HTTPError as error:
            if reading.text or attempt == model.options.retries or time.monotonic() >= UNTIL.get() or gone.is_set():
                raise _unreachable(model, error, bool(reading.text)) from error
            wait = _wait("", attempt, model.options.backoff, f"{settings.seed}/{body}")
        if gone.wait(min(wait, max(0.0, UNTIL.get() - time.monotonic()))):
            return


def _patience(model: EndpointModel) -> Timeout:
    """The engine's own timeouts, or what is left until nobody waits: an engine that stalls holds no thread longer than that."""
    left = max(0.01, UNTIL.get() - time.monotonic())
    return Timeout(connect=min(model.options.connect_timeout, left), read=min(model.options.timeout, left))


def _answer(model: EndpointModel, response: BaseHTTPResponse, reading: Reading, gone: threading.Event) -> Iterator[str]:
    if response.status != 200:
        raise _refused(model, response.status, response.data.decode("utf-8", "replace"))
    for piece in read_events(lines(response), reading, model.url):
        if gone.is_set():
            return
        yield piece


def _body(model: EndpointModel, prompt: Messages, settings: Settings) -> dict[str, object]:
    body: dict[str, object] = {
        "model": model.name,
        "messages": [dict(message) for message in prompt],
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if settings.stop:
        body["stop"] = list(settings.stop)
    if model.options.seed:
        body["seed"] = settings.seed
    return body | model.options.extra


def headers(model: EndpointModel) -> dict[str, str]:
    """The API key as the server takes it, read from the environment now. EndpointError where it is not set."""
    name = model.options.key_env
    if not name:
        return {}
    key = os.environ.get(name)
    if not key:
        raise EndpointError(f"the environment variable {name} is not set", f"put the API key of {model.url} into {name}")
    return {"Authorization": f"Bearer {key}"}


def _reply(model: EndpointModel, prompt: Messages, reading: Reading, seconds: float) -> Reply:
    """With the server's own token counts, or estimates where it sends none."""
    usage = reading.usage or Usage(model.count(prompt), -(-len(reading.text.encode()) // 4))
    finish = reading.finish if reading.finish in ("length", "tool_calls") else "stop"
    return Reply(reading.text, usage, seconds, finish, calls=tuple(reading.calls))


def _wait(asked: str, attempt: int, backoff: float, seed: str) -> float:
    """Seconds: what the server asked for, else exponential backoff with full jitter in its upper half."""
    if asked.strip().replace(".", "", 1).isdigit():
        return min(float(asked), _LONGEST_WAIT)
    return min(backoff * 2.0**attempt * (0.5 + Random(f"{seed}/{attempt}").random() / 2), _LONGEST_WAIT)


def _unreachable(model: EndpointModel, error: HTTPError, broken: bool) -> EndpointError:
    if broken:
        return EndpointError(f"{model.url} broke off in the middle of an answer", "ask again; if it stays so, look at the server's log")
    if isinstance(error, NewConnectionError | NameResolutionError | ProxyError):
        return EndpointError(f"nothing answers at {model.url}", "start the server, or mend the address in the model's name")
    if isinstance(error, TimeoutError | EmptyPoolError):
        return EndpointError(f"{model.url} did not answer in time", "raise timeout, or lower concurrency in [model]")
    return EndpointError(f"the connection to {model.url} failed ({type(error.args[-1]).__name__})", "is it an OpenAI-compatible server?")


def _refused(model: EndpointModel, status: int, text: str) -> EndpointError:
    said = " ".join(text.split())[:200]
    key = os.environ.get(model.options.key_env, "") if model.options.key_env else ""
    said = said.replace(key, "***") if key else said
    if status in (401, 403):
        return EndpointError(f"{model.url} refused the API key ({status})", "name the variable that holds the key: key_env in [model]")
    if status == 404:
        hint = "the base url usually ends in /v1; GET <base url>/models lists the names"
        return EndpointError(f"{model.url} knows no model '{model.name}' (404): {said}", hint)
    if status in _AGAIN:
        hint = "it stayed so through every retry: lower concurrency or raise retries in [model]"
        return EndpointError(f"{model.url} is overloaded or broken ({status}): {said}", hint)
    return EndpointError(f"{model.url} refused the request ({status}): {said}", "does the prompt fit the server's window?")
