"""The page `monitor` on a real server: thumbs from the chat, what they became, and nothing of documents that a visitor may not read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from serving_project import write_project
from studio_server import Visitor, person

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
