"""A proxy that hands one connection after another to the next of several servers, and goes on to another where one is dead."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


@contextmanager
def round_robin(backends: Sequence[str]) -> Iterator[str]:
    """The proxy's URL, in front of these URLs."""
    ports, turn = [int(one.rpartition(":")[2]) for one in backends], iter(range(10**9))
    loop = asyncio.new_event_loop()

    async def piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        with suppress(OSError, RuntimeError):
            writer.close()

    async def handed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in ports:
            with suppress(OSError):
                there = await asyncio.open_connection("127.0.0.1", ports[next(turn) % len(ports)])
                await asyncio.gather(piped(reader, there[1]), piped(there[0], writer))
                return
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(handed, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(server.close)
        ending = asyncio.run_coroutine_threadsafe(_ended(), loop)
        with suppress(TimeoutError):
            ending.result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _ended() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
