"""How many questions are answered at once and how many may wait; it refuses the rest at once, which is kinder than collapse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rung.serve.refusals import Refusal


@dataclass
class Gate:
    """Belongs to one event loop. Mutable: it counts."""

    at_once: int
    queue: int
    waiting: int = 0
    running: int = 0
    mean: float = 1.0  # seconds of an answer, the latest weigh most
    free: asyncio.Semaphore = field(init=False)
    changed: Callable[[int, int], None] = lambda running, waiting: None  # told of both counts

    def __post_init__(self) -> None:
        self.free = asyncio.Semaphore(self.at_once)

    async def enter(self, left: asyncio.Future[None], seconds: float) -> float:
        """Take a place, to be given back by `leave`; the moment it was taken.

        Refusal with 429 where too many wait already, 504 where it took too long, 499 where the client left meanwhile.
        """
        if self.free.locked():
            if self.waiting >= self.queue:
                wait = self.mean * (self.waiting + 1) / self.at_once
                raise Refusal(429, "too many questions wait already; ask again later", "server_busy", retry_after=wait)
            await self._wait(left, seconds)
        else:
            await self.free.acquire()
        self.running += 1
        self.changed(self.running, self.waiting)
        return time.monotonic()

    def leave(self, since: float) -> None:
        """Give the place back."""
        self.running -= 1
        self.changed(self.running, self.waiting)
        self.mean += 0.1 * (time.monotonic() - since - self.mean)
        self.free.release()

    async def _wait(self, left: asyncio.Future[None], seconds: float) -> None:
        self.waiting += 1
        self.changed(self.running, self.waiting)
        turn = asyncio.ensure_future(self.free.acquire())
        wanted: set[asyncio.Future[Any]] = {turn, left}
        try:
            await asyncio.wait(wanted, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                raise gone() if left.done() else late()
        except BaseException:  # whoever is cancelled in the very moment of getting a place gives it on
            if turn.done() and not turn.cancelled():
                self.free.release()
            turn.cancel()
            raise
        finally:
            self.waiting -= 1
            self.changed(self.running, self.waiting)


def gone() -> Refusal:
    """Nobody hears this; it ends the work."""
    return Refusal(499, "the client left", "client_closed_request")


def late() -> Refusal:
    """The deadline is over."""
    return Refusal(504, "the answer was not ready before the deadline", "deadline_exceeded")
