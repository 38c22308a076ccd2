"""Checks the ZIP container of Office files and e-books before it is parsed: encrypted, damaged and exploding ones are refused."""

from __future__ import annotations

import io
import zipfile

from rung.knowledge.reading import Unreadable

UNPACKED = 1 << 30  # bytes that a file may unpack to
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def opened(raw: bytes) -> zipfile.ZipFile:
    """The archive, which is safe to unpack. Raises Unreadable with the reason."""
    if raw.startswith(_OLD_OFFICE):
        raise Unreadable("is encrypted" if _ENCRYPTED in raw else "is an Office file of before 2007; save it in the newer format")
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
        parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise Unreadable("is damaged or not what its ending says (no ZIP archive)") from None
    if any(part.flag_bits & 1 for part in parts):
        raise Unreadable("is encrypted")
    if sum(part.file_size for part in parts) > UNPACKED:
        raise Unreadable(f"unpacks to more than {UNPACKED >> 20:,} MB")
    return archive
