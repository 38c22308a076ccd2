"""The audit log: every question, answer, erasure and administrative act, each entry sealed with the hash of the one before.

Entries are added, never changed. What people wrote stands beside the chain, sealed by a salted hash, so that it can be
erased and the chain still holds. It refuses to hold keys, tokens or settings with secrets. What a chain can't show alone is
that its end was cut off: keep the head that `rung audit verify` prints elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rung.errors import DataError
from rung.types import Json
from rung.workspace.store import Run, Store
from rung.workspace.traces import Sought

PAGE = 1_000  # entries read at once
_COLUMNS = "number, at, kind, who, told, content, sealed, before, hash"


@dataclass(frozen=True)
class Entry:
    """One act. `told` is sealed as it stands; `content` may be erased, its hash in `sealed` stays."""

    number: int
    at: float  # seconds since the epoch
    kind: str  # question, search, embedding, rerank, key, label, erasure, prune, ...
    who: str  # a key's id and user, or the user of the command line
    told: Mapping[str, Json] = field(default_factory=dict)  # hashes, ids and counts, no text of people's
    content: Mapping[str, Json] | None = None
    sealed: str = ""  # hash of the content with its salt; "" where there never was any
    before: str = ""
    hash: str = ""


@dataclass(frozen=True)
class Verified:
    """What a chain says of itself: its length, what was erased and pruned, and its head, to be kept elsewhere."""

    entries: int
    erased: int  # contents
    pruned: int  # entries
    head: str  # "number:hash" of the last entry


def append(run: Run, kind: str, who: str, told: Mapping[str, Json], content: Mapping[str, Json] | None = None) -> Entry:
    """Add an entry within a transaction of the store."""
    last = run("SELECT number, hash FROM trail ORDER BY number DESC LIMIT 1")
    number, before = (last[0][0] + 1, last[0][1]) if last else (1, "")
    salted = {"salt": secrets.token_hex(16), **content} if content is not None else None
    text = _canonical(salted) if salted is not None else None
    entry = Entry(number, time.time(), kind, who, told, salted, _sha(text) if text is not None else "", before)
    entry = Entry(**{**vars(entry), "hash": _chained(entry)})
    row = (entry.number, entry.at, kind, who, _canonical(told), text, entry.sealed, before, entry.hash)
    run(f"INSERT INTO trail ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return entry


def note(store: Store, kind: str, who: str, told: Mapping[str, Json], content: Mapping[str, Json] | None = None) -> Entry:
    """Add one entry in a transaction of its own."""
    return store.write(lambda run: append(run, kind, who, told, content))


def entries(store: Store, after: int = 0) -> Iterator[Entry]:
    """All entries with a higher number, in order."""
    while rows := store.read(f"SELECT {_COLUMNS} FROM trail WHERE number > ? ORDER BY number LIMIT ?", (after, PAGE)):
        yield from (_entry(row) for row in rows)
        after = rows[-1][0]


def verify(store: Store, head: str = "") -> Verified:
    """Walk the whole chain. DataError with the first entry that was changed, is missing, or is not the `head` noted earlier."""
    if head and not re.fullmatch(r"\d+:[0-9a-f]{64}", head):
        raise DataError(f"'{head}' is no head", "write it as `rung audit verify` printed it: a number, a colon and 64 letters of a hash")
    count = erased = 0
    first: Entry | None = None
    last: Entry | None = None
    prunes: dict[int, str] = {}
    wanted, _, digest = head.partition(":")
    found = not head
    for entry in entries(store):
        _check(entry, last)
        first, last, count = first or entry, entry, count + 1
        erased += bool(entry.sealed) and entry.content is None
        if entry.kind == "prune":
            prunes[int(entry.told["through"])] = str(entry.told["hash"])
        found = found or (str(entry.number) == wanted and entry.hash == digest)
    if first and first.number > 1 and prunes.get(first.number - 1) != first.before:
        raise _broken(first.number - 1, "is missing, and no pruning says so")
    if not found and not (wanted.isdecimal() and first and int(wanted) < first.number and int(wanted) <= max(prunes, default=0)):
        raise DataError(f"the entry {head} is not in the log", "entries were cut off or replaced: compare with an export")
    return Verified(count, erased, first.number - 1 if first else 0, f"{last.number}:{last.hash}" if last else "")


def _check(entry: Entry, last: Entry | None) -> None:
    if last and entry.number != last.number + 1:
        raise _broken(last.number + 1, "is missing")
    if last and entry.before != last.hash:
        raise _broken(entry.number, "doesn't follow the one before it")
    if entry.hash != _chained(entry):
        raise _broken(entry.number, "was changed")
    if entry.content is not None and entry.sealed != _sha(_canonical(entry.content)):
        raise _broken(entry.number, "has another content than it was sealed with")


def _broken(number: int, what: str) -> DataError:
    return DataError(f"entry {number} of the audit log {what}", "someone changed the store: compare with an export or a backup")


def prune(store: Store, before: float, who: str) -> int:
    """Delete the entries that are older than a moment, and say so in a new one; how many went."""

    def work(run: Run) -> int:
        rows = run("SELECT number, hash FROM trail WHERE at < ? ORDER BY number DESC LIMIT 1", (before,))
        if not rows:
            return 0
        number, digest = rows[0]
        gone = run("SELECT count(*) FROM trail WHERE number <= ?", (number,))[0][0]
        append(run, "prune", who, {"through": number, "hash": digest, "entries": gone})
        run("DELETE FROM trail WHERE number <= ?", (number,))
        run("DELETE FROM traffic WHERE entry <= ?", (number,))
        run("DELETE FROM feedback WHERE entry <= ?", (number,))
        return int(gone)

    return store.write(work)


def erase(store: Store, gone: Callable[[Entry], bool], who: str, told: Mapping[str, Json]) -> int:
    """Delete the contents of the entries that `gone` names, and add an entry that says so; how many there were."""
    numbers = [entry.number for entry in entries(store) if entry.content is not None and gone(entry)]

    def work(run: Run) -> int:
        for number in numbers:
            run("UPDATE trail SET content = NULL WHERE number = ?", (number,))
        append(run, "erasure", who, {**told, "entries": numbers})
        return len(numbers)

    return store.write(work)


def names(entry: Entry, sought: Sought) -> bool:
    """Whether the content holds what is sought: words, or a document that an answer was made from."""
    return sought.named_in({name: value for name, value in (entry.content or {}).items() if name != "salt"})


def _entry(row: Sequence[Json]) -> Entry:
    number, at, kind, who, told, content, sealed, before, digest = row
    return Entry(number, at, kind, who, json.loads(told), json.loads(content) if content is not None else None, sealed, before, digest)


def _chained(entry: Entry) -> str:
    told = [entry.number, repr(entry.at), entry.kind, entry.who, _canonical(entry.told), entry.sealed, entry.before]
    return _sha(_canonical(told))


def _canonical(value: Json) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
