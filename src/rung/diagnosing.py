"""The verb `diagnose`: asks a system, replays its failures, and says why they are wrong. No judge model is asked.

The system is a rung of the project, an OpenAI-compatible endpoint that is asked as it stands, or a file of recorded answers.
Replays are recorded like any evaluation: an interrupted diagnosis goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from rung.approach.approach import Approach, answer_all
from rung.approach.prompt import PromptStyle
from rung.approach.source import Context, Nothing
from rung.circumstances import circumstances
from rung.errors import ConfigError, DataError
from rung.measure.diagnose import Diagnosis, Replays, content, diagnosis
from rung.measure.doubt import Ground, asked_twice, doubt, says, unmoved
from rung.measure.kept import keep
from rung.measure.notices import notices
from rung.measure.recorded import recorded
from rung.types import Answer, Case, Hit, Score
from rung.workspace import workspace as w
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge
    from rung.measure.score import Task
    from rung.parts import Parts

REWORDINGS = ("Please tell me: {0}", "I would like to know the following. {0}", "{0} Answer only this.")
AGAIN = 2  # more times as it stands, with other seeds, where seeds may matter
Pairs = list[tuple[Answer, Score]]


@dataclass(frozen=True)
class Given:
    """The passages that hold a question's evidence, and nothing else: a source for replays, never for serving or climbing."""

    passages: Mapping[str, tuple[Hit, ...]]
    id: str
    whole: bool = False

    def find(self, question: str) -> Context:
        """What was prepared for this question."""
        return Context(self.passages.get(question, ()))


@dataclass(frozen=True)
class System:
    """What is diagnosed: how to ask it, and with what its failures are replayed."""

    name: str
    answers: Callable[[Sequence[Case]], Pairs]
    replayed: Approach | None  # its model, style and settings; None where only answers are known
    looks_up: bool | None  # whether it shows passages to its model; None where nobody told
    again: Callable[[Sequence[Case], Mapping[str, Answer], int], Pairs] | None = None  # on the passages it saw, with a seed
    varies: bool = False  # whether a seed may change what it says


def diagnose(
    ws: Workspace,
    progress: Progress = silent,
    rung: str = "rag",
    answers: Path | None = None,
    endpoint: str = "",
    most: int = 100,
    workers: int | None = None,
) -> Diagnosis:
    """Why the system fails on at most `most` of the held-out cases. ConfigError, DataError, ModelError as they arise."""
    from rung.parts import Parts

    if answers and endpoint:
        raise ConfigError("--answers and --endpoint name two systems", "name one of them")
    cases, examples = w.cases(ws), w.examples(ws)
    task = w.task(ws, cases)
    synced = w.sync_knowledge(ws, progress)
    parts = Parts(ws, cases, examples, synced[0] if synced else None, progress, workers)
    chosen = sorted(sorted(cases, key=lambda case: Random(f"{ws.config.project.seed}/{case.id}").random())[:most], key=lambda c: c.id)
    system = _file(answers, task) if answers else _endpoint(parts, endpoint, task) if endpoint else _rung(parts, rung, task)
    pairs = system.answers(chosen)
    scores, said = {score.case: score for _, score in pairs}, {score.case: answer for answer, score in pairs}
    asked = [case for case in chosen if case.id in scores]
    failed = [case for case in asked if scores[case.id].primary < 1]
    replays = _replayed(parts, system, failed, scores, said, task)
    found = diagnosis(asked, {case: score.primary for case, score in scores.items()}, replays, ws.config.project.seed, _rungs(parts))
    return replace(found, notices=tuple(notices(circumstances(parts, found, asked, said))))


def _rungs(parts: Parts) -> dict[str, str]:
    """The rungs that do this task, each with why it can't be climbed here yet; "" where it can."""
    from rung.approach.ladder import rungs_of
    from rung.circumstances import reason

    return {name: reason(parts, name) for name in rungs_of(parts.ws.config.project.task) if name != "prompt"}


