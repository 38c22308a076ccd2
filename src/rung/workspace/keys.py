"""API keys: who may ask which models, as whom, how often and for how much. A key is kept as its hash and shown once.

It refuses to bring a key back: what was revoked stays revoked, and what was lost is replaced by another.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from rung.errors import ConfigError, DataError
from rung.workspace.store import Run, Store

Role = Literal["reader", "editor", "admin"]  # each may what those before it may
PREFIX = "rung-"


@dataclass(frozen=True)
class Key:
    """A key without its secret. Limits of 0 are none; `models` are patterns such as "rag" or "support/*", and none means all."""

    id: str
    name: str
    user: str = ""  # on whose behalf documents are read; "" is somebody unknown
    groups: tuple[str, ...] = ()  # beside those that rung.toml puts the user in
    models: tuple[str, ...] = ()
    role: Role = "reader"
    per_minute: int = 0
    tokens_a_month: int = 0
    money_a_month: float = 0.0  # in the currency of [prices]
    added: float = 0.0
    revoked: float | None = None

    def may_ask(self, model: str) -> bool:
        """Whether the key is for this model id."""
        return not self.models or any(fnmatchcase(model, pattern) for pattern in self.models)

    def may(self, role: Role) -> bool:
        """Whether the key's role includes this one."""
        order = get_args(Role)
        return bool(order.index(self.role) >= order.index(role))


def add_key(store: Store, name: str, **settings: Any) -> tuple[Key, str]:
    """A new key and its text, which is kept nowhere. ConfigError for settings that make no sense."""
    made = Key(secrets.token_hex(4), name.strip(), added=time.time(), **settings)
    if not made.name:
        raise ConfigError("the key has no name", "say who or what it is for: rung keys add intranet")
    if made.role not in get_args(Role):
        raise ConfigError(f"there is no role '{made.role}'", f"the roles are {', '.join(get_args(Role))}")
    if min(made.per_minute, made.tokens_a_month, made.money_a_month) < 0:
        raise ConfigError("a limit is below 0", "leave it out for none")
    text = f"{PREFIX}{made.id}-{secrets.token_urlsafe(32)}"
    told = {name: value for name, value in asdict(made).items() if name not in ("id", "added", "revoked")}
    row = (made.id, hashed(text), json.dumps(told), made.added)
    store.write(lambda run: run("INSERT INTO api_keys (id, hash, told, added) VALUES (?, ?, ?, ?)", row))
    return made, text


def keys(store: Store) -> list[Key]:
    """All keys, revoked ones too, oldest first."""
    return [_key(row) for row in store.read("SELECT id, told, added, revoked FROM api_keys ORDER BY added, id")]


def key_of(store: Store, text: str) -> Key | None:
    """The key with this text; None where there is none or it was revoked."""
    rows = store.read("SELECT id, told, added, revoked FROM api_keys WHERE hash = ? AND revoked IS NULL", (hashed(text),))
    return _key(rows[0]) if rows else None


def any_key(store: Store) -> bool:
    """Whether a key was ever added: from then on nobody is answered without one."""
    return bool(store.read("SELECT 1 FROM api_keys LIMIT 1"))


def revoke_key(store: Store, name: str) -> Key:
    """Revoke the key with this id or name. DataError where no key in force has it, or more than one."""
    found = [key for key in keys(store) if name in (key.id, key.name) and key.revoked is None]
    if len(found) != 1:
        said = f"{len(found)} keys in force have the name '{name}'" if found else f"there is no key '{name}' in force"
        raise DataError(said, "name it by its id: `rung keys list` shows them")
    now = time.time()
    store.write(lambda run: run("UPDATE api_keys SET revoked = ? WHERE id = ?", (now, found[0].id)))
    return Key(**{**asdict(found[0]), "groups": found[0].groups, "models": found[0].models, "revoked": now})


@contextmanager
def lent(store: Store, name: str) -> Iterator[str]:
    """The text of a reader's key that is gone when the block ends; "" where the server asks for none."""
    if not any_key(store):
        yield ""
        return
    key, text = add_key(store, name)
    try:
        yield text
    finally:
        store.write(lambda run: run("DELETE FROM api_keys WHERE id = ?", (key.id,)))


def hashed(text: str) -> str:
    """What is kept of a key. It holds 256 random bits, so a slow hash would guard nothing more."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: Sequence[Any]) -> Key:
    name, told, added, revoked = row
    settings = json.loads(told)
    settings |= {field: tuple(settings[field]) for field in ("groups", "models")}
    return Key(name, added=added, revoked=revoked, **settings)


@dataclass(frozen=True)
class Over:
    """A limit that a key has reached, and the seconds until it may ask again."""

    what: Literal["rate", "tokens", "money"]
    most: float
    seconds: float


def admitted(store: Store, key: Key, now: float | None = None) -> Over | None:
    """Count one request of the key, unless a limit forbids it. A key without limits costs nothing."""
    now = time.time() if now is None else now
    if not (key.per_minute or key.tokens_a_month or key.money_a_month):
        return None
    return store.write(lambda run: _counted(run, key, now))


def _counted(run: Run, key: Key, now: float) -> Over | None:
    minute, month = _minute(now), _month(now)
    held = {period: (asked, tokens, money) for period, asked, tokens, money in run(
        "SELECT period, requests, tokens, money FROM spent WHERE key = ? AND period IN (?, ?)", (key.id, minute, month)
    )}  # fmt: skip
    _, tokens, money = held.get(month, (0, 0, 0.0))
    if key.per_minute and held.get(minute, (0,))[0] >= key.per_minute:
        return Over("rate", key.per_minute, 60 - now % 60)
    if key.tokens_a_month and tokens >= key.tokens_a_month:
        return Over("tokens", key.tokens_a_month, _month_left(now))
    if key.money_a_month and money >= key.money_a_month:
        return Over("money", key.money_a_month, _month_left(now))
    run("DELETE FROM spent WHERE key = ? AND period LIKE 'minute %' AND period <> ?", (key.id, minute))
    _add(run, key.id, minute, 1, 0, 0.0)
    return None


def spend(run: Run, key: Key, tokens: int, money: float, now: float) -> None:
    """Add what an answer cost to the key's month, within a transaction."""
    if key.id:
        _add(run, key.id, _month(now), 1, tokens, money)


def spent(store: Store, now: float | None = None) -> dict[str, tuple[int, int, float]]:
    """Key's id → requests, tokens and money of this month."""
    rows = store.read("SELECT key, requests, tokens, money FROM spent WHERE period = ?", (_month(time.time() if now is None else now),))
    return {key: (asked, tokens, money) for key, asked, tokens, money in rows}


def _add(run: Run, key: str, period: str, requests: int, tokens: int, money: float) -> None:
    run(
        "INSERT INTO spent (key, period, requests, tokens, money) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key, period) DO UPDATE SET "
        "requests = spent.requests + excluded.requests, tokens = spent.tokens + excluded.tokens, money = spent.money + excluded.money",
        (key, period, requests, tokens, money),
    )


def _minute(now: float) -> str:
    return f"minute {int(now // 60)}"


def _month(now: float) -> str:
    return time.strftime("month %Y-%m", time.gmtime(now))


def _month_left(now: float) -> float:
    from calendar import timegm

    at = time.gmtime(now)
    year, month = (at.tm_year + 1, 1) if at.tm_mon == 12 else (at.tm_year, at.tm_mon + 1)
    return float(timegm((year, month, 1, 0, 0, 0))) - now
