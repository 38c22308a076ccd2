"""Adapters in object storage, where every replica finds them: put there before a label stands on one, fetched where one is missing.

What is fetched is held to its sums before it takes its name. It refuses what the storage names outside of an adapter's folder.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rung.errors import ConfigError, DataError, MissingExtra, RungError
from rung.models.folder import BLOCKED
from rung.tuning.adapters import verify
from rung.workspace.privacy import kept_away
from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SUMS = "sums.json"  # put there last and fetched first: an adapter that has it is whole


def put(ws: Workspace, folder: Path) -> None:
    """Let other replicas have the adapter, and whether it is blocked; nothing where no storage is named. RungError where it refuses."""
    spec = ws.config.serve.adapters
    if not spec:
        return
    store = _opened(ws, spec)
    with _asked(spec):
        if _get(store, f"{folder.name}/{SUMS}") is None:
            names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
            for name in [*(name for name in names if name not in (SUMS, BLOCKED)), SUMS]:
                store.put(f"{folder.name}/{name}", folder / name)
        if (folder / BLOCKED).exists():
            store.put(f"{folder.name}/{BLOCKED}", folder / BLOCKED)


def fetch(ws: Workspace, adapters: Path, name: str) -> Path | None:
    """The adapter's folder, brought from the storage; None where it has none. DataError for one that is not as it was made."""
    spec = ws.config.serve.adapters
    if not spec:
        return None
    store, temporary = _opened(ws, spec), adapters / f"{name}.{os.getpid()}.tmp"
    with _asked(spec):
        raw = _get(store, f"{name}/{SUMS}")
        if raw is None:
            return None
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        (temporary / SUMS).write_bytes(raw)
        for file in [*_named(name, raw), BLOCKED]:
            content = _get(store, f"{name}/{file}")
            if content is not None:
                (temporary / file).parent.mkdir(parents=True, exist_ok=True)
                (temporary / file).write_bytes(content)
    try:
        verify(temporary)
        os.replace(temporary, adapters / name)
    except OSError:  # another process of this machine was there first
        shutil.rmtree(temporary, ignore_errors=True)
    except DataError:
        shutil.rmtree(temporary, ignore_errors=True)
        hint = "delete it there; the next move of its label puts it there again"
        raise DataError(f"the adapter {name} in {spec} was changed", hint) from None
    return adapters / name


def _named(name: str, raw: bytes) -> list[str]:
    """The files that the sums name. DataError where one would lie elsewhere."""
    files = list(json.loads(raw))
    for file in files:
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or "\\" in file:
            raise DataError(f"the adapter {name} in the storage names the file '{file}'", "somebody changed it: delete it there")
    return files


def _get(store: ObjectStore, path: str) -> bytes | None:
    try:
        return bytes(store.get(path).bytes())
    except FileNotFoundError:
        return None


def _opened(ws: Workspace, spec: str) -> ObjectStore:
    if ws.config.limits.private and kept_away(f"adapters:{spec}"):
        sentence = f"the project is private, and '{spec}' would keep its adapters on another machine"
        raise ConfigError(sentence, "take adapters out of [serve], or private out of [limits]")
    try:
        from obstore.store import from_url
    except ModuleNotFoundError as error:
        raise MissingExtra(f"adapters in object storage ({error.name})", "s3") from None
    return from_url(spec, retry_config={"max_retries": 3})


@contextmanager
def _asked(spec: str) -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, PermissionError, FileNotFoundError) as error:  # the last: there is no such bucket
        said = str(error).strip().splitlines()[0][:200]
        hint = "check adapters under [serve], AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise RungError(f"'{spec}' can't be used: {said}", hint) from None
