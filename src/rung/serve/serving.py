"""Starts `rung serve` and ends it in order: answers that are being given end, new questions go elsewhere.

It refuses to be reached by other machines while there is no key. What one process answers, many may: they share a socket
and, with the store and the index in PostgreSQL, any number of machines may serve one project.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING

from rung.errors import ConfigError, MissingExtra, RungError
from rung.serve.listening import loopback, open_socket
from rung.workspace.keys import any_key
from rung.workspace.store import open_store
from rung.workspace.workspace import open_workspace

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from rung.serve.projects import Opening

SOCKET = "RUNG_SERVE_SOCKET"  # the number of the socket that a worker was given


def serve(folders: Sequence[Path], host: str, port: int, workers: int) -> None:
    """Answer at host and port until SIGTERM or Ctrl-C; port 0 is any that is free. ConfigError where that can't be, MissingExtra.

    One project stands at /, several, or those in a folder of projects, at /p/NAME.
    """
    try:
        import uvicorn  # noqa: F401

        from rung.serve.projects import located
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the server ({error.name})", "serve") from None
    alone, named, _ = located(folders)
    if alone and not loopback(host) and not any_key(open_store(open_workspace(alone))):
        hint = f"add one with `rung keys add NAME {alone}`, or serve at 127.0.0.1"
        raise ConfigError(f"{host} can be reached by other machines, and there is no key", hint)
    given = os.environ.get(SOCKET, "")
    shared = socket(fileno=int(given)) if given else open_socket(host, port)
    if workers > 1:
        _supervise([alone] if alone else list(named.values()), folders, host, workers, shared)
    else:
        _answer(folders, host, shared, say=not given)


def _answer(folders: Sequence[Path], host: str, shared: socket, *, say: bool) -> None:
    """One process that answers. The projects are open before the first question is taken."""
    import uvicorn

    from rung.serve.projects import Opening

    ending: list[uvicorn.Server] = []
    names = frozenset({"localhost", "127.0.0.1", "::1", host}) if loopback(host) else frozenset()
    how = Opening(names, lambda: bool(ending and ending[0].should_exit), say, url(_here(shared), shared))
    app, drain, close = _opened(folders, how)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=max(1, round(drain)),
        server_header=False, date_header=False, ws="none", backlog=2048, limit_concurrency=None,
    )  # fmt: skip
    ending.append(uvicorn.Server(config))
    if say:
        print(f"serving on {url(host, shared)}", flush=True)
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # uvicorn stops in order at one, and then sends it to us again
    try:
        with suppress(KeyboardInterrupt):  # uvicorn has stopped in order, and tells again
            ending[0].run(sockets=[shared])
    finally:
        close()
        shared.close()


def _opened(folders: Sequence[Path], how: Opening) -> tuple[Starlette, float, Callable[[], None]]:
    """The application, the seconds that answers have to end, and what is done after the last. ConfigError where nothing can be opened."""
    from rung.serve.projects import Projects, located, opened, together

    alone, named, home = located(folders)
    if alone:
        one = opened(alone, how)
        return one.app, one.desk.settings.drain, one.close
    projects = Projects(named, home, how)
    projects.look()
    if not projects.open:
        raise ConfigError("none of the projects can be served", "mend what is said above")
    return together(projects), max(one.desk.settings.drain for one in projects.open.values()), projects.close


def _supervise(projects: Sequence[Path], folders: Sequence[Path], host: str, workers: int, shared: socket) -> None:
    """Processes on one socket; one that dies is started again, and SIGTERM and Ctrl-C end them all in order."""
    from rung.serve.offers import synced

    metrics = False
    for folder in projects:
        with nullcontext() if len(projects) == 1 else suppress(RungError):  # the processes say so, and serve the others
            ws = open_workspace(folder)
            metrics = metrics or ws.config.serve.metrics
            synced(ws)  # once, not by each process
    if metrics and len(projects) > 1:
        raise ConfigError("processes add up their metrics, and so those of several projects", "serve one project, or leave --workers out")
    with TemporaryDirectory(prefix="rung-metrics-") as meeting:
        _together(folders, host, workers, shared, meeting if metrics else "")


def _together(folders: Sequence[Path], host: str, workers: int, shared: socket, meeting: str) -> None:
    """`meeting` is the folder in which the processes add up their figures; "" where there are none."""
    from rung.serve import metrics

    shared.set_inheritable(True)
    command = [sys.executable, "-m", "rung", "serve", *map(str, folders), "--host", host]
    environment = {**os.environ, SOCKET: str(shared.fileno()), **({metrics.FOLDER: meeting} if meeting else {})}

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environment, pass_fds=[shared.fileno()], start_new_session=True)

    ending = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ending
        ending = True
        for one in running:
            one.send_signal(signal.SIGTERM)

    running: list[subprocess.Popen[bytes]] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    running += [start() for _ in range(workers)]
    print(f"serving on {url(host, shared)}", flush=True)
    _watch(running, start, lambda: ending, lambda process: metrics.ended(process, meeting))
    shared.close()


def _watch(
    running: list[subprocess.Popen[bytes]],
    start: Callable[[], subprocess.Popen[bytes]],
    ending: Callable[[], bool],
    ended: Callable[[int], None],
) -> None:
    """Until all have ended; one that ended with a refusal of the project would do so again, so it ends the rest."""
    while running:
        for one in list(running):
            with suppress(subprocess.TimeoutExpired):
                code = one.wait(0.2)
                running.remove(one)
                ended(one.pid)
                if code == 2 and not ending():
                    for other in running:
                        other.send_signal(signal.SIGTERM)
                elif not ending():
                    running.append(start())


def _here(shared: socket) -> str:
    """The host by which this machine reaches the socket."""
    host = str(shared.getsockname()[0])
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def url(host: str, opened: socket) -> str:
    """The address as a browser takes it."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{opened.getsockname()[1]}"
