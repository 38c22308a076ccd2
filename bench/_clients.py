"""Clients of a chat server that read streams as they come, on raw connections: they cost little beside what they measure."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Heard:
    """One answer: when its first piece and its end came, in seconds after the question, and all of its events."""

    status: int = 0
    first: float = 0.0
    whole: float = 0.0
    events: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False

    @property
    def text(self) -> str:
        """What was said."""
        choices = [event["choices"][0] for event in self.events if event.get("choices")]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    @property
    def rung(self) -> dict[str, Any]:
        """What `rung serve` says of the answer, which stands in its last piece."""
        return next((event["rung"] for event in reversed(self.events) if "rung" in event), {})


class Client:
    """One connection, kept open."""

    def __init__(self, port: int, path: str = "/v1/chat/completions") -> None:
        self.port, self.path = port, path
        self.fresh = True
        self.held: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, body: dict[str, Any]) -> Heard:
        """Ask, and read until the end of the answer. ConnectionError where the server closed before it."""
        try:
            return await self._ask(body)
        except ConnectionError:
            if not self.fresh:  # a server may close a connection that nobody used for a while
                return await self._ask(body)
            raise

    async def _ask(self, body: dict[str, Any]) -> Heard:
        self.fresh = self.held is None
        if self.held is None:
            self.held = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)
        reader, writer = self.held
        raw = json.dumps(body).encode()
        lines = (f"POST {self.path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Content-Type: application/json")
        head = "".join(f"{line}\r\n" for line in (*lines, f"Content-Length: {len(raw)}", ""))
        begun, heard = time.perf_counter(), Heard()
        writer.write(head.encode() + raw)
        try:
            told = (await reader.readuntil(b"\r\n\r\n")).lower()
            heard.status = int(told.split(b" ", 2)[1])
            if b"transfer-encoding: chunked" in told:
                await self._stream(reader, heard, begun)
            else:
                length = next(int(line.split(b":")[1]) for line in told.split(b"\r\n") if line.startswith(b"content-length"))
                heard.events.append(json.loads(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.close()
            self.fresh = self.fresh or bool(heard.status)  # what was begun is not asked again
            raise ConnectionError("the server closed before the end of its answer") from None
        heard.whole = time.perf_counter() - begun
        return heard

    async def _stream(self, reader: asyncio.StreamReader, heard: Heard, begun: float) -> None:
        waiting = b""
        while size := int(await reader.readline(), 16):
            waiting += (await reader.readexactly(size + 2))[:-2]
            heard.first = heard.first or time.perf_counter() - begun
            *events, waiting = waiting.split(b"\n\n")
            for event in events:
                data = event.partition(b"data: ")[2]
                if data == b"[DONE]":
                    heard.ended = True
                elif data:
                    heard.events.append(json.loads(data))
        await reader.readline()

    def close(self) -> None:
        """Let the connection go; the next question opens another."""
        if self.held:
            self.held[1].close()
        self.held = None
