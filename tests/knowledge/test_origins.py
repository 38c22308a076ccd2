"""Git, tables and databases as sources: real repositories, files and databases, read only where they changed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from rung.errors import ConfigError, DataError, KnowledgeError, RungError
from rung.knowledge.gather import Place, gather
from rung.knowledge.origins import Entry, Origin, open_origin
from rung.knowledge.reading import Unreadable
from rung.sources import GitSource, RowsSource, SqlSource


def git(folder: Path, *words: str, date: str = "2024-01-02T03:04:05+00:00", author: str = "Ann Berg") -> None:
    named = {"GIT_AUTHOR_NAME": author, "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": author, "GIT_COMMITTER_EMAIL": "a@b"}
    dated = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, env={**os.environ, **named, **dated})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "wiki"
    (folder / "hr").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "hr" / "leave.md").write_text("# Leave\n\n27 days\n")
    (folder / "Größe.md").write_text("# Size\n\nten\n")
    (folder / "logo.png").write_bytes(b"\x89PNG")
    (folder / ".hidden.md").write_text("hidden")
    (folder / "link.md").symlink_to("hr/leave.md")
    (folder / "big.md").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    (folder / "hr" / "leave.md").write_text("# Leave\n\n28 days\n")
    git(folder, "commit", "-qam", "second", date="2024-05-06T07:08:09+02:00", author="Bo Lind")
    return folder


def opened_git(repository: Path, **options: object) -> Origin:
    source = GitSource.model_validate({"kind": "git", "name": "wiki", "path": "wiki", **options})
    return open_origin(source, repository.parent, repository.parent)


def test_git_gives_a_revision_with_dates_and_authors(repository: Path) -> None:
    (repository / "hr" / "leave.md").write_text("not committed")
    gathered = gather([Place("wiki", opened_git(repository), "made")])
    documents = {document.path: document for document in gathered.documents}
    assert sorted(documents) == ["wiki/Größe.md", "wiki/hr/leave.md"]
    leave = documents["wiki/hr/leave.md"]
    assert leave.text == "# Leave\n\n28 days\n"
    assert leave.meta["author"] == "Bo Lind"
    assert (leave.meta["created"], leave.meta["modified"]) == ("2024-01-02T03:04:05+00:00", "2024-05-06T07:08:09+02:00")
    assert documents["wiki/Größe.md"].meta["author"] == "Ann Berg"
    assert {s.path: s.reason.split(";")[0] for s in gathered.skipped} == {
        "wiki/big.md": "is a pointer of Git LFS",
        "wiki/logo.png": "has no reader for '.png'",
    }


def test_git_stamps_are_blobs_and_old_revisions_can_be_named(repository: Path) -> None:
    now = {entry.path: entry.stamp for entry in opened_git(repository).entries()}
    first = opened_git(repository, revision="HEAD~1")
    before = {entry.path: entry.stamp for entry in first.entries()}
    assert {path for path in now if now[path] != before[path]} == {"hr/leave.md"}
    assert first.read("hr/leave.md").text == "# Leave\n\n27 days\n"
    assert [entry.path for entry in opened_git(repository, folder="hr/").entries()] == ["hr/leave.md"]


@pytest.mark.parametrize(("options", "words"), [({"revision": "nowhere"}, "no such revision"), ({"path": "."}, "not a git repository")])
def test_git_refuses_what_is_not_there(repository: Path, options: dict[str, str], words: str) -> None:
    with pytest.raises(KnowledgeError, match=words) as refused:
        opened_git(repository, **options)
    assert refused.value.hint


def test_a_revision_is_never_an_option(repository: Path) -> None:
    with pytest.raises(KnowledgeError):
        opened_git(repository, revision="--output=/tmp/x")


def rows(folder: Path, name: str, content: str, **options: object) -> Origin:
    (folder / name).write_text(content)
    return open_origin(RowsSource.model_validate({"kind": "rows", "name": "faq", "path": name, **options}), folder, folder)


def test_rows_are_documents_and_rows_of_one_key_are_one(tmp_path: Path) -> None:
    lines = ['{"id": 1, "q": "Open?", "a": "At nine", "tags": ["x"]}', '{"id": 2, "q": "Shut?"}', '{"id": 1, "q": "Late?", "a": "No"}']
    origin = rows(tmp_path, "faq.jsonl", "\n".join(lines), text="{q}\n\n{a}", title="q", meta=["tags"])
    gathered = gather([Place("faq", origin, "made")])
    first, second = gathered.documents
    assert (first.path, first.title, first.text) == ("faq/1", "Open?", "Open?\n\nAt nine\n\nLate?\n\nNo")
    assert first.meta == {"tags": '["x"]'}
    assert second.text == "Shut?"


def test_rows_of_csv_become_lines_of_their_columns(tmp_path: Path) -> None:
    origin = rows(tmp_path, "faq.csv", "sku,name,price\nA1,Crane,10\n,Lost,1\nA2,Hook,\n", key="sku", title="name")
    gathered = gather([Place("faq", origin, "made")])
    assert [(d.path, d.title, d.text) for d in gathered.documents] == [("faq/A1", "Crane", "price: 10")]
    assert [s.reason for s in gathered.skipped] == ["has nothing in the column 'sku'", "holds no text"]


def test_rows_have_stamps_that_follow_their_content(tmp_path: Path) -> None:
    before = {e.path: e.stamp for e in rows(tmp_path, "a.jsonl", '{"id": 1, "t": "x"}\n{"id": 2, "t": "y"}\n').entries()}
    after = {e.path: e.stamp for e in rows(tmp_path, "a.jsonl", '{"id": 2, "t": "z"}\n{"id": 1, "t": "x"}\n').entries()}
    assert before["1"] == after["1"]
    assert before["2"] != after["2"]


@pytest.mark.parametrize(
    ("content", "words"),
    [("{}\n", "no column 'id'"), ('{"id": 1}\nnonsense\n', "line 2 is not JSON"), ("[1]\n", "line 1 is not a JSON object")],
)
def test_broken_tables_are_named(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as refused:
        list(rows(tmp_path, "a.jsonl", content).entries())
    assert refused.value.hint
    with pytest.raises(DataError, match="can't be read"):
        list(open_origin(RowsSource(kind="rows", name="a", path="nowhere.csv"), tmp_path, tmp_path).entries())


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    pytest.importorskip("sqlalchemy")
    base = sqlite3.connect(tmp_path / "shop.db")
    base.execute("create table notes (id integer, article text, body text, changed text, secret blob)")
    base.executemany(
        "insert into notes values (?, ?, ?, ?, ?)",
        [
            (1, "crane", "Lifts 40 t", "2024-01-01 10:00", b"x"),
            (2, "hook", "Of steel", "2024-01-01 11:00", None),
            (3, "crane", "Needs two people", "2024-01-02 09:00", None),
            (4, None, "lost", "2024-01-02 09:00", None),
        ],
    )
    base.commit()
    base.close()
    return tmp_path


def change(shop: Path, statement: str) -> None:
    base = sqlite3.connect(shop / "shop.db")
    base.execute(statement)
    base.commit()
    base.close()


def sql(shop: Path, **options: object) -> Origin:
    told = {"kind": "sql", "name": "shop", "url": "sqlite:///shop.db", "query": "select * from notes", "key": "article"}
    return open_origin(SqlSource.model_validate(told | options), shop, shop)


@pytest.mark.parametrize("timestamp", ["", "changed"])
def test_rows_of_a_database_are_grouped_by_key(shop: Path, timestamp: str) -> None:
    gathered = gather([Place("shop", sql(shop, timestamp=timestamp, text="{body}", meta=["changed"]), "made")])
    crane, hook = gathered.documents
    assert (crane.path, crane.text) == ("shop/crane", "Lifts 40 t\n\nNeeds two people")
    assert (hook.title, hook.text, hook.meta["changed"]) == ("hook", "Of steel", "2024-01-01 11:00")
    assert [s.reason for s in gathered.skipped] == ["has nothing in the column 'article'"]


def test_with_a_timestamp_only_what_is_newer_is_read(shop: Path) -> None:
    before = {e.path: e.stamp for e in sql(shop, timestamp="changed").entries()}
    change(shop, "update notes set body = 'Of brass', changed = '2024-02-01 08:00' where id = 2")
    change(shop, "insert into notes values (5, 'rope', 'Of hemp', '2023-01-01', null)")
    change(shop, "delete from notes where id = 3")
    origin = sql(shop, timestamp="changed")
    after = {e.path: e.stamp for e in origin.entries()}
    assert {path for path in after if path != "a row" and before.get(path) != after[path]} == {"crane", "hook", "rope"}
    assert "Of brass" in origin.read("hook").text
    change(shop, "delete from notes where article = 'hook'")
    with pytest.raises(Unreadable, match="deleted while"):
        origin.read("hook")


def test_a_query_may_hold_colons_and_a_semicolon_and_cannot_write(shop: Path) -> None:
    query = "select id, ':body::text 10:30' as body from notes where id = 1;"
    (document,) = gather([Place("s", sql(shop, query=query, key="id"), "made")]).documents
    assert document.text == "body: :body::text 10:30"
    with pytest.raises(KnowledgeError, match="refused"):
        list(sql(shop, query="delete from notes returning id").entries())
    assert len(list(sql(shop, key="id").entries())) == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "nonsense"}, "names no database"),
        ({"url": "nodb://x/y"}, "names no database"),
        ({"url": "", "url_env": "RUNG_TEST_UNSET"}, "RUNG_TEST_UNSET is not set"),
        ({"query": "select * from nowhere"}, "no such table"),
        ({"key": "sku"}, "sku"),
        ({"text": "{colour}"}, "no column 'colour'"),
    ],
)
def test_a_database_that_cannot_be_read_says_why(shop: Path, options: dict[str, str], words: str) -> None:
    with pytest.raises(RungError, match=words) as refused:
        list(sql(shop, **options).entries())
    assert refused.value.hint


def test_passwords_are_never_shown(shop: Path) -> None:
    origin = sql(shop)
    assert "shop.db" not in repr(origin)
    with pytest.raises((KnowledgeError, ConfigError)) as refused:
        list(sql(shop, url="postgresql://ann:hunter2@127.0.0.1:1/shop").entries())
    assert "hunter2" not in refused.value.message + refused.value.hint


def test_entries_promise_nothing_by_default() -> None:
    assert Entry("a") == Entry("a", "", "")
