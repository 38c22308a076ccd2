"""Keys, limits and the audit log hold in SQLite and in a real PostgreSQL alike, whoever writes beside them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rung.errors import ConfigError, DataError, RungError
from rung.workspace import trail
from rung.workspace.keys import PREFIX, add_key, admitted, any_key, hashed, key_of, keys, revoke_key, spend, spent
from rung.workspace.store import Store

BEGUN = """
import multiprocessing, sys
from pathlib import Path
from rung.workspace.store import Store

def begin(together):
    for number in range(60):
        together.wait(60)
        Store(str(Path(sys.argv[1]) / str(number) / "store"), postgres=False).read("SELECT name FROM migrations")

multiprocessing.set_start_method("fork")
together = multiprocessing.Barrier(8)
begun = [multiprocessing.Process(target=begin, args=(together,)) for _ in range(8)]
for one in begun:
    one.start()
for one in begun:
    one.join()
sys.exit(max(one.exitcode for one in begun))
"""  # several workers of a server at a project that nobody has served yet
NOON = 1_700_000_000.0  # a Tuesday in November


def other(store: Store) -> Store:
    """A connection of another process, as far as the store can tell."""
    return Store(store.place, postgres=store.postgres)


def test_a_key_is_kept_as_its_hash_and_revoked_for_good(store: Store) -> None:
    assert not any_key(store)
    key, text = add_key(store, "intranet", user="anna", groups=("desk",), models=("rag", "support/*"), per_minute=3)
    assert text.startswith(PREFIX)
    assert key_of(store, text) == key == keys(store)[0]
    kept = store.read("SELECT * FROM api_keys")
    assert text not in repr(kept)
    assert hashed(text) in repr(kept)
    assert [key.may_ask(model) for model in ("rag", "support/prod", "prompt")] == [True, True, False]
    assert key_of(store, text[:-1]) is None
    assert revoke_key(store, "intranet").revoked
    assert key_of(store, text) is None
    assert any_key(store), "from the first key on nobody is answered without one"
    with pytest.raises(DataError, match="no key"):
        revoke_key(store, "intranet")


def test_two_keys_of_one_name_are_told_apart_by_id(store: Store) -> None:
    first, _ = add_key(store, "web")
    add_key(store, "web")
    with pytest.raises(DataError, match="2 keys"):
        revoke_key(store, "web")
    assert revoke_key(store, first.id).id == first.id


@pytest.mark.parametrize(("settings", "why"), [({"role": "owner"}, "no role"), ({"per_minute": -1}, "below 0")])
def test_settings_without_sense_are_refused(store: Store, settings: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        add_key(store, "web", **settings)
    assert keys(store) == []


def test_a_rate_is_counted_by_the_minute_for_all_replicas(store: Store) -> None:
    key, _ = add_key(store, "web", per_minute=2)
    second = other(store)
    assert admitted(store, key, NOON) is None
    assert admitted(second, key, NOON + 1) is None
    over = admitted(store, key, NOON + 2)
    assert over
    assert (over.what, over.seconds) == ("rate", 60 - (NOON + 2) % 60)
    assert admitted(second, key, NOON + 60) is None
    second.close()


def test_budgets_are_counted_by_the_month(store: Store) -> None:
    key, _ = add_key(store, "web", tokens_a_month=100, money_a_month=1.0)
    store.write(lambda run: spend(run, key, 99, 0.2, NOON))
    assert admitted(store, key, NOON) is None
    store.write(lambda run: spend(run, key, 1, 0.2, NOON))
    over = admitted(store, key, NOON)
    assert over
    assert over.what == "tokens"
    assert over.seconds > 86400
    assert admitted(store, key, NOON + 31 * 86400) is None, "another month"
    assert spent(store, NOON)[key.id] == (2, 100, pytest.approx(0.4))


def test_a_chain_holds_and_tells_what_was_changed(store: Store) -> None:
    for n in range(5):
        trail.note(store, "question", "key a user ", {"model": "rag", "n": n}, {"question": f"q{n}"})
    done = trail.verify(store)
    assert (done.entries, done.erased, done.pruned) == (5, 0, 0)
    assert trail.verify(store, done.head).head == done.head
    trail.note(store, "search", "anna", {})
    assert trail.verify(store, done.head).entries == 6
    for change, why in (
        ("UPDATE trail SET told = '{\"n\":7}' WHERE number = 3", "entry 3 .* was changed"),
        ("UPDATE trail SET content = '{}' WHERE number = 2", "entry 2 .* another content"),
        ("DELETE FROM trail WHERE number = 4", "entry 4 .* is missing"),
        ("DELETE FROM trail WHERE number > 4", "not in the log"),
        ("DELETE FROM trail WHERE number < 3", "entry 2 .* no pruning says so"),
    ):
        kept = store.read("SELECT * FROM trail")
        store.write(lambda run, change=change: run(change))
        with pytest.raises(DataError, match=why):
            trail.verify(store, done.head)
        store.write(lambda run: run("DELETE FROM trail"))
        store.write(lambda run, kept=kept: [run("INSERT INTO trail VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row) for row in kept])
    assert trail.verify(store, done.head).entries == 6


def test_contents_are_erased_and_entries_pruned_and_the_chain_still_holds(store: Store) -> None:
    for n in range(4):
        trail.note(store, "question", "anna", {"n": n}, {"question": f"who is person {n}?"})
    assert trail.erase(store, lambda one: "person 2" in str(one.content), "admin", {"request": "r1"}) == 1
    assert "person 2" not in repr(store.read("SELECT * FROM trail"))
    assert trail.verify(store).erased == 1
    moment = time.time()
    trail.note(store, "question", "anna", {"n": 9})
    assert trail.prune(store, moment, "admin") == 5
    assert trail.prune(store, 0.0, "admin") == 0
    assert [one.kind for one in trail.entries(store)] == ["question", "prune"]
    done = trail.verify(store)
    assert (done.entries, done.pruned) == (2, 5)
    assert trail.prune(store, time.time() + 1, "admin") == 2
    assert trail.verify(store).pruned == 7


def test_writers_beside_each_other_make_one_chain(store: Store) -> None:
    stores = [store, other(store), other(store)]

    def write(own: Store) -> None:
        for n in range(10):
            trail.note(own, "question", "anna", {"n": n})

    threads = [threading.Thread(target=write, args=(own,)) for own in stores for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trail.verify(store).entries == 60
    for own in stores[1:]:
        own.close()


def test_a_write_happens_whole_or_not_at_all(store: Store) -> None:
    def broken(run: trail.Run) -> None:
        trail.append(run, "question", "anna", {})
        raise DataError("stop", "")

    with pytest.raises(DataError, match="stop"):
        store.write(broken)
    assert list(trail.entries(store)) == []
    trail.note(store, "question", "anna", {})
    assert trail.verify(store).entries == 1


def test_a_connection_that_the_server_closed_is_opened_again(address: str) -> None:
    store = Store(address, postgres=True)
    trail.note(store, "question", "anna", {})
    before = trail.verify(store).entries
    [[mine]] = store.read("SELECT pg_backend_pid()")
    killer = Store(address, postgres=True)
    killer.read("SELECT pg_terminate_backend(?)", (mine,))
    killer.close()
    trail.note(store, "question", "anna", {})
    assert trail.verify(store).entries == before + 1
    store.close()


def test_a_store_that_is_no_store_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "serve.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(RungError, match="can't be used"):
        Store(str(path), postgres=False).read("SELECT 1")


def test_several_processes_begin_one_store_together(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BEGUN, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=40), max_size=6), erased=st.integers(0, 5))
def test_any_text_survives_the_log_and_none_survives_erasure(tmp_path: Path, texts: list[str], erased: int) -> None:
    store = Store(":memory:", postgres=False)
    store.held = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    from rung.workspace.store import MIGRATIONS

    for sql in MIGRATIONS.values():
        store.held.execute(sql)
    for text in texts:
        trail.note(store, "question", text, {"said": text}, {"question": text})
    read = list(trail.entries(store))
    assert [(one.who, one.told["said"], (one.content or {})["question"]) for one in read] == [(t, t, t) for t in texts]
    trail.erase(store, lambda one: one.number == erased, "admin", {})
    assert trail.verify(store).erased == (1 <= erased <= len(texts))
    store.close()
