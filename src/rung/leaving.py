"""Ends a call that waits for a server from another thread: its connection is shut down, and the wait is over at once.

It refuses to touch a connection between calls: what is kept for the next question stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from socket import SHUT_RDWR, socket
from threading import Event, Lock

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


@dataclass
class Leaving:
    """Of one question: what ends the waits of its thread, and whether anybody still waits for it. Mutable, between two threads."""

    gone: Event = field(default_factory=Event)
    ends: list[Callable[[], object]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock, repr=False)

    def leave(self) -> None:
        """Nobody waits any more: what is waited on ends now, and what would be begun ends as it begins."""
        with self.lock:
            self.gone.set()
            for end in self.ends:
                end()

    @contextmanager
    def waiting(self, end: Callable[[], object]) -> Iterator[None]:
        """Within the block `end` may be called, from any thread."""
        with self.lock:
            self.ends.append(end)
            if self.gone.is_set():
                end()
        try:
            yield
        finally:
            with self.lock:
                self.ends.remove(end)


LEAVING: ContextVar[Leaving | None] = ContextVar("leaving", default=None)  # of the question that this thread answers


def reading(answer: BaseHTTPResponse) -> AbstractContextManager[None]:
    """The body of this answer is waited for within the block."""
    return _waiting(partial(_broken_off, answer))


def _waiting(end: Callable[[], object]) -> AbstractContextManager[None]:
    leaving = LEAVING.get()
    return leaving.waiting(end) if leaving else nullcontext()


def _broken_off(answer: BaseHTTPResponse) -> None:
    with suppress(OSError, RuntimeError, ValueError):  # it has been read to its end, or is closed
        answer.shutdown()


def _shut(one: socket) -> None:
    with suppress(OSError):  # it is closed already
        socket.shutdown(one, SHUT_RDWR)


class _Plain(HTTPConnection):  # urllib3 takes classes
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        with _waiting(partial(_shut, self.sock)):
            return super().getresponse()


class _Secure(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        with _waiting(partial(_shut, self.sock)):
            return super().getresponse()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _PlainPool, "https": _SecurePool}
