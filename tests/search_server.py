"""A small real search endpoint on loopback: documents with a word of the question, in JSON, by GET and by POST."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Endpoint:
    """`held` is what it finds among, name → title and text; `says` is a status, or raw bytes, that comes instead."""

    url: str = ""
    held: dict[str, tuple[str, str]] = field(default_factory=dict)
    says: int | bytes = 200
    location: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)  # method and question
    tokens: list[str] = field(default_factory=list)


@contextmanager
def search_server() -> Iterator[Endpoint]:
    """Serve until the block ends."""
    endpoint = Endpoint()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"endpoint": endpoint}))
    endpoint.url = f"http://127.0.0.1:{server.server_port}/find"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    endpoint: Endpoint

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer("GET", parse_qs(urlsplit(self.path).query).get("q", [""])[0])

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._answer("POST", body["query"]["match"])

    def _answer(self, method: str, question: str) -> None:
        endpoint = self.endpoint
        endpoint.asked.append((method, question))
        endpoint.tokens.append(self.headers.get("Authorization", ""))
        words = {word.strip('?"').lower() for word in question.split()}
        hits = [
            {"_id": name, "_source": {"body": text, "name": title}}
            for name, (title, text) in endpoint.held.items()
            if words & set(text.lower().rstrip(".").split())
        ]
        body = endpoint.says if isinstance(endpoint.says, bytes) else json.dumps({"hits": {"hits": hits}}).encode()
        self.send_response(endpoint.says if isinstance(endpoint.says, int) else 200)
        if endpoint.location:
            self.send_header("Location", endpoint.location)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
