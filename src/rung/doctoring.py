"""`rung doctor`: what of an installation and a project works, what is missing, and how to get it. It changes and fetches nothing."""

from __future__ import annotations

import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from rung.errors import ConfigError, ModelError, RungError
from rung.models import on_this_machine
from rung.show import print_json
from rung.workspace import workspace as w
from rung.workspace.store import open_store
from rung.workspace.trail import verify
from rung.workspace.workspace import Workspace

ROOM = 1 << 30  # bytes of disk below which a training or an index may not end well


@dataclass(frozen=True)
class Finding:
    """`state` "off" is a feature that is not installed and that the project doesn't ask for."""

    what: str
    state: Literal["ok", "off", "wrong"]
    said: str
    hint: str = ""


def doctor_and_show(folder: Path, port: int, as_json: bool) -> int:
    """Print what was found; 1 where something is wrong."""
    found = list(examined(folder, port))
    wrong = sum(one.state == "wrong" for one in found)
    if as_json:
        print_json({"wrong": wrong, "found": [asdict(one) for one in found]})
        return int(wrong > 0)
    for one in found:
        print(f"{one.state:>5}  {one.what}: {one.said}")
        if one.hint:
            print(f"       {one.hint}")
    print(f"{wrong} wrong" if wrong else "all well")
    return int(wrong > 0)


def examined(folder: Path, port: int) -> Iterator[Finding]:
    """One finding after the other: the installation, then the project where there is one."""
    yield Finding("python", "ok", sys.version.split()[0])
    yield from _extras()
    yield _port(port)
    if not (folder / "rung.toml").exists():
        yield Finding("project", "off", f"there is no rung.toml in {folder}", "`rung init` writes one; name a folder to examine it")
        return
    try:
        ws = w.open_workspace(folder)
    except RungError as error:
        yield Finding("project", "wrong", error.message, error.hint)
        return
    yield Finding("project", "ok", ws.config.project.name)
    checks: dict[str, Callable[[Workspace], str]] = {
        "cases": _cases, "model": _model, "embedder": _embedder, "index": _index, "store": _store, "disk": _disk, "scanned pages": _ocr
    }  # fmt: skip
    for what, check in checks.items():
        yield _tried(what, lambda check=check: check(ws))  # type: ignore[misc]


def _tried(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, "ok", check())
    except RungError as error:
        return Finding(what, "wrong", error.message, error.hint)
    except OSError as error:
        return Finding(
            what, "wrong", f"{error.filename or what} can't be used: {error.strerror or error}", "check the path and permissions"
        )


def _extras() -> Iterator[Finding]:
    """Which optional parts are installed, by what the package itself names."""
    wanted: dict[str, list[str]] = {}
    for line in metadata.requires("rung") or ():
        found = re.fullmatch(r"([\w.-]+)[^;]*;.*extra == ['\"]([\w-]+)['\"].*", line)
        if found and found[1] != "rung" and found[2] not in ("all", "dev", "bench"):
            wanted.setdefault(found[2], []).append(found[1])
    for extra, packages in sorted(wanted.items()):
        missing = [name for name in packages if not _installed(name)]
        said = f"without {', '.join(missing)}" if missing else "installed"
        yield Finding(f"extra {extra}", "off" if missing else "ok", said, f"pip install 'rung[{extra}]'" if missing else "")


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _port(port: int) -> Finding:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            return Finding("port", "wrong", f"{port} can't be listened on: {error.strerror}", "stop what listens there, or choose --port")
    return Finding("port", "ok", f"{port} is free")


def _cases(ws: Workspace) -> str:
    return f"{len(w.cases(ws))} cases, {len(w.examples(ws))} examples"


def _model(ws: Workspace) -> str:
    name = ws.config.model.name
    if name.startswith("endpoint:"):
        return _reached(name.rpartition("@")[2])
    if not on_this_machine(name):
        raise ModelError(f"the weights of {name} are not on this machine", "the first question fetches them; it needs the network")
    return f"{name}, window {w.base_model(ws).window:,}"


def _reached(url: str) -> str:
    import httpx

    try:
        said = httpx.get(f"{url.rstrip('/')}/models", timeout=5)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ModelError(f"nothing answers at {url} ({type(error).__name__})", "start the server, or mend the address") from None
    return f"{url} answers ({said.status_code})"


def _embedder(ws: Workspace) -> str:
    made = w.embedder(ws)
    return f"{made.id}, {made.embed(['ready']).shape[1]} dimensions"


def _index(ws: Workspace) -> str:
    if not (ws.config.knowledge.default_folder or ws.config.knowledge.sources):
        return "the project has no documents"
    held = w.held_knowledge(ws).state
    if not held.index:
        raise ConfigError("nothing is indexed yet", f"run `rung index {ws.folder}`")
    return f"{len(held.documents)} documents"


def _store(ws: Workspace) -> str:
    store = open_store(ws)
    if not store.postgres and not Path(store.place).exists():
        return "no key and no entry in the audit log yet"
    done = verify(store)
    store.close()
    return f"{done.entries} entries in the audit log, the chain holds"


def _disk(ws: Workspace) -> str:
    free = shutil.disk_usage(ws.folder).free
    if free < ROOM:
        raise ConfigError(f"{free >> 20} MiB are free on the project's disk", "make room: an index or a training may need more")
    return f"{free >> 30} GiB free"


def _ocr(ws: Workspace) -> str:
    if not ws.config.knowledge.ocr_languages:
        return "not read"
    from rung.knowledge.readers.ocr import check

    check(ws.config.knowledge.ocr_languages)
    return ws.config.knowledge.ocr_languages
