"""A small real OpenAI-compatible embedding server on loopback, in front of any embedder, which can be told to fail first."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rung.types import Embedder


@dataclass
class Served:
    """`trouble` is used up one by one: a status to answer with, or a value to send as the body of a 200."""

    embedder: Embedder
    url: str = ""
    trouble: list[Any] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@contextmanager
def embedding_server(embedder: Embedder) -> Iterator[Served]:
    """Serve the embedder at `served.url` until the block ends."""
    served = Served(embedder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"served": served}))
    served.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Served

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.served.asked.append(body)
        self.served.keys.append(self.headers.get("authorization", ""))
        trouble = self.served.trouble.pop(0) if self.served.trouble else None
        if isinstance(trouble, int):
            self._send(trouble, {"error": "as told"})
        elif trouble is not None:
            self._send(200, trouble)
        elif self.path != "/v1/embeddings":
            self._send(404, {"error": self.path})
        else:
            vectors = self.served.embedder.embed(body["input"])
            rows = [{"index": number, "embedding": [2 * float(x) for x in row]} for number, row in enumerate(vectors)]
            self._send(200, {"data": rows[::-1], "model": body["model"]})

    def _send(self, status: int, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        if status == 429:
            self.send_header("retry-after", "0.01")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Quiet."""
