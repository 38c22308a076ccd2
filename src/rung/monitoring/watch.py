"""`rung watch`: what became of a served project over a span of time, and what to do about it. It changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rung.monitoring.canary import Canary, asked_by_canaries, last_canary
from rung.monitoring.figures import DAY, Window, window, windows
from rung.monitoring.gaps import Heard, heard, new
from rung.monitoring.words import Saying, Seen, sayings, served_adapter
from rung.types import Case
from rung.workspace import labels
from rung.workspace import workspace as w
from rung.workspace.feedback import SAID, Rated, feedback, rated
from rung.workspace.importing import held
from rung.workspace.store import Store
from rung.workspace.traffic import Asked, Traffic, asked, traffic
from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge


@dataclass(frozen=True)
class Proposed:
    """A case to add. `answer` is "" where somebody must write it."""

    question: str
    answer: str
    why: str
    take: str = ""  # the answer's id, where `rung watch --take` makes the row


@dataclass(frozen=True)
class Watched:
    """All that a page about it shows."""

    now: Window
    before: Window  # as long a span before it
    windows: tuple[Window, ...]
    models: tuple[Window, ...]  # by model, the busiest first
    heard: Heard
    waiting: tuple[Rated, ...]
    canary: Canary | None
    sayings: tuple[Saying, ...]
    proposed: tuple[Proposed, ...]
    words: bool  # whether any question still has its words: not with audit = "hashes", nor where they were forgotten or pruned


def watch(ws: Workspace, store: Store, span: float = 7 * DAY, now: float | None = None, view: Knowledge | None = None) -> Watched:
    """The last `span` seconds beside those before. RungError where the store or the knowledge can't be opened.

    `view` is the knowledge as somebody may see it: words of answers from other documents are left out, figures are not. Without
    one it is all of it, for the operator.
    """
    until = time.time() + 1e-3 if now is None else now
    since = until - span
    rows, said = _rows(store, since - span, until), feedback(store, since - span)
    current, earlier = [row for row in rows if row.at >= since], [row for row in rows if row.at < since]
    cases, examples = held(ws, "cases"), held(ws, "examples")
    sees = view.shows if view else None
    words, past_words = (_seen(asked(store, some), sees) for some in (current, earlier))
    knowledge = view or _knowledge(ws)
    told = heard(words, past_words, [*cases, *examples], cases, w.embedder(ws), knowledge, ws.config.project.seed)
    waiting = tuple(one for one in rated(ws, store, sees=sees) if one.ideal and not one.taken and one.about.question)
    names = sorted({row.model for row in current}, key=lambda name: (-sum(row.model == name for row in current), name))
    canary = last_canary(store)
    overall, past = window(rows, said, since, until), window(rows, said, since - span, since)
    learnable = _learnable(ws, examples)
    seen = Seen(overall, past, told, waiting, learnable, canary, ws.config.limits.seconds_p95, served_adapter(names))
    return Watched(
        overall, past, windows(current, said, since, until), tuple(window(rows, said, since, until, name) for name in names), told,
        waiting, canary, sayings(seen), _proposed(told, waiting, [*cases, *examples]), told.questions > 0,
    )  # fmt: skip


def _rows(store: Store, since: float, until: float) -> list[Traffic]:
    """What people and programs asked; canaries are no traffic."""
    canaries = asked_by_canaries(store)
    return [row for row in traffic(store, since, until) if row.id not in canaries]


def _seen(found: Sequence[Asked], sees: Callable[[str], bool] | None) -> list[Asked]:
    return [one for one in found if sees is None or all(sees(document) for document in one.documents)]


def _knowledge(ws: Workspace) -> Knowledge | None:
    """All of it, whoever may read what: a gap is what nobody could be answered from."""
    settings = ws.config.knowledge
    return w.held_knowledge(ws) if settings.default_folder or settings.sources else None


def _learnable(ws: Workspace, examples: Sequence[Case]) -> int:
    """Examples from feedback that the newest adapter's rows don't hold."""
    from rung.tuning.adapters import finished, told

    able = [folder for folder in finished(labels.adapters_home(ws)) if not labels.blocked(folder)]
    from_people = {row.id for row in examples if SAID in row.origin}
    if not able:
        return len(from_people)
    newest = told(max(able, key=lambda folder: (folder.stat().st_mtime, folder.name)), "rows.json")
    return len(from_people - {*newest.get("training", ()), *newest.get("validation", ())})


def _proposed(told: Heard, waiting: Sequence[Rated], known: Sequence[Case]) -> tuple[Proposed, ...]:
    """Corrections first, which are whole; then what is asked often and no case asks."""
    whole = [Proposed(one.about.question, one.ideal, _how(one), one.said.answer) for one in waiting]
    gaps = [(gap.name, f"nothing answers it, {gap.count} asked the like") for gap in told.gaps]
    novel = [(one.name, f"no case asks the like, {one.count} people did") for one in told.novel]
    fresh = set(new([name for name, _ in (*gaps, *novel)], known)) - {one.question for one in whole}
    why = dict([*reversed(novel), *reversed(gaps)])
    return (*whole, *(Proposed(name, "", why[name]) for name in dict.fromkeys(name for name, _ in (*gaps, *novel)) if name in fresh))


def _how(one: Rated) -> str:
    return "corrected" if one.said.correction else "rated well"
