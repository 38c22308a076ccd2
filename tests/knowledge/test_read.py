"""Each format is read, titled and hashed; what can't be read is skipped by name and never in silence."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest
from office_files import ENCRYPTED, docx, paragraph, pdf, table

from rung.errors import DataError
from rung.knowledge.read import READERS, Skipped, read_document, read_folder, unread
from rung.knowledge.reading import Unreadable, page_at
from rung.types import Document

PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>Support &amp; care</title>
<meta name="description" content="nothing to read">
<style>p { color: red }</style></head><body><h1>Support plans</h1><p>Gold costs <b>EUR&nbsp;990</b>.</p>
<table><tr><th>plan</th><th>price</th></tr><tr><td>Gold</td><td>990</td></tr></table>
<ul><li>first</li><li>second</li></ul><script>alert("no")</script></body></html>"""


def test_markdown_keeps_its_text_and_takes_the_title_from_front_matter() -> None:
    document = read_document(b"---\ntitle: 'Paid leave'\nowner: People\n---\n# Leave\n\nTen days.\n", "hr/leave.md")
    assert (document.title, document.text) == ("Paid leave", "# Leave\n\nTen days.\n")
    assert document.meta == {"title": "Paid leave", "owner": "People"}


@pytest.mark.parametrize(
    ("front", "access"),
    [
        ('access: [hr, "group:board"]', ["hr", "group:board"]),
        ("access:\n- hr\n- group:board", ["hr", "group:board"]),
        ("access:\n  - hr\n  # nobody else\n", ["hr"]),
        ("access: hr", "hr"),
        ("access:", ""),
        ("access: [hr", None),
        ("access: {a: !!python/object/apply:os.getcwd []}", {"a": []}),
    ],
)
def test_a_list_in_front_matter_is_never_lost(front: str, access: object) -> None:
    document = read_document(f"---\ntitle: Pay\n{front}\n---\nTen.\n".encode(), "pay.md")
    assert document.text == "Ten.\n"
    assert document.meta["access"] == access


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("intro\n\n## Later\n\n# The [Plan](x.md) **now**\n", "The Plan now"),
        ("Sick leave\n==========\n\nCall us.\n", "Sick leave"),
        ("no heading at all\n", "first week at work"),
        ("```\n# not a heading\n```\n", "first week at work"),
        ("---\n\nA thematic break opens this one.\n", "first week at work"),
    ],
)
def test_title_is_the_highest_heading_or_the_file_name(text: str, title: str) -> None:
    assert read_document(text.encode(), "notes/first-week_at-work.md").title == title


def test_text_is_decoded_whatever_wrote_it() -> None:
    assert read_document("\ufeffCafé\r\nau lait\r".encode(), "a.txt").text == "Café\nau lait\n"
    assert read_document("Café".encode("utf-16"), "a.txt").text == "Café"
    assert read_document("Café – 5 €".encode("cp1252"), "a.txt").text == "Café – 5 €"


def test_html_becomes_markdown_without_head_and_scripts() -> None:
    document = read_document(PAGE.encode(), "plans.html")
    assert document.title == "Support & care"
    assert document.text.startswith("# Support plans\n")
    assert re.search(r"\| Gold +\| 990 +\|", document.text)
    assert "990" in document.text.split("|")[0]
    assert "- first" in document.text
    assert not [word for word in ("alert", "color", "nothing to read", "<p>") if word in document.text]


def test_html_in_another_charset() -> None:
    page = '<html><head><meta charset="iso-8859-1"></head><body><p>Größe</p></body></html>'
    assert "Größe" in read_document(page.encode("latin-1"), "a.htm").text


def test_word_keeps_headings_and_tables_in_order() -> None:
    body = paragraph("Travel", "Heading1") + paragraph("By rail.") + table([["city", "rate"], ["Ostrand", "140"]]) + paragraph("End.")
    document = read_document(docx(body), "travel.docx")
    assert document.title == "Travel"
    assert document.text.index("# Travel") < document.text.index("By rail.") < document.text.index("| Ostrand | 140 |")
    assert document.text.index("140") < document.text.index("End.")


def test_pdf_text_in_order_of_pages() -> None:
    text = read_document(pdf([["Annual leave is 27 days.", "Ask your lead."], ["Page two."]]), "leave.pdf").text
    assert text.index("27 days") < text.index("Ask your lead") < text.index("Page two")


