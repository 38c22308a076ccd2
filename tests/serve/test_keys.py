"""Keys are shown once, kept as hashes, scoped and counted, and the verbs about them and the audit log say what they did."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving_project import Served, asked, served, write_project
from shop_project import refused, rung

from rung.serve.listening import loopback
from rung.show_serving import seconds
from rung.workspace.store import open_store
from rung.workspace.workspace import open_workspace


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("shop"))


def added(shop: Path, *words: str) -> str:
    done = rung("keys", "add", *words, str(shop)) if "--" not in words else rung("keys", "add", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def known(shop: Path) -> dict[str, str]:
    return {
        "all": added(shop, "all"),
        "rag": added(shop, "only-rag", "--model", "rag"),
        "slow": added(shop, "slow", "--per-minute", "2"),
        "small": added(shop, "small", "--tokens", "1"),
        "gone": added(shop, "gone"),
    }


@pytest.fixture(scope="module")
def server(shop: Path, known: dict[str, str]) -> Iterator[Served]:
    with served(shop) as running:
        yield running


def said(server: Served, key: str, path: str = "/v1/chat/completions", body: Any = None) -> httpx.Response:
    return server.client.post(path, json=body or asked("What does the gear cost?"), headers={"Authorization": f"Bearer {key}"})


def test_without_a_key_in_force_nothing_is_answered(server: Served, known: dict[str, str], shop: Path) -> None:
    for path in ("/v1/models", "/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/rerank", "/v1/search"):
        for key in ("", "wrong", known["all"][:-1]):
            answered = server.client.request(
                "GET" if path == "/v1/models" else "POST", path, headers={"Authorization": f"Bearer {key or '-'}"}
            )
            assert answered.status_code == 401, path
            assert answered.json()["error"]["code"] == "invalid_api_key"
        assert server.client.request("GET" if path == "/v1/models" else "POST", path).status_code == 401
    assert said(server, known["gone"]).status_code == 200
    assert rung("keys", "revoke", "gone", str(shop)).returncode == 0
    time.sleep(1.1)
    assert said(server, known["gone"]).status_code == 401
    assert server.client.get("/health").status_code == 200


def test_a_key_is_for_its_models(server: Served, known: dict[str, str]) -> None:
    assert said(server, known["rag"]).status_code == 200
    assert said(server, known["rag"], body=asked("x", "long-context")).status_code == 404
    listed = server.client.get("/v1/models", headers={"x-api-key": known["rag"]}).json()
    assert [one["id"] for one in listed["data"]] == ["rag"]


def test_rates_and_budgets_are_kept(server: Served, known: dict[str, str], shop: Path) -> None:
    while time.time() % 60 > 55:  # the three must fall into one minute
        time.sleep(0.5)
    found = [said(server, known["slow"], "/v1/search", {"query": "x"}) for _ in range(3)]
    assert [one.status_code for one in found] == [200, 200, 429]
    assert 1 <= int(found[-1].headers["retry-after"]) <= 60
    first, second = said(server, known["small"]), said(server, known["small"])
    assert (first.status_code, second.status_code, second.json()["error"]["code"]) == (200, 429, "insufficient_quota")
    [small] = [one for one in json.loads(rung("keys", "list", str(shop), "--json").stdout)["keys"] if one["name"] == "small"]
    assert small["this_month"][1] == first.json()["usage"]["total_tokens"]


def test_no_secret_is_kept_or_told(server: Served, known: dict[str, str], shop: Path) -> None:
    said(server, known["all"])
    listed = rung("keys", "list", str(shop)).stdout
    out = shop / "audit.jsonl"
    assert rung("audit", "export", str(out), str(shop)).returncode == 0
    kept = b"".join(path.read_bytes() for path in (shop / ".rung").rglob("*") if path.is_file())
    for key in known.values():
        assert key not in listed
        assert key.encode() not in out.read_bytes() + kept
    assert oct((shop / ".rung" / "serve.sqlite").stat().st_mode)[-3:] == "600"


def test_the_audit_log_by_its_verbs(server: Served, known: dict[str, str], shop: Path) -> None:
    first = rung("audit", "verify", str(shop))
    assert first.returncode == 0
    assert "the chain holds" in first.stdout
    head = first.stdout.split()[-1]
    said(server, known["all"])
    assert rung("audit", "verify", str(shop), "--head", head).returncode == 0
    refused(rung("audit", "verify", str(shop), "--head", f"1:{'0' * 64}"), "not in the log")
    refused(rung("audit", "verify", str(shop), "--head", head[:9]), "is no head")
    told = json.loads(rung("audit", "prune", str(shop), "--older-than", "1h", "--json").stdout)
    assert told == {"pruned": 0}
    time.sleep(0.1)
    assert json.loads(rung("audit", "prune", str(shop), "--older-than", "0.001m", "--json").stdout)["pruned"] > 0
    assert json.loads(rung("audit", "verify", str(shop), "--json").stdout)["pruned"] > 0
    refused(rung("audit", "prune", str(shop), "--older-than", "old"), "no age")


def test_other_machines_need_a_key(tmp_path: Path) -> None:
    write_project(tmp_path)
    refused(rung("serve", str(tmp_path), "--host", "0.0.0.0", "--port", "0"), "there is no key", "rung keys add")
    refused(rung("keys", "add", " ", str(tmp_path)), "no name")
    refused(rung("keys", "revoke", "nobody", str(tmp_path)), "no key 'nobody'")


def test_documents_are_sent_by_editors(tmp_path: Path) -> None:
    write_project(tmp_path, more='[[knowledge.sources]]\nkind = "push"\nname = "crm"\n')
    reader, editor = added(tmp_path, "reader"), added(tmp_path, "editor", "--role", "editor")
    with served(tmp_path, editor) as server:
        sent = {"text": "# The crane\n\nThe crane costs 900 euros."}
        assert server.client.put("/v1/documents/crm/crane", json=sent, headers={"Authorization": f"Bearer {reader}"}).status_code == 403
        assert server.client.put("/v1/documents/crm/crane", json=sent).status_code == 202
        for _ in range(200):
            if server.client.get("/v1/documents/crm/crane").json()["status"] == "indexed":
                break
            time.sleep(0.05)
        answer = server.client.post("/v1/chat/completions", json=asked("What does the crane cost?")).json()
        assert answer["choices"][0]["message"]["content"] == "900 euros [1]"
        server.client.delete("/v1/documents/crm/crane")


def test_hashes_alone_where_the_configuration_says_so(tmp_path: Path) -> None:
    write_project(tmp_path, more='[serve]\naudit = "hashes"\n')
    with served(tmp_path) as server:
        server.client.post("/v1/chat/completions", json=asked("What does the gear cost?"))
        server.client.post("/v1/search", json={"query": "a rare word"})
    kept = b"".join(path.read_bytes() for path in (tmp_path / ".rung").glob("serve.sqlite*"))
    assert b"gear cost" not in kept
    assert b"rare word" not in kept
    assert b"question" in kept


def test_what_is_forgotten_leaves_the_log_and_the_chain_holds(tmp_path: Path) -> None:
    write_project(tmp_path)
    with served(tmp_path) as server:
        server.client.post("/v1/chat/completions", json=asked("What does the pump cost?"))
        server.client.post("/v1/chat/completions", json=asked("What does Jane Elder owe?"))
        server.client.post("/v1/chat/completions", json=asked("What does the gear cost?", user="x"))
    store = open_store(open_workspace(tmp_path))
    voted = "INSERT INTO votes (id, at, who, question, told, choice) VALUES ('v', 1, 'anna', 'What is it with Jane  Elder?', '{}', 'rag')"
    store.write(lambda run: run(voted))
    store.close()
    done = rung("forget", "--project", str(tmp_path), "--subject", "Jane Elder")
    assert done.returncode == 0, done.stderr
    kept = b"".join(path.read_bytes() for path in (tmp_path / ".rung").glob("serve.sqlite*"))
    assert b"Elder" not in kept
    assert b"gear cost" in kept
    verified = json.loads(rung("audit", "verify", str(tmp_path), "--json").stdout)
    assert verified["erased"] == 1
    done = rung("forget", "pump.md", "--project", str(tmp_path), "--delete-source")
    assert done.returncode == 0, done.stderr
    kept = b"".join(path.read_bytes() for path in (tmp_path / ".rung").glob("serve.sqlite*"))
    assert b"310 euros" not in kept
    assert rung("audit", "verify", str(tmp_path)).returncode == 0


def test_ages_and_addresses() -> None:
    assert [seconds(age) for age in ("90d", "12h", "1.5m")] == [90 * 86400, 12 * 3600, 90]
    assert not loopback("0.0.0.0")
