"""Who may use the studio: local people with a password, sessions, and roles. It keeps no password and no session's token,
only hashes, and refuses to try passwords for a name, or from an address, again and again.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, get_args

from rung.errors import DataError
from rung.workspace.keys import Key, Role
from rung.workspace.store import Run, Store

ROLES = cast("tuple[Role, ...]", get_args(Role))
LASTS = 12 * 3600.0  # seconds of a session
TRIES, FROM_ONE, WINDOW = 5, 25, 300.0  # failed logins for one name, and from one address, within so many seconds
SHORTEST = 10  # characters of a password
SETUP = "studio-setup"  # the file that holds the code for the first password


@dataclass(frozen=True)
class Person:
    """Somebody who is logged in; `csrf` must come with whatever they send."""

    name: str
    role: Role
    csrf: str
    local: bool = True  # known by a password here, not by an OIDC provider
    groups: tuple[str, ...] = ()  # what the provider puts them in, beside those of rung.toml
    token: str = field(default="", repr=False)  # the provider's ID token, by which it knows whom to log out

    def may(self, role: Role) -> bool:
        """Whether their role is this one or more."""
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def key(self) -> Key:
        """How the API's side of the house knows them: nothing but their name, their documents and their role."""
        return Key("", self.name, user=self.name, groups=self.groups, role=self.role)


def hashed(password: str, salt: bytes = b"") -> str:
    """scrypt (RFC 7914) with N = 2^15, r = 8, p = 1, and its salt, in hexadecimal."""
    salt = salt or secrets.token_bytes(16)
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, n=1 << 15, r=8, p=1, maxmem=1 << 26).hex()}"


_NOBODY = hashed("", b"nobody has it...")


def put(store: Store, name: str, role: Role, password: str) -> None:
    """Add somebody, or give them another role and password. Their sessions end. DataError for a name or a password that won't do."""
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise DataError("a name has 1 to 100 characters that can be seen", "choose another name")
    if len(password) < SHORTEST or len(password) > 1000:
        raise DataError(f"a password has at least {SHORTEST} characters", "choose a longer one; several words are easy to remember")
    told = hashed(password)

    def work(run: Run) -> None:
        run("DELETE FROM people WHERE name = ?", (name,))
        run("INSERT INTO people (name, role, hash) VALUES (?, ?, ?)", (name, role, told))
        run("DELETE FROM sessions WHERE name = ? AND local = 1", (name,))

    store.write(work)


def remove(store: Store, name: str) -> None:
    """Take somebody out, and end their sessions. DataError for the last admin."""

    def work(run: Run) -> None:
        if not run("SELECT 1 FROM people WHERE role = 'admin' AND name != ?", (name,)):
            raise DataError("this is the last admin", "add another one first")
        run("DELETE FROM people WHERE name = ?", (name,))
        run("DELETE FROM sessions WHERE name = ? AND local = 1", (name,))

    store.write(work)


def everybody(store: Store) -> list[tuple[str, str]]:
    """Names and roles of those with a password here."""
    return [(name, role) for name, role in store.read("SELECT name, role FROM people ORDER BY name")]


def checked(store: Store, name: str, password: str, address: str = "", *, strangers: bool = True) -> Role | None:
    """Their role, where the password is right. DataError after too many failures; a name that is not known takes as long.

    `strangers`: whether a name that is not known here has failed, too; not where somebody has shown elsewhere who they are.
    """
    since, place = time.time() - WINDOW, _network(address)
    failed = "SELECT count(*) FROM failed_logins WHERE at > ? AND "
    if store.read(failed + "name = ?", (since, name[:100]))[0][0] >= TRIES:
        raise DataError(f"too many failed logins for '{name[:100]}'", f"wait {WINDOW / 60:.0f} minutes and try again")
    if place and store.read(failed + "address = ?", (since, place))[0][0] >= FROM_ONE:
        raise DataError(f"too many failed logins from {address}", f"wait {WINDOW / 60:.0f} minutes and try again")
    rows = store.read("SELECT role, hash FROM people WHERE name = ?", (name,))
    role, told = rows[0] if rows else ("reader", _NOBODY)
    right = hmac.compare_digest(hashed(password[:1000], bytes.fromhex(told.partition("$")[0])), told)
    if rows and right:
        store.write(lambda run: run("DELETE FROM failed_logins WHERE name = ?", (name,)))
        return cast("Role", role)

    def note(run: Run) -> None:
        run("DELETE FROM failed_logins WHERE at <= ?", (since,))
        run("INSERT INTO failed_logins (name, at, address) VALUES (?, ?, ?)", (name[:100], time.time(), place))

    if rows or strangers:
        store.write(note)
    return None


def bring(store: Store, name: str, to: Store) -> None:
    """Make somebody with a password here an admin with the same password there, where nobody has one yet."""
    ((told,),) = store.read("SELECT hash FROM people WHERE name = ?", (name,))
    to.write(lambda run: run("INSERT INTO people (name, role, hash) VALUES (?, 'admin', ?)", (name, told)))


def _network(address: str) -> str:
    """Whose address it is: an IPv6 network of /64 belongs to one, who could try from each of its addresses."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def begin(store: Store, name: str, role: Role, *, local: bool = True, groups: Sequence[str] = (), token: str = "") -> str:
    """A new session's secret; only its hash is kept. `groups` and `token` are what a provider told."""
    secret, now = secrets.token_urlsafe(32), time.time()
    told = json.dumps({"groups": list(groups), "token": token})

    def work(run: Run) -> None:
        run("DELETE FROM sessions WHERE until < ?", (now,))
        row = (_digest(secret), name, role, secrets.token_urlsafe(24), int(local), now + LASTS, told)
        run("INSERT INTO sessions (token, name, role, csrf, local, until, told) VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    store.write(work)
    return secret


def person(store: Store, secret: str) -> Person | None:
    """Whose session it is; None where it has ended."""
    sql = "SELECT name, role, csrf, local, told FROM sessions WHERE token = ? AND until > ?"
    rows = store.read(sql, (_digest(secret), time.time())) if secret else []
    if not rows:
        return None
    name, role, csrf, local, more = rows[0]
    told = json.loads(more)
    return Person(name, role, csrf, bool(local), tuple(told.get("groups", ())), told.get("token", ""))


def end(store: Store, secret: str) -> None:
    """End a session."""
    store.write(lambda run: run("DELETE FROM sessions WHERE token = ?", (_digest(secret),)))


def setup_code(store: Store, home: Path) -> str:
    """What whoever started the server must show to set the first password; "" where somebody has one already."""
    path = home / SETUP
    if store.read("SELECT 1 FROM people LIMIT 1"):
        path.unlink(missing_ok=True)
        return ""
    if not path.exists():
        from rung.measure.record import write_whole

        write_whole(path, secrets.token_urlsafe(16).encode())
        path.chmod(0o600)
    return path.read_text(encoding="ascii")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
