"""An engine that only speaks OpenAI's protocol: so many tokens, so far apart, over raw sockets. `python -m bench._echo` starts it.

It stands for a fast engine: what is measured in front of it is the front alone. It refuses to compute anything.
"""

from __future__ import annotations

import asyncio
import json
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(body: bytes) -> bytes:
    """A piece as HTTP/1.1 sends it where the length is not known."""
    return f"{len(body):x}\r\n".encode() + body + b"\r\n"


def piece(text: str, finish: str | None = None) -> bytes:
    """One event of a streamed completion."""
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    told = {"id": "echo", "object": "chat.completion.chunk", "model": "echo", "choices": [choice]}
    return b"data: " + json.dumps(told).encode() + b"\n\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Requests of one connection, one after the other. `max_tokens` are sent, argument 2 names the milliseconds between them."""
    usage = {"prompt_tokens": 8, "completion_tokens": 8, "total_tokens": 16}
    last = b"data: " + json.dumps({"id": "echo", "choices": [], "usage": usage}).encode() + b"\n\n"
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            body = json.loads(await reader.readexactly(length))
            tokens, gap = int(body["max_tokens"]), float(sys.argv[2]) / 1000
            writer.write(HEAD)
            for number in range(tokens):
                if gap:
                    await asyncio.sleep(gap)
                writer.write(chunked(piece(f"word{number} ")))
                await writer.drain()
            writer.write(chunked(piece("", "stop")) + chunked(last) + chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Listen on a free port of this machine and say which."""
    server = await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1]))
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
