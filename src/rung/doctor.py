"""Looks at the installation and, where there is one, at a project: what is there, what is missing, and how to get it.

It changes nothing, loads no weights, and asks only the model server that the project names.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rung.errors import RungError
from rung.workspace import workspace as w
from rung.workspace.store import open_store
from rung.workspace.trail import verify

State = Literal["ok", "absent", "wrong"]
GIVES = {
    "audit": "the audit of training rows",
    "chunkers": "other ways to cut documents",
    "gguf": "GGUF export and its check in llama.cpp",
    "knowledge": "indexing and search",
    "local": "models and training on this machine",
    "mcp": "tools for agents",
    "metrics": "figures for Prometheus",
    "mlflow": "runs and adapters in MLflow",
    "ocr": "scanned pages",
    "oidc": "logging into the studio at a provider",
    "optimise": "prompts chosen by GEPA",
    "otel": "traces by OpenTelemetry",
    "pdf": "PDF and office files",
    "postgres": "PostgreSQL as the index",
    "qlora": "training on a base in 4 or 8 bits",
    "ray": "indexing on several machines",
    "s3": "S3-compatible storage",
    "search": "trainings that search their settings",
    "serve": "the server",
    "sql": "databases as sources",
}
ROOM = 5 << 30  # bytes; an index of a million passages and a few adapters


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. "absent" is what may be missed later; "wrong" stops the project from working."""

    state: State
    what: str
    told: str
    fix: str = ""


def examine(folder: Path, port: int = 0) -> Iterator[Finding]:
    """What was found, the machine first. A folder without `rung.toml` has no project, and the rest is told."""
    yield from _machine(folder)
    yield _port(port)
    yield from _extras()
    if (folder / "rung.toml").exists():
        yield from _project(folder)
    else:
        yield Finding("absent", "project", f"{folder} holds no rung.toml", f"rung init {folder}")


def _machine(folder: Path) -> Iterator[Finding]:
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("ok", "processor", f"{_cores()} cores to use, {_memory()} GiB of memory")
    yield _accelerator()
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    told = f"{free / (1 << 30):.0f} GiB free"
    yield Finding("ok", "disk", told) if free > ROOM else Finding("absent", "disk", told, "make room before indexing or training much")
    if not os.access(there, os.W_OK):
        yield Finding("wrong", "folder", f"{there} can't be written to", "mend its permissions, or copy the project elsewhere")


def _port(port: int) -> Finding:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            return Finding("wrong", "port", f"{port} can't be listened on: {error.strerror}", "stop what listens there, or choose --port")
    return Finding("ok", "port", f"{port} is free" if port else "any that is free")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f}"
    except (AttributeError, ValueError, OSError):
        return "an unknown number of"


def _accelerator() -> Finding:
    if find_spec("torch") is None:
        return Finding("absent", "accelerator", "torch is not installed, so none was looked for", "pip install 'rung[local]'")
    import torch

    if torch.cuda.is_available():
        return Finding("ok", "accelerator", f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}, torch {torch.__version__}")
    if torch.backends.mps.is_available():
        return Finding("ok", "accelerator", f"Apple's, torch {torch.__version__}")
    return Finding("ok", "accelerator", f"none: torch {torch.__version__} works on the processor")


def _extras() -> Iterator[Finding]:
    """Each extra of the package with the packages of it that are not installed."""
    held = distribution("rung").metadata.get_all("Provides-Extra") or []
    for extra in sorted(set(held) & GIVES.keys()):
        lacking = sorted({name for name in _packages(extra) if not _installed(name)})
        if lacking:
            yield Finding("absent", f"extra {extra}", f"{GIVES[extra]}: lacks {', '.join(lacking)}", f"pip install 'rung[{extra}]'")
        else:
            yield Finding("ok", f"extra {extra}", GIVES[extra])


def _packages(extra: str) -> Iterator[str]:
    for line in requires("rung") or ():
        found = re.fullmatch(r"([\w.-]+)(?:\[([\w,-]+)\])?[^;]*;.*extra == ['\"]([\w-]+)['\"].*", line)
        if found and found[3] == extra:
            yield from (name for inner in found[2].split(",") for name in _packages(inner)) if found[1] == "rung" else (found[1],)


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _project(folder: Path) -> Iterator[Finding]:
    try:
        ws = w.open_workspace(folder)
    except RungError as error:
        yield Finding("wrong", "rung.toml", error.message, error.hint)
        return
    yield Finding("ok", "rung.toml", f"project '{ws.config.project.name}'")
    for look in (_cases, _model, _embedder, _knowledge, _store, _programs, _adapters):
        try:
            yield from look(ws)
        except RungError as error:
            yield Finding("wrong", look.__name__.strip("_"), error.message, error.hint)
        except ModuleNotFoundError as error:
            yield Finding("wrong", look.__name__.strip("_"), f"needs the package {error.name}", "install the extra above that lacks it")


