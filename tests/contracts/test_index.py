"""What every index promises: exact vectors, words, one order, states that can be opened again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rung.errors import ConfigError
from rung.knowledge.fold import folded
from rung.knowledge.indexes import KINDS, StoredIndex, open_index
from rung.types import ALL, Filter, Labels, Passage

if TYPE_CHECKING:
    from rung.types import Vectors

D = 16


@pytest.fixture(params=[*KINDS, "s3"])
def kind(request: pytest.FixtureRequest, spec: Callable[[str], str]) -> str:
    return spec(request.param)


def passage(document: str, start: int, text: str, headings: tuple[str, ...] = ()) -> Passage:
    return Passage(f"{document}-{start}", document, start, start + len(text), text, headings)


A0 = passage("a.md", 0, "The running costs of the harbour cranes", ("Costs", "Cranes"))
A1 = passage("a.md", 50, "Parental leave lasts ten weeks")
B0 = passage('b\'s "file".md', 0, "Leave the Café by the back door 日本")
C0 = passage("c.md", 7, "Zebra crossing")
EVERY = [A0, A1, B0, C0]


def vectors(count: int, seed: int = 0) -> Vectors:
    raw = np.random.default_rng(seed).normal(size=(count, D)).astype(np.float32)
    unit: Vectors = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    return unit


def filled(kind: str, folder: Path) -> tuple[StoredIndex, str]:
    index = open_index(kind, folder, D)
    return index, index.commit([], EVERY, vectors(4))


def test_empty(kind: str, tmp_path: Path) -> None:
    index = open_index(kind, tmp_path, D)
    assert (index.dense(vectors(1)[0], 3), index.words("anything", 3), list(index.passages())) == ([], [], [])
    assert index.stored(["a.md"])[1].shape == (0, D)
    index.tidy()


def test_dense_is_exact_cosine(kind: str, tmp_path: Path) -> None:
    index, _ = filled(kind, tmp_path)
    query = vectors(1, 9)[0]
    expected = sorted(zip(vectors(4) @ query, EVERY, strict=True), key=lambda pair: -pair[0])
    hits = index.dense(query, 3)
    assert [hit.passage for hit in hits] == [found for _, found in expected[:3]]
    assert [hit.score for hit in hits] == pytest.approx([score for score, _ in expected[:3]], abs=1e-5)


def test_words_are_stemmed_and_headings_count(kind: str, tmp_path: Path) -> None:
    index, _ = filled(kind, tmp_path)
    assert [hit.passage for hit in index.words("what does it cost to run a crane?", 9)][:1] == [A0]
    assert {hit.passage.id for hit in index.words("leaves", 9)} == {A1.id, B0.id}
    assert [hit.passage for hit in index.words("cafe", 9)] == [B0]
    scores = [hit.score for hit in index.words("parental leave", 9)]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0


@pytest.mark.parametrize("query", ["", "  ", "the", "?!", "nothingofthis", 'quote " AND (x:y* ~', "don't"])
def test_odd_queries_find_nothing_and_do_not_fail(kind: str, tmp_path: Path, query: str) -> None:
    assert filled(kind, tmp_path)[0].words(query, 5) == []


def test_passages_come_in_order_and_whole(kind: str, tmp_path: Path) -> None:
    index = open_index(kind, tmp_path, D)
    index.commit([], EVERY[::-1], vectors(4))
    assert list(index.passages()) == [A0, A1, B0, C0]


def test_commit_removes_documents_then_adds(kind: str, tmp_path: Path) -> None:
    index, _ = filled(kind, tmp_path)
    new = passage("a.md", 0, "Cranes are free now")
    index.commit(["a.md", B0.document, "not there"], [new], vectors(1, 5))
    assert list(index.passages()) == [new, C0]
    assert [hit.passage for hit in index.words("crane", 9)] == [new]
    assert index.words("parental", 9) == []
    assert index.dense(vectors(1, 5)[0], 1)[0].passage == new


def test_everything_may_go(kind: str, tmp_path: Path) -> None:
    index, _ = filled(kind, tmp_path)
    index.commit([passage.document for passage in EVERY], [], np.zeros((0, D), np.float32))
    assert list(index.passages()) == []
    assert index.dense(vectors(1)[0], 3) == []
    assert index.words("leave", 3) == []


def test_stored_hands_back_the_vectors(kind: str, tmp_path: Path) -> None:
    index, _ = filled(kind, tmp_path)
    passages, found = index.stored([B0.document, "a.md"])
    given = dict(zip([p.id for p in EVERY], vectors(4), strict=True))
    assert {p.id for p in passages} == {A0.id, A1.id, B0.id}
    assert all(np.array_equal(row, given[p.id]) for p, row in zip(passages, found, strict=True))
    assert index.stored([])[0] == []


def test_a_filter_is_applied_before_ranking(kind: str, tmp_path: Path) -> None:
    index = open_index(kind, tmp_path, D)
    of = {
        "a.md": Labels(("everyone",), ("o'k=1",)),
        B0.document: Labels(("group:o'x", "user:ben"), ("o'k=2",)),
        "not there": Labels(("x",)),
    }
    many = [passage("a.md", n, "leave, leave and leave again") for n in range(40)]
    index.commit([], [*many, B0, C0], np.concatenate([np.repeat(vectors(1), 40, axis=0), vectors(2, 3)]), of)
    held = Filter(frozenset({"group:o'x", "user:anna"}))
    for only in (held, Filter(facts=(frozenset({"o'k=2"}),)), Filter(held.readers, (frozenset({"o'k=3", "o'k=2"}),))):
        assert [hit.passage for hit in index.dense(vectors(1)[0], 1, only)] == [B0]
        assert [hit.passage for hit in index.words("leave", 1, only)] == [B0]
        assert list(index.passages(only)) == [B0]
    nobody = Filter(frozenset()), Filter(facts=(frozenset(),)), Filter(held.readers, (frozenset({"o'k=1"}),)), Filter(frozenset({"x"}))
    for only in nobody:
        assert (index.dense(vectors(1)[0], 9, only), index.words("leave", 9, only), list(index.passages(only))) == ([], [], [])
    assert len(list(index.passages())) == 42


def test_thin_hits_become_whole(kind: str, tmp_path: Path) -> None:
    index = open_index(kind, tmp_path, D)
    copies = [passage(f"copy{n}.md", 0, ("leave", "*LEAVE*", " leave\n")[n], ("Rules",)) for n in range(3)]
    index.commit([], [*EVERY, *copies], vectors(7), {"a.md": Labels(("everyone",)), "copy1.md": Labels(("everyone",))})
    for only in (ALL, Filter(frozenset({"everyone"}))):
        for leg, asked in ((index.dense, vectors(1, 9)[0]), (index.words, "leave")):
            thin = leg(asked, 5, only, thin=True)
            assert index.whole(thin) == leg(asked, 5, only)
            assert index.whole(thin[2:0:-1]) == leg(asked, 5, only)[2:0:-1]
            assert [len(one.folded) for one in folded(thin, 5)] == [len(one.folded) for one in folded(leg(asked, 5, only), 5)]
    assert index.whole([]) == []
    held = index.words("leave", 5, thin=True)
    state = index.commit(["a.md", 'b\'s "file".md'], [], np.zeros((0, D), np.float32))
    assert index.whole(held) is None or kind.partition(":")[0] != "lance"
    assert open_index(kind, tmp_path, D, state).whole(index.words("leave", 5, thin=True)) == index.words("leave", 5)


def test_labels_last_until_their_document_goes(kind: str, tmp_path: Path) -> None:
    index = open_index(kind, tmp_path, D)
    everyone, other = Filter(frozenset({"everyone"})), Filter(frozenset({"user:ben"}))
    index.commit([], EVERY, vectors(4), {"a.md": Labels(("everyone",))})
    state = index.commit([], [passage("d.md", 0, "Dock")], vectors(1, 7), {"d.md": Labels(("everyone",))})
    assert {p.document for p in index.passages(everyone)} == {"a.md", "d.md"}
    assert {p.document for p in open_index(kind, tmp_path, D, state).passages(everyone)} == {"a.md", "d.md"}
    index.commit(["a.md", "d.md"], [A0, A1], vectors(2), {"a.md": Labels(("user:ben",))})
    assert list(index.passages(everyone)) == []
    assert list(index.passages(other)) == [A0, A1]


def test_a_state_is_opened_again_though_a_commit_followed(kind: str, tmp_path: Path) -> None:
    index, before = filled(kind, tmp_path)
    after = index.commit(["a.md"], [], np.zeros((0, D), np.float32))
    assert before != after
    assert list(open_index(kind, tmp_path, D, before).passages()) == [A0, A1, B0, C0]
    assert list(open_index(kind, tmp_path, D, after).passages()) == [B0, C0]
    index.tidy()
    assert list(open_index(kind, tmp_path, D, after).passages()) == [B0, C0]
    assert list(index.passages()) == [B0, C0]


def test_a_commit_builds_on_the_opened_state_not_on_leftovers(kind: str, tmp_path: Path) -> None:
    index, before = filled(kind, tmp_path)
    index.commit(["a.md"], [], np.zeros((0, D), np.float32))  # a commit whose state nobody noted
    again = open_index(kind, tmp_path, D, before)
    again.commit(["c.md"], [], np.zeros((0, D), np.float32))
    assert list(again.passages()) == [A0, A1, B0]


def test_equal_scores_are_ranked_by_document_and_start(kind: str, tmp_path: Path) -> None:
    index = open_index(kind, tmp_path, D)
    same = [passage(f"{n}.md", 0, "one and the same text") for n in range(9)]
    index.commit([], same[::-1], np.repeat(vectors(1), 9, axis=0))
    assert [hit.passage for hit in index.words("same text", 4)] == same[:4]
    assert [hit.passage for hit in index.dense(vectors(1)[0], 4)] == same[:4]


def edition(turn: int) -> list[Passage]:
    """Every document of one turn; how many passages each has differs from turn to turn."""
    return [passage(f"{n}.md", 100 * at, f"edition {turn} of the page") for n in range(3) for at in range(1 + (turn + n) % 3)]


def put(index: StoredIndex, turn: int) -> str:
    return index.commit([f"{n}.md" for n in range(3)], edition(turn), vectors(len(edition(turn)), turn))


def whole(index: StoredIndex) -> int:
    """The turn whose edition is held and found, all of it and nothing else."""
    held = list(index.passages())
    turn = int(held[0].text.split()[1])
    assert held == edition(turn)
    assert {hit.passage.id for hit in index.dense(vectors(1)[0], 50)} == {p.id for p in held}
    assert {hit.passage.id for hit in index.words(f"edition {turn}", 50)} == {p.id for p in held}
    return turn


def test_tidying_keeps_the_states_that_are_named(kind: str, tmp_path: Path) -> None:
    index = open_index(kind, tmp_path, D)
    states = [put(index, turn) for turn in range(3)]
    time.sleep(0.2)  # LanceDB cleans by age, so a state may outlive its time by an instant
    states.append(put(index, 3))
    index.tidy(states[1:3])
    assert [whole(open_index(kind, tmp_path, D, state)) for state in states[1:]] == [1, 2, 3]
    index.tidy()
    assert whole(index) == whole(open_index(kind, tmp_path, D, states[3])) == 3
    with pytest.raises((OSError, RuntimeError, ValueError)):
        open_index(kind, tmp_path, D, states[1])


def test_readers_read_whole_states_while_a_writer_writes(kind: str, tmp_path: Path) -> None:
    noted = [put(open_index(kind, tmp_path, D), 0)]

    def write() -> None:
        index = open_index(kind, tmp_path, D, noted[0])
        for turn in range(1, 6):
            noted.append(put(index, turn))

    standing = open_index(kind, tmp_path, D, noted[0])
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done():
            at = len(noted) - 1
            assert whole(open_index(kind, tmp_path, D, noted[at])) == at
            assert whole(standing) == 0
        writing.result()
    assert whole(open_index(kind, tmp_path, D, noted[-1])) == 5


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from test_index import D, open_index, put
index = open_index(sys.argv[1], Path(sys.argv[2]), D, sys.argv[3])
print("ready", flush=True)
for turn in range(1000):
    print(put(index, turn), flush=True)
"""


def test_a_killed_writer_leaves_what_was_noted(kind: str, tmp_path: Path) -> None:
    chance, state = Random(f"kill/{kind.partition(':')[0]}"), put(open_index(kind, tmp_path, D), 0)
    here = Path(__file__).parent
    for _ in range(3):
        arguments = [sys.executable, "-c", WRITER, kind, str(tmp_path), state, str(here), str(here.parent)]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.random() * 0.3)
        process.kill()
        state = ([state, *process.stdout.read().split()])[-1]
        process.wait()
        process.stdout.close()
        whole(open_index(kind, tmp_path, D, state))
    index = open_index(kind, tmp_path, D, state)
    put(index, 7)
    assert whole(index) == 7


def test_unknown_kinds_are_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names no index"):
        open_index(f"x{kind}", tmp_path, D)
