"""One contract for every format: text, title and table survive, and a bad file gives one plain reason, never a traceback."""

from __future__ import annotations

import json
import re
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from office_files import ENCRYPTED, docx, paragraph, pdf, table
from package_files import at, drawn_pdf, epub, pptx, scanned_pdf, xlsx, zipped

from rung.knowledge.languages import LANGUAGES
from rung.knowledge.read import READERS, Skipped, read_document, read_folder
from rung.knowledge.readers import zipped as archives
from rung.knowledge.reading import Unreadable, page_at

ROWS = [["plan", "price"], ["Gold", "990"]]
HTML_TABLE = "<table><tr><th>plan</th><th>price</th></tr><tr><td>Gold</td><td>990</td></tr></table>"
PAGE = f"""<html lang="en"><head><title>Tariff of plans</title><meta name="author" content="Ann Berg">
<meta content="2024-03-01" property="article:published_time"></head><body><h1>Plans</h1>{HTML_TABLE}</body></html>"""


def mail(html: str = "", attachment: str = "") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ann Berg <ann@harbor.example>", "crew@harbor.example", "Tariff of plans"
    message["Date"] = "Fri, 01 Mar 2024 08:00:00 +0000"
    message.set_content(html or "Gold costs 990.", subtype="html" if html else "plain")
    if attachment:
        message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename=attachment)
    return message


def ruled(rows: list[list[str]], boxes: bool = False, spans: int = 0) -> str:
    """A page with a table of three-centimetre columns, a sentence above and one below; the first row spans `spans` columns more.

    A newline in a cell starts a line."""
    drawn, top, tall, wide, width = [at(72, 720, "The rates hold until May.")], 700, 34, 90, len(rows[-1])
    for n, row in enumerate(rows):
        for m, cell in enumerate(row):
            x, y = 72 + m * wide, top - (n + 1) * tall
            drawn += [at(x + 4, y + 20 - 12 * k, line) for k, line in enumerate(cell.split("\n"))]
            drawn += [f"{x} {y} {wide * (1 + (spans if n == 0 else 0))} {tall} re S"] if boxes or spans else []
    if not boxes and not spans:
        low, right = top - len(rows) * tall, 72 + width * wide
        drawn += [f"72 {top - n * tall} m {right} {top - n * tall} l S" for n in range(len(rows) + 1)]
        drawn += [f"{72 + m * wide} {top} m {72 + m * wide} {low} l S" for m in range(width + 1)]
    return "\n".join([*drawn, at(72, top - len(rows) * tall - 40, "Ask the office for others.")])


FILES: dict[str, bytes] = {
    "tariff.md": b"---\ntitle: Tariff of plans\nauthor: Ann Berg\n---\n# Plans\n\n| plan | price |\n| --- | --- |\n| Gold | 990 |\n",
    "tariff-of-plans.txt": b"Gold costs 990.",
    "tariff.html": PAGE.encode(),
    "tariff-of-plans.pdf": drawn_pdf([at(72, 700, "Two plans."), ruled(ROWS)]),
    "tariff.docx": docx(paragraph("Tariff of plans", "Heading1") + table(ROWS)),
    "tariff.pptx": pptx([("Plans", ["Two of them"], ROWS, "Say it slowly")], "Tariff of plans", "Ann Berg"),
    "tariff.xlsx": xlsx({"Plans": [["plan", "price"], ["Gold", 990]]}, "Tariff of plans", "Ann Berg"),
    "tariff.epub": epub([f"<h1>Plans</h1>{HTML_TABLE}", "<h1>Terms</h1><p>Ten days.</p>"], "Tariff of plans", "Ann Berg"),
    "tariff.eml": mail(PAGE).as_bytes(),
    "tariff-of-plans.csv": b"plan;price\r\nGold;990\r\n",
    "tariff-of-plans.tsv": b"plan\tprice\nGold\t990\n",
    "tariff-of-plans.mbox": b"From ann@harbor.example Fri Mar  1 08:00:00 2024\n" + mail().as_bytes() + b"\n",
    "tariff.jsonl": b'{"title": "Tariff of plans", "gold": 990}\n\n{"title": "Terms", "days": [10, 20]}\n',
    "tariff.py": b'"""Tariff of plans."""\n\nimport os\n\n\n# what it costs\n@cache\ndef gold() -> int:\n    return 990\n',
}
WITH_TABLE = [name for name in FILES if name.endswith(("md", "html", "pdf", "docx", "pptx", "xlsx", "epub", "eml", "csv", "tsv"))]
WITH_AUTHOR = [name for name in FILES if name.endswith(("md", "html", "pptx", "xlsx", "epub", "eml"))]
BINARY = [name for name in FILES if name.endswith(("pdf", "docx", "pptx", "xlsx", "epub"))]


def test_every_reader_has_a_file_here() -> None:
    assert {READERS["." + name.rsplit(".", 1)[1]] for name in FILES} == set(READERS.values())


