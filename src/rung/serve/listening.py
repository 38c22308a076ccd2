"""Starts the server behind `rung index --listen` and stops it in order. It refuses other machines without a token."""

from __future__ import annotations

import ipaddress
import os
import socket
from contextlib import suppress
from pathlib import Path

from rung.errors import ConfigError, MissingExtra
from rung.sources import PushSource
from rung.workspace.workspace import open_workspace

TOKEN = "RUNG_PUSH_TOKEN"


def listen(folder: Path, where: str) -> None:
    """Take documents at HOST:PORT until Ctrl-C; port 0 is any that is free. ConfigError where that can't be, MissingExtra."""
    try:
        import uvicorn

        from rung.serve.push import application
    except ModuleNotFoundError as error:
        raise MissingExtra(f"listening for documents ({error.name})", "serve") from None
    from rung.knowledge.origins.push import Push
    from rung.serve.syncing import Syncing

    ws, token = open_workspace(folder), os.environ.get(TOKEN, "")
    sources = {source.name: source for source in ws.config.knowledge.sources if isinstance(source, PushSource)}
    if not sources:
        raise ConfigError("the project has no source to send documents to", 'add a [[knowledge.sources]] table with kind = "push"')
    host, port = address(where)
    if not token and not loopback(host):
        raise ConfigError(f"{host} can be reached by other machines, and there is no token", f"set {TOKEN}, or listen on 127.0.0.1")
    opened = open_socket(host, port)
    syncing = Syncing(folder, {name: Push(folder / source.path / name) for name, source in sources.items()})
    hosts = frozenset() if token else frozenset({"localhost", "127.0.0.1", "::1", host})
    app = application(folder, sources, syncing, token, ws.config.access.metadata, hosts)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=5))
    shown = f"[{host}]" if ":" in host else host
    print(f"listening on http://{shown}:{opened.getsockname()[1]}", flush=True)
    syncing.start()
    try:
        with suppress(KeyboardInterrupt):  # uvicorn has stopped in order, and tells again
            server.run(sockets=[opened])
    finally:
        syncing.stop()
        opened.close()


def address(where: str) -> tuple[str, int]:
    """Host and port. ConfigError where they are none."""
    host, _, port = where.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"'{where}' is no address to listen on", "write HOST:PORT, for example 127.0.0.1:8800")
    return host, int(port)


def loopback(host: str) -> bool:
    """Whether only this machine reaches the address; a name other than localhost may be any machine's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens. ConfigError where there can be none."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        opened = socket.create_server((host, port), family=family)
        # asyncio sets it for sockets that name their protocol alone, and without it each answer waits 40 ms for an acknowledgement
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened
    except (OSError, UnicodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "no such host"
        raise ConfigError(f"{host}:{port} can't be listened on: {said}", "choose another port or address") from None
