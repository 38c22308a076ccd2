"""Under load, late, or left alone the server refuses, stops and ends in order, and nothing is lost that was acknowledged."""

from __future__ import annotations

import json
import signal
import socketserver
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from serving_project import Served, asked, served, write_project
from vllm_server import Engine, vllm_server

from rung.workspace import trail
from rung.workspace.store import open_store
from rung.workspace.workspace import open_workspace


@pytest.fixture
def engine() -> Iterator[Engine]:
    with vllm_server() as made:
        yield made


@pytest.fixture
def shop(tmp_path: Path, engine: Engine) -> Path:
    return write_project(tmp_path, f"endpoint:base@{engine.url}", '[serve]\nat_once = 2\nqueue = 1\n[answer]\nunsupported = "keep"\n')


def ended(folder: Path) -> list[str]:
    """How each question ended, by the audit log."""
    store = open_store(open_workspace(folder))
    found = [str(one.told["ended"]) for one in trail.entries(store) if one.kind == "question"]
    trail.verify(store)
    store.close()
    return found


def waited(until: object, seconds: float = 60.0) -> None:
    assert callable(until)
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_is_too_much_is_refused_at_once_and_the_rest_answered(shop: Path, engine: Engine) -> None:
    engine.pieces, engine.pause = ["slow"], 2.0
    with served(shop) as server, ThreadPoolExecutor(8) as many:
        said = list(many.map(lambda n: server.client.post("/v1/chat/completions", json=asked(f"q{n}")), range(8)))
        told = server.client.get("/ready").json()
    statuses = sorted(one.status_code for one in said)
    assert statuses == [200] * 3 + [429] * 5
    refused = next(one for one in said if one.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["error"] | {"message": ""} == {
        "message": "", "type": "rate_limit_error", "param": None, "code": "server_busy"
    }  # fmt: skip
    assert (told["running"], told["waiting"]) == (0, 0)
    assert ended(shop) == ["answered"] * 3


def test_a_deadline_ends_the_answer_and_the_work(shop: Path, engine: Engine) -> None:
    engine.pieces, engine.pause = ["word "] * 100, 0.05
    with served(shop) as server:
        said = server.client.post("/v1/chat/completions", json=asked("q"), headers={"X-Request-Timeout": "0.4"})
        assert (said.status_code, said.json()["error"]["code"]) == (504, "deadline_exceeded")
        waited(engine.left.is_set)
        assert engine.spoken < 100
        with server.client.stream("POST", "/v1/chat/completions?timeout=0.4", json=asked("q", stream=True)) as stream:
            lines = [line for line in stream.iter_lines() if line]
        assert json.loads(lines[-1].removeprefix("data: "))["error"]["code"] == "deadline_exceeded"
        for wrong in ("soon", "-1", "nan", "0"):
            assert server.client.post(f"/v1/chat/completions?timeout={wrong}", json=asked("q")).status_code == 400
    assert ended(shop) == ["deadline_exceeded"] * 2


def test_an_engine_that_stalls_holds_its_place_until_the_deadline_alone(shop: Path, engine: Engine) -> None:
    engine.pieces, engine.pause = ["never"], 30.0
    with served(shop) as server:
        for stream in (False, True):
            said = server.client.post("/v1/chat/completions?timeout=0.5", json=asked("q", stream=stream))
            assert (said.status_code, said.json()["error"]["code"]) == (504, "deadline_exceeded")
        waited(lambda: server.client.get("/ready").json()["running"] == 0, 10)
        assert len(engine.asked) == 2, "nobody asks again for whom nobody waits"
        engine.pieces, engine.pause = ["well"], 0.0
        assert server.client.post("/v1/chat/completions", json=asked("q")).status_code == 200
    assert ended(shop) == ["deadline_exceeded"] * 2 + ["answered"]


@pytest.mark.parametrize("stream", [False, True])
def test_when_the_client_leaves_the_engine_stops(shop: Path, engine: Engine, stream: bool) -> None:
    engine.pieces, engine.pause = ["word "] * 200, 0.05
    body = asked("q", stream=stream)
    with served(shop) as server:
        with suppress(httpx.ReadTimeout), httpx.stream("POST", f"{server.url}/v1/chat/completions", json=body, timeout=0.5) as said:
            next(said.iter_lines())
        waited(engine.left.is_set)
        assert engine.spoken < 200
        waited(lambda: server.client.get("/ready").json()["running"] == 0)
    assert ended(shop) == ["client_closed_request"]


@dataclass
class Stalled:
    """An engine that takes a question, says `first`, and then nothing, until its client hangs up."""

    first: bytes = b""
    url: str = ""
    asked: int = 0
    closed: int = 0


@pytest.fixture
def stalled() -> Iterator[Stalled]:
    made = Stalled()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1 << 16)
            made.asked += 1
            self.request.sendall(made.first)
            with suppress(ConnectionError):
                while self.request.recv(1 << 16):
                    pass
            made.closed += 1

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield made
        server.shutdown()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
