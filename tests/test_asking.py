"""Against real servers on loopback: what is kept, what is sent to a proxy, how streams are cut, and that leaving is seen."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import Timeout
from urllib3.exceptions import EmptyPoolError, HTTPError
from web_server import web_site

from rung.asking import client, is_address, lines, posted, why

SHORT = Timeout(connect=5, read=5)


@dataclass
class Server:
    """`chunks` are the pieces of every answer; None among them waits until the client has left."""

    url: str = ""
    chunks: list[bytes | None] = field(default_factory=lambda: [b"yes\n"])
    chunked: bool = True
    location: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # what was asked for, headers by lower-case name
    connections: set[object] = field(default_factory=set)
    left: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    server_: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.do_GET()

    def do_GET(self) -> None:
        told = self.server_
        told.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        told.connections.add(self.client_address)
        self.send_response(302 if told.location else 200)
        if told.location:
            self.send_header("location", told.location)
        body = b"".join(one for one in told.chunks if one is not None)
        self.send_header(*(("transfer-encoding", "chunked") if told.chunked else ("content-length", str(len(body)))))
        self.end_headers()
        for one in told.chunks:
            if one is None:
                self.wfile.flush()
                if not self.rfile.read(1):
                    told.left.set()
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(one), one) if told.chunked else one)
        if told.chunked:
            self.wfile.write(b"0\r\n\r\n")


@contextmanager
def serving() -> Iterator[Server]:
    told = Server()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"server_": told}))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


def read(server: Server, path: str = "/") -> list[str]:
    with client(server.url) as asked, posted(asked, server.url + path, {"a": 1}, {}, SHORT) as answer:
        return list(lines(answer))


def test_a_connection_is_kept_and_used_again(server: Server) -> None:
    with client(server.url) as asked:
        for _ in range(3):
            with posted(asked, server.url, {}, {}, SHORT) as answer:
                assert list(lines(answer)) == ["yes"]
    assert (len(server.asked), len(server.connections)) == (3, 1)


def test_more_questions_than_connections_wait_and_give_up(server: Server) -> None:
    with client(server.url, connections=1) as asked, posted(asked, server.url, {}, {}, SHORT) as answer:
        with pytest.raises(EmptyPoolError), posted(asked, server.url, {}, {}, Timeout(connect=1, read=0.01)):
            pass
        assert list(lines(answer)) == ["yes"]


def test_who_leaves_a_stream_is_seen_to_leave(server: Server) -> None:
    server.chunks = [b"first\n", None]
    with client(server.url, connections=1) as asked:
        with posted(asked, server.url, {}, {}, SHORT) as answer:
            assert next(lines(answer)) == "first"
        assert server.left.wait(5)
        server.chunks = [b"again\n"]
        with posted(asked, server.url, {}, {}, SHORT) as answer:
            assert list(lines(answer)) == ["again"], "the connection's place was given back"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=5), max_size=5), st.data())
def test_streams_are_cut_at_line_feeds_alone(said: list[str], data: st.DataObject) -> None:
    raw = "".join(line + data.draw(st.sampled_from(["\n", "\r\n"])) for line in said).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=4)))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    for chunked in (True, False):
        with serving() as server:
            server.chunked, server.chunks = chunked, [piece for piece in pieces if piece]
            assert read(server) == said


def test_a_last_line_needs_no_end(server: Server) -> None:
    server.chunks = ["one\u2028line\nlast".encode()]
    assert read(server) == ["one\u2028line", "last"]


def test_redirects_are_answers(server: Server) -> None:
    server.location = "http://127.0.0.1:1/elsewhere"
    with client(server.url) as asked:
        assert asked.request("GET", server.url).status == 302
    assert len(server.asked) == 1


def test_proxies_of_the_environment_are_used_and_told_who_asks(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    account = b64encode(b"me:p@ss").decode()
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//me:p%40ss@"))
    monkeypatch.setenv("no_proxy", "near.example")
    with client("http://far.example/v1") as asked, posted(asked, "http://far.example/v1/x", {}, {}, SHORT) as answer:
        assert list(lines(answer)) == ["yes"]
    [(path, headers)] = server.asked
    assert (path, headers["proxy-authorization"], headers["host"]) == ("http://far.example/v1/x", f"Basic {account}", "far.example")
    with client("http://near.example:1") as asked, pytest.raises(HTTPError):
        asked.request("GET", "http://near.example:1")
    assert len(server.asked) == 1


def test_certificates_are_the_systems_or_those_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    key, own, both = tmp_path / "key.pem", tmp_path / "own.pem", tmp_path / "both.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    subprocess.run([*make.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", own], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + own.read_bytes())
    with web_site(both) as site:
        site.pages["/"] = b"safe"
        with client(site.url) as asked, pytest.raises(HTTPError) as caught:
            asked.request("GET", site.url)
        assert "CERTIFICATE_VERIFY_FAILED" in why(caught.value)
        monkeypatch.setenv("SSL_CERT_FILE", str(own))
        with client(site.url) as asked:
            assert asked.request("GET", site.url).data == b"safe"


def test_an_account_in_the_address_is_sent(server: Server) -> None:
    url = server.url.replace("//", "//me:p%40ss@")
    with client(url) as asked, posted(asked, url, {}, {"x-more": "1"}, SHORT):
        pass
    [(_, headers)] = server.asked
    assert (headers["authorization"], headers["x-more"]) == (f"Basic {b64encode(b'me:p@ss').decode()}", "1")


def test_errors_are_told_without_objects() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with client(url) as asked, pytest.raises(HTTPError) as caught:
            asked.request("GET", url)
    assert why(caught.value).endswith("Connection refused")
    assert why(ValueError("it said 500")) == "it said 500"
    assert why(ValueError()) == "ValueError"


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("http://a.example/v1", True),
        ("https://[::1]:8000", True),
        ("ftp://a.example", False),
        ("http://", False),
        ("http://[", False),
        ("a", False),
    ],
)
def test_addresses(url: str, good: bool) -> None:
    assert is_address(url) is good