@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("locked.pdf", pdf([["Secret"]], ENCRYPTED), "is encrypted"),
        ("scan.pdf", pdf([[], []]), "it may be scanned"),
        ("broken.pdf", pdf([["Half"]])[:150], "damaged"),
        ("fake.docx", b"PK no zip", "damaged"),
        ("empty.pdf", b"", "holds no text"),
        ("empty.html", b"<html><body></body></html>", "holds no text"),
        ("blank.md", b" \n\n", "holds no text"),
        ("photo.md", b"\x89PNG\0\0\0\xff", "is not text"),
        ("photo.png", b"\x89PNG", "has no reader for '.png'"),
        ("Makefile", b"all:", "has no ending"),
    ],
)
def test_unreadable_files_say_why(name: str, raw: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_document(raw, name)


def test_folder_is_read_in_order_and_names_what_it_skips(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "z.md").write_text("# Z\n\nzed")
    (tmp_path / "a.txt").write_text("ay")
    (tmp_path / "locked.pdf").write_bytes(pdf([["Secret"]], ENCRYPTED))
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.md").write_text("hidden")
    (tmp_path / "~$a.docx").write_text("a lock file of Word")
    documents, skipped = read_folder(tmp_path)
    assert [document.path for document in documents] == ["a.txt", "b/z.md"]
    assert documents[0].hash == hashlib.sha256(b"ay").hexdigest()
    assert skipped == [Skipped("locked.pdf", "is encrypted")]


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "docs", tmp_path / "secret.md"
    inside.mkdir()
    outside.write_text("salaries")
    (inside / "open.md").write_text("open")
    (inside / "link.md").symlink_to(outside)
    (inside / "again.md").symlink_to(inside / "open.md")
    (inside / "loop").symlink_to(inside)
    (inside / "turns.md").symlink_to("turns.md")
    documents, skipped = read_folder(inside)
    assert [document.path for document in documents] == ["again.md", "open.md"]
    assert skipped == [
        Skipped("link.md", "is a link out of the folder, which is not followed"),
        Skipped("loop", "is a link to a folder, which is not followed"),
        Skipped("turns.md", "is a link that leads nowhere"),
    ]


def test_a_name_that_is_not_utf8_is_skipped_and_can_be_printed(tmp_path: Path) -> None:
    (tmp_path / "good name.md").write_text("good")
    (tmp_path / os.fsdecode(b"odd\xff.md")).write_text("odd")
    documents, skipped = read_folder(tmp_path)
    assert [document.path for document in documents] == ["good name.md"]
    assert skipped == [Skipped("odd\\udcff.md", "has a name that is not UTF-8")]


def test_a_damaged_file_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "open.md").write_text("open")
    (tmp_path / "garbage.pdf").write_bytes(bytes(range(256)) * 9)
    (skipped,) = read_folder(tmp_path)[1]
    words = skipped.reason.split("(")[1].strip(")").split(": ")
    assert len(words) == len(set(words)) <= 2


def test_known_bytes_are_not_parsed_again(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf([["Hello"]]))
    asked = []

    def recall(path: str, digest: str) -> Document:
        asked.append(path)
        return Document(path, "as read before", "A", digest)

    assert read_folder(tmp_path, recall)[0][0].text == "as read before"
    assert asked == ["a.pdf"]


def test_progress_is_told_where_files_take_time(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    (tmp_path / "a.md").write_text("text")
    read_folder(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == []
    (tmp_path / "b.pdf").write_bytes(pdf([["Hello"]]))
    read_folder(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_missing_and_empty_folders_are_errors_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder") as missing:
        read_folder(tmp_path / "nowhere")
    assert missing.value.hint
    with pytest.raises(DataError, match="holds no document") as empty:
        read_folder(tmp_path)
    assert ".md" in empty.value.hint
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match="1 skipped"):
        read_folder(tmp_path)


def test_every_reader_is_a_file() -> None:
    folder = Path(__file__).resolve().parents[2] / "src" / "rung" / "knowledge" / "readers"
    assert all((folder / f"{name}.py").is_file() for name in READERS.values())


@pytest.mark.parametrize("own", ["pages: 3", "pages: [a, b]", "pages: [[1]]", "pages: {a: 1}", "unread_pages: 3", "unread_pages: all"])
def test_metadata_of_the_same_name_does_no_harm(own: str) -> None:
    document = read_document(f"---\n{own}\n---\n# A\n\nA text.".encode(), "a.md")
    assert page_at(document.meta, 3) is None
    assert unread(document) == []
