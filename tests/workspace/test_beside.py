"""Other projects, databases and search endpoints are asked with each question: fused, named, and no wider than their lists allow."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from search_server import Endpoint, search_server
from tiny_model import save_random_model

import rung
from rung.approach.fused import Fused
from rung.approach.source import Search, Source
from rung.errors import ConfigError, KnowledgeError
from rung.knowledge.live import keywords
from rung.knowledge.live.http import at, filled
from rung.types import Hit
from rung.workspace import workspace as w
from rung.workspace.searching import source

BASE = '[model]\nname = "local:model"\nmax_tokens = 4\n[knowledge]\nembedder = "hashing"\nindex = "exact"\nk = 6\nfolder = "docs"\n'
SQL = '[[knowledge.also]]\nkind = "sql"\nname = "tickets"\nurl = "sqlite:///tickets.db"\ntitle = "subject"\ntext = "{body}"\n'
MATCH = 'query = "SELECT rowid AS id, subject, body FROM tickets WHERE tickets MATCH :keywords ORDER BY rank"\n'
HTTP = (
    '[[knowledge.also]]\nkind = "http"\nname = "portal"\nurl = "{url}"\nitems = "hits.hits"\ntext = "_source.body"\n'
    'title = "_source.name"\nkey = "_id"\nallow_private = true\n'
)
GET, POST = 'params = {q = "{question}"}\n', 'body = {query = {match = "{question}"}, size = 3}\n'
OTHER = '[[knowledge.also]]\nkind = "project"\nname = "legal"\npath = "../legal"\n'


def project(folder: Path, documents: dict[str, str], more: str = "") -> Path:
    (folder / "docs").mkdir(parents=True)
    for path, text in documents.items():
        (folder / "docs" / path).write_text(text)
    (folder / "cases.jsonl").write_text(json.dumps({"id": "a", "question": "What does the crane cost?", "answer": "900 euros"}) + "\n")
    (folder / "rung.toml").write_text(BASE + more)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_random_model(folder, seed=0)
    return folder


@pytest.fixture
def shop(tmp_path: Path, model: Path) -> Path:
    folder = project(tmp_path / "shop", {"crane.md": "# Crane\n\nThe crane costs 900 euros a day."})
    (folder / "model").symlink_to(model)
    with sqlite3.connect(folder / "tickets.db") as db:
        db.execute("CREATE VIRTUAL TABLE tickets USING fts5(subject, body)")
        rows = [("Crane stuck", "A crane stuck at the quay: call the smith."), ("Lamp", "The lamp is out.")]
        db.executemany("INSERT INTO tickets VALUES (?, ?)", rows)
    db.close()
    return folder


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with search_server() as found:
        found.held["7"] = ("News", "The crane is painted blue.")
        yield found


def opened(folder: Path, more: str, user: str = "", where: tuple[str, ...] = ()) -> Source:
    (folder / "rung.toml").write_text(BASE + more)
    ws = w.open_workspace(folder, user, where)
    synced = w.sync_knowledge(ws)
    assert synced
    return source(ws, synced[0])


def documents(found: tuple[Hit, ...]) -> list[str]:
    return [hit.passage.document for hit in found]


@pytest.mark.parametrize(("form", "method"), [(GET, "GET"), (POST, "POST")])
def test_all_are_asked_and_fused_by_rank(shop: Path, endpoint: Endpoint, form: str, method: str) -> None:
    legal = project(shop.parent / "legal", {"crane.md": "# Crane\n\nThe crane needs a licence."})
    rung.open(legal).index()
    fused = opened(shop, OTHER + SQL + MATCH + HTTP.format(url=endpoint.url) + form)
    assert isinstance(fused, Fused)
    found = fused.find('What cost has a "crane" & why?')
    assert documents(found.hits) == ["crane.md", "legal/crane.md", "tickets/1", "portal/7"]
    assert found.hits[2].passage.headings == ("Crane stuck",)
    assert endpoint.asked == [(method, 'What cost has a "crane" & why?')]
    assert set(found.live) == {"tickets", "portal"}
    assert len({hit.passage.id for hit in found.hits}) == 4
    assert [hit.legs[name] for hit, name in zip(found.hits, ("own", "legal", "tickets", "portal"), strict=True)] == [1, 1, 1, 1]


def test_what_came_back_is_recorded_and_only_that_changes(shop: Path, endpoint: Endpoint) -> None:
    fused = opened(shop, HTTP.format(url=endpoint.url) + GET)
    first = fused.find("crane")
    assert fused.find("crane").live == first.live
    endpoint.held["7"] = ("News", "The crane is painted red.")
    assert fused.find("crane").live != first.live
    assert opened(shop, HTTP.format(url=endpoint.url) + GET).id == fused.id
    assert opened(shop, HTTP.format(url=endpoint.url) + GET + "k = 2\n").id != fused.id
    assert isinstance(opened(shop, ""), Search)
    answer = rung.open(shop).ask("crane")
    (shop / "rung.toml").write_text(BASE + HTTP.format(url=endpoint.url) + GET)
    live = rung.open(shop).ask("What does the crane cost?")
    assert live.made_by["live portal"]
    assert "live portal" not in answer.made_by


def test_the_version_of_another_project_is_part_of_the_id(shop: Path) -> None:
    legal = project(shop.parent / "legal", {"crane.md": "# Crane\n\nThe crane needs a licence."})
    rung.open(legal).index()
    before = opened(shop, OTHER).id
    (legal / "docs" / "crane.md").write_text("# Crane\n\nThe crane needs no licence.")
    assert opened(shop, OTHER).id == before  # as its last index left it
    rung.open(legal).index()
    assert opened(shop, OTHER).id != before


def test_a_project_without_an_index_and_a_name_taken_twice_are_refused(shop: Path) -> None:
    project(shop.parent / "legal", {"crane.md": "# Crane"})
    with pytest.raises(ConfigError, match="has no index"):
        opened(shop, OTHER)
    (shop / "docs" / "tickets").mkdir()
    (shop / "docs" / "tickets" / "a.md").write_text("# A\n\nA text.")
    with pytest.raises(ConfigError, match="is a folder of documents and a name"):
        opened(shop, SQL + MATCH)


def test_each_ones_lists_are_applied(shop: Path, endpoint: Endpoint) -> None:
    legal = project(shop.parent / "legal", {"crane.md": "# Crane\n\nThe crane needs a licence.", "open.md": "# Crane\n\nCranes are fine."})
    lists = '[access]\non = true\n[[access.rules]]\ndocuments = "**"\nreaders = ["anna"]\n'
    (legal / "rung.toml").write_text(BASE + lists + '[[access.rules]]\ndocuments = "open.md"\nreaders = ["everyone"]\n')
    rung.open(legal).index()
    ours = '[access]\non = true\n[[access.rules]]\ndocuments = "**"\nreaders = ["everyone"]\n'
    more = OTHER + SQL + MATCH + 'readers = ["group:desk"]\n' + HTTP.format(url=endpoint.url) + GET + ours + 'groups = {desk = ["anna"]}\n'
    more = more.replace(ours + "groups", "[access]\non = true\ngroups").replace(
        "]}\n", ']}\n[[access.rules]]\ndocuments = "**"\nreaders = ["everyone"]\n'
    )
    seen = {user: documents(opened(shop, more, user).find("crane").hits) for user in ("anna", "ben", "")}
    assert sorted(seen["anna"]) == ["crane.md", "legal/crane.md", "legal/open.md", "tickets/1"]
    assert sorted(seen["ben"]) == sorted(seen[""]) == ["crane.md", "legal/open.md"]
    assert endpoint.asked == []  # no readers: nobody


def test_another_project_without_lists_is_asked_by_its_readers_alone(shop: Path) -> None:
    legal = project(shop.parent / "legal", {"crane.md": "# Crane\n\nThe crane needs a licence."})
    rung.open(legal).index()
    on = '[access]\non = true\n[[access.rules]]\ndocuments = "**"\nreaders = ["everyone"]\n'
    assert documents(opened(shop, OTHER + on, "anna").find("crane").hits) == ["crane.md"]
    assert "legal/crane.md" in documents(opened(shop, OTHER + 'readers = ["anna"]\n' + on, "anna").find("crane").hits)


def test_conditions_hold_everywhere(shop: Path) -> None:
    legal = project(shop.parent / "legal", {"crane.md": "---\nyear: 2024\n---\n# Crane\n\nThe crane needs a licence."})
    rung.open(legal).index()
    assert documents(opened(shop, OTHER + SQL + MATCH, where=("year>=2024",)).find("crane").hits) == ["legal/crane.md"]


def test_hits_are_widened_in_their_own_project(shop: Path) -> None:
    text = "# Crane\n\n" + "\n\n".join(f"Rule {n} of the crane: never lift {n} tons over the heads of the people below." for n in range(30))
    legal = project(shop.parent / "legal", {"rules.md": text})
    (legal / "rung.toml").write_text(BASE.replace("k = 6", 'k = 6\npassage_tokens = 24\nexpand = "neighbours:2"'))
    rung.open(legal).index()
    found = opened(shop, OTHER + "k = 1\n").find("rule 12 of the crane")
    assert found.widener
    wide = found.widener.widen(found.hits, 99)
    legal_hit = next(hit for hit in wide if hit.passage.document == "legal/rules.md")
    assert legal_hit.passage.text == text[legal_hit.passage.start : legal_hit.passage.end]
    assert len(legal_hit.won) == 1
    assert [hit.passage.document for hit in wide] == documents(found.hits)


def test_a_live_query_can_only_read_and_only_so_long(shop: Path) -> None:
    endless = (
        "WITH RECURSIVE t(n) AS (SELECT :question UNION ALL SELECT n FROM t) SELECT count(*) AS id, 'x' AS subject, 'y' AS body FROM t"
    )
    with pytest.raises(KnowledgeError, match=r"took longer than 0\.2 s"):
        opened(shop, SQL + f'query = "{endless}"\ntimeout = 0.2\n').find("crane")
    for query, why in (("DELETE FROM tickets", "no SELECT"), ("SELECT 1 AS id", "doesn't take the question")):
        with pytest.raises(ConfigError, match=why):
            opened(shop, SQL + f'query = "{query}"\n')
    with pytest.raises(KnowledgeError, match="refused: attempt to write a readonly database"):
        opened(shop, SQL + 'query = "WITH q AS (SELECT :question) INSERT INTO tickets SELECT 1, 2 FROM q RETURNING rowid AS id"\n').find(
            "crane"
        )
    with pytest.raises(ConfigError, match="there is no database"):
        opened(shop, SQL.replace("tickets.db", "none.db") + MATCH)
    assert not (shop / "none.db").exists()
    assert opened(shop, SQL + MATCH).find("?!").live  # no word, nothing asked


def test_what_fails_is_said_or_where_it_is_optional_recorded(shop: Path, endpoint: Endpoint) -> None:
    table = HTTP.format(url=endpoint.url) + GET
    for says, why in (
        (503, "said 503"),
        (b"<html>", "did not answer in JSON"),
        (b'{"rows": []}', "has no list at 'hits.hits'; the answer has rows"),
    ):
        endpoint.says = says
        with pytest.raises(KnowledgeError, match=why):
            opened(shop, table).find("crane")
        found = opened(shop, table + "optional = true\n").find("crane")
        assert documents(found.hits) == ["crane.md"]
        assert why in found.live["portal"]
    endpoint.says, endpoint.location = 302, "http://127.0.0.1:1/elsewhere"
    with pytest.raises(KnowledgeError, match=r"did not answer|said 302"):
        opened(shop, table).find("crane")
    with pytest.raises(KnowledgeError, match="private network"):
        opened(shop, table.replace("allow_private = true\n", "")).find("crane")


def test_the_token_goes_to_the_endpoint_alone(shop: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_TOKEN", "s3cret")
    opened(shop, HTTP.format(url=endpoint.url) + GET + 'key_env = "PORTAL_TOKEN"\n').find("crane")
    assert endpoint.tokens == ["Bearer s3cret"]
    with search_server() as other:
        endpoint.says, endpoint.location = 302, other.url
        opened(shop, HTTP.format(url=endpoint.url) + GET + 'key_env = "PORTAL_TOKEN"\n').find("crane")
        assert other.tokens == [""]
    monkeypatch.delenv("PORTAL_TOKEN")
    with pytest.raises(ConfigError, match="PORTAL_TOKEN is not set"):
        opened(shop, HTTP.format(url=endpoint.url) + GET + 'key_env = "PORTAL_TOKEN"\n')


def test_a_private_project_asks_nobody_elsewhere(shop: Path) -> None:
    private = "[limits]\nprivate = true\n"
    for table in (
        HTTP.format(url="https://search.example.org/find") + GET,
        SQL.replace("sqlite:///tickets.db", "postgresql://db.example.org/x") + MATCH,
    ):
        with pytest.raises(ConfigError, match="would send its questions to another machine"):
            opened(shop, table + private)
    assert isinstance(opened(shop, SQL + MATCH + private), Fused)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('kind = "ftp"\nname = "x"\n', "has no kind that is known"),
        ('kind = "http"\nname = "x"\nurl = "search"\nparams = {q = "{question}"}\n', "is no address"),
        ('kind = "http"\nname = "x"\nurl = "https://a.example/"\n', "doesn't send the question"),
        ('kind = "http"\nname = "x"\nurl = "https://a.example/"\nparam = {}\n', "nobody reads the key 'param'"),
        ('kind = "project"\nname = "x"\n', "needs the key 'path'"),
    ],
)
def test_tables_that_are_refused(shop: Path, table: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        opened(shop, "[[knowledge.also]]\n" + table)


def test_the_command_line_says_that_live_sources_have_no_version(shop: Path) -> None:
    (shop / "rung.toml").write_text(BASE + SQL + MATCH)
    done = subprocess.run(
        [sys.executable, "-m", "rung", "ask", "crane", str(shop)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "tickets/1" in done.stdout
    assert "live tickets: " in done.stdout
    done = subprocess.run(
        [sys.executable, "-m", "rung", "climb", str(shop), "--rung", "rag", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "no version" in json.loads(done.stdout)["facts"]["live"], done.stderr


def test_keywords_places_and_forms() -> None:
    assert keywords("What's the crane's price - the PRICE?") == "what OR the OR crane OR price"
    assert keywords("?!") == ""
    assert at({"a": [{"b": 1}]}, "a.0.b") == 1
    assert at({"a": []}, "a.0.b") is None
    assert filled({"q": ["{question}", 3]}, 'x"y') == {"q": ['x"y', 3]}
