"""Ends a call that waits for a server from another thread: its connection is shut down, and the wait is over at once.

It refuses to touch a connection between calls: what is kept for the next question stays.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

import httpx


@dataclass
class Leaving:
    """Of one question: the sockets that its thread waits on, and whether anybody still waits for it. Mutable, between two threads."""

    gone: Event = field(default_factory=Event)
    held: list[socket.socket] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock, repr=False)

    def leave(self) -> None:
        """Nobody waits any more: what is waited on ends now, and what would be begun ends as it begins."""
        with self.lock:
            self.gone.set()
            for one in self.held:
                _shut(one)

    @contextmanager
    def waiting(self, on: socket.socket) -> Iterator[None]:
        """Within the block the socket may be shut down."""
        with self.lock:
            self.held.append(on)
            if self.gone.is_set():
                _shut(on)
        try:
            yield
        finally:
            with self.lock:
                self.held.remove(on)


LEAVING: ContextVar[Leaving | None] = ContextVar("leaving", default=None)  # of the question that this thread answers


def _shut(one: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        socket.socket.shutdown(one, socket.SHUT_RDWR)


def leavable(client: httpx.Client) -> httpx.Client:
    """The same client, whose calls `LEAVING` can end."""
    for transport in (client._transport, *client._mounts.values()):
        if pool := getattr(transport, "_pool", None):
            pool._network_backend = _Backend(pool._network_backend)
    return client


@dataclass(frozen=True)
class _Backend:
    """httpcore's way to connections; see https://www.encode.io/httpcore/network-backends/."""

    inner: Any

    def connect_tcp(self, *given: Any, **named: Any) -> _Stream:
        return _Stream(self.inner.connect_tcp(*given, **named))

    def connect_unix_socket(self, *given: Any, **named: Any) -> _Stream:
        return _Stream(self.inner.connect_unix_socket(*given, **named))

    def sleep(self, seconds: float) -> None:
        self.inner.sleep(seconds)


@dataclass(frozen=True)
class _Stream:
    inner: Any

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        leaving = LEAVING.get()
        if leaving is None:
            return bytes(self.inner.read(max_bytes, timeout))
        with leaving.waiting(self.inner.get_extra_info("socket")):
            return bytes(self.inner.read(max_bytes, timeout))

    def write(self, buffer: bytes | Iterable[bytes], timeout: float | None = None) -> None:
        self.inner.write(buffer, timeout)

    def close(self) -> None:
        self.inner.close()

    def start_tls(self, *given: Any, **named: Any) -> _Stream:
        return _Stream(self.inner.start_tls(*given, **named))

    def get_extra_info(self, info: str) -> Any:
        return self.inner.get_extra_info(info)