WORD = b'data: {"choices": [{"index": 0, "delta": {"content": "word"}, "finish_reason": null}]}\n\n'


BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("first", [b"", HEAD, HEAD + WORD, BUSY], ids=["accepts", "answers nothing", "stops in the middle", "is busy"])
@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_an_engine_that_stalls_frees_the_place(tmp_path: Path, stalled: Stalled, first: bytes, stream: bool) -> None:
    """Long before the deadline, which is two minutes away; and the next one is asked."""
    stalled.first = first
    more = '[serve]\nat_once = 1\nqueue = 0\n[answer]\nunsupported = "keep"\n'
    shop = write_project(tmp_path, f"endpoint:base@{stalled.url}", more)
    with served(shop) as server:
        for count in (1, 2):
            with suppress(httpx.ReadTimeout), httpx.Client(timeout=0.5) as client:
                client.post(f"{server.url}/v1/chat/completions", json=asked("q", stream=stream))
            waited(lambda: server.client.get("/ready").json()["running"] == 0, 30)
            waited(lambda count=count: stalled.closed == count, 30)
        assert stalled.asked == 2, "nobody asks again for whom nobody waits"
    assert ended(shop) == ["client_closed_request"] * 2


def test_who_leaves_the_queue_is_not_answered(shop: Path, engine: Engine) -> None:
    engine.pieces, engine.pause = ["slow"], 1.0
    with served(shop) as server, ThreadPoolExecutor(2) as many:
        busy = [many.submit(server.client.post, "/v1/chat/completions", json=asked(f"q{n}")) for n in range(2)]
        waited(lambda: server.client.get("/ready").json()["running"] == 2)
        with pytest.raises(httpx.ReadTimeout), httpx.Client(timeout=0.2) as client:
            client.post(f"{server.url}/v1/chat/completions", json=asked("left"))
        waited(lambda: server.client.get("/ready").json()["waiting"] == 0)
        late = server.client.post("/v1/chat/completions?timeout=0.1", json=asked("late"))
        assert late.status_code == 504
        assert [one.result().status_code for one in busy] == [200, 200]
    assert len(engine.asked) == 2


def test_sigterm_lets_answers_end_and_takes_no_more(shop: Path, engine: Engine) -> None:
    engine.pieces, engine.pause = ["a ", "b ", "c"], 0.4
    with served(shop) as server:
        said: list[str] = []

        def ask() -> None:
            with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=asked("q", stream=True), timeout=30) as stream:
                said.extend(line for line in stream.iter_lines() if line)

        asking = threading.Thread(target=ask)
        asking.start()
        waited(lambda: engine.spoken >= 1)
        server.process.send_signal(signal.SIGTERM)
        asking.join()
        assert said[-1] == "data: [DONE]"
        assert server.process.wait(timeout=20) == 0
    assert ended(shop) == ["answered"]


def test_processes_share_a_port_and_one_that_dies_is_replaced(shop: Path, engine: Engine) -> None:
    with served(shop, "", "--workers", "2") as server:
        waited(lambda: _answers(server))
        found = _children(server)
        assert len(found) == 2
        import os

        os.kill(found[0], signal.SIGKILL)
        waited(lambda: len(now := _children(server)) == 2 and found[0] not in now)
        waited(lambda: _answers(server))
    assert set(ended(shop)) == {"answered"}


def _children(server: Served) -> list[int]:
    pid = server.process.pid
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _answers(server: Served) -> bool:
    try:
        return httpx.post(f"{server.url}/v1/chat/completions", json=asked("q"), timeout=30).status_code == 200
    except httpx.TransportError:
        return False


def test_a_model_on_this_machine_stops_too(tmp_path: Path) -> None:
    from tiny_model import save_random_model

    write_project(tmp_path, "local:model")
    save_random_model(tmp_path / "model", seed=0)
    body = asked("Say it all.", "prompt", stream=True, max_tokens=1900, temperature=2, seed=3)
    with served(tmp_path) as server:
        for _ in range(3):
            with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=body, timeout=30) as stream:
                next(line for line in stream.iter_lines() if '"content": "' in line)
            waited(lambda: server.client.get("/ready").json()["running"] == 0)
    assert "client_closed_request" in ended(tmp_path)
