"""The verb `diagnose`: asks a system, replays its failures, and says why they are wrong. No judge model is asked.

The system is a rung of the project, an OpenAI-compatible endpoint that is asked as it stands, or a file of recorded answers.
Replays are recorded like any evaluation: an interrupted diagnosis goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from rung.approach.approach import Approach, answer_all
from rung.approach.prompt import PromptStyle, cited
from rung.approach.source import Context, Nothing
from rung.circumstances import circumstances
from rung.errors import ConfigError, DataError
from rung.measure.diagnose import Diagnosis, Replays, content, diagnosis
from rung.measure.kept import keep
from rung.measure.warn import warnings
from rung.types import Answer, Case, Hit, Passage, Score
from rung.workspace import workspace as w
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from rung.climb import Parts
    from rung.knowledge.knowledge import Knowledge
    from rung.measure.score import Task

REWORDINGS = ("Please tell me: {0}", "I would like to know the following. {0}", "{0} Answer only this.")
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
    repeats: bool  # whether it can be asked again


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
    from rung.climb import Parts

    if answers and endpoint:
        raise ConfigError("--answers and --endpoint name two systems", "name one of them")
    cases, examples = w.cases(ws), w.examples(ws)
    task = w.task(ws, cases)
    synced = w.sync_knowledge(ws, progress)
    parts = Parts(ws, cases, examples, synced[0] if synced else None, progress, workers)
    chosen = sorted(sorted(cases, key=lambda case: Random(f"{ws.config.project.seed}/{case.id}").random())[:most], key=lambda c: c.id)
    system = _file(answers, task) if answers else _endpoint(parts, endpoint, task) if endpoint else _rung(parts, rung, task)
    pairs = system.answers(chosen)
    scores = {score.case: score for _, score in pairs}
    said = {score.case: answer for answer, score in pairs}
    asked = [case for case in chosen if case.id in scores]
    failed = [case for case in asked if scores[case.id].primary < 1]
    replays = _replayed(parts, system, failed, scores, said, task)
    found = diagnosis(asked, {case: score.primary for case, score in scores.items()}, replays, ws.config.project.seed)
    return replace(found, warnings=tuple(warnings(circumstances(parts, found, asked, said))))


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
    from rung.climb import approach, unavailable

    check_rungs([name])
    if reason := unavailable(parts, name):
        raise ConfigError(f"{name} can't run here: {reason}", "name another rung with --rung")
    ready = approach(parts, name)
    source = LADDER[name].source
    return System(name, _asking(parts, name, ready, task), ready, source in ("search", "everything"), repeats=True)


def _endpoint(parts: Parts, endpoint: str, task: Task) -> System:
    """The endpoint as its users meet it: the bare question. It is replayed through our prompt, with its passages given."""
    from rung.models import load

    spec = endpoint if endpoint.startswith("endpoint:") else f"endpoint:{endpoint}"
    model = load(spec, None, **({"concurrency": parts.workers} if parts.workers else {}))
    bare = Approach("endpoint", model, Nothing(), PromptStyle("", cite=False), w.settings(parts.ws))
    replayed = replace(bare, style=w.style(parts.ws))
    return System(endpoint, _asking(parts, "endpoint", bare, task), replayed, looks_up=False, repeats=True)


def _file(path: Path, task: Task) -> System:
    def answers(cases: Sequence[Case]) -> Pairs:
        from rung.measure.score import score

        told = recorded(path)
        pairs = [(told[case.id], case) for case in cases if case.id in told]
        if not pairs:
            raise DataError(f"{path} answers none of the cases", 'each line needs the id of a case: {"id": "...", "answer": "..."}')
        return [(replace(answer, question=case.question), score(task, case, answer)) for answer, case in pairs]

    return System(path.name, answers, None, looks_up=None, repeats=False)


def recorded(path: Path) -> dict[str, Answer]:
    """Case id → answer. A line holds `id`, `answer` and, if known, `passages`: a list of {"document", "text"} as they were shown."""
    found: dict[str, Answer] = {}
    for number, row in _lines(path):
        where = f"{path}, line {number}"
        if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not isinstance(row.get("answer"), str):
            raise DataError(f"{where}: id and answer must be texts", 'for example {"id": "c1", "answer": "27 days"}')
        if row["id"] in found:
            raise DataError(f"{where}: {row['id']!r} is answered twice", "keep one answer a case")
        found[row["id"]] = _given(row, where)
    return found


def _given(row: dict[str, object], where: str) -> Answer:
    passages = row.get("passages", [])
    if not isinstance(passages, list) or not all(isinstance(one, dict) and isinstance(one.get("text"), str) for one in passages):
        raise DataError(f"{where}: passages must be a list of objects with a text", 'for example [{"document": "a.md", "text": "..."}]')
    texts = [(str(one.get("document", "")), str(one["text"])) for one in passages]
    hits = tuple(Hit(Passage(f"given-{n}", document, 0, len(text), text), 0.0) for n, (document, text) in enumerate(texts))
    said = str(row["answer"])
    return Answer("", said, cited(said, hits), hits)


def _lines(path: Path) -> Iterator[tuple[int, object]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} can't be read: {error}", "it must be JSON lines in UTF-8") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}, line {number} is not JSON: {error}", "mend that line") from None


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
    evidence = {case.id: _evidence(parts.knowledge, case) for case in failed}
    gold: dict[str, tuple[Answer, Score]] = {}
    nothing: dict[str, Score] = {}
    repeats: dict[str, tuple[Score, ...]] = {}
    if system.replayed and failed:
        held = [case for case in failed if evidence[case.id]]
        told = json.dumps([[case.question, [hit.passage.id for hit in evidence[case.id]]] for case in held])
        given = Given({c.question: evidence[c.id] for c in held}, f"given/{hashlib.sha256(told.encode()).hexdigest()[:16]}")
        gold = (
            {pair[1].case: pair for pair in _asking(parts, "with the evidence", replace(system.replayed, source=given), task)(held)}
            if held
            else {}
        )
        bare = _asking(parts, "with nothing", replace(system.replayed, source=Nothing()), task)(failed)
        nothing = {score.case: score for _, score in bare}
        repeats = _repeated(system, [case for case in failed if not content(scores[case.id])])
    twice = _twice(parts.cases)
    return {
        case.id: Replays(
            scores[case.id],
            gold[case.id][1] if case.id in gold else None,
            nothing.get(case.id),
            repeats.get(case.id, ()),
            _known(parts.knowledge, case, evidence[case.id]),
            _found(case, said[case.id], system),
            system.looks_up,
            _doubt(case, evidence[case.id], parts.knowledge, gold.get(case.id), twice),
        )
        for case in failed
    }


def _repeated(system: System, failed: Sequence[Case]) -> dict[str, tuple[Score, ...]]:
    """The failures asked in other words."""
    rounds = []
    for wording in REWORDINGS if system.repeats and failed else ():
        reworded = [replace(case, question=wording.format(case.question)) for case in failed]
        rounds.append({score.case: score for _, score in system.answers(reworded)})
    return {case.id: tuple(one[case.id] for one in rounds) for case in failed}


def _evidence(knowledge: Knowledge | None, case: Case) -> tuple[Hit, ...]:
    """The passages that hold the case's evidence, in their order; one for each where several overlap."""
    from rung.measure.retrieval import supports

    if knowledge is None or not case.evidence:
        return ()
    held, _ = knowledge.index.stored(sorted({one.document for one in case.evidence if knowledge.shows(one.document)}))
    hits = [Hit(passage, 0.0) for passage in sorted(held, key=lambda p: (p.document, p.start))]
    found = [next((hit for hit in hits if supports(hit, one) and one.quote), None) for one in case.evidence]
    whole = [hit for one in case.evidence if not one.quote for hit in hits if hit.passage.document == one.document]
    return tuple({hit.passage.id: hit for hit in (*(hit for hit in found if hit), *whole)}.values())


