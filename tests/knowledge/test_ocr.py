"""Scanned pages are read with tesseract where that is asked for, and named as unreadable where it is not."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from office_files import pdf

import rung
from rung.errors import KnowledgeError
from rung.knowledge.read import read_document
from rung.knowledge.readers.ocr import check, recognised
from rung.knowledge.reading import Unreadable
from rung.workspace import workspace as w

LINES = [["The warranty of the crane lasts", "twenty-seven months."], ["Spare parts are kept", "in the north shed."]]
tesseract = pytest.mark.skipif(not shutil.which("tesseract"), reason="the program tesseract is not on this machine")


def scan(pages: list[list[str]], kept: int = 0) -> bytes:
    """A PDF whose pages are pictures of these lines; the first `kept` stay text."""
    import pypdfium2

    with pypdfium2.PdfDocument(pdf(pages)) as source, pypdfium2.PdfDocument.new() as made:
        for number in range(len(source)):
            if number < kept:
                made.import_pages(source, [number])
                continue
            width, height = source[number].get_size()
            image = pypdfium2.PdfImage.new(made)
            image.set_bitmap(source[number].render(scale=3))
            image.set_matrix(pypdfium2.PdfMatrix().scale(width, height))
            page = made.new_page(width, height)
            page.insert_obj(image)
            page.gen_content()
        out = io.BytesIO()
        made.save(out)
    return out.getvalue()


@tesseract
def test_scanned_pages_are_read_with_their_numbers() -> None:
    raw = scan([["A page of text."], *LINES], kept=1)
    plain = read_document(raw, "manual.pdf")
    assert plain.meta["unread_pages"] == [2, 3]
    read = read_document(raw, "manual.pdf", "eng")
    assert "twenty-seven months" in read.text
    assert "north shed" in read.text
    assert read.meta["ocr_pages"] == [2, 3]
    assert "unread_pages" not in read.meta
    assert [number for number, _ in read.meta["pages"]] == [1, 2, 3]
    assert read.text[read.meta["pages"][2][1] :].startswith("Spare parts")


@tesseract
def test_a_page_on_which_nothing_is_found_stays_unread() -> None:
    raw = scan([[], LINES[0]])
    read = read_document(raw, "manual.pdf", "eng")
    assert (read.meta["ocr_pages"], read.meta["unread_pages"]) == ([2], [1])
    assert recognised(raw, [1], "eng") == {}
    with pytest.raises(Unreadable, match="is scanned"):
        read_document(raw, "manual.pdf")


@tesseract
def test_a_project_reads_scans_once_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\nA text.")
    (tmp_path / "docs" / "manual.pdf").write_bytes(scan(LINES))
    (tmp_path / "cases.jsonl").write_text("")
    told = '[knowledge]\nembedder = "hashing"\nindex = "exact"\n'
    versions = []
    for ocr in ("", "ocr = true\n", "ocr = false\n"):
        (tmp_path / "rung.toml").write_text(told + ocr)
        report = rung.open(tmp_path).index()
        assert bool(report.skipped) == (ocr != "ocr = true\n")
        held = w.held_knowledge(w.open_workspace(tmp_path))
        versions.append(held.version)
        assert any("north shed" in one.text for one in held.passages()) == (ocr == "ocr = true\n")
    assert versions[0] == versions[2] != versions[1]


@tesseract
def test_a_language_that_is_not_installed_is_refused() -> None:
    with pytest.raises(KnowledgeError, match="has no language 'xyz'"):
        check("eng+xyz")


def test_without_tesseract_a_project_that_wants_it_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\nA text.")
    (tmp_path / "cases.jsonl").write_text("")
    (tmp_path / "rung.toml").write_text('[knowledge]\nembedder = "hashing"\nindex = "exact"\nocr = true\n')
    (tmp_path / "nothing").mkdir()
    environment = {**os.environ, "PATH": str(tmp_path / "nothing")}
    done = subprocess.run(
        [sys.executable, "-m", "rung", "index", str(tmp_path)], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "error: reading scanned pages needs the program tesseract" in done.stderr
    assert "hint: install it" in done.stderr


def one_picture(side: int) -> bytes:
    """A PDF with one picture of side × side pixels of one bit, which is small as it is all black."""
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(bytes(side // 8) * 1000) for _ in range(side // 1000)) + packer.flush()
    about = b"/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 1/Filter/FlateDecode/Length %d" % (side, side, len(pixels))
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 5 0 R/Resources<</XObject<</I 4 0 R>>>>>>",
        b"<</Type/XObject/Subtype/Image" + about + b">>stream\n" + pixels + b"\nendstream",
        b"<</Length 31>>stream\nq 600 0 0 700 0 0 cm /I Do Q  \nendstream",
    ]
    raw, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(raw))
        raw += b"%d 0 obj" % number + body + b"endobj\n"
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return raw + table + b"trailer<</Size 6/Root 1 0 R>>startxref\n%d\n%%%%EOF" % len(raw)


MEASURED = """
import sys
from pathlib import Path
from rung.knowledge.read import read_document
from rung.knowledge.reading import Unreadable
try:
    read_document(sys.stdin.buffer.read(), "huge.pdf", "eng")
except Unreadable as reason:
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(reason, int(told["VmHWM"].split()[0]) // 1024)  # ru_maxrss would be the parent's, where that is larger
"""


@tesseract
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the most memory of a process is told by Linux here")
def test_a_picture_that_would_fill_the_memory_is_named_and_not_unpacked() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURED], input=one_picture(80_000), capture_output=True, check=True)  # 800 MB unpacked
    reason, _, megabytes = done.stdout.decode().rpartition(" ")
    assert "is scanned: 1 page of pictures" in reason
    assert int(megabytes) < 400