@pytest.mark.parametrize("name", FILES)
def test_text_and_title(name: str) -> None:
    document = read_document(FILES[name], f"prices/{name}")
    assert "990" in document.text
    assert document.path == f"prices/{name}"
    assert "\r" not in document.text
    assert document.title.lower() == ("tariff.py" if name.endswith(".py") else "tariff of plans")
    json.dumps(dict(document.meta))


@pytest.mark.parametrize("name", WITH_TABLE)
def test_tables_stay_tables(name: str) -> None:
    assert re.search(
        r"^\| plan +\| price +\|\n\| ?-+ ?\| ?-+ ?\|\n\| Gold +\| 990 +\|$", read_document(FILES[name], name).text, re.MULTILINE
    )


@pytest.mark.parametrize("name", WITH_AUTHOR)
def test_author_and_date_are_kept(name: str) -> None:
    meta = read_document(FILES[name], name).meta
    assert "Ann Berg" in meta["author"]
    assert name.endswith("md") or re.match(r"20\d\d-\d\d-\d\d", meta["created"])


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("damage", ["empty", "cut", "garbage", "zeros"])
def test_damaged_files_give_one_reason(name: str, damage: str) -> None:
    raw = {"empty": b"", "cut": FILES[name][:90], "garbage": bytes(range(256)) * 9, "zeros": bytes(500)}[damage]
    with pytest.raises(Unreadable) as refused:
        read_document(raw, name)
    reason = str(refused.value)
    assert reason.split()[0] in ("is", "holds")
    assert "\n" not in reason
    assert len(reason) < 200


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_bytes_are_read_or_refused(name: str, data: st.DataObject) -> None:
    good = FILES[name]
    cut = data.draw(st.integers(0, len(good)))
    noise = data.draw(st.binary(max_size=40))
    for raw in (noise, good[:cut] + noise + good[cut + len(noise) :], good[:cut]):
        try:
            document = read_document(raw, name)
        except Unreadable:
            continue
        assert document.text.strip()
        assert all(0 <= start < len(document.text) for _, start in document.meta.get("pages", []))


@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("a.pdf", pdf([["Secret"]], ENCRYPTED), "is encrypted"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99) + "EncryptedPackage".encode("utf-16-le"), "is encrypted"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(999), "before 2007"),
        ("a.epub", epub(["<p>x</p>"], "t", "a", {"META-INF/encryption.xml": '<r URI="c1.xhtml"/>'}), "is encrypted"),
        ("a.pdf", scanned_pdf(["", ""]), "is scanned: 2 pages of pictures"),
        ("a.mbox", b"From x\nno head at all\n", "no head of a message"),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        ("a.js", b"x" * 100_001, "packed code"),
        ("a.csv", b"\x00\x01\xff", "is not text"),
    ],
)
def test_what_cannot_be_read_says_why(name: str, raw: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_document(raw, name)


def test_archives_that_explode_are_not_unpacked() -> None:
    bomb = bytearray(zipped({"word/document.xml": b"x" * 100}))
    at = bomb.index(b"PK\x01\x02")
    bomb[at + 24 : at + 28] = (archives.UNPACKED + 1).to_bytes(4, "little")
    with pytest.raises(Unreadable, match="unpacks to more than 1,024 MB"):
        read_document(bytes(bomb), "a.docx")


def test_huge_files_are_skipped_by_name_and_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("small")
    with (tmp_path / "b.txt").open("wb") as file:
        file.truncate(101 << 20)
    assert read_folder(tmp_path)[1] == [Skipped("b.txt", "is larger than 100 MB")]


def test_pages_of_a_pdf_are_found_again() -> None:
    document = read_document(pdf([["Annual leave is 27 days."], [], ["Page three is here."]]), "leave.pdf")
    assert document.meta["pages"] == [[1, 0], [3, document.text.index("Page three")]]
    assert page_at(document.meta, 5) == 1
    assert page_at(document.meta, document.text.index("three")) == 3
    assert page_at({}, 5) is None


@pytest.mark.parametrize("boxes", [False, True])
def test_tables_of_a_pdf_are_read_from_their_lines(boxes: bool) -> None:
    rows = [["berth", "rate"], ["North\nquay", "140"], ["South", ""], ["East", "90 a day\nin winter"]]
    text = read_document(drawn_pdf([ruled(rows, boxes)]), "a.pdf").text
    body = "| berth | rate |\n| --- | --- |\n| North quay | 140 |\n| South |  |\n| East | 90 a day in winter |"
    assert text == f"The rates hold until May.\n\n{body}\n\nAsk the office for others."


def test_a_cell_across_columns_is_read_once() -> None:
    text = read_document(drawn_pdf([ruled([["Rates of this year"], ["Gold", "990"], ["Iron", "10"]], spans=1)]), "a.pdf").text
    assert "| Rates of this year |  |\n| --- | --- |\n| Gold | 990 |\n| Iron | 10 |" in text


def test_frames_and_lines_are_no_tables() -> None:
    drawing = "\n".join([at(80, 700, "A sentence in a frame."), "72 690 300 30 re S", "72 600 m 400 600 l S", "100 500 m 300 300 l S"])
    assert read_document(drawn_pdf([drawing]), "a.pdf").text == "A sentence in a frame."


def test_drawings_of_many_lines_take_no_time() -> None:
    hatched = "\n".join(f"{72 + n % 40 * 10} {100 + n // 40} m {80 + n % 40 * 10} {100 + n // 40} l S" for n in range(20_001))
    assert read_document(drawn_pdf([at(72, 720, "A map.") + "\n" + hatched]), "a.pdf").text == "A map."


def test_scanned_pages_among_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "mixed.pdf").write_bytes(scanned_pdf(["Berth tariff", "", "Terms", ""]))
    (document,), skipped = read_folder(tmp_path)
    assert document.meta["unread_pages"] == [2, 4]
    assert skipped == [Skipped("mixed.pdf", "pages 2, 4 are pictures without text; the rest was read")]