def _known(knowledge: Knowledge | None, case: Case, evidence: Sequence[Hit]) -> bool | None:
    if case.unanswerable or not case.evidence or knowledge is None:
        return None
    return bool(evidence)


def _found(case: Case, answer: Answer, system: System) -> bool | None:
    from rung.measure.retrieval import by_case

    if case.unanswerable or not case.evidence or not (answer.hits or system.looks_up):
        return None
    return by_case(answer.hits, case.evidence).get("recall@k", 0.0) >= 1


def _twice(cases: Sequence[Case]) -> dict[str, str]:
    """Case id → another case that asks the same and wants something else."""
    from rung.measure.metrics import canonical

    first: dict[str, Case] = {}
    found: dict[str, str] = {}
    for case in cases:
        other = first.setdefault(canonical(case.question), case)
        if other is not case and (other.text != case.text or other.unanswerable != case.unanswerable):
            found[case.id], found[other.id] = other.id, case.id
    return found


def _doubt(
    case: Case, evidence: Sequence[Hit], knowledge: Knowledge | None, gold: tuple[Answer, Score] | None, twice: Mapping[str, str]
) -> str:
    """Why a case can't be right: asked twice with two answers, a quote that its document lacks, evidence that says another thing."""
    from rung.approach.support import check
    from rung.measure.metrics import facts_contained

    if case.id in twice:
        return f"case {twice[case.id]} asks the same and wants another answer"
    quotes = [one for one in case.evidence if one.quote]
    if knowledge is not None and quotes and not evidence and all(knowledge.shows(one.document) for one in quotes):
        return f"{quotes[0].document} does not hold the quote that is its evidence"
    if case.unanswerable or not evidence or not case.facts:
        return ""
    held = "\n".join(hit.passage.text for hit in evidence)
    if facts_contained(held, case.facts) == 1 or gold is None or content(gold[1]):
        return ""
    other = check(gold[0].text, case.question, evidence)
    claimed = [sentence for sentence in other if sentence.support != "plain"]
    if claimed and all(sentence.support for sentence in claimed):
        return f"the evidence does not hold the ideal answer, and does hold {gold[0].text!r}"
    return ""
