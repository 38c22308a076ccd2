"""What can be asked: each rung that runs and each labelled adapter is a model id, and what answers is made for who asks.

An approach is built for one user with their groups and one state of the knowledge, and is handed to nobody else. It refuses
to train: a trained rung answers with the newest adapter that was trained for it.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from rung.approach.ladder import LADDER, SPECIALISTS, rungs_of
from rung.errors import KnowledgeError, NoDocuments, RungError
from rung.parts import Parts, approach, named_adapter, unavailable
from rung.serve.refusals import Refusal
from rung.workspace import copies, labels
from rung.workspace import workspace as w
from rung.workspace.catalogue import catalogue, moves, stamp
from rung.workspace.catching_up import bar
from rung.workspace.workspace import Workspace, silent

if TYPE_CHECKING:
    from rung.approach.approach import Approach
    from rung.approach.source import Context, Source
    from rung.knowledge.knowledge import Knowledge
    from rung.types import ChatModel, Embedder
    from rung.workspace.keys import Key

KEPT = 256  # approaches, one for each model id, user with groups, and state of the knowledge


@dataclass(frozen=True)
class Offer:
    """A model id with the rung that answers under it and, for a label, the adapter that it stands on."""

    id: str
    rung: str
    adapter: str = ""
    created: int = 0


@dataclass(frozen=True)
class Pinned:
    """A source under an id that was computed once: of a large knowledge that takes longer than a search."""

    source: Source
    id: str
    whole: bool

    def find(self, question: str) -> Context:
        """What the source finds."""
        return self.source.find(question)


@dataclass(frozen=True)
class Opened:
    """A project as one `rung.toml` describes it. The knowledge follows what is committed."""

    ws: Workspace
    stamp: tuple[int, ...]
    base: ChatModel
    load: Callable[[Workspace, Path], ChatModel]  # a model with an adapter's folder on top
    knowledge: list[Knowledge]  # none or one, the latest
    following: dict[str, Callable[[], ChatModel]] = field(default_factory=dict)  # by label or adapter's hash
    rungs: dict[str, str] = field(default_factory=dict)  # of each label, and under "" which state of the catalogue says so


@dataclass
class Offers:
    """The project that is served. Mutable: it opens again what was changed on the disk."""

    folder: Path
    sync: bool = True  # bring the index up to date when opening
    lock: Lock = field(default_factory=Lock, repr=False)
    opened: Opened | None = None
    ready: OrderedDict[tuple[object, ...], Approach | str] = field(default_factory=OrderedDict)  # or why it can't run
    forgotten: int = 0  # the last request to forget, of any copy of the project, that this one is held to

    def open(self) -> Opened:
        """The project as it is now. A `rung.toml` that can't be read any more is told on stderr, and the one before stays.

        RungError where another copy of the project was asked to forget something, and this one still has it.
        """
        opened = self._opened()
        if copies.latest(opened.ws) != self.forgotten:
            self.forgotten = bar(opened.ws)
        return opened

    def _opened(self) -> Opened:
        with self.lock:
            stamp = _stamp(self.folder / "rung.toml")
            if self.opened is None:
                self.opened = _open(self.folder, stamp, sync=self.sync)
            elif stamp != self.opened.stamp:
                try:
                    self.opened = _open(self.folder, stamp, sync=False)
                except RungError as error:
                    print(f"error: {error.message}\nhint: {error.hint}; what was served before goes on", file=sys.stderr, flush=True)
                    self.opened = replace(self.opened, stamp=stamp)
                self.ready.clear()
            return self.opened

    def knowledge(self, key: Key) -> Knowledge | None:
        """What this key may see of the latest knowledge; None where the project has no documents, or none yet."""
        opened = self.open()
        whole = self._latest(opened)
        return w.shown(_seen_by(opened.ws, key), whole, key.user) if whole else None

    def embedder(self) -> Embedder:
        """What makes the project's vectors; its id is a model id, too."""
        opened = self.open()
        return opened.knowledge[0].embedder if opened.knowledge else w.embedder(opened.ws)

    def models(self, key: Key) -> list[Offer]:
        """What this key may ask, rungs first."""
        ws = self.open().ws
        rungs = [Offer(name, name) for name in rungs_of(ws.config.project.task) if key.may_ask(name)]
        able = [offer for offer in rungs if not isinstance(self._approach(offer.rung, key), str)]
        return [*able, *(offer for offer in labelled(ws) if key.may_ask(offer.id))]

    def approach(self, model: str, key: Key) -> Approach:
        """What answers under a model id, made of what the key may see. A label means what it stands on at this moment.

        Refusal with 404 for an id that there is not, or that the key is not for: the two look the same.
        """
        if not key.may_ask(model):
            raise unknown(model)
        if model in LADDER:
            ready = self._approach(model, key)
            if isinstance(ready, str):
                raise Refusal(404, f"the model '{model}' can't run here: {ready}", "model_not_found", "model")
            return ready
        opened = self.open()
        rung = self._rung_of(opened, model)
        if not rung:
            raise unknown(model)
        ready = self._approach(rung, key, labelled=True)
        if isinstance(ready, str):
            raise Refusal(404, f"the model '{model}' can't run here: {ready}", "model_not_found", "model")
        return replace(ready, name=model, model=self._following(opened, model)())

    def _rung_of(self, opened: Opened, label: str) -> str:
        """The rung that a label answers on; "" where there is no such label. Read again when a label was moved."""
        latest = stamp(catalogue(opened.ws))
        if opened.rungs.get("") != latest:
            found = {one.id: one.rung for one in labelled(opened.ws)}
            opened.rungs.clear()
            opened.rungs.update({"": latest, **found})
        return opened.rungs.get(label, "")

    def _following(self, opened: Opened, name: str) -> Callable[[], ChatModel]:
        if name not in opened.following:
            current, alone = labels.following(opened.ws, name, opened.load), Lock()

            def one_at_a_time() -> ChatModel:
                with alone:
                    return current()

            opened.following[name] = one_at_a_time
        return opened.following[name]

    def _approach(self, rung: str, key: Key, *, labelled: bool = False) -> Approach | str:
        opened = self.open()
        whole = self._latest(opened)
        adapter = "" if labelled else _newest(opened.ws, rung)
        rows = _stamp(opened.ws.folder / opened.ws.config.project.examples)
        name = (rung, labelled, adapter, key.user, key.groups, (whole.stamp if whole else (), rows, self.forgotten))
        with self.lock:
            found = self.ready.get(name)
            if found is not None:
                self.ready.move_to_end(name)
        if found is None:
            found = self._made(opened, rung, key, adapter, whole, labelled=labelled)
            self._keep(name, found)
        named = "" if labelled or rung in SPECIALISTS else opened.ws.config.model.adapter
        return replace(found, model=self._following(opened, named)()) if named and not isinstance(found, str) else found

    def _keep(self, name: tuple[object, ...], made: Approach | str) -> None:
        with self.lock:
            for old in [one for one in self.ready if one[-1] != name[-1]]:
                del self.ready[old]  # of an earlier state of knowledge and examples: who still answers by it holds it
            self.ready[name] = made
            while len(self.ready) > KEPT:
                self.ready.popitem(last=False)

    def _made(self, opened: Opened, rung: str, key: Key, adapter: str, whole: Knowledge | None, *, labelled: bool) -> Approach | str:
        ws = _seen_by(opened.ws, key)
        knowledge = w.shown(ws, whole, key.user) if whole else None
        trained = LADDER[rung].model if LADDER[rung].trained_on else ""
        if trained and not (labelled or adapter or ws.config.model.adapter):
            return f"no adapter was trained for it; run `rung train --rung {trained}`"
        model = self._following(opened, adapter)() if adapter else opened.base
        models: Mapping[str, tuple[ChatModel, tuple[dict[str, float], ...]]] = dict.fromkeys(("base", "tuned", "raft"), (model, ()))
        parts = Parts(ws, w.cases_so_far(ws), w.examples(ws), knowledge, silent, None, dict(models))
        if reason := "" if labelled and LADDER[rung].source == "nothing" else unavailable(parts, rung):
            return reason
        made = approach(parts, rung, measured=False)
        return replace(made, source=Pinned(made.source, made.source.id, made.source.whole))

    def _latest(self, opened: Opened) -> Knowledge | None:
        from rung.knowledge.knowledge import current

        if opened.knowledge:
            opened.knowledge[0] = current(opened.knowledge[0])
        return opened.knowledge[0] if opened.knowledge and opened.knowledge[0].state.documents else None


