"""What would leave this machine, told from a spec alone. It asks no server and resolves no name; what it can't tell is away."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qs, urlsplit


def remote(spec: str) -> bool:
    """Whether a model or an embedder may run on another machine: an endpoint whose host is not this one by name."""
    host = urlsplit(spec.removeprefix("endpoint:").rpartition("@")[2]).hostname or ""
    return spec.startswith("endpoint:") and not _here(host)


def kept_away(index: str) -> bool:
    """Whether an index is kept on another machine: `postgres:` on its host or PGHOST's, `lance:s3://` on AWS_ENDPOINT_URL's."""
    kind, _, where = index.partition(":")
    if kind == "postgres":
        hosts = _postgres_hosts(where) or os.environ.get("PGHOST", "")
        return not all(not host or host.startswith(("/", "@")) or _here(host) for host in hosts.split(","))  # "": a local socket
    if not where or "://" not in where:
        return False
    return not _here(urlsplit(os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT", "")).hostname or "")


def asked_away(url: str) -> bool:
    """Whether a question sent to this address or database may leave the machine. A URL without a host is a file's or a socket's."""
    hosts = _postgres_hosts(url).split(",")
    return any(host and not host.startswith("/") and not _here(host) for host in hosts)


def _postgres_hosts(where: str) -> str:
    """The hosts of a libpq URL or key=value string, joined by commas."""
    if "://" not in where:
        return ",".join(re.findall(r"\bhost(?:addr)?\s*=\s*'?([^\s']+)", where))
    parts = urlsplit(where)
    queried = [host for key in ("host", "hostaddr") for host in parse_qs(parts.query).get(key, [])]
    named = [host[: host.index("]")].strip("[") if host.startswith("[") else host.partition(":")[0] for host in _listed(parts.netloc)]
    return ",".join([*queried, *named])


def _listed(netloc: str) -> list[str]:
    return netloc.rpartition("@")[2].split(",") if netloc else []


def _here(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
