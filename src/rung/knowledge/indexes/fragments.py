"""Lance fragments, written anywhere and committed at once. It refuses to count what no commit names.

A fragment that is written is nothing but files of a name of their own beside the table's; only `append` makes them part of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

NAME = "passages"  # of the table in its database
NEVER = timedelta(days=36500)


def write(uri: str, rows: Any) -> list[str]:
    """Write the rows, an Arrow table of the Lance table's schema, beside the table at `uri`; what `append` needs, as JSON."""
    from lance.fragment import write_fragments

    return [json.dumps(fragment.to_json(), sort_keys=True) for fragment in write_fragments(rows, uri, mode="append")]


def append(table: Any, fragments: Sequence[str]) -> None:
    """One commit that makes the fragments part of the table, in this order; the table then stands on it."""
    import lance

    parsed = [lance.FragmentMetadata.from_json(fragment) for fragment in fragments]
    lance.LanceDataset.commit(table.uri, lance.LanceOperation.Append(parsed), read_version=table.version)
    table.checkout_latest()


def rows_of(fragments: Sequence[str]) -> int:
    """The passages in the fragments."""
    return sum(int(json.loads(fragment)["physical_rows"]) for fragment in fragments)


def whole(uri: str, fragments: Sequence[str]) -> bool:
    """Whether all their files can be seen from here in their full length. What lies on a server is not looked at."""
    files = [file for fragment in fragments for file in json.loads(fragment)["files"]]
    if "://" in uri:
        return True
    sizes = [(Path(uri) / "data" / file["path"], file["file_size_bytes"]) for file in files]
    return all(path.is_file() and os.path.getsize(path) == size for path, size in sizes)


def sweep(table: Any) -> None:
    """Delete files that belong to no version: of tasks that were killed, or tried twice. Only where nobody else writes."""
    import lance

    lance.dataset(table.uri).cleanup_old_versions(older_than=NEVER, delete_unverified=True)
    for half in (Path(table.uri) / "data").glob(".tmp*"):  # Lance names them so while it writes, and passes over them here
        half.unlink(missing_ok=True)