def test_slides_keep_their_numbers_and_notes() -> None:
    deck = pptx([("Berths", ["North", "South"], [], ""), ("Prices", [], ROWS, "Mention the discount")])
    document = read_document(deck, "deck.pptx")
    assert page_at(document.meta, document.text.index("North")) == 1
    assert page_at(document.meta, document.text.index("Speaker notes: Mention the discount")) == 2
    assert document.text.index("Gold") < document.text.index("Mention")
    assert document.title == "Berths"


def test_books_are_read_in_the_order_of_the_spine() -> None:
    text = read_document(FILES["tariff.epub"], "a.epub").text
    assert text.index("Plans") < text.index("Terms")


def test_mail_names_its_attachments_and_prefers_plain_text() -> None:
    message = mail(attachment="berth plan.pdf")
    message["Cc"] = "bo@harbor.example"
    document = read_document(message.as_bytes(), "a.eml")
    assert document.text.startswith("From: Ann Berg <ann@harbor.example>")
    assert "Cc: bo@harbor.example" in document.text
    assert "Attachments: berth plan.pdf" in document.text
    assert document.meta["attachments"] == ["berth plan.pdf"]
    assert document.meta["created"] == "2024-03-01T08:00:00+00:00"


def test_each_message_of_a_mailbox_is_a_section() -> None:
    first, second = mail(), mail()
    second.replace_header("Subject", "Crane fault")
    second.set_content("From the roof\nFrom the crane:\n")
    letters = [message.as_bytes().replace(b"\nFrom the", b"\n>From the") for message in (first, second)]
    raw = b"".join(b"From a@b Fri Mar  1 08:00:00 2024\n" + letter + b"\n" for letter in letters)
    document = read_document(raw, "box.mbox")
    assert re.findall(r"^# (.*)$", document.text, re.MULTILINE) == ["Tariff of plans", "Crane fault"]
    assert "\nFrom the roof\nFrom the crane:" in document.text
    assert document.meta["messages"] == 2


def test_rows_of_json_become_sections() -> None:
    text = read_document(b'{"id": 7, "note": "a\\nb", "empty": null}\n"bare"\n', "rows.jsonl").text
    assert text == "## 7\n\nid: 7\n\nnote: a\nb\n\n## Row 2\n\nbare"


def test_a_cell_cannot_break_its_row() -> None:
    text = read_document(b'plan,note\nGold,"a|b\nc"\nSilver\n', "a.csv").text
    assert text == "| plan | note |\n| --- | --- |\n| Gold | a\\|b c |\n| Silver |  |"


@pytest.mark.parametrize(
    ("name", "source", "symbols"),
    [
        ("a.py", "import os\n\nclass A:\n    def inner(self): ...\n\nasync def b(): ...\n", ["A", "b"]),
        ("a.go", "package a\n\nfunc (s *Server) Run() {}\n\ntype T struct {}\n", ["Run", "T"]),
        ("a.ts", "export default class Shop {}\nexport async function buy<T>(x: T) {}\ninterface I {}\n", ["Shop", "buy", "I"]),
        ("a.rs", "pub(crate) fn go() {}\nimpl Shop {}\n", ["go", "Shop"]),
        ("a.java", "/** doc */\npublic final class Crane {\n  void lift() {}\n}\n", ["Crane"]),
        ("a.sql", "-- plans\nCREATE TABLE IF NOT EXISTS plans (id int);\n", ["plans"]),
        ("a.yaml", "# not a heading\nkey: value\n", []),
    ],
)
def test_symbols_of_code_are_headings(name: str, source: str, symbols: list[str]) -> None:
    document = read_document(source.encode(), f"src/{name}")
    assert re.findall(r"^## (.*)$", document.text, re.MULTILINE) == symbols
    assert document.meta["language"] == LANGUAGES[name[1:]]
    assert document.title == name
    kept = [line for line in document.text.split("\n") if not line.startswith(("```", "## "))]
    assert [line for line in kept if line] == [line for line in source.split("\n") if line]


def test_a_comment_goes_with_the_symbol_below_it_and_fences_do_not_end_early() -> None:
    text = read_document(b"x = 1\n\n# why\n@cache\ndef f():\n    '''\n```\ncode\n```\n'''\n", "a.py").text
    assert "## f\n\n````python\n# why\n@cache\ndef f():" in text
    assert text.endswith("'''\n````")