def _cases(ws: w.Workspace) -> Iterator[Finding]:
    yield Finding("ok", "cases", f"{len(w.cases(ws))} cases, {len(w.examples(ws))} examples")


def _model(ws: w.Workspace) -> Iterator[Finding]:
    from rung.models import base_folder, on_this_machine, reads_only
    from rung.models.folder import check_model

    name = ws.config.model.name
    if name.startswith("endpoint:"):
        yield _endpoint(name, ws.config.model.options)
    elif not on_this_machine(name):
        yield Finding("absent", "model", f"{name} is not on this machine yet", "the first use fetches it, which needs a connection")
    else:
        if name.startswith(("bundled:", "local:")) and not reads_only(name):
            check_model(base_folder(name, ws.folder))
        yield Finding("ok", "model", name)


def _endpoint(name: str, options: dict[str, object]) -> Finding:
    """Whether the server answers at all; the question costs no tokens."""
    import httpx

    url = name.rpartition("@")[2].rstrip("/")
    key = os.environ.get(str(options.get("key_env", "")), "")
    try:
        reply = httpx.get(f"{url}/models", headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=5)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding("wrong", "model", f"{url} does not answer: {error}", "start the server, or mend the URL under [model]")
    if reply.status_code in (401, 403):
        return Finding("wrong", "model", f"{url} refuses the key", "name the variable that holds it as key_env under [model.options]")
    if reply.status_code >= 500:
        return Finding("wrong", "model", f"{url} answers with {reply.status_code}", "look into the server's log")
    return Finding("ok", "model", f"{name} answers")


def _embedder(ws: w.Workspace) -> Iterator[Finding]:
    if ws.config.knowledge.default_folder or ws.config.knowledge.sources:
        yield Finding("ok", "embedder", w.embedder(ws).id)


def _store(ws: w.Workspace) -> Iterator[Finding]:
    """Where `rung serve` keeps its keys and its audit log, and whether the log is as it was written."""
    store = open_store(ws)
    if not store.postgres and not Path(store.place).exists():
        yield Finding("ok", "store", "no key, and no entry in the audit log yet")
        return
    done = verify(store)
    store.close()
    yield Finding("ok", "store", f"{done.entries} entries in the audit log, the chain holds")


def _knowledge(ws: w.Workspace) -> Iterator[Finding]:
    settings = ws.config.knowledge
    if not settings.default_folder and not settings.sources:
        yield Finding("ok", "knowledge", "the project has no documents")
        return
    if settings.default_folder and not (ws.folder / settings.default_folder).is_dir():
        yield Finding("wrong", "knowledge", f"there is no folder {settings.default_folder}", "make it, or set folder under [knowledge]")
        return
    held = w.held_knowledge(ws)
    count = len(held.state.documents)
    if count:
        yield Finding("ok", "knowledge", f"{count} documents, version {held.version}")
    else:
        yield Finding("absent", "knowledge", "no document is indexed yet", f"rung index {ws.folder}")


def _programs(ws: w.Workspace) -> Iterator[Finding]:
    """The programs that the project's own sources call."""
    wanted = {"tesseract": bool(ws.config.knowledge.ocr_languages), "git": any(one.kind == "git" for one in ws.config.knowledge.sources)}
    for program, needed in wanted.items():
        if needed and shutil.which(program) is None:
            yield Finding("wrong", program, f"{program} is not installed, and the project's sources need it", f"install {program}")


def _adapters(ws: w.Workspace) -> Iterator[Finding]:
    from rung.tuning.adapters import finished, verify
    from rung.workspace.labels import adapters_home, blocked

    for folder in finished(adapters_home(ws)):
        if why := blocked(folder):
            yield Finding("absent", f"adapter {folder.name}", f"blocked: {why}", "train again without what was forgotten")
            continue
        verify(folder)
        yield Finding("ok", f"adapter {folder.name}", "its files are as they were written")


def doctor_and_show(folder: Path, port: int, as_json: bool) -> bool:
    """Print what was found; whether nothing is wrong."""
    from rung.show import print_json

    found = list(examine(folder, port))
    if as_json:
        print_json({"findings": [asdict(one) for one in found]})
    else:
        for one in found:
            print(f"{one.state:<7} {one.what:<18} {one.told}" + (f"\n{'':27}{one.fix}" if one.fix else ""))
    return all(one.state != "wrong" for one in found)
