"""Starts `rung serve` and ends it in order: answers that are being given end, new questions go elsewhere.

It refuses to be reached by other machines while there is no key. What one process answers, many may: they share a socket
and, with the store and the index in PostgreSQL, any number of machines may serve one project.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING

from rung.errors import ConfigError, MissingExtra
from rung.serve.listening import loopback, open_socket
from rung.sources import PushSource
from rung.workspace.keys import any_key
from rung.workspace.store import open_store
from rung.workspace.workspace import open_workspace, sync_knowledge

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from rung.serve.desk import Desk, Handler
    from rung.serve.syncing import Syncing

SOCKET = "RUNG_SERVE_SOCKET"  # the number of the socket that a worker was given


def serve(folder: Path, host: str, port: int, workers: int) -> None:
    """Answer at host and port until SIGTERM or Ctrl-C; port 0 is any that is free. ConfigError where that can't be, MissingExtra."""
    try:
        import uvicorn  # noqa: F401

        from rung.serve.app import application  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the server ({error.name})", "serve") from None
    ws = open_workspace(folder)
    if not loopback(host) and not any_key(open_store(ws)):
        hint = f"add one with `rung keys add NAME {folder}`, or serve at 127.0.0.1"
        raise ConfigError(f"{host} can be reached by other machines, and there is no key", hint)
    given = os.environ.get(SOCKET, "")
    opened = socket(fileno=int(given)) if given else open_socket(host, port)
    if workers > 1:
        _supervise(folder, host, workers, opened)
    else:
        _answer(folder, host, opened, ws.config.serve.drain, say=not given)


def _answer(folder: Path, host: str, opened: socket, drain: float, *, say: bool) -> None:
    """One process that answers. The project is open before the first question is taken."""
    import uvicorn

    from rung.serve.app import application, desk
    from rung.serve.forgotten import follow

    ending: list[uvicorn.Server] = []
    names = frozenset({"localhost", "127.0.0.1", "::1", host}) if loopback(host) else frozenset()
    at = desk(folder, names, lambda: bool(ending and ending[0].should_exit), sync=say)
    syncing, documents = _documents(folder, at)
    config = uvicorn.Config(
        application(at, documents), log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=max(1, round(drain)),
        server_header=False, date_header=False, ws="none", backlog=2048, limit_concurrency=None,
    )  # fmt: skip
    ending.append(uvicorn.Server(config))
    if say:
        print(f"serving on {url(host, opened)}", flush=True)
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # uvicorn stops in order at one, and then sends it to us again
    if syncing:
        syncing.start()
    forgotten = follow(folder)
    try:
        with suppress(KeyboardInterrupt):  # uvicorn has stopped in order, and tells again
            ending[0].run(sockets=[opened])
    finally:
        if syncing:
            syncing.stop()
        forgotten()
        at.closing()
        at.store.close()
        opened.close()


def _documents(folder: Path, at: Desk) -> tuple[Syncing | None, list[BaseRoute]]:
    """The routes that take documents, for keys of editors, and the thread that syncs them; nothing without a source to send to."""
    from rung.knowledge.origins.push import Push
    from rung.serve.push import routes
    from rung.serve.syncing import Syncing

    config = at.offers.open().ws.config
    sources = {source.name: source for source in config.knowledge.sources if isinstance(source, PushSource)}
    if not sources:
        return None, []
    syncing = Syncing(folder, {name: Push(folder / source.path / name) for name, source in sources.items()})

    def guarded(handler: Handler) -> Handler:
        async def guard(request: Request) -> Response:
            await at.key(request, "editor")
            return await handler(request)

        return at.route(guard)

    return syncing, routes(folder, sources, syncing, config.access.metadata, guarded)


def _supervise(folder: Path, host: str, workers: int, opened: socket) -> None:
    """Processes on one socket; one that dies is started again, and SIGTERM and Ctrl-C end them all in order."""
    ws = open_workspace(folder)
    sync_knowledge(ws)  # once, not by each process
    with TemporaryDirectory(prefix="rung-metrics-") as meeting:
        _together(folder, host, workers, opened, meeting if ws.config.serve.metrics else "")


def _together(folder: Path, host: str, workers: int, opened: socket, meeting: str) -> None:
    """`meeting` is the folder in which the processes add up their figures; "" where there are none."""
    from rung.serve import metrics

    opened.set_inheritable(True)
    command = [sys.executable, "-m", "rung", "serve", str(folder), "--host", host]
    environment = {**os.environ, SOCKET: str(opened.fileno()), **({metrics.FOLDER: meeting} if meeting else {})}

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environment, pass_fds=[opened.fileno()], start_new_session=True)

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
    print(f"serving on {url(host, opened)}", flush=True)
    _watch(running, start, lambda: ending, lambda process: metrics.ended(process, meeting))
    opened.close()


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


def url(host: str, opened: socket) -> str:
    """The address as a browser takes it."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{opened.getsockname()[1]}"
