"""The HTTP client of all that asks a server: connections that are kept, the environment's proxies, the system's certificates.

It follows no redirect and asks nothing twice: what may be asked again, and when, only the one who asks can say.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from rung.leaving import POOLS, reading

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

PIECE = 1 << 16  # bytes that are read at once


def client(url: str, timeout: float = 60.0, connections: int = 8) -> PoolManager:
    """What asks the server of this address, by any of its paths: so many questions at once, others wait for a connection.

    `timeout`: seconds for each wait, for the connection and for more of an answer. Name and password in the address are sent.
    """
    asked, proxies = parse_url(url), getproxies()
    own: dict[str, Any] = {
        "maxsize": connections,
        "block": True,
        "retries": False,
        "timeout": timeout,
        "headers": account(unquote(asked.auth or "")),
    }
    proxy = proxies.get(asked.scheme or "") or proxies.get("all")
    if not proxy or proxy_bypass(asked.netloc or ""):
        made = urllib3.PoolManager(**own)
    else:
        between = account(unquote(parse_url(proxy).auth or ""), "proxy-authorization")
        made = urllib3.ProxyManager(proxy, proxy_headers=between, **own)
    made.pool_classes_by_scheme = POOLS
    return made


def account(named: str, header: str = "authorization") -> dict[str, str]:
    """NAME:PASSWORD as the header that sends them; nothing for ""."""
    return {header: f"Basic {b64encode(named.encode()).decode()}"} if named else {}


def why(error: Exception) -> str:
    """What went wrong, without the addresses and objects that urllib3 names with it."""
    said = error.__cause__ or (error.args[-1] if error.args else "")
    return str(said) or type(said or error).__name__


def is_address(url: str) -> bool:
    """Whether it names a server that speaks HTTP."""
    try:
        asked = parse_url(url)
    except LocationParseError:
        return False
    return asked.scheme in ("http", "https") and bool(asked.host)


@contextmanager
def posted(
    asked: PoolManager, url: str, body: Mapping[str, Any], headers: Mapping[str, str], timeout: urllib3.Timeout
) -> Iterator[BaseHTTPResponse]:
    """An answer to JSON, whose body is still to be read. Left before its end it is broken off, and the server sees that.

    Raises urllib3's HTTPError, also within the block.
    """
    told = {**asked.headers, **headers, "content-type": "application/json"}
    answer = asked.urlopen(
        "POST", url, body=json.dumps(body).encode(), headers=told, timeout=timeout, pool_timeout=timeout.read_timeout, preload_content=False
    )
    try:
        with reading(answer):
            yield answer
    finally:
        answer.close()
        answer.release_conn()


def lines(answer: BaseHTTPResponse) -> Iterator[str]:
    """The lines of a body as they come, cut at line feeds and nowhere else, as server-sent events are."""
    rest = b""
    for piece in _pieces(answer):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").removesuffix("\r")
    if rest:
        yield rest.decode("utf-8", "replace")


def _pieces(answer: BaseHTTPResponse) -> Iterator[bytes]:
    if answer.headers.get("transfer-encoding", "").lower() == "chunked":
        return answer.read_chunked()
    return iter(lambda: answer.read1(PIECE), b"")
