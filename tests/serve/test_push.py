"""A real server takes documents: durable when accepted, synced in the background, and closed to whoever lacks the token."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.errors import ConfigError, DataError
from rung.knowledge.knowledge import search
from rung.knowledge.origins.push import Push, Pushed, check_path
from rung.knowledge.reading import Unreadable
from rung.serve.listening import address, loopback
from rung.workspace import workspace as w

TOML = '[knowledge]\nembedder = "hashing"\nindex = "exact"\n[[knowledge.sources]]\nkind = "push"\nname = "crm"\nlargest_mb = 1\n'
ACCESS = '[access]\non = true\n[access.groups]\ndesk = ["anna"]\n'


@dataclass
class Server:
    process: subprocess.Popen[str]
    client: httpx.Client

    def put(self, path: str, **sent: Any) -> httpx.Response:
        return self.client.put(f"/v1/documents/{path}", **sent)

    def synced(self) -> dict[str, Any]:
        for _ in range(600):
            told: dict[str, Any] = self.client.get("/v1/sync").json()
            if told["pending"] == 0 and told["state"] == "idle" and told["last"]:
                return told
            time.sleep(0.05)
        raise AssertionError(told)


@contextmanager
def serving(folder: Path, token: str = "", where: str = "127.0.0.1:0") -> Iterator[Server]:
    environment = {**os.environ, "RUNG_PUSH_TOKEN": token}
    command = [sys.executable, "-m", "rung", "index", str(folder), "--listen", where]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("listening on "), process.stderr.read() if process.stderr else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with httpx.Client(base_url=line.split()[-1], headers=headers, timeout=30) as client:
            yield Server(process, client)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "rung.toml").write_text(TOML)
    (tmp_path / "cases.jsonl").write_text("")
    return tmp_path


def found(folder: Path, question: str, user: str = "") -> list[str]:
    synced = w.sync_knowledge(w.open_workspace(folder, user))
    assert synced
    return [hit.passage.document for hit in search(synced[0], question, 5)]


def test_documents_are_sent_read_replaced_and_deleted(shop: Path) -> None:
    with serving(shop) as server:
        sent = {"text": "# Anna Berg\n\nShe rents the crane.", "title": "Anna Berg", "metadata": {"region": "north"}}
        first = server.put("crm/people/anna", json=sent)
        assert first.status_code == 202
        assert server.put("crm/people/anna", json=sent).json() | {"status": "unchanged"} == first.json() | {"status": "unchanged"}
        assert server.put("crm/people/anna", json=sent).status_code == 200
        page = b"<html><title>Rates</title><body><h1>Rates</h1><p>The crane costs 900 euros.</p></body></html>"
        assert server.put("crm/rates.html", content=page, headers={"Rung-Metadata": '{"year": 2024}'}).status_code == 202
        counts = server.synced()["last"]
        told = server.client.get("/v1/documents/crm/people/anna").json()
        assert (told["status"], told["title"], told["metadata"]) == ("indexed", "Anna Berg", {"region": "north"})
        assert counts["knowledge"]
        assert set(found(shop, "crane")) == {"crm/people/anna", "crm/rates.html"}
        server.put("crm/rates.html", content=page.replace(b"900", b"950"))
        server.synced()
        synced = w.sync_knowledge(w.open_workspace(shop, where=("region=north",)))
        assert synced
        assert [one.document for one in synced[0].passages()] == ["crm/people/anna"]
        assert "950" in next(one for one in w.held_knowledge(w.open_workspace(shop)).passages() if one.document == "crm/rates.html").text
        assert server.client.delete("/v1/documents/crm/rates.html").status_code == 202
        assert server.client.delete("/v1/documents/crm/rates.html").status_code == 404
        assert server.client.get("/v1/documents/crm/rates.html").status_code == 404
        server.client.delete("/v1/documents/crm/people/anna")
        server.synced()
        assert found(shop, "crane") == []  # all of it was deleted, which a sender may


@pytest.mark.parametrize(
    ("path", "sent", "status", "why"),
    [
        ("other/a.md", {"content": b"x"}, 400, "no source 'other'"),
        ("crm/", {"content": b"x"}, 400, "no path of a document"),
        ("crm/../rung.toml", {"content": b"x"}, 400, "no source 'rung.toml'"),  # the client takes the dots away
        ("crm/%2e%2e/rung.md", {"content": b"x"}, 400, "no path of a document"),
        ("crm/.hidden.md", {"content": b"x"}, 400, "no path of a document"),
        ("crm/a.exe", {"content": b"x"}, 415, "has no reader for '.exe'"),
        ("crm/a", {"json": {"text": " "}}, 400, "no text"),
        ("crm/a", {"json": {"text": "x", "reader": []}}, 400, "nobody reads the key 'reader'"),
        ("crm/a", {"json": {"text": "x", "readers": "anna"}}, 400, "no list of names"),
        ("crm/a", {"json": {"text": "x", "metadata": []}}, 400, "no JSON object"),
        ("crm/a", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "can't be read"),
        ("crm/a.md", {"content": b"x" * (1 << 20) + b"y"}, 413, "larger than 1 MB"),
        ("crm/a.md", {"content": (b"x" * 1000 for _ in range(1100))}, 413, "larger than 1 MB"),
        ("crm/a.md", {"content": b"x", "headers": {"Host": "evil.example.org"}}, 403, "not this machine's"),
    ],
)  # fmt: skip
def test_what_is_refused(refusing: Server, path: str, sent: dict[str, Any], status: int, why: str) -> None:
    try:
        said = refusing.put(path, **sent)
    except httpx.WriteError:  # it hung up in the middle of a body that was too long
        assert status == 413
        return
    assert said.status_code == status, said.text
    assert why in said.text


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("refusing")
    (folder / "rung.toml").write_text(TOML)
    (folder / "cases.jsonl").write_text("")
    with serving(folder) as server:
        yield server
    assert not list(folder.glob("pushed/**/*.pushed"))


def test_a_document_that_cannot_be_read_is_named(shop: Path) -> None:
    with serving(shop) as server:
        assert server.put("crm/a.pdf", content=b"%PDF-1.4 nonsense").status_code == 202
        server.put("crm/b.md", content=b"# B\n\nA text.")
        server.synced()
        told = server.client.get("/v1/documents/crm/a.pdf").json()
        assert told["status"] == "unreadable"
        assert "damaged" in told["reason"]


def test_readers_are_held_to_and_the_token_is_asked_for(shop: Path) -> None:
    (shop / "rung.toml").write_text(TOML + ACCESS)
    with serving(shop, "s3cret") as server:
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}):
            assert server.put("crm/a", json={"text": "crane"}, headers=headers).status_code == 401
            assert server.client.get("/v1/sync", headers=headers).status_code == 401
        server.put("crm/desk", json={"text": "The crane is for the desk.", "readers": ["group:desk"]})
        server.put("crm/all.md", content=b"---\naccess: nobody\n---\nThe crane is blue.", headers={"Rung-Readers": "everyone"})
        server.put("crm/none", json={"text": "The crane is nobody's."})
        server.synced()
    assert set(found(shop, "crane", "anna")) == {"crm/desk", "crm/all.md"}
    assert found(shop, "crane", "ben") == ["crm/all.md"]


def test_what_was_accepted_survives_kill_9(shop: Path) -> None:
    accepted: dict[str, str] = {}
    for round_ in range(3):
        with serving(shop) as server:

            def send(worker: int, round_: int = round_, server: Server = server) -> None:
                for number in range(1000):
                    path = f"crm/{worker}-{number % 25}"
                    try:
                        said = server.put(path, json={"text": f"Word {round_} {worker} {number} of the crane."})
                    except httpx.HTTPError:
                        return
                    accepted[path] = said.json()["version"]

            threads = [threading.Thread(target=send, args=(worker,)) for worker in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(0.15 + 0.2 * round_)
            server.process.kill()
            for thread in threads:
                thread.join()
    assert len(accepted) > 3
    with serving(shop) as server:
        server.synced()
        held = {path: server.client.get(f"/v1/documents/{path}").json() for path in accepted}
    assert all(told["status"] == "indexed" for told in held.values())
    changed = {path for path, told in held.items() if told["version"] != accepted[path]}
    assert len(changed) <= 9  # written whole, and killed before the answer: one a worker and a round
    assert set(w.held_knowledge(w.open_workspace(shop)).documents()) >= set(accepted)


def test_where_it_refuses_to_listen(shop: Path) -> None:
    def said(where: str, token: str = "") -> str:
        command = [sys.executable, "-m", "rung", "index", str(shop), "--listen", where]
        environment = {**os.environ, "RUNG_PUSH_TOKEN": token}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
        assert done.returncode == 2
        return done.stderr

    assert "there is no token" in said("0.0.0.0:0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "can't be listened on" in said(f"127.0.0.1:{taken.getsockname()[1]}")
    (shop / "rung.toml").write_text("[knowledge]\n")
    assert "no source to send documents to" in said("127.0.0.1:0")


def test_a_name_that_is_taken_beyond_this_machine_with_a_token(shop: Path) -> None:
    with serving(shop, "s3cret", "0.0.0.0:0") as server:
        server.client.base_url = httpx.URL(f"http://127.0.0.1:{server.client.base_url.port}")
        assert server.put("crm/a", json={"text": "crane"}).status_code == 202


@pytest.mark.parametrize("where", ["8800", ":8800", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:http"])
def test_addresses_that_are_none(where: str) -> None:
    with pytest.raises(ConfigError, match="no address to listen on"):
        address(where)


def test_loopback() -> None:
    assert [loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "10.0.0.1", "example.org")] == [True] * 3 + [False] * 3
    assert address("[::1]:80") == ("::1", 80)


@given(st.text(max_size=12), st.binary(max_size=30), st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2))
def test_what_is_kept_comes_back(tmp_path_factory: pytest.TempPathFactory, path: str, body: bytes, meta: dict[str, Any]) -> None:
    place = Push(tmp_path_factory.mktemp("spool"))
    pushed = Pushed(path, body, True, "title", meta)
    try:
        new = place.put(pushed)
    except DataError:
        with pytest.raises(DataError):
            check_path(path)
        return
    assert new
    assert not place.put(pushed)
    assert place.get(path) == pushed
    assert [(entry.path, entry.stamp) for entry in place.entries()] == [(path, pushed.version)]
    assert place.delete(path)
    assert not place.delete(path)
    assert list(place.entries()) == []


def test_a_damaged_file_is_named_and_a_deleted_document_is_unreadable(tmp_path: Path) -> None:
    place = Push(tmp_path)
    place.put(Pushed("a.md", b"text"))
    (tmp_path / "0.pushed").write_bytes(b"{half")
    assert [entry.refused != "" for entry in place.entries()] == [True, False]
    place.delete("a.md")
    with pytest.raises(Unreadable, match="was deleted"):
        place.read("a.md")
