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

import httpx

REDIRECTS = 5
AGENT = "rung"
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
            asked = httpx.URL(url)
        except httpx.InvalidURL:
            return False
        return asked.scheme in _PORTS and not asked.userinfo and any(fnmatchcase(asked.host, host.lower()) for host in self.hosts)


def fetch(
    client: httpx.Client,
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
        answer = _once(client, guard, url, (known or {}).get(url, {}))
        if answer.status not in (301, 302, 303, 307, 308) or "location" not in answer.headers:
            return answer
        url = urljoin(url, answer.headers["location"])
    raise Unreachable(f"redirects more than {REDIRECTS} times")


def new_client(guard: Guard) -> httpx.Client:
    """A client for `fetch`; the caller closes it."""
    trusted = ssl.create_default_context()
    if guard.ca_file:
        trusted.load_verify_locations(guard.ca_file)
    # No connection is kept: it would be found again by its address, under whose certificate another name must not be asked.
    limits = httpx.Limits(max_keepalive_connections=0)
    headers = {"User-Agent": AGENT, "Accept": "*/*"}
    return httpx.Client(verify=trusted, follow_redirects=False, trust_env=False, timeout=guard.timeout, headers=headers, limits=limits)


def normal(url: str) -> str:
    """The address without fragment and default port, with host in lower case and at least the path /. Refused if malformed."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise Refused("is no address") from None
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    place = host if port is None or port == _PORTS.get(parts.scheme) else f"{host}:{port}"
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return urlunsplit((parts.scheme, user + place, parts.path or "/", parts.query, ""))


def post(client: httpx.Client, guard: Guard, url: str, body: bytes, headers: Mapping[str, str]) -> Fetched:
    """Send a body to an address; a redirect is an answer like any other. Raises Refused and Unreachable."""
    return _once(client, guard, normal(url), headers, body)


def _once(client: httpx.Client, guard: Guard, url: str, headers: Mapping[str, str], content: bytes | None = None) -> Fetched:
    if not guard.allows(url):
        raise Refused("is not on an allowed host")
    asked = httpx.URL(url)
    host, port = asked.raw_host.decode("ascii"), asked.port or _PORTS[asked.scheme]
    address = resolved(host, port, guard.allow_private)
    request = client.build_request(
        "GET" if content is None else "POST",
        asked.copy_with(host=address),
        content=content,
        headers={**headers, "Host": asked.netloc.decode("ascii")},
        extensions={"sni_hostname": host},  # the certificate must be the name's, not the address's
    )
    try:
        answer = client.send(request, stream=True)
        try:
            return Fetched(url, answer.status_code, dict(answer.headers), _body(answer, guard))
        finally:
            answer.close()
            client.cookies.clear()  # they would be sent to whatever else has this address
    except httpx.HTTPError as error:
        raise Unreachable(f"did not answer ({str(error) or type(error).__name__})") from None


def _body(answer: httpx.Response, guard: Guard) -> bytes:
    until, body = time.monotonic() + 5 * guard.timeout, bytearray()
    if answer.status_code != 200:
        return b""
    for piece in answer.iter_bytes():
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
