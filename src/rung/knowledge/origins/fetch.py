"""Fetches one address at a time from allowed hosts. It refuses private addresses, and so does every redirect and every look-up.

Names are resolved here, every address is checked, and the connection goes to the checked address itself, so a name that
resolves otherwise a moment later (DNS rebinding) gains nothing. Proxies of the environment are not used.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import urljoin, urlsplit, urlunsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from rung.asking import why

REDIRECTS = 5
AGENT = "rung"
_SENT = {"User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
_PIECE = 1 << 16  # bytes, unpacked, that are read at once
_PORTS = {"http": 80, "https": 443}
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # NAT64: an IPv4 address stands in the last 32 bits


class Refused(Exception):
    """An address that will not be fetched; the message is the reason. It never leaves the web origin."""


class Unreachable(Exception):
    """A server that did not answer as it should; the message is the reason. It never leaves the web origin."""


@dataclass(frozen=True)
class Fetched:
    """An answer: `url` after redirects, `status` 200, 304 or what else was said, headers by lower-case name."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False, default=b"")


@dataclass(frozen=True)
class Guard:
    """What may be asked: hosts by name or `*.name`, and whether addresses of private networks are allowed."""

    hosts: tuple[str, ...]
    allow_private: bool = False
    largest: int = 10 << 20  # bytes of a body, unpacked
    timeout: float = 20.0  # seconds between two bytes; a whole answer may take five times as long

    ca_file: str = ""  # certificates to trust beside the usual ones

    def allows(self, url: str) -> bool:
        """Whether the address has a host of the list and is HTTP without a password in it."""
        try:
            asked, hosts = parse_url(url), [_ascii(host.lower()) for host in self.hosts]
        except (LocationParseError, UnicodeError):
            return False
        host = host_of(asked)
        return asked.scheme in _PORTS and not asked.auth and any(fnmatchcase(host, one) for one in hosts)


def fetch(
    trusted: ssl.SSLContext,
    guard: Guard,
    url: str,
    known: Mapping[str, Mapping[str, str]] | None = None,
    check: Callable[[str], None] = lambda url: None,
) -> Fetched:
    """Ask for an address and follow redirects, each of them checked anew.

    `known` holds headers to send to an address, such as If-None-Match; `check` may refuse an address before it is asked.
    Raises Refused and Unreachable.
    """
    for _ in range(REDIRECTS + 1):
        url = normal(url)
        check(url)
        answer = _once(trusted, guard, url, (known or {}).get(url, {}))
        if answer.status not in (301, 302, 303, 307, 308) or "location" not in answer.headers:
            return answer
        url = urljoin(url, answer.headers["location"])
    raise Unreachable(f"redirects more than {REDIRECTS} times")


def certificates(guard: Guard) -> ssl.SSLContext:
    """What `fetch` and `post` trust."""
    trusted = ssl.create_default_context()
    if guard.ca_file:
        trusted.load_verify_locations(guard.ca_file)
    return trusted


def host_of(asked: Url) -> str:
    """The host of an address as it is looked up, without the brackets of IPv6; "" where there is none."""
    return (asked.host or "").removeprefix("[").removesuffix("]")


def normal(url: str) -> str:
    """The address without fragment and default port, with host in lower case and at least the path /. Refused if malformed."""
    try:
        parts = urlsplit(url.strip())
        port, host = parts.port, _ascii((parts.hostname or "").lower())
    except ValueError:
        raise Refused("is no address") from None
    host = f"[{host}]" if ":" in host else host
    place = host if port is None or port == _PORTS.get(parts.scheme) else f"{host}:{port}"
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return urlunsplit((parts.scheme, user + place, parts.path or "/", parts.query, ""))


def _ascii(host: str) -> str:
    """A name as name servers know it. UnicodeError, a ValueError, for one that can't be."""
    return host if host.isascii() else host.encode("idna").decode("ascii")


def post(trusted: ssl.SSLContext, guard: Guard, url: str, body: bytes, headers: Mapping[str, str]) -> Fetched:
    """Send a body to an address; a redirect is an answer like any other. Raises Refused and Unreachable."""
    return _once(trusted, guard, normal(url), headers, body)


def _once(trusted: ssl.SSLContext, guard: Guard, url: str, headers: Mapping[str, str], content: bytes | None = None) -> Fetched:
    if not guard.allows(url):
        raise Refused("is not on an allowed host")
    asked = parse_url(url)
    host, port = host_of(asked), asked.port or _PORTS[asked.scheme or ""]
    address = resolved(host, port, guard.allow_private)
    try:
        # No connection is kept: it would be found again by its address, under whose certificate another name must not be asked.
        with _pool(trusted, asked.scheme == "https", address, port, host) as pool:
            sent = {**_SENT, **headers, "Host": asked.netloc or ""}
            answer = pool.urlopen(
                "GET" if content is None else "POST",
                asked.request_uri,
                content,
                sent,
                False,
                False,
                timeout=guard.timeout,
                preload_content=False,
            )
            try:
                told = {name.lower(): value for name, value in answer.headers.items()}
                return Fetched(url, answer.status, told, _body(answer, guard))
            finally:
                answer.close()
    except HTTPError as error:
        raise Unreachable(f"did not answer ({why(error)})") from None


def _pool(trusted: ssl.SSLContext, safe: bool, address: str, port: int, host: str) -> urllib3.HTTPConnectionPool:
    """Connections to an address; the certificate must be the name's, not the address's."""
    if safe:
        return urllib3.HTTPSConnectionPool(address, port, ssl_context=trusted, server_hostname=host)
    return urllib3.HTTPConnectionPool(address, port)


def _body(answer: urllib3.BaseHTTPResponse, guard: Guard) -> bytes:
    until, body = time.monotonic() + 5 * guard.timeout, bytearray()
    if answer.status != 200:
        return b""
    for piece in answer.stream(_PIECE, decode_content=True):
        body += piece
        if len(body) > guard.largest:
            raise Refused(f"is larger than {guard.largest / (1 << 20):,.0f} MB")
        if time.monotonic() > until:
            raise Unreachable("answers too slowly")
    return bytes(body)


def resolved(host: str, port: int, allow_private: bool) -> str:
    """An address of the host. Refused where any of its addresses is not public, Unreachable where it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable("has a host that no name server knows") from None
    addresses = [str(row[4][0]) for row in found]
    if not allow_private and not all(public(address) for address in addresses):
        raise Refused("is on a private network (allow_private = true allows it)")
    return addresses[0]


def public(address: str) -> bool:
    """Whether an IP address is reachable by all and belongs to no private, local or reserved network, however it is written."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner: ipaddress.IPv4Address | None = None
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved
