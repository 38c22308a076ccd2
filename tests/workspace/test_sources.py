"""Sources from rung.toml to the command line: several places in one index, mistakes named, changes followed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from package_files import scanned_pdf

from rung.config import read_config
from rung.errors import ConfigError
from rung.workspace.watching import changes, watched
from rung.workspace.workspace import open_workspace, sync_knowledge

TOML = """\
[project]
name = "shop"

[model]
name = "bundled:tiny"

[knowledge]
embedder = "hashing"
index = "exact"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Crane\n\nIt lifts 40 tonnes.\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.txt").write_text("The hook is of steel.")
    (tmp_path / "faq.jsonl").write_text('{"id": "open", "q": "When?", "a": "At nine"}\n')
    (tmp_path / "cases.jsonl").write_text('{"id": "c", "question": "What does the crane lift?", "answer": "40 tonnes"}\n')
    (tmp_path / "rung.toml").write_text(TOML)
    return tmp_path


def configure(shop: Path, *tables: str, folder: str = "") -> None:
    sources = "".join(f"\n[[knowledge.sources]]\n{table}\n" for table in tables)
    (shop / "rung.toml").write_text(TOML + folder + sources)


MORE = 'name = "more"\nkind = "folder"\npath = "more"'
FAQ = 'name = "faq"\nkind = "rows"\npath = "faq.jsonl"\ntext = "{q} {a}"'


def held(shop: Path) -> list[str]:
    synced = sync_knowledge(open_workspace(shop), fresh=True)
    assert synced
    return sorted(synced[0].documents())


def test_folder_and_sources_make_one_index(shop: Path) -> None:
    assert held(shop) == ["a.md"]
    configure(shop, MORE, FAQ)
    assert held(shop) == ["faq/open", "more/b.txt"], "the default folder is read only where there are no sources"
    configure(shop, MORE, FAQ, folder='folder = "docs"\n')
    assert held(shop) == ["a.md", "faq/open", "more/b.txt"]


def test_the_projects_own_files_are_never_documents(shop: Path) -> None:
    configure(shop, folder='folder = "."\n')
    synced = sync_knowledge(open_workspace(shop), fresh=True)
    assert synced
    assert sorted(synced[0].documents()) == ["docs/a.md", "faq.jsonl", "more/b.txt"]
    assert [s.path for s in synced[1].skipped if "project itself" in s.reason] == ["cases.jsonl", "rung.toml"]
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(shop), *words], check=True)
    for path in (".", "docs"):
        configure(shop, f'name = "g"\nkind = "git"\npath = "{path}"\nexclude = [".rung/*"]')
        assert held(shop) == ["g/docs/a.md", "g/faq.jsonl", "g/more/b.txt"]
    configure(shop, 'name = "r"\nkind = "rows"\npath = "cases.jsonl"')
    with pytest.raises(ConfigError, match="file of the project itself"):
        sync_knowledge(open_workspace(shop))


def test_unchanged_files_are_not_opened_again(shop: Path) -> None:
    old = time.time() - 10
    synced = sync_knowledge(open_workspace(shop), fresh=True)
    assert synced
    seen = json.loads((shop / ".rung" / "knowledge" / "seen.json").read_text())
    assert [list(one["stamps"]) for one in seen.values()] == [["a.md"]]
    os.utime(shop / "docs" / "a.md", (old, old))
    synced = sync_knowledge(open_workspace(shop))
    assert synced
    assert synced[1].unchanged == 1


def test_a_database_is_not_asked_again_for_every_question(shop: Path) -> None:
    pytest.importorskip("sqlalchemy")
    base = sqlite3.connect(shop / "shop.db")
    base.execute("create table t (id text, body text)")
    base.execute("insert into t values ('x', 'first')")
    base.commit()
    configure(shop, 'name = "db"\nkind = "sql"\nurl = "sqlite:///shop.db"\nquery = "select * from t"')
    assert held(shop) == ["db/x"]
    base.execute("insert into t values ('y', 'second')")
    base.commit()
    base.close()
    synced = sync_knowledge(open_workspace(shop))
    assert synced
    assert sorted(synced[0].documents()) == ["db/x"]
    assert held(shop) == ["db/x", "db/y"]