def diagnose_and_show(folder: Path, rung: str, answers: Path | None, endpoint: str, most: int, workers: int | None, as_json: bool) -> None:
    """The diagnosis in the terminal, or as one JSON object with all cases."""
    from rung.report.diagnosed import show
    from rung.show import print_json, progress

    ws, name = w.open_workspace(folder), answers.name if answers else endpoint or rung
    with progress(quiet=as_json) as bar:
        found = diagnose(ws, bar, rung, answers, endpoint, most, workers)
    keep(ws.home, name, found)
    if as_json:
        print_json(asdict(found))
    else:
        show(found, name)


def _rung(parts: Parts, name: str, task: Task) -> System:
    from rung.approach.ladder import LADDER, check_rungs
    from rung.parts import approach, unavailable

    check_rungs([name])
    if reason := unavailable(parts, name):
        raise ConfigError(f"{name} can't run here: {reason}", "name another rung with --rung")
    ready = approach(parts, name)
    looks_up = LADDER[name].source in ("search", "everything")

    def again(cases: Sequence[Case], said: Mapping[str, Answer], seed: int) -> Pairs:
        shown = {case.question: said[case.id].hits for case in cases}
        source = given(shown) if looks_up else ready.source  # what was found once: how steady the search is, is another matter
        return _asking(parts, name, replace(ready, source=source, settings=replace(ready.settings, seed=seed)), task)(cases)

    varies = ready.settings.temperature > 0 or parts.ws.config.model.name.startswith("endpoint:")
    return System(name, _asking(parts, name, ready, task), ready, looks_up, again, varies)


def _endpoint(parts: Parts, endpoint: str, task: Task) -> System:
    """The endpoint as its users meet it: the bare question. It is replayed through our prompt, with its passages given."""
    from rung.models import load

    spec = endpoint if endpoint.startswith("endpoint:") else f"endpoint:{endpoint}"
    model = load(spec, None, **({"concurrency": parts.workers} if parts.workers else {}))
    bare = Approach("endpoint", model, Nothing(), PromptStyle("", cite=False), w.settings(parts.ws))

    def again(cases: Sequence[Case], said: Mapping[str, Answer], seed: int) -> Pairs:
        return _asking(parts, "endpoint", replace(bare, settings=replace(bare.settings, seed=seed)), task)(cases)

    return System(endpoint, _asking(parts, "endpoint", bare, task), replace(bare, style=w.style(parts.ws)), False, again, varies=True)


def _file(path: Path, task: Task) -> System:
    def answers(cases: Sequence[Case]) -> Pairs:
        from rung.measure.score import score

        told = recorded(path)
        pairs = [(told[case.id], case) for case in cases if case.id in told]
        if not pairs:
            raise DataError(f"{path} answers none of the cases", 'each line needs the id of a case: {"id": "...", "answer": "..."}')
        return [(replace(answer, question=case.question), score(task, case, answer)) for answer, case in pairs]

    return System(path.name, answers, None, None)


def given(shown: Mapping[str, tuple[Hit, ...]]) -> Given:
    """Prepared passages by question, named by what they are."""
    told = json.dumps([[question, [hit.passage.id for hit in hits]] for question, hits in shown.items()])
    return Given(shown, f"given/{hashlib.sha256(told.encode()).hexdigest()[:16]}")


def _asking(parts: Parts, name: str, ready: Approach, task: Task) -> Callable[[Sequence[Case]], Pairs]:
    """Asks and scores cases, each answer recorded under what made it."""
    from rung.measure.evaluate import evaluate, evaluation_key

    def asked(cases: Sequence[Case]) -> Pairs:
        key = evaluation_key(ready.id, cases)
        folder = parts.ws.home / "diagnoses" / key[:16]
        folder.mkdir(parents=True, exist_ok=True)
        bar = f"ask {name}"
        return evaluate(
            name, lambda qs: answer_all(ready, qs), cases, task, folder, key, lambda done, total: parts.progress(bar, done, total)
        )

    return asked


