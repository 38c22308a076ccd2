"""Brings together the documents of all sources and reads only what changed. It refuses to let an empty listing empty the index.

An unchanged document comes back without its text: `sync` needs none to keep it. What can't be read any more keeps its
last good version and is named.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rung.errors import NoDocuments
from rung.knowledge.languages import LANGUAGES
from rung.knowledge.origins import Entry, Origin
from rung.knowledge.read import READERS, Skipped, unread
from rung.knowledge.reading import Unreadable
from rung.knowledge.replace import replace_file
from rung.knowledge.state import Held
from rung.types import Document

KEPT = "; its last good version is kept"
Reader = Callable[[Origin, Mapping[str, str]], Callable[[str], Document]]  # paths there → documents' paths; reads one of them
Progress = Callable[[int, int, str], None]  # how many were looked at, out of how many, in which source


@dataclass(frozen=True)
class Place:
    """An origin under its name; documents' paths begin with the name and a slash, unless it is ""."""

    name: str
    origin: Origin
    made_by: str  # names all settings of the origin: what was seen under others is not trusted
    every: float = 0.0  # seconds for which a listing is good enough
    apart: frozenset[str] = frozenset()  # paths within the origin that are never read: the project's own cases and examples
    may_be_empty: bool = False  # an origin may say so, too

    def path(self, path: str) -> str:
        """A document's path among those of all places."""
        return f"{self.name}/{path}" if self.name else path


@dataclass(frozen=True)
class Seen:
    """What the last listing of a place showed."""

    listed: float = 0.0  # seconds since the epoch
    stamps: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # path → stamp and document hash
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class Gathered:
    """All documents, unchanged ones without text, and what to remember until the next time."""

    documents: list[Document]
    skipped: list[Skipped]
    seen: Mapping[str, Seen]

    @property
    def kept(self) -> tuple[str, ...]:
        """Those of the skipped whose last good version is among the documents."""
        return tuple(sorted({one.path for one in self.skipped if one.reason.endswith(KEPT)}))


def gather(
    places: Sequence[Place],
    seen: Mapping[str, Seen] | None = None,
    held: Mapping[str, Held] | None = None,
    *,
    fresh: bool = True,
    progress: Progress | None = None,
    reader: Reader | None = None,
) -> Gathered:
    """The documents of all places. `held` is what the index holds; with `seen` from the last time, only changes are read.

    `reader` reads what has to be read elsewhere, and may keep the texts there. Unless `fresh`, a place that was listed less
    than `every` seconds ago is taken as it was. Raises NoDocuments where a place holds nothing that can be read, and what an
    origin raises where it can't be listed.
    """
    documents: list[Document] = []
    skipped: list[Skipped] = []
    now_seen: dict[str, Seen] = {}
    for place in places:
        before, kept = (seen or {}).get(place.made_by, Seen()), held or {}
        if fresh or not _good_enough(place, before, kept):
            found, before = _listed(place, before, kept, progress, reader or _one_by_one)
        else:
            found = [_unchanged(path, kept[path]) for path in before.stamps]
        if not found and not (place.may_be_empty or getattr(place.origin, "may_be_empty", False)):
            raise _empty(place, before.skipped, bool(kept))
        documents += found
        skipped += before.skipped
        now_seen[place.made_by] = before
    return Gathered(documents, skipped, now_seen)


def read_seen(path: Path) -> dict[str, Seen]:
    """What the last listings showed; empty where nothing is noted or the note is damaged, as it only saves work."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return {
            made_by: Seen(
                float(row["listed"]),
                {path: (str(stamp), str(digest)) for path, (stamp, digest) in row["stamps"].items()},
                tuple(Skipped(str(name), str(reason)) for name, reason in row["skipped"]),
            )
            for made_by, row in told.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_seen(path: Path, seen: Mapping[str, Seen]) -> None:
    """Replace the note at once. OSError where the disk refuses."""
    told = {
        made_by: {"listed": one.listed, "stamps": one.stamps, "skipped": [[s.path, s.reason] for s in one.skipped]}
        for made_by, one in seen.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps(told, ensure_ascii=False).encode())


def _listed(place: Place, before: Seen, held: Mapping[str, Held], progress: Progress | None, reader: Reader) -> tuple[list[Document], Seen]:
    """The documents of a new listing, in its order."""
    documents: list[Document] = []
    skipped: list[Skipped] = []
    stamps: dict[str, tuple[str, str]] = {}
    started, entries, read = time.time(), list(place.origin.entries()), 0
    same = {entry.path for entry in entries if _same(place, entry, before, held)}
    wanted = [entry.path for entry in entries if entry.path not in same and not _refusal(place, entry)]
    get = reader(place.origin, {own: place.path(own) for own in wanted})
    for number, entry in enumerate(entries, 1):
        path = place.path(entry.path)
        document, reason = (_unchanged(path, held[path]), "") if entry.path in same else _read(place, entry, get, held.get(path))
        if document:
            documents.append(document)
            stamps[path] = ("" if reason else entry.stamp, document.hash)
            skipped += unread(document)
        if reason:
            skipped.append(Skipped(path, reason))
        read += entry.path not in same
        if progress and read:  # nothing to tell where nothing is read
            progress(number, len(entries), place.name)
    return documents, Seen(started if place.every else 0.0, stamps, tuple(skipped))


def _refusal(place: Place, entry: Entry) -> str:
    """Why it is not to be read; "" where it is."""
    return "is a file of the project itself: its questions and answers are no documents" if entry.path in place.apart else entry.refused


def _same(place: Place, entry: Entry, before: Seen, held: Mapping[str, Held]) -> bool:
    """Whether its stamp promises that it is what the index holds."""
    path = place.path(entry.path)
    known = bool(entry.stamp) and path in held and before.stamps.get(path) == (entry.stamp, held[path].hash)
    return known and not _refusal(place, entry)


def _read(place: Place, entry: Entry, get: Callable[[str], Document], held: Held | None) -> tuple[Document | None, str]:
    """The document, and why it could not be read as it is now; its last good version stands in where there is one."""
    path = place.path(entry.path)
    if refusal := _refusal(place, entry):
        return None, refusal
    try:
        return get(entry.path), ""
    except Unreadable as error:
        reason = str(error)
    except OSError as error:
        reason = f"could not be opened: {error.strerror or error}"
    return (_unchanged(path, held), f"{reason}{KEPT}") if held else (None, reason)


def _one_by_one(origin: Origin, paths: Mapping[str, str]) -> Callable[[str], Document]:
    return lambda own: replace(origin.read(own), path=paths[own])


def _unchanged(path: str, held: Held) -> Document:
    return Document(path, "", held.title, held.hash, held.meta)


def _good_enough(place: Place, before: Seen, held: Mapping[str, Held]) -> bool:
    recent = 0 <= time.time() - before.listed < place.every
    return recent and all(path in held and held[path].hash == digest for path, (_, digest) in before.stamps.items())


def _empty(place: Place, skipped: Sequence[Skipped], held: bool) -> NoDocuments:
    what = f"the source '{place.name}'" if place.name else str(getattr(place.origin, "root", "the folder"))
    why = f" ({len(skipped)} skipped: {skipped[0].path} {skipped[0].reason})" if skipped else ""
    endings = ", ".join(ending for ending in READERS if ending not in LANGUAGES)
    hint = "take it out of rung.toml if it is meant to be empty" if place.name else f"put files there that end in {endings}, or code"
    hint += "; or, where it is meant to be empty, run `rung index --allow-empty`" if held and not place.name else ""
    return NoDocuments(f"{what} holds no document that can be read{why}", hint)
