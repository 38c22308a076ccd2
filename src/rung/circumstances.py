"""What a project's own files, its history and its last climb tell of it, for warnings. It asks no model a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rung.errors import DataError
from rung.measure.notices import TRAINED, WEEK, Circumstances
from rung.types import Answer, Case
from rung.workspace import workspace as w
from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge
    from rung.measure.diagnose import Diagnosis
    from rung.parts import Parts

TOKEN = 4  # characters of plain English, near enough for "fits one prompt or not"


def circumstances(parts: Parts, found: Diagnosis, asked: Sequence[Case], said: Mapping[str, Answer]) -> Circumstances:
    """What the project's own files, its history and its last climb tell. No model's weights are loaded for it."""
    ws = parts.ws
    knowledge, config = parts.knowledge, ws.config
    ranks = [rank for case in asked if (rank := _rank(case, said[case.id])) is not None]
    groups = {case.group for case in parts.cases if case.group} & {case.group for case in parts.examples}
    model = parts.models["base"][0] if "base" in parts.models else None
    system = w.style(ws).system
    questions_month, break_even = _volume(ws)
    return Circumstances(
        rungs=tuple(config.project.rungs) or _all_rungs(parts),
        system_tokens=model.count([{"role": "system", "content": system}]) if model else None,
        examples=len(parts.examples),
        k=config.knowledge.k if knowledge else 0,
        deepest=max(ranks, default=None),
        causes={one.kind: one.count for one in found.shares},
        changes_a_week=_changes_a_week(knowledge) if knowledge else None,
        baseline=_baseline(ws),
        overlap=len(groups),
        knowledge_tokens=sum(len(p.text) for p in knowledge.passages()) // TOKEN if knowledge else None,
        window=model.window if model else None,
        questions_month=questions_month,
        break_even=break_even,
    )


def _all_rungs(parts: Parts) -> tuple[str, ...]:
    from rung.approach.ladder import LADDER

    loaded = "base" in parts.models
    return tuple(name for name, rung in LADDER.items() if (loaded or rung.source != "everything") and not reason(parts, name))


def reason(parts: Parts, name: str) -> str:
    """Why a rung can't be climbed here; "" where it can. Whether everything fits its window is asked only of a model that is loaded."""
    from rung.approach.ladder import LADDER
    from rung.parts import unavailable

    if LADDER[name].source == "everything" and "base" not in parts.models:
        return "" if parts.knowledge else "the project has no documents"
    return unavailable(parts, name)


def _rank(case: Case, answer: Answer) -> int | None:
    """The rank at which the last of the case's evidence first stood among the hits; None where some never did."""
    from rung.measure.retrieval import supports

    found = [next((rank for rank, hit in enumerate(answer.hits, 1) if supports(hit, one)), None) for one in case.evidence]
    ranks = [rank for rank in found if rank]
    return max(ranks) if ranks and len(ranks) == len(found) else None


def _changes_a_week(knowledge: Knowledge) -> float | None:
    """Commits a week over the states that are kept; None where they span less than a week."""
    from rung.knowledge.knowledge import history

    since = [moment.since for moment in history(knowledge)]
    weeks = (since[-1] - since[0]) / (WEEK * 86_400) if len(since) > 1 else 0.0
    return (len(since) - 1) / weeks if weeks >= 1 else None


def _baseline(ws: Workspace) -> bool | None:
    """Whether the last climb measured a prompt alone; None where there was none."""
    from rung.runs import last_climb

    try:
        return any(one.summary.name == "prompt" and one.summary.ran for one in last_climb(ws).rungs)
    except DataError:
        return None


def _volume(ws: Workspace) -> tuple[float | None, float | None]:
    """Questions a month, and from how many on a trained rung of the last climb is cheaper; None where nobody told, or it never is."""
    from rung.costing import costs_of
    from rung.costs.arithmetic import DAYS
    from rung.runs import last_climb

    day = ws.config.prices.questions_day
    if not day:
        return None, None
    try:
        found = costs_of(ws, last_climb(ws), None, None, None)
    except DataError:
        return day * DAYS, None
    pays = [one.volume.estimate for one in found.crossings if one.after in TRAINED and one.before not in TRAINED]
    return day * DAYS, min((volume for volume in pays if volume), default=None)