@pytest.mark.parametrize(
    ("tables", "sentence", "hint"),
    [
        (['name = "x"\nkind = "gti"\npath = "."'], r"sources\[1\] has no kind that is known", "folder, git, web, sql, rows, s3"),
        (['name = "x"\nkind = "git"\npaht = "."'], "nobody reads the key 'paht'", "did you mean 'path'"),
        (['name = "x"\nkind = "git"'], r"sources\[1\]: a source of kind git needs the key 'path'", "the repository"),
        (['name = "x"\nkind = "git"\npath = "."\nrevison = "v1"'], "nobody reads the key 'revison'", "did you mean 'revision'"),
        ([MORE, 'name = "x"\nkind = "folder"\npath = "."\nlargest_mb = 0'], r"sources\[2\]: largest_mb is '0'", "larger files"),
        (['name = "a/b"\nkind = "folder"\npath = "."'], "name is 'a/b'", "paths begin with this name"),
        ([MORE, MORE], "two sources have the name 'more'", "sources"),
    ],
)
def test_mistakes_in_sources_are_named(shop: Path, tables: list[str], sentence: str, hint: str) -> None:
    configure(shop, *tables)
    with pytest.raises(ConfigError, match=sentence) as refused:
        read_config(shop / "rung.toml")
    assert hint in refused.value.hint


def rung(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "rung", *words], capture_output=True, text=True, timeout=180, check=False)


def test_check_and_index_name_and_count_what_is_skipped(shop: Path) -> None:
    (shop / "more" / "plan.pdf").write_bytes(scanned_pdf(["Berths", ""]))
    (shop / "more" / "photo.png").write_bytes(b"\x89PNG")
    configure(shop, MORE, FAQ)
    for verb, counted in (("check", "3 documents read, 2 skipped"), ("index", "2 skipped")):
        done = rung(verb, str(shop))
        assert counted in done.stdout, done.stderr
        assert "skipped more/photo.png: has no reader for '.png'" in done.stdout
        assert "skipped more/plan.pdf: page 2 is a picture without text; the rest was read" in done.stdout


def test_every_kind_of_change_is_watched(shop: Path) -> None:
    configure(shop, MORE, FAQ, folder='folder = "docs"\n')
    ws = open_workspace(shop)
    assert watched(ws) == [shop / "docs", shop / "more", shop]
    subprocess.run(["git", "-C", str(shop / "more"), "init", "-q"], check=True)
    configure(shop, 'name = "g"\nkind = "git"\npath = "more"')
    assert watched(open_workspace(shop)) == [shop / "more" / ".git"]


def test_sources_that_cannot_be_watched_are_looked_at_again(shop: Path) -> None:
    configure(shop, 'name = "w"\nkind = "web"\npages = ["https://a.example/"]\nevery = 1')
    following = changes(open_workspace(shop))
    assert [next(following) for _ in range(2)] == [None, None]
    following.close()  # type: ignore[attr-defined]


def eventually(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 90
    while not holds():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_watching_follows_changes_until_it_is_interrupted(shop: Path) -> None:
    log = shop / "log.txt"
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, "-m", "rung", "index", str(shop), "--watch"], stdout=out, stderr=out, text=True)
    try:
        eventually(lambda: "1 added" in log.read_text(), process)
        for attempt in range(50):  # watching begins a moment after the first sync was told
            (shop / "docs" / f"new-{attempt}.md").write_text("# New\n\nfresh\n")
            time.sleep(0.2)
            if log.read_text().count("knowledge:") > 1:
                break
        eventually(lambda: log.read_text().count("knowledge:") > 1, process)
        before = log.read_text().count("error:")
        for path in (shop / "docs").iterdir():
            path.unlink()
        eventually(lambda: log.read_text().count("error:") > before, process)
        assert "holds no document that can be read" in log.read_text()
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def test_what_is_refused_from_now_on_is_not_kept(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Only what can't be read keeps its last good version; what may not be read is gone."""
    folder = shop / "docs"
    (folder / "broken.md").write_text("# Broken\n\nThe crane is open.\n")
    (folder / "led-out.md").write_text("# Led out\n\nThe mole is open.\n")
    assert sync_knowledge(open_workspace(shop), fresh=True)
    outside = tmp_path_factory.mktemp("outside") / "secret.md"
    outside.write_text("# Secret\n\nNobody knows.\n")
    (folder / "led-out.md").unlink()
    (folder / "led-out.md").symlink_to(outside)
    (folder / "broken.md").write_text(" \n")
    synced = sync_knowledge(open_workspace(shop), fresh=True)
    assert synced
    knowledge, report = synced
    assert report.removed == ("led-out.md",)
    assert report.kept == ("broken.md",)
    assert {one.path for one in report.skipped} == {"broken.md", "led-out.md"}
    assert "broken.md" in knowledge.documents()
