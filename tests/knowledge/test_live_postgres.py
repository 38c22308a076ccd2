"""Questions to a real PostgreSQL: bound, read only, and cancelled when they take too long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from postgres_server import postgres

from rung.errors import KnowledgeError
from rung.knowledge.live import open_live
from rung.sources import SqlBeside

MATCH = "SELECT id, subject, body FROM tickets WHERE to_tsvector('english', body) @@ websearch_to_tsquery('english', :keywords) ORDER BY id"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as address:
        with psycopg.connect(address) as connection:
            connection.execute("CREATE TABLE tickets (id int, subject text, body text)")
            connection.execute(
                "INSERT INTO tickets VALUES (1, 'Stuck', 'A crane is stuck.'), (2, 'Lamp', 'Out.'), (3, 'Paint', 'Blue cranes.')"
            )
        yield address


def asked(server: str, query: str, question: str, timeout: float = 5, k: int = 5) -> list[str]:
    url = server.replace("postgresql://", "postgresql+psycopg://", 1)
    source = SqlBeside(kind="sql", name="tickets", url=url, query=query, title="subject", text="{body}", timeout=timeout, k=k)
    return [f"{one.document}: {one.text}" for one in open_live(source, Path()).ask(question)]


def test_words_are_found_whatever_else_the_question_holds(server: str) -> None:
    question = "Why's the crane stuck: '); DROP TABLE tickets; --?"
    assert asked(server, MATCH, question) == ["1: A crane is stuck.", "3: Blue cranes."]
    assert asked(server, MATCH, question, k=1) == ["1: A crane is stuck."]
    assert asked(server, MATCH, "zeppelin") == []


def test_it_can_only_read(server: str) -> None:
    writing = "WITH gone AS (DELETE FROM tickets RETURNING id) SELECT id, 'x' AS subject, CAST(:question AS text) AS body FROM gone"
    with pytest.raises(KnowledgeError, match="read-only transaction"):
        asked(server, writing, "crane")
    with pytest.raises(KnowledgeError, match="refused"):
        asked(server, f"{MATCH}; DELETE FROM tickets", "crane")
    assert len(asked(server, MATCH, "crane")) == 2


def test_what_takes_too_long_is_cancelled(server: str) -> None:
    with pytest.raises(KnowledgeError, match=r"took longer than 0\.3 s"):
        asked(server, "SELECT 1 AS id, 'x' AS subject, CAST(:question AS text) AS body FROM pg_sleep(60)", "crane", 0.3)


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="the live source 'tickets' refused"):
        asked("postgresql://postgres@127.0.0.1:1/none", MATCH, "crane")
