"""The name under which an index is kept on a server, drawn once for each folder; two projects never share one by accident."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

FILE = "place"


def place(folder: Path, name: str = "") -> str:
    """16 hex digits, the same as long as the folder stands; `name` where it is not to be drawn but shared with other copies."""
    path = folder / FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        drawn = secrets.token_hex(8)
        temporary = path.with_name(f"{drawn}.tmp")
        temporary.write_text(name or drawn, encoding="ascii")
        with suppress(FileExistsError):  # of two processes that draw at once, one wins
            os.link(temporary, path)
        temporary.unlink()
    return path.read_text(encoding="ascii")
