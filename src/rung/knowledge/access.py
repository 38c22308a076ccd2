"""Who may read which document, and filters on what documents say of themselves. Where lists are on, what nobody was given nobody sees.

Rules make readers of a document, groups make a viewer, and both meet in a `Filter` that every index applies before it ranks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne

from rung.errors import ConfigError
from rung.types import Document, Filter, Json, Labels

EVERYONE = "everyone"
SIGNS: dict[str, Callable[..., bool]] = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


@dataclass(frozen=True)
class Rule:
    """The readers of the documents whose paths match a pattern: `*` within a folder, `**` across folders, `hr/` a whole folder."""

    documents: str
    readers: tuple[str, ...]


@dataclass(frozen=True)
class Lists:
    """The access lists of a project. A document's own list comes first, then the last rule that matches its path, then nobody."""

    rules: tuple[Rule, ...] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)  # name → users, and groups as "group:NAME"
    metadata: str = "access"  # the key of a document's metadata that holds its own list; "" for none
    auditors: tuple[str, ...] = ()  # who reads every document, whatever else is said


def reader(name: str) -> str:
    """A name as a list holds it, made exact: "everyone", "group:NAME", and anything else is a user."""
    name = name.strip()
    return name if name == EVERYONE or name.startswith(("group:", "user:")) else f"user:{name}"


def labels(document: Document, lists: Lists | None) -> Labels:
    """What filters will see of a document; without lists it has no readers, and only filters without readers let it through."""
    readers = _readers(document, lists) if lists else ()
    return Labels(tuple(sorted(set(readers))), facts(document.path, document.meta))


def _readers(document: Document, lists: Lists) -> list[str]:
    auditors = [reader(name) for name in lists.auditors]
    own = [value for key, value in document.meta.items() if lists.metadata and key.casefold() == lists.metadata.casefold()]
    if own:
        return [*auditors, *(reader(name) for name in (_names(own[0]) if len(own) == 1 else ()))]
    matching = [rule for rule in lists.rules if _pattern(rule.documents).fullmatch(document.path)]
    return [*auditors, *(reader(name) for name in (matching[-1].readers if matching else ()))]


def _names(own: Json) -> list[str]:
    """The names of a document's own list: a list of texts, or one text with commas. Whatever else it is names nobody."""
    if isinstance(own, str):
        own = [part.strip().strip("\"'") for part in own.strip().strip("[]").split(",")]
    if not isinstance(own, (list, tuple)) or not all(isinstance(name, str) for name in own):
        return []
    return [name for name in own if name.strip()]


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    glob = f"{glob}**" if glob.endswith("/") else glob
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    told = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(told.get(part, re.escape(part)) for part in parts), re.DOTALL)


def facts(path: str, meta: Mapping[str, Json]) -> tuple[str, ...]:
    """ "key=value" for each plain value of the metadata, one for each item of a list, and "path=" for the path and its folders."""
    steps = path.split("/")
    folders = [f"path={'/'.join(steps[:n])}/" for n in range(1, len(steps))]
    told = [f"{key}={value}" for key, found in meta.items() if key != "path" for value in _plain(found)]
    return tuple(sorted({*folders, f"path={path}", *told}))


def _plain(value: Json) -> Iterator[str]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _plain(item)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value is not None and not isinstance(value, Mapping):
        yield str(value)


def viewer(user: str, lists: Lists, groups: Sequence[str] = ()) -> Filter:
    """What a user may see: what everyone may, what the user may, and what each group may that holds the user, groups within groups too.

    The empty name is somebody unknown, who sees what everyone may. `groups` are more that hold the user.
    """
    held = {EVERYONE, *(f"group:{name}" for name in groups)} | ({f"user:{user}"} if user else set())
    grown = True
    while grown:
        joined = {f"group:{name}" for name, members in lists.groups.items() if held & {reader(member) for member in members}}
        grown = not joined <= held
        held |= joined
    return Filter(frozenset(held))


def doubts(lists: Lists, documents: Sequence[Document]) -> list[str]:
    """What looks like a slip: rules without a document, groups without members, documents that nobody reads."""
    idle = [rule.documents for rule in lists.rules if not any(_pattern(rule.documents).fullmatch(one.path) for one in documents)]
    of = {document.path: _readers(document, lists) for document in documents}
    named = {name for readers in of.values() for name in readers} | {reader(n) for rule in lists.rules for n in rule.readers}
    empty = sorted(name for name in named if name.startswith("group:") and not lists.groups.get(name.removeprefix("group:")))
    lost = sorted(path for path, readers in of.items() if not readers)
    told = [f"the access rule for '{pattern}' matches no document" for pattern in idle]
    told += [f"'{name}' may read documents but has no members" for name in empty]
    return [*told, *([f"nobody may read {len(lost)} documents, such as {lost[0]}"] if lost else [])]


def allows(only: Filter, of: Labels) -> bool:
    """Whether the filter lets a document with these labels through: the rule that every index follows."""
    seen = only.readers is None or not only.readers.isdisjoint(of.readers)
    return seen and all(not wanted.isdisjoint(of.facts) for wanted in only.facts)


def conditions(texts: Sequence[str], known: Iterable[str]) -> tuple[frozenset[str], ...]:
    """For each condition such as "department=hr" or "date>=2024-01-31" the facts, among the known ones, that meet it.

    Numbers compare as numbers, all else as text, which puts ISO dates in order. ConfigError for what is no condition.
    """
    values: dict[str, set[str]] = {}
    for fact in known:
        key, _, value = fact.partition("=")
        values.setdefault(key, set()).add(value)
    return tuple(_meeting(text, values) for text in texts)


def _meeting(text: str, values: Mapping[str, set[str]]) -> frozenset[str]:
    found = re.fullmatch(r"\s*([^=<>!]+?)\s*(>=|<=|!=|=|>|<)\s*([^=<>].*?|)\s*", text, re.DOTALL)
    if not found:
        raise ConfigError(f"'{text}' is no condition", "write KEY=VALUE, or !=, <, <=, >, >= in place of =")
    key, sign, wanted = found.groups()
    return frozenset(f"{key}={value}" for value in values.get(key, ()) if SIGNS[sign](*_comparable(value, wanted)))


def _comparable(first: str, second: str) -> tuple[float, float] | tuple[str, str]:
    try:
        return float(first), float(second)
    except ValueError:
        return first, second
