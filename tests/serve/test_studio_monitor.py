"""The page `monitor` on a real server: thumbs from the chat, what they became, and nothing of documents that a visitor may not read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from serving_project import write_project
from shop_project import rung
from studio_server import Visitor, person, until

from rung.workspace import job_output, jobs
from rung.workspace.feedback import give
from rung.workspace.keys import add_key, keys
from rung.workspace.store import Store

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lists = '[access]\non = true\nrules = [{documents = "**", readers = ["everyone"]}, {documents = "pump.md", readers = ["admin"]}]\n'
    made = write_project(tmp_path_factory.mktemp("shop"), more='[prompt]\n[project]\nexamples = "examples.jsonl"\n' + lists)
    (made / "examples.jsonl").write_text(json.dumps({"id": "e", "question": "Why?", "answer": "so"}) + "\n")
    return made


def said(visitor: Visitor, question: str) -> str:
    """The id of an answer in the chat."""
    lines = visitor.post("/chat", "/chat/say", question=question, model="rag").text.splitlines()
    html = json.loads(lines[-1])["html"]
    found = re.search(r'name="answer" value="([^"]+)"', html)
    assert found, html
    return found[1]


def test_a_correction_in_the_chat_becomes_a_row(admin: Visitor, folder: Path) -> None:
    name = said(admin, "What does the gear cost?")
    thanks = admin.post("/chat", "/feedback", answer=name, thumb="down", correction=f"41 euros {HOSTILE}", reason="new list")
    assert "Thank you" in thanks.text
    page = admin.get("/monitor")
    assert page.status_code == 200
    assert "What does the gear cost?" in page.text
    assert "41 euros &lt;script&gt;" in page.text
    assert HOSTILE not in page.text
    done = admin.post("/monitor", "/monitor/take", **{"answer": name, "as": "example"})
    assert "is an example now" in done.text
    assert json.loads((folder / "examples.jsonl").read_text().splitlines()[-1])["answer"] == f"41 euros {HOSTILE}"
    assert admin.post("/monitor", "/monitor/take", **{"answer": name, "as": "case"}).status_code == 400


def test_who_may_not_read_a_document_sees_no_words_of_it(admin: Visitor, url: str) -> None:
    name = said(admin, "What does the pump cost?")
    admin.post("/chat", "/feedback", answer=name, thumb="down", correction="311 euros")
    assert "311 euros" in admin.get("/monitor").text
    editor = person(admin, url, "eddy", "editor")
    page = editor.get("/monitor")
    assert page.status_code == 200
    assert "311 euros" not in page.text
    assert "pump" not in page.text
    assert editor.post("/chat", "/feedback", answer=name, thumb="up").status_code == 400, "it is somebody else's answer"
    assert editor.post("/cases", "/monitor/take", **{"answer": name, "as": "case"}).status_code == 400
    reader = person(admin, url, "rita", "reader")
    assert reader.get("/monitor").status_code == 403
    for one in (editor, reader):
        one.web.close()


def test_the_canaries_are_replayed_by_a_button_and_leave_no_key(admin: Visitor, folder: Path) -> None:
    assert "There is none yet" in admin.get("/monitor").text
    done = rung("climb", str(folder), "--rung", "rag")
    assert done.returncode == 0, done.stderr
    store = Store(str(folder / ".rung" / "serve.sqlite"), postgres=False)
    add_key(store, "web")  # from now on the server answers nobody without a key
    asked = admin.post("/monitor", "/monitor/canary")
    assert asked.url.path == "/monitor"
    until(lambda: jobs.jobs(folder / ".rung", 1)[0].state in jobs.ENDED)
    job = jobs.jobs(folder / ".rung", 1)[0]
    assert job.state == "done", job_output.printed(folder / ".rung", job.id)
    assert "rag holds: 0% then, 0% now on 1 cases" in admin.get("/monitor").text
    assert [one.name for one in keys(store)] == ["web"]
    store.close()


def test_all_that_was_said_is_paged(admin: Visitor, folder: Path) -> None:
    name = said(admin, "What does the valve cost?")
    store = Store(str(folder / ".rung" / "serve.sqlite"), postgres=False)
    for n in range(120):
        give(store, name, f"key {n}", "down", f"{n} euros", anybodys=True)
    store.close()
    pages, path = [], "/monitor/feedback"
    while path:
        page = admin.get(path)
        assert page.status_code == 200
        pages.append(re.findall(r"<p>(\d+) euros</p>", page.text))
        following = re.search(r'href="([^"]+)" rel="next"', page.text)
        path = following[1] if following else ""
    seen = [int(one) for page in pages for one in page]
    assert seen[:120] == list(range(119, -1, -1))
    assert [len(page) for page in pages[:2]] == [50, 50]
    assert admin.get("/monitor/feedback?after=x").status_code == 200
