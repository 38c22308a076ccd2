"""How many questions are answered at once and how many may wait; it refuses the rest at once, which is kinder than collapse."""

from __future__ import annotations

import time
from asyncio import Semaphore
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from rung.serve.refusals import Refusal


@dataclass
class Gate:
    """Belongs to one event loop. Mutable: it counts."""

    at_once: int
    queue: int
    waiting: int = 0
    running: int = 0
    mean: float = 1.0  # seconds of an answer, the latest weigh most
    free: Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.free = Semaphore(self.at_once)

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Wait for a place, hold it within the block. Refusal with 429 where too many wait already."""
        if self.free.locked() and self.waiting >= self.queue:
            seconds = self.mean * (self.waiting + 1) / self.at_once
            raise Refusal(429, "too many questions wait already; ask again later", "server_busy", retry_after=seconds)
        self.waiting += 1
        try:
            await self.free.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        started = time.monotonic()
        try:
            yield
        finally:
            self.running -= 1
            self.mean += 0.1 * (time.monotonic() - started - self.mean)
            self.free.release()
