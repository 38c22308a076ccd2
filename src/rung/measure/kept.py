"""The last diagnosis of a project as a file: written whole, read back with all its parts, or refused."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from rung.errors import DataError
from rung.measure.diagnose import Diagnosis
from rung.measure.record import write_whole

LAST = "diagnoses/last.json"


@dataclass(frozen=True)
class Kept:
    """A diagnosis with what was diagnosed, and on which day."""

    system: str
    made: str
    found: Diagnosis


def keep(home: Path, system: str, found: Diagnosis) -> None:
    """Make it the last diagnosis of the project whose folder of makings is `home`."""
    from pydantic import TypeAdapter

    told = Kept(system, time.strftime("%d %B %Y"), found)
    write_whole(home / LAST, TypeAdapter(Kept).dump_json(told, indent=1))


def kept(home: Path) -> Kept | None:
    """The last diagnosis; None where there was none. DataError where the file is damaged or of another version."""
    from pydantic import TypeAdapter, ValidationError

    path = home / LAST
    if not path.exists():
        return None
    try:
        return TypeAdapter(Kept).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{path} can't be read: {str(error).splitlines()[0]}", "delete it, or run `rung diagnose` again") from None
