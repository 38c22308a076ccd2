"""A project without a document, over HTTP: the last one can go, every page and verb says so in a sentence, and a new one is found."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from serving_project import asked, write_project
from shop_project import refused, rung
from studio_server import Visitor, until, visitor

from rung.workspace import job_output, jobs

PAGES = (
    "/", "/documents", "/documents?q=x", "/documents/search", "/cases", "/cases?side=examples", "/climb", "/chat", "/compare", "/train",
    "/adapters", "/forget", "/monitor", "/monitor/feedback", "/diagnose", "/cost", "/advise", "/jobs", "/settings",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("shop"), documents={"gear.md": "# The gear\n\nThe gear costs 40 euros.\n"})


def ended(folder: Path) -> jobs.Job:
    until(lambda: jobs.jobs(folder / ".rung", 1)[0].state in jobs.ENDED)
    return jobs.jobs(folder / ".rung", 1)[0]


def test_the_last_document_goes_and_nothing_breaks(admin: Visitor, url: str, folder: Path) -> None:
    assert admin.post("/documents/view?path=gear.md", "/documents/delete", path="gear.md").status_code == 200
    assert ended(folder).state == "done", job_output.printed(folder / ".rung", ended(folder).id)
    assert list((folder / "docs").iterdir()) == []
    for path in PAGES:
        assert admin.get(path).status_code == 200, path
    assert "There is no document yet" in admin.get("/documents").text
    assert "Upload the documents" in admin.get("/").text
    for path in ("/chat", "/compare"):
        page = admin.get(path).text
        assert "Nothing can answer yet" in page
        assert "<textarea" not in page
    assert admin.get("/documents/search?q=gear").status_code == 400
    with closing(visitor(url).web) as web:
        assert [one["id"] for one in web.get("/v1/models").json()["data"]] == ["hashing-256"]
        for path, body in (("/v1/search", {"query": "gear"}), ("/v1/chat/completions", asked("What does the gear cost?"))):
            told = web.post(path, json=body)
            assert told.status_code == 404
            assert "no documents" in told.json()["error"]["message"]


def test_verbs_say_it_in_a_sentence_and_a_sync_is_not_taken_in(admin: Visitor, folder: Path) -> None:
    for words in (("index", str(folder)), ("climb", str(folder)), ("ask", "What does the gear cost?", str(folder))):
        refused(rung(*words), "holds no document that can be read", "put files there")
    admin.post("/documents", "/documents/sync")
    assert ended(folder).state == "failed"
    assert "holds no document that can be read" in admin.get("/documents").text
    again = rung("index", str(folder), "--allow-empty")
    assert again.returncode == 0, again.stderr


def test_a_folder_that_is_away_empties_no_index(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "shop")
    assert rung("index", str(folder)).returncode == 0
    (folder / "docs").rename(tmp_path / "away")
    (folder / "docs").mkdir()
    refused(rung("index", str(folder)), "holds no document that can be read", "--allow-empty")
    assert "1 unchanged" not in rung("index", str(folder), "--allow-empty").stdout
