"""Reads the words off pictures of pages with the program tesseract, on this machine.

It refuses languages that are not installed, and leaves out pages whose pictures would fill the memory once they are unpacked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from typing import Any

from rung.errors import KnowledgeError, MissingExtra

DPI = 300  # what tesseract's models were trained at
PIXELS = 40_000_000  # of a page; larger ones are rendered coarser
LARGEST = 200_000_000  # pixels of a picture in a page: a sheet of A0 at 300 dots per inch has 140 million
SECONDS = 120.0  # for one page


@cache
def check(languages: str) -> None:
    """KnowledgeError where the program or one of its languages is missing."""
    program = shutil.which("tesseract")
    if not program:
        raise KnowledgeError(
            "reading scanned pages needs the program tesseract", "install it (apt install tesseract-ocr), or set ocr = false"
        )
    said = subprocess.run([program, "--list-langs"], capture_output=True, text=True, check=False).stdout.splitlines()[1:]
    if missing := [name for name in languages.split("+") if name not in said]:
        hint = f"install it (apt install tesseract-ocr-{missing[0].replace('_', '-')}); there are {', '.join(said)}"
        raise KnowledgeError(f"tesseract has no language '{missing[0]}'", hint)


def recognised(raw: bytes, numbers: Sequence[int], languages: str) -> dict[int, str]:
    """The text of these pages of a PDF, by number from 1; those on which nothing was recognised are left out."""
    try:
        import pypdfium2
    except ImportError:
        raise MissingExtra("reading scanned pages", "ocr") from None
    check(languages)
    found: dict[int, str] = {}
    waiting, workers = iter(numbers), os.cpu_count() or 1
    with pypdfium2.PdfDocument(raw) as document, ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(waiting, workers)):  # no more pictures in memory than are being read
            pages = {number: document[number - 1] for number in batch}
            pictures = {number: _picture(page) for number, page in pages.items() if not _huge(page)}
            texts = pool.map(lambda picture: _text(picture, languages), pictures.values())
            found |= {number: text for number, text in zip(pictures, texts, strict=True) if text}
    return found


def _huge(page: Any) -> bool:
    """Whether a picture in the page says that it has more pixels than are unpacked."""
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    sizes = (one.get_px_size() for one in page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE]))
    return any(width * height > LARGEST for width, height in sizes)


def _picture(page: Any) -> bytes:
    """The page in grey, as a portable graymap."""
    width, height = page.get_size()
    scale = min(DPI / 72, (PIXELS / max(width * height, 1)) ** 0.5)
    pixels = page.render(scale=scale, grayscale=True).to_numpy()
    rows, columns = pixels.shape[:2]
    return f"P5 {columns} {rows} 255\n".encode() + bytes(pixels.reshape(rows, columns).tobytes())


def _text(picture: bytes, languages: str) -> str:
    """What tesseract reads; "" where it reads nothing or takes too long."""
    command = ["tesseract", "stdin", "stdout", "-l", languages, "--dpi", str(DPI)]
    try:
        done = subprocess.run(
            command, input=picture, capture_output=True, timeout=SECONDS, env={**os.environ, "OMP_THREAD_LIMIT": "1"}, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise KnowledgeError(f"tesseract failed: {said[-1] if said else done.returncode}", "check the installation, or set ocr = false")
    lines = done.stdout.decode("utf-8", "replace").replace("\f", "").splitlines()
    return "\n".join(f"\\{line}" if line.startswith("#") else line.rstrip() for line in lines).strip()
