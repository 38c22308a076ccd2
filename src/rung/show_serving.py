"""What `rung keys` and `rung audit` print. It decides nothing, and prints a key's text once, when it is made."""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rung.errors import ConfigError
from rung.measure.record import write_whole
from rung.show import print_json
from rung.workspace import trail
from rung.workspace.keys import Key, add_key, keys, revoke_key, spent
from rung.workspace.labels import who
from rung.workspace.store import Store, open_store
from rung.workspace.workspace import open_workspace

UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
NOTHING = (0, 0, 0.0)


def add_and_show(folder: Path, name: str, as_json: bool, **settings: Any) -> None:
    """The key's text goes to stdout alone, so that it can be piped to where it is needed."""
    store = _store(folder)
    key, text = add_key(store, name, **settings)
    trail.note(store, "key added", who(), asdict(key))
    if as_json:
        print_json({**asdict(key), "key": text})
        return
    print(text, flush=True)
    print(f"this is the key '{key.name}' ({key.id}); it is not shown again", file=sys.stderr)


def list_and_show(folder: Path, as_json: bool) -> None:
    """All keys, with what they used this month."""
    store = _store(folder)
    used = spent(store)
    if as_json:
        print_json({"keys": [{**asdict(key), "this_month": used.get(key.id, NOTHING)} for key in keys(store)]})
        return
    for key in keys(store):
        print(_line(key, used.get(key.id, NOTHING)))


def revoke_and_show(folder: Path, name: str, as_json: bool) -> None:
    """Revoke and say so."""
    store = _store(folder)
    key = revoke_key(store, name)
    trail.note(store, "key revoked", who(), {"id": key.id, "name": key.name})
    print_json(asdict(key)) if as_json else print(f"revoked {key.name} ({key.id})")


def verify_and_show(folder: Path, head: str, as_json: bool) -> None:
    """The chain holds, or a DataError says where it doesn't."""
    done = trail.verify(_store(folder), head)
    if as_json:
        print_json(asdict(done))
        return
    print(f"the chain holds: {done.entries} entries, {done.erased} with erased contents, {done.pruned} pruned before them")
    print(f"head {done.head}" if done.head else "the log is empty")


def export_and_show(folder: Path, out: Path) -> None:
    """All entries as JSON Lines."""
    lines = [json.dumps(asdict(entry), ensure_ascii=False) for entry in trail.entries(_store(folder))]
    write_whole(out, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"))
    print(f"wrote {out}: {len(lines)} entries")


def prune_and_show(folder: Path, older_than: str, as_json: bool) -> None:
    """Delete old entries and say how many."""
    count = trail.prune(_store(folder), time.time() - seconds(older_than), who())
    print_json({"pruned": count}) if as_json else print(f"pruned {count} entries older than {older_than}")


def seconds(age: str) -> float:
    """Of an age such as 90d. ConfigError where it is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", age.strip())
    if not found:
        raise ConfigError(f"'{age}' is no age", "write a number with m, h, d or w, such as 90d")
    return float(found[1]) * UNITS[found[2]]


def _line(key: Key, used: tuple[int, int, float]) -> str:
    limits = [
        f"{key.per_minute} a minute" if key.per_minute else "",
        f"{key.tokens_a_month} tokens a month" if key.tokens_a_month else "",
        f"{key.money_a_month:g} money a month" if key.money_a_month else "",
    ]
    parts = [f"as {key.user}" if key.user else "", *(f"group {name}" for name in key.groups), *key.models, *limits]
    asked, tokens, money = used
    told = ", ".join(part for part in parts if part) or "everything"
    state = "revoked" if key.revoked is not None else key.role
    return f"{key.id}  {key.name}  {state}  {told}  (this month {asked} requests, {tokens} tokens, {money:.4g} money)"


def _store(folder: Path) -> Store:
    return open_store(open_workspace(folder))
