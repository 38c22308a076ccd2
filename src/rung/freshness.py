"""How fresh each rung's answers are: documents change, and the questions whose answers changed are asked before and after.

A rung that is trained is first taught the old answers, as examples, and after the change the new ones. What it learns here
is kept apart from the project's adapters: it was shown held-out questions.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rung.approach.approach import answer_all
from rung.approach.ladder import LADDER
from rung.errors import ConfigError, DataError, ModelError
from rung.measure.freshness import Change, Freshness, changes, freshness
from rung.parts import Parts, approach, unavailable
from rung.types import Answer, Case, Document
from rung.workspace import workspace as w
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge
    from rung.measure.score import Task

DEFAULT = ("rag", "tuned")


@dataclass(frozen=True)
class Rungs:
    """One rung on the changed questions: on the old documents, right after the sync, and once it was taught anew (None: never trained)."""

    rung: str
    before: Freshness
    synced: Freshness
    taught: Freshness | None
    seconds: float  # from the change until what could answer rightly is being served


@dataclass(frozen=True)
class Measured:
    """What changed, how soon it was found, and what became of each rung's answers."""

    documents: tuple[str, ...]
    questions: tuple[str, ...]
    change_seconds_p50: float  # one changed document: from its bytes to a search that finds it
    rungs: tuple[Rungs, ...]
    change_seconds: tuple[float, ...]  # of each document


@dataclass
class _Scene:
    """The project on a knowledge of its own, with the changed questions among its solved examples."""

    ws: Workspace
    knowledge: Knowledge
    changed: list[Change]
    task: Task
    examples: list[Case]
    progress: Progress

    def answers(self, name: str, taught: Sequence[Case]) -> list[Answer]:
        """The rung's answers to the changed questions, after it was taught these."""
        asked = [change.before for change in self.changed]
        view = w.shown(self.ws, self.knowledge, self.ws.user)
        parts = Parts(self.ws, asked, [*self.examples, *taught], view, self.progress, None)
        if reason := unavailable(parts, name):
            raise ModelError(f"{name} can't run here: {reason}", "name other rungs with --rung")
        ready = approach(parts, name)
        return [answer for _, answer in sorted(answer_all(ready, [case.question for case in asked]), key=lambda pair: pair[0])]


def measure(ws: Workspace, before: Path, cases: Path | None = None, rungs: Sequence[str] = (), progress: Progress = silent) -> Measured:
    """Put the older documents of the folder `before` in their places, ask, bring the present ones back, and ask again.

    `cases` are the questions with their old answers and evidence; by default the project's own. DataError where no answer
    changed, ConfigError for an unknown rung.
    """
    from rung.measure.cases import read_cases

    for name in rungs:
        if name not in LADDER:
            raise ConfigError(f"there is no rung '{name}'", f"the rungs are {', '.join(LADDER)}")
    then, now = _versions(ws, before)
    held = w.cases(ws)
    old = read_cases(cases) if cases else held
    changed = changes(old, held, {path: d.text for path, d in then.items()}, {path: d.text for path, d in now.items()})
    if not changed:
        raise DataError("no question's evidence is gone from the documents", "name the questions with their old answers by --cases")
    apart = replace(ws, part="freshness")
    knowledge = w.held_knowledge(apart)
    ids = {change.before.id for change in changed}
    examples = [case for case in (w.examples(ws) if ws.config.project.examples else []) if case.id not in ids]
    scene = _Scene(apart, knowledge, changed, w.task(ws, held), examples, progress)
    chosen = [name for name in LADDER if name in (rungs or DEFAULT)]
    _sync(ws, knowledge, then)
    answered = {name: scene.answers(name, [change.before for change in changed]) for name in chosen}
    seconds = _changed_one_by_one(ws, knowledge, then, now)
    measured = tuple(_rung(scene, name, answered[name], median(seconds.values())) for name in chosen)
    return Measured(
        tuple(seconds), tuple(change.before.id for change in changed), median(seconds.values()), measured, tuple(seconds.values())
    )


def _rung(scene: _Scene, name: str, before: Sequence[Answer], change_seconds: float) -> Rungs:
    old = [change.before for change in scene.changed]
    new = [change.after for change in scene.changed if change.after]
    was = [Change(change.before, change.before) for change in scene.changed]
    synced = scene.answers(name, old)
    first = freshness(scene.task, was, before), freshness(scene.task, scene.changed, synced)
    if not LADDER[name].trained_on:
        return Rungs(name, *first, None, change_seconds)
    started = time.perf_counter()
    taught = scene.answers(name, new)
    return Rungs(name, *first, freshness(scene.task, scene.changed, taught), change_seconds + time.perf_counter() - started)


def _versions(ws: Workspace, before: Path) -> tuple[dict[str, Document], dict[str, Document]]:
    """Path → document, then and now; what the folder `before` lacks was then as it is now."""
    if not before.is_dir():
        raise DataError(f"there is no folder {before}", "name one with --before that holds older versions of documents")
    from rung.knowledge.gather import gather
    from rung.knowledge.read import read_folder
    from rung.workspace.ignoring import ignored
    from rung.workspace.places import places

    gone = ignored(ws.folder)
    now = {document.path: document for document in gather(places(ws)).documents if not gone.holds(document)}
    return now | {document.path: document for document in read_folder(before)[0] if not gone.holds(document)}, now


def _changed_one_by_one(ws: Workspace, knowledge: Knowledge, then: dict[str, Document], now: dict[str, Document]) -> dict[str, float]:
    """Bring the present documents back one at a time; for each the seconds until a search finds it as it is."""
    from rung.knowledge.knowledge import search

    held, seconds = dict(then), {}
    for path in sorted(path for path in then if path not in now or then[path].hash != now[path].hash):
        started = time.perf_counter()
        if path in now:
            held[path] = now[path]
        else:
            del held[path]
        _sync(ws, knowledge, held)
        asked = held.get(path, then[path])
        found = search(knowledge, f"{asked.title} {asked.text[:200]}", 50, ws.config.knowledge.mode)
        seconds[path] = time.perf_counter() - started
        texts = [hit.passage.text for hit in found if hit.passage.document == path]
        assert all(text in asked.text for text in texts) if path in now else not texts, "a search after the sync sees the new state"
    return seconds


def _sync(ws: Workspace, knowledge: Knowledge, documents: dict[str, Document]) -> None:
    from rung.knowledge.knowledge import sync

    sync(knowledge, list(documents.values()), lists=w.lists(ws))
