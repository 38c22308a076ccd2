"""PowerPoint, Excel, e-book and scanned PDF files written by hand, so that the readers are tested on bytes we know."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
SHOW = "http://schemas.openxmlformats.org/presentationml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
CORE = (
    f'<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><dc:title>{title}</dc:title>'
    '<dc:creator>{author}</dc:creator><dcterms:created xsi:type="dcterms:W3CDTF">2024-03-01T08:00:00Z</dcterms:created></cp:coreProperties>'
)


def pptx(slides: Sequence[tuple[str, Sequence[str], Sequence[Sequence[str]], str]], title: str = "", author: str = "") -> bytes:
    """A deck; each slide has a title, lines, the rows of a table, and speaker notes."""
    files: dict[str, str] = {}
    for n, (heading, lines, rows, notes) in enumerate(slides, 1):
        shapes = _shape("title", [heading]) + (_shape("body", lines) if lines else "") + (_table(rows) if rows else "")
        files[f"ppt/slides/slide{n}.xml"] = _slide("sld", shapes)
        related = {"r1": ("notesSlide", f"../notesSlides/notesSlide{n}.xml")} if notes else {}
        files[f"ppt/slides/_rels/slide{n}.xml.rels"] = _relations(related)
        if notes:
            files[f"ppt/notesSlides/notesSlide{n}.xml"] = _slide("notes", _shape("sldNum", [str(n)]) + _shape("body", [notes]))
    ids = "".join(f'<p:sldId id="{255 + n}" r:id="s{n}"/>' for n in range(1, len(slides) + 1))
    files["ppt/presentation.xml"] = f'<p:presentation xmlns:p="{SHOW}" xmlns:r="{OFFICE}"><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>'
    files["ppt/_rels/presentation.xml.rels"] = _relations({f"s{n}": ("slide", f"slides/slide{n}.xml") for n in range(1, len(slides) + 1)})
    return _package(files, "ppt/presentation.xml", "presentationml.presentation", title, author)


def xlsx(sheets: Mapping[str, Sequence[Sequence[str | float]]], title: str = "", author: str = "") -> bytes:
    """A workbook of sheets of rows."""
    names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="s{n}"/>' for n, name in enumerate(sheets, 1))
    files = {"xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets>{names}</sheets></workbook>'}
    for n, rows in enumerate(sheets.values(), 1):
        lines = "".join(f'<row r="{r}">{"".join(_cell(c, r, value) for c, value in enumerate(row))}</row>' for r, row in enumerate(rows, 1))
        files[f"xl/worksheets/sheet{n}.xml"] = f'<worksheet xmlns="{SHEET}"><sheetData>{lines}</sheetData></worksheet>'
    related = {f"s{n}": ("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)}
    files["xl/_rels/workbook.xml.rels"] = _relations(related)
    return _package(files, "xl/workbook.xml", "spreadsheetml.sheet", title, author)


def epub(chapters: Sequence[str], title: str, author: str, more: Mapping[str, str] | None = None) -> bytes:
    """A book of chapters of XHTML; the files stand in the reverse order of reading. `more` are further parts by name."""
    numbers = range(len(chapters), 0, -1)
    items = "".join(f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in numbers)
    spine = "".join(f'<itemref idref="c{n}"/>' for n in reversed(numbers))
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        "book.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i"><metadata '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="i">b1</dc:identifier><dc:title>{title}</dc:title>'
        f"<dc:creator>{author}</dc:creator><dc:date>2020-01-31</dc:date><dc:language>en</dc:language></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for n in numbers:
        files[f"c{n}.xhtml"] = f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{chapters[n - 1]}</body></html>'
    return zipped({**files, **(more or {})})


def scanned_pdf(pages: Sequence[str]) -> bytes:
    """A PDF whose pages hold a line of text or, where it is "", one picture that fills them."""
    return drawn_pdf([f"BT /F1 12 Tf 72 720 Td ({line}) Tj ET" if line else "612 0 0 792 0 0 cm /I Do" for line in pages])


def at(x: float, y: float, text: str, size: float = 11) -> str:
    """A line of text on a page, its left end at x and y points from the lower left corner."""
    return f"BT /F1 {size} Tf 1 0 0 1 {x} {y} Tm ({text}) Tj ET"


def drawn_pdf(pages: Sequence[str]) -> bytes:
    """A PDF of pages drawn by these operators; /F1 is a font, /I a picture."""
    shape = b"/Width 2/Height 2/ColorSpace/DeviceGray/BitsPerComponent 8"
    picture = b"<</Type/XObject/Subtype/Image%s/Length 4>>stream\n\x00\xff\xff\x00\nendstream" % shape
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>", picture]
    kids = []
    for page in pages:
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(page), page.encode()))
        resources = b"/Resources<</Font<</F1 3 0 R>>/XObject<</I 4 0 R>>>>/Contents %d 0 R" % len(objects)
        objects.append(b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]" + resources + b">>")
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (b" ".join(kids), len(kids))
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _package(files: dict[str, str], main: str, kind: str, title: str, author: str) -> bytes:
    types = (
        f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
        'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/{main}" ContentType="application/vnd.openxmlformats-officedocument.{kind}.main+xml"/></Types>'
    )
    core = f'<Relationship Id="r2" Type="{PACKAGE}/relationships/metadata/core-properties" Target="docProps/core.xml"/>'
    root = _relations({"r1": ("officeDocument", main)}).replace("</Relationships>", core + "</Relationships>")
    named = {"[Content_Types].xml": types, "_rels/.rels": root, "docProps/core.xml": CORE.format(title=title, author=author)}
    return zipped({name: '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' + text for name, text in (named | files).items()})


def _relations(rows: Mapping[str, tuple[str, str]]) -> str:
    lines = "".join(f'<Relationship Id="{key}" Type="{OFFICE}/{kind}" Target="{target}"/>' for key, (kind, target) in rows.items())
    return f'<Relationships xmlns="{PACKAGE}/relationships">{lines}</Relationships>'


def _slide(kind: str, shapes: str) -> str:
    tree = f"<p:cSld><p:spTree><p:nvGrpSpPr/><p:grpSpPr/>{shapes}</p:spTree></p:cSld>"
    return f'<p:{kind} xmlns:p="{SHOW}" xmlns:a="{DRAWING}" xmlns:r="{OFFICE}">{tree}</p:{kind}>'


def _shape(kind: str, lines: Sequence[str]) -> str:
    text = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in lines)
    named = f'<p:nvSpPr><p:cNvPr id="2" name="{kind}"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>'
    return f"<p:sp>{named}<p:spPr/><p:txBody><a:bodyPr/>{text}</p:txBody></p:sp>"


def _table(rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(
        "<a:tr>" + "".join(f"<a:tc><a:txBody><a:p><a:r><a:t>{cell}</a:t></a:r></a:p></a:txBody></a:tc>" for cell in row) + "</a:tr>"
        for row in rows
    )
    named = '<p:nvGraphicFramePr><p:cNvPr id="4" name="t"/><p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr><p:xfrm/>'
    columns = '<a:gridCol w="900"/>' * len(rows[0])
    cells = f'<a:tblPr firstRow="1"/><a:tblGrid>{columns}</a:tblGrid>{cells}'
    data = f'<a:graphic><a:graphicData uri="{DRAWING.replace("/main", "/table")}"><a:tbl>{cells}</a:tbl></a:graphicData></a:graphic>'
    return f"<p:graphicFrame>{named}{data}</p:graphicFrame>"


def _cell(column: int, row: int, value: str | float) -> str:
    place = f"{chr(65 + column)}{row}"
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'
