"""PostgreSQL beside the exact index: the same ranks, its own errors, and a project's tables are its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres_server import postgres

from rung.errors import ConfigError, KnowledgeError
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.indexes import open_index
from rung.knowledge.indexes import postgres as postgres_index
from rung.knowledge.indexes.place import place
from rung.knowledge.indexes.postgres import Postgres
from rung.knowledge.knowledge import open_knowledge, search, sync
from rung.knowledge.read import read_document
from rung.types import ALL, Filter, Labels, Passage

WORDS = ["crane", "leave", "cost", "costs", "harbour", "the", "Café", "日本", "o'neill", "under_score", "2,000"]
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as address:
        yield address


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=1, max_size=8), texts, st.sets(st.integers(0, 3)))
def test_both_legs_rank_as_the_exact_index_does(
    server: str, tmp_path_factory: pytest.TempPathFactory, held: list[str], query: str, groups: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("same")
    passages = [Passage(f"{n}", f"{n}.md", 0, len(text), text) for n, text in enumerate(held)]
    of = {f"{n}.md": Labels((f"group:{n % 4}",), (f"n={n % 4}",)) for n in range(len(held))}
    vectors = Hashing(16).embed(held)
    only = Filter(frozenset(f"group:{n}" for n in groups), (frozenset({"n=0", "n=1", "n=2"}),))
    found = []
    for kind in ("exact", f"postgres:{server}"):
        index = open_index(kind, folder / kind[:5], 16)
        index.commit([], passages, vectors, of)
        index.commit(["0.md"], passages[:1], vectors[:1], of)
        found.append([index.words(query, 5), index.words(query, 5, only), index.dense(vectors[0], 3), index.dense(vectors[0], 3, only)])
    for exact, ours in zip(*found, strict=True):
        assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in exact], abs=1e-5)
        if len({round(hit.score, 5) for hit in exact}) == len(exact):
            assert [hit.passage for hit in ours] == [hit.passage for hit in exact]


def test_two_projects_on_one_server_do_not_meet(server: str, tmp_path: Path) -> None:
    knowledges = [open_knowledge(tmp_path / name, Hashing(), f"postgres:{server}", 60) for name in ("one", "two")]
    for number, knowledge in enumerate(knowledges):
        sync(knowledge, [read_document(f"# Page\n\nProject {number}".encode(), "page.md")])
    for number, knowledge in enumerate(knowledges):
        assert [hit.passage.text for hit in search(knowledge, "project", 9)] == [f"# Page\n\nProject {number}"]


def test_a_lost_connection_is_made_anew(server: str, tmp_path: Path) -> None:
    knowledge = open_knowledge(tmp_path, Hashing(), f"postgres:{server}", 60)
    sync(knowledge, [read_document(b"# Page\n\nCranes", "page.md")])
    with psycopg.connect(server, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = 'rung'")
    assert len(search(knowledge, "cranes", 3)) == 1
    assert sync(knowledge, []).removed == ("page.md",)


def test_a_failed_commit_leaves_the_state_before(server: str, tmp_path: Path) -> None:
    index = open_index(f"postgres:{server}", tmp_path, 4)
    one = Passage("1", "a.md", 0, 3, "one")
    state = index.commit([], [one], np.eye(4, dtype=np.float32)[:1])
    with pytest.raises(KnowledgeError, match="refused"):
        index.commit(["a.md"], [one, one], np.ones((2, 3), np.float32))  # vectors of another length
    assert list(index.passages()) == list(open_index(f"postgres:{server}", tmp_path, 4, state).passages()) == [one]


def test_a_server_out_of_reach_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="can't be reached") as error:
        open_knowledge(tmp_path, Hashing(), "postgres:postgresql://me:geheim@127.0.0.1:9/none", 60)
    assert "geheim" not in str(error.value) + error.value.hint


def test_an_index_kept_in_the_project_takes_no_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="kept in the project"):
        open_knowledge(tmp_path, Hashing(), "exact:somewhere")


@pytest.fixture
def graphed(server: str, tmp_path: Path) -> Postgres:
    """4,000 passages of 32 dimensions, in a session that reads no table whole where an index will do, as it wouldn't a larger one."""
    unwilling = quote("-c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off")
    index = open_index(f"postgres:{server}{'&' if '?' in server else '?'}options={unwilling}", tmp_path, 32)
    assert isinstance(index, Postgres)
    index.large = 3_000
    index.commit([], MANY, UNIT[:ROWS], LABELS)
    return index


