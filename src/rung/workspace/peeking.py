"""The first rows of a file that somebody sent, read by a process of its own with little memory and time.

A file that was made to burst its reader ends that process and nothing else. It refuses to say what columns mean.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

from rung.errors import DataError

MEMORY, SECONDS = 4 << 30, 20  # of the process; Arrow reserves more addresses than it fills
HEAD = 1 << 20  # bytes of a packed table that are unpacked for its first rows
ROWS = 3
SHOWN = 500  # characters of a value


def first_rows(file: Path) -> list[dict[str, Any]]:
    """The first rows as they stand in the file, whatever their columns are called. DataError for a file that can't be read."""
    command = [sys.executable, "-m", "rung.workspace.peeking", str(file)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        told = json.loads(done.stdout) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        told = None
    if not isinstance(told, dict):
        raise DataError("the file can't be read: it takes too much time or memory, or is of another kind", "send a smaller part of it")
    if "error" in told:
        raise DataError(str(told["error"]).replace(str(file), file.name.partition("-")[2]), str(told["hint"]))
    return list(told["rows"])


def _peek(file: Path) -> list[dict[str, Any]]:
    from rung.measure.files import rows_of
    from rung.measure.rows import RowError

    packed, name = file.suffix.lower() == ".gz", file.name.lower().removesuffix(".gz")
    if not name.endswith((".csv", ".tsv")):
        found = [row for _, row in islice(rows_of(file), ROWS) if not isinstance(row, RowError)]
        return [{str(key): _short(value) for key, value in row.items()} for row in found]
    with gzip.open(file) if packed else file.open("rb") as opened:
        text = opened.read(HEAD).decode("utf-8-sig", "replace")
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if name.endswith(".tsv") else ",", restkey="more columns")
    return [{str(key): _short(value) for key, value in row.items()} for row in islice(table, ROWS)]


def _short(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= SHOWN and isinstance(value, (str, int, float, bool)) else f"{text[:SHOWN]}{'…' * (len(text) > SHOWN)}"


def main(file: Path) -> None:
    """Print the rows, or what is wrong, as JSON."""
    import resource
    import zlib

    from rung.errors import RungError

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        told: dict[str, Any] = {"rows": _peek(file)}
    except RungError as error:
        told = {"error": error.message, "hint": error.hint}
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        told = {"error": f"the file can't be read: {error}", "hint": "is it a whole file of that kind?"}
    print(json.dumps(told, ensure_ascii=False, default=str))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
