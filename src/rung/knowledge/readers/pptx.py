"""Reads PowerPoint decks slide by slide with speaker notes; where each slide starts is kept. It refuses old .ppt files."""

from __future__ import annotations

import posixpath
import re
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

from rung.knowledge.readers.kreuzberg import extract
from rung.knowledge.readers.zipped import opened
from rung.knowledge.reading import Reading, Unreadable, paged

MIME = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_MARK = re.compile("\ue000(\\d+)\ue001")  # private characters, which no slide holds
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_SHOW = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_RELATED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"


def read(raw: bytes) -> Reading:
    """The slides as Markdown; `meta["pages"]` holds [slide, offset]. Raises Unreadable."""
    archive = opened(raw)
    found = extract(raw, MIME, marker="\n\n\ue000{page_num}\ue001\n\n")
    try:
        notes = dict(enumerate(_notes(archive), 1))
    except (LookupError, ValueError, ElementTree.ParseError, BadZipFile, zlib.error, NotImplementedError) as error:
        raise Unreadable(f"is damaged or not what its ending says ({error})") from None
    parts = _MARK.split(found.text)
    slides = {int(number): text.strip() for number, text in zip(parts[1::2], parts[2::2], strict=True)}
    pages = []
    for number in sorted(slides.keys() | {slide for slide, note in notes.items() if note}):
        note = f"Speaker notes: {notes[number]}" if notes.get(number) else ""
        pages.append((number, "\n\n".join(part for part in (slides.get(number, ""), note) if part)))
    text, starts = paged(pages)
    return Reading(text, str(found.meta.get("title", "")), {**found.meta, "pages": starts})


def _notes(archive: ZipFile) -> Iterator[str]:
    """The speaker notes of each slide in the order of the show; "" where there are none."""
    show = "ppt/presentation.xml"
    slides = _relations(archive, show)
    for slide in ElementTree.fromstring(archive.read(show)).iter(f"{_SHOW}sldId"):
        path = slides[slide.attrib[f"{_RELATED}id"]]
        found = [target for target in _relations(archive, path).values() if "/notesSlides/" in target]
        yield _spoken(archive.read(found[0])) if found else ""


def _relations(archive: ZipFile, part: str) -> dict[str, str]:
    folder, name = posixpath.split(part)
    rows = ElementTree.fromstring(archive.read(f"{folder}/_rels/{name}.rels"))
    inside = [row for row in rows if row.get("TargetMode") != "External"]
    return {row.attrib["Id"]: posixpath.normpath(posixpath.join("/", folder, row.attrib["Target"])).lstrip("/") for row in inside}


def _spoken(notes: bytes) -> str:
    """The text of the notes' body; the other shapes are the slide's picture, its number and the date."""
    for shape in ElementTree.fromstring(notes).iter(f"{_SHOW}sp"):
        kind = shape.find(f".//{_SHOW}ph")
        if kind is not None and kind.get("type") == "body":
            lines = ["".join(run.text or "" for run in line.iter(f"{_DRAWING}t")) for line in shape.iter(f"{_DRAWING}p")]
            return "\n".join(line for line in lines if line.strip())
    return ""
