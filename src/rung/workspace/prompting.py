"""A project's chosen prompts: instructions and shown examples picked on a development split, kept under the hash of what made them.

The split is part of the solved examples; a held-out case is never asked. What was asked is recorded, so an interrupted choice
goes on where it stopped. It refuses to choose where the examples are too few to tell anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

from rung.approach.approach import Approach, answer_all
from rung.approach.instructions import instructions, shots
from rung.approach.policy import Policy
from rung.approach.source import Fixed, Source
from rung.errors import ConfigError, DataError
from rung.measure.halving import Tried, halved
from rung.types import Answer, Case, Score
from rung.workspace import workspace as w
from rung.workspace.workspace import Progress, Workspace

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1  # of the candidates and the way of choosing
RUNGS = ("prompt", "few-shot", "rag")
DEVELOPMENT = 64  # cases of the split at most
LEAST = 8  # examples without which nothing can be told
Near = Callable[[Sequence[Case]], Source]  # the source of few-shot over these examples


@dataclass(frozen=True)
class Chosen:
    """What was chosen for a rung. `right` and `before` are shares of the development split, of the chosen and the configured prompt."""

    name: str  # hash of what made it
    rung: str
    system: str
    shots: tuple[tuple[str, str], ...]  # shown with every question; none: the nearest ones
    cases: int  # of the development split
    examples: int  # of which the split is a part
    right: float
    before: float
    tried: tuple[tuple[str, int, float], ...]  # each candidate in words, the cases it was asked, the share right

    @property
    def told(self) -> str:
        """How it was chosen, in a sentence."""
        moved = f"{100 * self.before:.0f} % right there as configured, {100 * self.right:.0f} % as chosen"
        return (
            f"prompt {self.name[:8]} chosen among {len(self.tried)} on a development split of {self.cases} of the "
            f"{self.examples} solved examples, no held-out case among them ({moved})"
        )


def chosen_prompt(ws: Workspace, ready: Approach, examples: Sequence[Case], near: Near, progress: Progress) -> Chosen:
    """The prompt of a rung that answers by its base model, chosen now if it never was. ConfigError for too few examples."""
    from rung.measure.record import write_whole

    if len(examples) < LEAST:
        sentence = f"{len(examples)} solved examples are too few to choose a prompt on"
        raise ConfigError(sentence, f"add examples, at least {LEAST}, or take optimise out of [prompt]")
    ready = replace(ready, policy=Policy(), entailment=None)  # the choice is between prompts, for measured answers and served ones alike
    own = ws.config.prompt
    told = json.dumps([VERSION, ready.id, ws.config.project.seed, own.shots, own.optimise, [repr(case) for case in examples]])
    path = ws.home / "prompts" / f"{sha256(told.encode()).hexdigest()[:16]}.json"
    if path.exists():
        return _read(path)
    found = _choose(ws, ready, examples, near, path.stem, progress)
    write_whole(path, json.dumps(asdict(found), ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass"))
    return found


def prompted(ws: Workspace, ready: Approach, chosen: Chosen) -> Approach:
    """The rung as it answers with the chosen prompt."""
    return _with(ws, ready, chosen.system, Fixed(chosen.shots) if chosen.shots else None)


def set_aside(examples: Sequence[Case], seed: int) -> tuple[list[Case], list[Case]]:
    """(pool, development split): half the examples and at most 64 are set aside, groups kept whole as far as there are two."""
    groups: dict[str, list[Case]] = {}
    for case in sorted(examples, key=lambda case: case.id):
        groups.setdefault(case.group or f"alone/{case.id}", []).append(case)
    order = sorted(groups, key=lambda name: (Random(f"{seed}/development/{name}").random(), name))
    aside: list[Case] = []
    for name in order[:-1]:
        if not aside or len(aside) + len(groups[name]) <= min(DEVELOPMENT, len(examples) // 2):
            aside += groups[name]
    held = {case.id for case in aside}
    return [case for case in examples if case.id not in held], aside


def _choose(ws: Workspace, ready: Approach, examples: Sequence[Case], near: Near, name: str, progress: Progress) -> Chosen:
    seed, settings = ws.config.project.seed, ws.config.prompt
    pool, aside = set_aside(examples, seed)
    if not aside:
        raise ConfigError("all solved examples share one group, so none can be set aside", "give examples of several groups")
    few = ready.name == "few-shot"
    begun = replace(ready, source=near(pool)) if few else ready  # a split's own cases are not shown to it
    texts = instructions(settings.system, pool, ws.config.project.task, ready.model, seed)
    if settings.optimise == "gepa":
        texts = list(dict.fromkeys([*texts, _evolved(ws, begun, pool, aside, progress)]))
    first = _best(ws, [_with(ws, begun, text) for text in texts], aside, progress)
    system = texts[first[0].candidate]
    tried = [(texts[one.candidate], one.cases, one.right) for one in first]
    before = next(one.right for one in first if one.candidate == 0)
    if not few:
        return Chosen(name, ready.name, system, (), len(aside), len(examples), first[0].right, before, tuple(tried))
    best = _with(ws, begun, system)
    sets = shots(pool, {case for case, right in _asked(ws, best, pool[:DEVELOPMENT], progress).items() if right >= 1}, settings.shots, seed)
    second = _best(ws, [best, *(_with(ws, begun, system, Fixed(shown)) for shown in sets)], aside, progress)
    tried += [
        (f"always shows: {'; '.join(q for q, _ in sets[one.candidate - 1])}", one.cases, one.right) for one in second if one.candidate
    ]
    shown = sets[second[0].candidate - 1] if second[0].candidate else ()
    return Chosen(name, ready.name, system, shown, len(aside), len(examples), second[0].right, before, tuple(tried))


def _evolved(ws: Workspace, begun: Approach, pool: Sequence[Case], aside: Sequence[Case], progress: Progress) -> str:
    from rung.workspace.evolving import evolved

    def ask(system: str, cases: Sequence[Case]) -> list[tuple[Answer, Score]]:
        found = {score.case: (answer, score) for answer, score in _pairs(ws, _with(ws, begun, system), cases, progress)}
        return [found[case.id] for case in cases]

    return evolved(ws.config.prompt.system, pool, aside, ask, begun.model, ws.config.project.seed)


def _with(ws: Workspace, ready: Approach, system: str, source: Source | None = None) -> Approach:
    prompt = ws.config.prompt.model_copy(update={"system": system})
    style = w.style(replace(ws, config=ws.config.model_copy(update={"prompt": prompt})))
    return replace(ready, style=style, source=source or ready.source)


def _best(ws: Workspace, candidates: Sequence[Approach], aside: Sequence[Case], progress: Progress) -> list[Tried]:
    return halved(len(candidates), aside, lambda one, cases: _asked(ws, candidates[one], cases, progress), ws.config.project.seed)


def _asked(ws: Workspace, ready: Approach, cases: Sequence[Case], progress: Progress) -> dict[str, float]:
    """Case id → primary score."""
    return {score.case: score.primary for _, score in _pairs(ws, ready, cases, progress)}


def _pairs(ws: Workspace, ready: Approach, cases: Sequence[Case], progress: Progress) -> list[tuple[Answer, Score]]:
    """Each set of cases is recorded like an evaluation."""
    from rung.measure.evaluate import evaluate, evaluation_key

    key = evaluation_key(ready.id, cases)
    folder = ws.home / "prompts" / "asked" / key[:16]
    folder.mkdir(parents=True, exist_ok=True)
    task = w.task(ws, list(cases))
    bar = f"choose the prompt of {ready.name}"
    return evaluate(ready.name, lambda qs: answer_all(ready, qs), cases, task, folder, key, lambda done, n: progress(bar, done, n))


def _read(path: Path) -> Chosen:
    try:
        told = json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
        pairs = tuple((asked, answered) for asked, answered in told["shots"])
        return Chosen(**{**told, "shots": pairs, "tried": tuple((text, n, right) for text, n, right in told["tried"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"the chosen prompt {path} can't be read: {error}", "delete the file: it is chosen again") from None
