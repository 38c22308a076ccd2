"""One writer at a time for a knowledge, no pauses, and a disk's refusals as errors that say what to do. It waits for no other writer."""

from __future__ import annotations

import errno
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rung.errors import KnowledgeError, MissingExtra

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
UNWRITABLE = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM)
KEPT = "the last good state is still in place"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the one lock for writing; the system lets go of it when the process dies."""
    try:
        from filelock import FileLock, Timeout
    except ModuleNotFoundError:
        raise MissingExtra("changing an index", "knowledge") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock").acquire(timeout=0)
    except Timeout:
        raise KnowledgeError(f"another process is changing {folder}", "wait until it is done and run again") from None
    except OSError as error:
        raise refused(folder, error) from error
    with lock:
        yield


@contextmanager
def uncollected() -> Iterator[None]:
    """Let Python look for no garbage meanwhile: beside 100,000 documents that stops every thread for .2 s."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def refused(folder: Path, error: Exception) -> KnowledgeError:
    full = ("no space left", "file too large", "quota exceeded")
    number = error.errno if isinstance(error, OSError) else None
    if number in FULL or any(words in str(error).lower() for words in full):
        return KnowledgeError(f"the disk is full, {folder} can't be written", f"free some space and run again; {KEPT}")
    said = error.strerror if isinstance(error, OSError) and error.strerror else error
    return KnowledgeError(f"{folder} can't be written: {said}", f"make it writable and run again; {KEPT}")