def _replayed(
    parts: Parts, system: System, failed: Sequence[Case], scores: Mapping[str, Score], said: Mapping[str, Answer], task: Task
) -> dict[str, Replays]:
    """Each failure with its replays. With a file of answers alone, only what needs no model is told."""
    from rung.measure.score import form_words

    grounds = {case.id: _ground(parts.knowledge, case) for case in failed}
    gold: dict[str, tuple[Answer, Score]] = {}
    nothing: dict[str, tuple[Answer, Score]] = {}
    repeats: dict[str, tuple[Score, ...]] = {}
    if system.replayed and failed:
        held = [case for case in failed if grounds[case.id].whole]
        source = given({case.question: grounds[case.id].evidence for case in held})
        alone = _asking(parts, "with the evidence", replace(system.replayed, source=source), task)(held) if held else []
        bare = _asking(parts, "with nothing", replace(system.replayed, source=Nothing()), task)(failed)
        gold, nothing = ({score.case: (answer, score) for answer, score in pairs} for pairs in (alone, bare))
        repeats = _repeated(parts, system, [case for case in failed if not content(scores[case.id])], said)
    twice, words = asked_twice(parts.cases), form_words(task.form or "")

    def told(case: Case) -> Replays:
        ground, answer, replay, bare = grounds[case.id], said[case.id], gold.get(case.id), nothing.get(case.id)
        why = f"case {twice[case.id]} asks the same and wants another answer" if case.id in twice else ""
        wrong = replay[0] if replay and not content(replay[1]) else None
        return Replays(
            scores[case.id],
            replay[1] if replay else None,
            bare[1] if bare else None,
            repeats.get(case.id, ()),
            _known(parts.knowledge, case, ground),
            _found(case, answer, system),
            system.looks_up,
            why or doubt(case, ground, answer, wrong, words),
            spelled=not case.unanswerable and says(answer.text, case.facts),
            unmoved=replay is not None and bare is not None and not _abstained(bare) and unmoved(answer.text, replay[0].text, bare[0].text),
        )

    return {case.id: told(case) for case in failed}


def _abstained(pair: tuple[Answer, Score]) -> bool:
    return pair[1].parts.get("abstained", 0.0) > 0


def _repeated(parts: Parts, system: System, failed: Sequence[Case], said: Mapping[str, Answer]) -> dict[str, tuple[Score, ...]]:
    """The failures asked in other words, and with other seeds where those may matter."""
    if system.again is None or not failed:
        return {}
    first = parts.ws.config.project.seed
    wordings = (*REWORDINGS, *("{0}",) * AGAIN) if system.varies else REWORDINGS
    rounds = []
    for number, wording in enumerate(wordings, 1):
        reworded = [replace(case, question=wording.format(case.question)) for case in failed]
        pairs = system.again(reworded, said, first + number if system.varies else first)
        rounds.append({score.case: score for _, score in pairs})
    return {case.id: tuple(one[case.id] for one in rounds) for case in failed}


def _ground(knowledge: Knowledge | None, case: Case) -> Ground:
    """What is held of the case's evidence: one passage for each piece, in their order, and the documents it names."""
    from rung.measure.retrieval import supports

    if knowledge is None or not case.evidence:
        return Ground()
    held, _ = knowledge.index.stored(sorted({one.document for one in case.evidence if knowledge.shows(one.document)}))
    hits = [Hit(passage, 0.0) for passage in sorted(held, key=lambda p: (p.document, p.start))]
    found = [next((hit for hit in hits if supports(hit, one) and one.quote), None) for one in case.evidence]
    whole = [hit for one in case.evidence if not one.quote for hit in hits if hit.passage.document == one.document]
    there = {hit.passage.document for hit in hits}
    full = all(hit is not None if one.quote else one.document in there for hit, one in zip(found, case.evidence, strict=True))
    return Ground(tuple({hit.passage.id: hit for hit in (*(hit for hit in found if hit), *whole)}.values()), full, tuple(hits))


def _known(knowledge: Knowledge | None, case: Case, ground: Ground) -> bool | None:
    if case.unanswerable or not case.evidence or knowledge is None:
        return None
    return ground.whole


def _found(case: Case, answer: Answer, system: System) -> bool | None:
    from rung.measure.retrieval import by_case

    if case.unanswerable or not case.evidence or not (answer.hits or system.looks_up):
        return None
    return by_case(answer.hits, case.evidence).get("recall@k", 0.0) >= 1
