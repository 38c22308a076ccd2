"""Replaces a file at once: after a kill or on a full disk the old bytes stand or the new ones. It refuses to leave a mixture."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Write beside the file, force it to the disk, rename. OSError, with the temporary file gone, where that fails."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
