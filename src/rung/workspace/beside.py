"""Opens what a project asks beside its own knowledge. It refuses whoever its readers, or the other project's lists, don't name."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from rung.errors import ConfigError
from rung.workspace import workspace as w
from rung.workspace.privacy import asked_away
from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from rung.approach.fused import Beside
    from rung.sources import HttpBeside, ProjectBeside, SqlBeside


def besides(ws: Workspace) -> tuple[Beside, ...]:
    """Those that this user may ask, in the order of `rung.toml`. Raises RungError where one can't be opened.

    With conditions on documents live sources are left out: what they say has no metadata to meet them.
    """
    from rung.sources import ProjectBeside

    found = []
    for one in ws.config.knowledge.also:
        if isinstance(one, ProjectBeside):
            found += _project(ws, one)
        elif _may_ask(ws, one.readers) and not ws.where:
            found.append(_live(ws, one))
    return tuple(found)


def _project(ws: Workspace, one: ProjectBeside) -> list[Beside]:
    """The other project's search over what the user may see of it; nothing where its lists are off and ours don't let them ask."""
    from rung.approach.fused import Beside
    from rung.knowledge.knowledge import narrowed
    from rung.workspace.searching import searching

    other = w.open_workspace(ws.folder / one.path)
    if not other.config.access.on and not _may_ask(ws, one.readers):
        return []
    if ws.config.limits.private:  # what ours may not send to another machine, theirs may not either
        other = replace(other, config=other.config.model_copy(update={"limits": ws.config.limits}))
    held = w.held_knowledge(other)
    if not held.state.documents:
        raise ConfigError(f"the project '{one.name}' in {other.folder} has no index", f"run `rung index {other.folder}`")
    view = w.shown(other, held, ws.user)
    search = replace(searching(other, narrowed(view, *ws.where) if ws.where else view), k=one.k)
    return [Beside(one.name, search.id, search.find)]


def _live(ws: Workspace, one: SqlBeside | HttpBeside) -> Beside:
    from rung.approach.fused import Beside
    from rung.approach.source import Context
    from rung.knowledge.live import open_live
    from rung.types import Hit

    if ws.config.limits.private and asked_away(_address(one)):
        sentence = f"the project is private, and the live source '{one.name}' would send its questions to another machine"
        raise ConfigError(sentence, "choose one on this machine, or take private out of [limits]")
    live = open_live(one, ws.folder)

    def find(question: str) -> Context:
        return Context(tuple(Hit(passage, 0.0) for passage in live.ask(question)))

    made = hashlib.sha256(one.model_dump_json(exclude={"readers"}).encode()).hexdigest()[:16]
    return Beside(one.name, f"live/{made}", find, live=True, optional=one.optional)


def _address(one: SqlBeside | HttpBeside) -> str:
    named = getattr(one, "url_env", "")
    return os.environ.get(named, "") if named else one.url


def _may_ask(ws: Workspace, readers: tuple[str, ...]) -> bool:
    """Whether the user may ask a source with these readers; as with documents, where lists are on nobody may unless named."""
    from rung.knowledge.access import reader, viewer

    held = w.lists(ws)
    if held is None:
        return True
    may = viewer(ws.user, held, ws.groups).readers or frozenset()
    return not may.isdisjoint(reader(name) for name in (*readers, *held.auditors))