ROWS = 4_000
RAW = np.random.default_rng(5).normal(size=(ROWS + 60, 32)).astype(np.float32)
UNIT = RAW / np.linalg.norm(RAW, axis=1, keepdims=True)
MANY = [Passage(f"{n}", f"{n // 10}.md", n, n + 4, "part") for n in range(ROWS)]
LABELS = {f"{n}.md": Labels(("everyone",) if n % 8 else ("user:ann",), (f"team={n % 20}",)) for n in range(ROWS // 10)}
EVERYONE, TEAM = Filter(frozenset({"everyone"})), Filter(frozenset({"everyone"}), (frozenset({"team=7", "team=8"}),))


def recall(index: Postgres, only: Filter, held: Mapping[int, int]) -> float:
    """The share of the ten best by numpy that are found; `held` has the row of UNIT of each start that the filter lets through."""
    shares = []
    starts, rows = np.array(list(held)), np.array(list(held.values()))
    for query in UNIT[ROWS : ROWS + 50]:
        found = index.dense(query, 10, only)
        best = starts[np.argsort(-(UNIT[rows] @ query))[:10]].tolist()
        shares.append(len({hit.passage.start for hit in found} & set(best)) / 10)
        assert [hit.score for hit in found] == pytest.approx([float(UNIT[held[hit.passage.start]] @ query) for hit in found], abs=1e-5)
        assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    return float(np.mean(shares))


def walks(server: str, index: Postgres) -> int | None:
    """How often the graph was asked, None where there is none; the index is to connect anew."""
    index.connection.close()  # it reports what it did
    with psycopg.connect(server) as other:
        asked = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'graph_' || %s"
        row = other.execute(asked, [place(index.folder)]).fetchone()
    return row[0] if row else None


def test_a_large_table_is_searched_by_its_graph_and_what_a_filter_leaves_exactly(server: str, graphed: Postgres) -> None:
    everything = {n: n for n in range(ROWS)}
    read = {n: n for n in range(ROWS) if n // 10 % 8}
    few = {n: n for n in read if n // 10 % 20 in (7, 8)}
    assert walks(server, graphed) is None
    assert (recall(graphed, ALL, everything), recall(graphed, EVERYONE, read), recall(graphed, TEAM, few)) == (1, 1, 1)
    graphed.tidy(None)
    assert (walks(server, graphed), recall(graphed, TEAM, few), walks(server, graphed)) == (0, 1, 0)
    assert recall(graphed, ALL, everything) >= 0.98
    assert recall(graphed, EVERYONE, read) >= 0.98
    assert (walks(server, graphed) or 0) >= 100
    assert len(graphed.dense(UNIT[0], 700, EVERYONE)) == 700
    assert graphed.dense(UNIT[0], 5, Filter(frozenset({"user:eve"}))) == []


def test_the_graph_follows_commits_and_earlier_states_are_found_beside_it(server: str, graphed: Postgres) -> None:
    graphed.tidy(None)
    before, gone = graphed.state, [f"{n}.md" for n in range(0, 120, 2)]
    new = [Passage(f"new{n}", "7.md", ROWS + n, ROWS + n + 3, "new") for n in range(3)]
    now = {n: n for n in range(ROWS) if f"{n // 10}.md" not in (*gone, "7.md")} | {ROWS + n: ROWS + 50 + n for n in range(3)}
    graphed.commit([*gone, "7.md"], new, UNIT[ROWS + 50 : ROWS + 53], {"7.md": Labels(("everyone",), ("team=7",))})
    assert [graphed.dense(UNIT[ROWS + 50 + n], 1, only)[0].passage for n in range(3) for only in (ALL, EVERYONE)] == [
        one for one in new for _ in range(2)
    ]
    assert recall(graphed, ALL, now) >= 0.98
    earlier = replace(graphed, state=before)
    assert recall(earlier, ALL, {n: n for n in range(ROWS)}) >= 0.98
    assert {hit.passage.document for hit in earlier.dense(UNIT[70], 1)} == {"7.md"}
    assert (walks(server, graphed) or 0) >= 50
    graphed.tidy()
    assert recall(graphed, ALL, now) >= 0.98


def test_a_large_change_builds_the_graph_anew(server: str, graphed: Postgres) -> None:
    graphed.tidy(None)
    graphed.commit([f"{n}.md" for n in range(200)], MANY[:2000], UNIT[:2000], LABELS)
    assert walks(server, graphed) is None
    assert recall(graphed, ALL, {n: n for n in range(ROWS)}) == 1
    graphed.tidy(None)
    assert recall(graphed, ALL, {n: n for n in range(ROWS)}) >= 0.98
    assert (walks(server, graphed) or 0) >= 50


def test_a_sync_builds_the_graph_once_its_state_is_noted(server: str, tmp_path: Path) -> None:
    knowledge = open_knowledge(tmp_path, Hashing(), f"postgres:{server}", 60)
    assert isinstance(knowledge.index, Postgres)
    knowledge.index.large = 5
    sync(knowledge, [read_document(f"# Page\n\n{word}".encode(), f"{n}.md") for n, word in enumerate(WORDS)])
    assert walks(server, knowledge.index) == 0
    assert [hit.passage.document for hit in search(knowledge, "harbour", 1, "dense")] == ["4.md"]


def test_vectors_too_long_for_a_graph_are_scanned(server: str, tmp_path: Path) -> None:
    index = open_index(f"postgres:{server}", tmp_path, postgres_index.DEEP + 1)
    assert isinstance(index, Postgres)
    index.large = 1
    vectors = np.eye(3, postgres_index.DEEP + 1, dtype=np.float32)
    index.commit([], MANY[:3], vectors)
    index.tidy(None)
    assert walks(server, index) is None
    assert index.dense(vectors[2], 1)[0].passage == MANY[2]
