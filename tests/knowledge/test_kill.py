"""A sync that is killed at any instant leaves the old state or the new one, and the next sync goes on from there."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from postgres_server import postgres

from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.knowledge import history, legs, open_knowledge, sync
from rung.knowledge.read import read_document
from rung.types import Document

SYNC = """
import sys
from pathlib import Path
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.knowledge import open_knowledge, sync
from rung.knowledge.read import read_document
folder, kind, first = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
knowledge = open_knowledge(folder, Hashing(), kind, 60)
print("ready", flush=True)
for turn in range(first, first + 200):
    text = "# Page\\n\\n" + f"This is edition {turn} of the page. " * 40
    sync(knowledge, [read_document(text.encode(), f"page-{n}.md") for n in range(turn % 3, 4 + turn % 5)])
    print(turn, flush=True)
"""


def edition(turn: int) -> list[Document]:
    text = "# Page\n\n" + f"This is edition {turn} of the page. " * 40
    return [read_document(text.encode(), f"page-{n}.md") for n in range(turn % 3, 4 + turn % 5)]


def killed(folder: Path, kind: str, first: int, seconds: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", SYNC, str(folder), kind, str(first)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def whole(folder: Path, kind: str) -> None:
    """What is found is one edition, complete: in the state, in the passages, and in both ways to search."""
    knowledge = open_knowledge(folder, Hashing(), kind, 60)
    passages = list(knowledge.passages())
    if not knowledge.documents():
        assert passages == []
        return
    editions = {passage.text.split("edition ")[1].split()[0] for passage in passages}
    assert len(editions) == 1
    turn = int(editions.pop())
    assert knowledge.documents() == {document.path: document.hash for document in edition(turn)}
    assert [moment.until for moment in history(knowledge)][-1] is None
    for path in knowledge.documents():
        assert "".join(passage.text for passage in passages if passage.document == path) == edition(turn)[0].text
    for mode in ("dense", "words"):
        assert len(legs(knowledge, f"edition {turn} of the page", 100, (mode,))[mode]) == len(passages)


def kill_often(folder: Path, kind: str, times: int) -> None:
    chance = random.Random(f"kill/{kind.partition(':')[0]}")
    for turn in range(times):
        killed(folder, kind, 1000 * turn, chance.random() * 0.4)
        whole(folder, kind)
    knowledge = open_knowledge(folder, Hashing(), kind, 60)
    sync(knowledge, edition(7))
    whole(folder, kind)
    assert sync(knowledge, edition(7)).unchanged == len(edition(7))


@pytest.mark.parametrize("kind", ["exact", "lance"])
def test_a_kill_leaves_one_whole_state(tmp_path: Path, kind: str) -> None:
    kill_often(tmp_path, kind, 3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["exact", "lance", "postgres"])
def test_a_hundred_kills_leave_one_whole_state(tmp_path: Path, kind: str) -> None:
    if kind == "postgres":
        with postgres() as server:
            kill_often(tmp_path, f"postgres:{server}", 100)
    else:
        kill_often(tmp_path, kind, 100)
