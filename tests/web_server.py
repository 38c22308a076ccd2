"""A small real web site on loopback: pages by path, with ETags, redirects and a note of what was asked."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Site:
    """`pages` are bodies by path; `says` are statuses with a Location (or "") that come first; `kinds` are content types."""

    url: str = ""
    port: int = 0
    pages: dict[str, bytes] = field(default_factory=dict)
    says: dict[str, tuple[int, str]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    cookies: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)  # what was answered with 304


@contextmanager
def web_site(certificate: Path | None = None) -> Iterator[Site]:
    """Serve until the block ends; with a certificate (key and certificate in one file) over TLS."""
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    site.port = server.server_port
    site.url = f"{'https' if certificate else 'http'}://127.0.0.1:{site.port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site = self.site
        site.asked.append(self.path)
        site.cookies += self.headers.get_all("Cookie") or []
        site.hosts.add(self.headers.get("Host", ""))
        status, location = site.says.get(self.path, (200, ""))
        body = site.pages.get(self.path)
        if status == 200 and body is None:
            status = 404
        tag = f'"{hashlib.md5(body or b"").hexdigest()}"'
        if status == 200 and self.headers.get("If-None-Match") == tag:
            site.unchanged.append(self.path)
            status = 304
        sent = body if status == 200 and body is not None else b""
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        if status == 200:
            self.send_header("ETag", tag)
            self.send_header("Set-Cookie", "session=1; Path=/")
            self.send_header("Last-Modified", "Fri, 01 Mar 2024 08:00:00 GMT")
            self.send_header("Content-Type", site.kinds.get(self.path, "text/html; charset=utf-8"))
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