def name_of(embedder: Embedder) -> str:
    """The id of an embedder as a model: without the address of the server that computes its vectors."""
    kind, _, name = embedder.id.partition("-")
    return name.partition("@http")[0] if kind == "endpoint" else embedder.id


def unknown(model: str) -> Refusal:
    """There is no such model, or not for this key."""
    return Refusal(404, f"there is no model '{model[:100]}' for this key; GET /v1/models lists those there are", "model_not_found", "model")


def _open(folder: Path, stamp: tuple[int, ...], *, sync: bool) -> Opened:
    from rung.serve.engines import loader

    ws = w.open_workspace(folder)
    w.examples(ws)  # what is wrong with these and with the cases is said now, not to each who asks
    w.cases_so_far(ws)
    base, load = loader(ws, named_adapter(ws))
    documents = ws.config.knowledge.default_folder or ws.config.knowledge.sources
    if documents and sync:
        synced(ws)
    return Opened(ws, stamp, base, load, [w.held_knowledge(ws)] if documents else [])


def synced(ws: Workspace) -> None:
    """Bring the index up to date. Where that fails, as beside the sync of another server, what is held already is served."""
    try:
        w.sync_knowledge(ws)
    except (KnowledgeError, NoDocuments) as error:
        if not w.held_knowledge(ws).state.index and isinstance(error, KnowledgeError):
            raise
        print(f"error: {error.message}\nhint: {error.hint}; what is indexed already is served", file=sys.stderr, flush=True)


def labelled(ws: Workspace) -> list[Offer]:
    """The labels that stand on an adapter that may be served."""
    last = {move.label: move for move in moves(catalogue(ws))}
    found = []
    for label, move in sorted(last.items()):
        with suppress(RungError):
            folder = labels.folder_of(ws, label)
            if label not in LADDER and not labels.blocked(folder):
                found.append(Offer(label, move.rung or labels.trained_rung(folder), folder.name, int(move.at)))
    return found


def _newest(ws: Workspace, rung: str) -> str:
    """The hash of the adapter that was trained last for the rung; "" where there is none, or the configuration names one."""
    from rung.tuning.adapters import finished

    trained = LADDER[rung].model
    if not LADDER[rung].trained_on or rung in SPECIALISTS or ws.config.model.adapter:
        return ""
    able = [one for one in finished(labels.adapters_home(ws)) if not labels.blocked(one) and labels.trained_rung(one) == trained]
    return max(able, key=lambda one: (one.stat().st_mtime, one.name)).name if able else ""


def _seen_by(ws: Workspace, key: Key) -> Workspace:
    return replace(ws, user=key.user, groups=key.groups)


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        told = path.stat()
    except OSError:
        return ()
    return told.st_ino, told.st_mtime_ns, told.st_size
