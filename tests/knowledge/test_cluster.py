"""A sync on a Ray cluster makes what a sync on one machine makes, whatever is killed meanwhile."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rung.errors import ConfigError, KnowledgeError
from rung.knowledge.access import Lists, Rule
from rung.knowledge.cluster import connected
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.knowledge import Knowledge, open_knowledge, search, seen, sync
from rung.knowledge.read import read_folder
from rung.knowledge.tasks import Job, Part, write
from rung.types import Document, Filter

if not find_spec("ray") or not find_spec("lance"):  # not imported: pylance minds the forks of other tests
    pytest.skip("ray or pylance is not installed", allow_module_level=True)
SCRIPT = Path(__file__).resolve().parents[1] / "ray_sync.py"
LISTS = Lists((Rule("page-4.md", ("user:anna",)), Rule("page-7.md", ("user:anna",)), Rule("page-1*.md", ("everyone",))))


def written(folder: Path, count: int, paragraphs: int) -> None:
    """Documents of made-up words, all different, so that few passages have the same score."""
    (folder / "docs").mkdir()
    for n in range(count):
        r = Random(f"page/{n}")
        lines = (" ".join(f"word{int(r.paretovariate(0.5)) % 997}" for _ in range(r.randint(9, 40))) + "." for _ in range(paragraphs))
        (folder / "docs" / f"page-{n}.md").write_text(f"# Page {n}\n\n" + "\n\n".join(lines) + "\n")


def ran(scenario: str, folder: Path) -> dict[str, Any]:
    root = SCRIPT.parents[1]
    env = {**os.environ, "PYTHONPATH": f"{root / 'src'}", "PYTHONWARNINGS": ""}
    done = subprocess.run([sys.executable, str(SCRIPT), scenario, str(folder)], capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def alike(folder: Path, lists: Lists | None = None) -> None:
    """The cluster's knowledge is what one machine makes of the same folder."""
    there = open_knowledge(folder / "cluster", Hashing(), "lance", 60)
    here = open_knowledge(folder / "here", Hashing(), "lance", 60)
    documents, _ = read_folder(folder / "docs")
    sync(here, documents, lists=lists)
    assert there.version == here.version
    assert list(there.passages()) == list(here.passages())
    for query in ("word3 word77 word9", "word500 and word41", "word12 page 7", "word1 word2 word5 word14"):
        for mode in ("dense", "words", "hybrid"):
            assert found(there, query, mode) == found(here, query, mode)


def found(knowledge: Knowledge, query: str, mode: str) -> list[tuple[str, float]]:
    return [(hit.passage.id, round(hit.score, 5)) for hit in search(knowledge, query, 10, mode)]


def test_a_sync_on_a_cluster_stops_goes_on_and_follows_changes(tmp_path: Path) -> None:
    written(tmp_path, 40, 40)
    told = ran("steps", tmp_path)
    done, held, noted = told["stopped"]
    assert (held, noted) == (0, True)
    added, first, noted, files = told["first"]
    assert (added, noted) == (40, False)
    assert first > done  # what was finished is not made again
    assert files["there"] >= files["named"]  # a task that was stopped may end so late that only the next sync sweeps up after it
    renamed, changed, removed, calls, files, skipped = told["second"]
    assert (renamed, changed, removed, skipped) == (["moved.md"], ["page-4.md"], ["page-5.md"], ["broken.pdf"])
    assert calls == [2]  # only what is new goes to the cluster
    assert files["there"] == files["named"]
    assert told["third"] == 39
    alike(tmp_path, LISTS)
    there = open_knowledge(tmp_path / "cluster", Hashing(), "lance", 60)
    assert {passage.document for passage in seen(there, Filter(frozenset({"user:anna"}))).passages()} == {"page-4.md", "page-7.md"}


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["workers", "machine"])
def test_a_killed_worker_or_machine_doubles_and_loses_nothing(scenario: str, tmp_path: Path) -> None:
    written(tmp_path, 60, 300)
    told = ran(scenario, tmp_path)
    assert "ray::write" in told["killed"]
    assert told["files"]["there"] == told["files"]["named"]
    alike(tmp_path)


def test_an_address_where_nobody_answers_is_named_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(KnowledgeError, match=address), connected(address, "hashing"):
        pass
    with pytest.raises(ConfigError, match="no address"), connected("somewhere", "hashing"):
        pass


def test_a_machine_that_is_not_like_this_one_is_refused(tmp_path: Path) -> None:
    job = Job(str(tmp_path), "", 256, '["hashing", {}]', "hashing-256", 60)
    part, texts = Part([Document("a.md", "", "A", "1")], {}), {"a.md": ("2", "text")}
    for other, why in (
        (Job(str(tmp_path / "elsewhere"), "", 256, job.embedder, job.embedder_id, 60), "sees no"),
        (Job(str(tmp_path), "", 256, '["hashing", {"dimensions": 64}]', job.embedder_id, 60), "has the embedder hashing-64"),
        (Job(str(tmp_path), "", 256, job.embedder, job.embedder_id, 60, "0"), "another version"),
        (job, "a.md changed"),
    ):
        with pytest.raises(KnowledgeError, match=why):
            write(other, part, texts)
