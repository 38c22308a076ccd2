"""PostgreSQL beside the exact index: the same ranks, its own errors, and a project's tables are its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres_server import postgres

from rung.errors import ConfigError, KnowledgeError
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.indexes import open_index
from rung.knowledge.knowledge import open_knowledge, search, sync
from rung.knowledge.read import read_document
from rung.types import Filter, Labels, Passage

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
