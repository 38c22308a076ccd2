"""The whole story: sync, train, answer, score, decide. It names no back end and never lets a held-out case near training."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rung.approach.approach import Approach, answer_all
from rung.approach.ladder import LADDER, SPECIALISTS, check_rungs, row, rungs_of
from rung.approach.source import Remembered
from rung.errors import ModelError, TuningError
from rung.measure.looks import Asked
from rung.parts import Parts, approach, base_of, model_of, unavailable
from rung.types import Answer, Case, Score, Summary, Verdict
from rung.workspace import workspace as w
from rung.workspace.bases import bases
from rung.workspace.choices import how_measured
from rung.workspace.privacy import remote
from rung.workspace.searching import mode
from rung.workspace.training import quiet
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from rung.measure.evaluate import Pairs

T = TypeVar("T")
CLIMB, CASES, LOSSES, AUDIT = "climb.json", "cases.jsonl", "losses.jsonl", "audit.json"  # files of a run folder


@dataclass(frozen=True)
class Measured:
    """A rung with its answers and scores, in order of case id; both empty where it could not run."""

    summary: Summary
    answers: tuple[Answer, ...] = ()
    scores: tuple[Score, ...] = ()
    losses: tuple[dict[str, float], ...] = ()


@dataclass(frozen=True)
class Climb:
    """A finished climb: the verdict, every rung, and the folder that holds all of it."""

    verdict: Verdict
    rungs: tuple[Measured, ...]
    cases: tuple[Case, ...]
    folder: Path
    facts: dict[str, str]  # what made it
    seconds: dict[str, float] = field(default_factory=dict)  # stage → seconds of this call
    skipped: tuple[tuple[str, str], ...] = ()  # documents that could not be read, and why
    models: dict[str, str] = field(default_factory=dict)  # short name ("" where there is one) → base model


@dataclass
class Stages:
    """Wall-clock seconds of each stage, as they pass."""

    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, stage: str, work: Callable[[], T]) -> T:
        """Do the work and add its time to the stage's."""
        started = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


def climb(
    ws: Workspace,
    progress: Progress = silent,
    rungs: Sequence[str] = (),
    workers: int | None = None,
    say: Callable[[str], None] = quiet,
    models: Sequence[str] = (),
) -> Climb:
    """Measure the rungs on the held-out cases and decide; with several base models, each rung with each of them.

    `models` are short names or models as rung.toml names them; the configuration's where there are none. Answers, adapters
    and the index are reused where what made them is unchanged. Raises RungError; an interrupted climb goes on where it
    stopped.
    """
    stages = Stages()
    check_rungs(rungs)
    cases, examples = w.cases(ws), w.examples(ws)
    w.task(ws, cases)
    based = bases(ws, models)
    opened = stages.timed("open", lambda: {name: base_of(own, workers) for name, own in based.items()})  # faults are said before indexing
    synced = stages.timed("index", lambda: w.sync_knowledge(ws, progress))
    shared = Parts(ws, cases, examples, synced[0] if synced else None, progress, workers, say=say)
    parts = {
        name: replace(shared, ws=own, models={"base": (opened[name], ())}, audits={}, notes={}, prompts={}) for name, own in based.items()
    }
    skipped = tuple((one.path, one.reason) for one in synced[1].skipped) if synced else ()
    facts = _facts(list(parts.values()), len(skipped))
    folder = ws.home / "runs" / _run_id(ws, facts, cases, examples)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = tuple(rungs) or ws.config.project.rungs or rungs_of(ws.config.project.task)
    rows = _rows(chosen, list(based))
    measured, asked = _look_by_look(parts, rows, folder, stages)
    verdict = stages.timed("decide", lambda: _decide(parts, measured, asked))
    facts |= how_measured(ws, shared.knowledge, examples, [m.summary for m in measured], asked) | _chosen_prompts(parts)
    named = {name: own.config.model.name for name, own in based.items()}
    done = Climb(asked.said(verdict), measured, asked.cases, _own(folder, chosen, rungs), facts, stages.seconds, skipped, named)
    _write(done, folder)
    return done


def _rows(rungs: Sequence[str], models: Sequence[str]) -> list[tuple[str, str]]:
    """(rung, model) in the order in which the lowest is looked for: the ladder's, and on each rung the models as named."""
    found = [(name, model) for name in LADDER if name in rungs for model in models]
    return [(name, "" if name in SPECIALISTS else model) for name, model in found if name not in SPECIALISTS or model == models[0]]


def _look_by_look(
    each: Mapping[str, Parts], rows: Sequence[tuple[str, str]], folder: Path, stages: Stages
) -> tuple[tuple[Measured, ...], Asked]:
    """Every rung on all cases; or, where the climb may stop early, on part after part until the choice is certain."""
    from rung.measure.bootstrap import clusters_of
    from rung.measure.looks import portions
    from rung.measure.verdict import clear

    parts = next(iter(each.values()))  # of specialists, which have no base model, too
    project = parts.ws.config.project
    clusters = clusters_of(parts.cases)
    shares = portions(parts.cases, clusters, project.seed) if project.stop_early else [parts.cases]
    for looks in range(1, len(shares) + 1):
        asked = Asked(shares, looks)
        measured = tuple(_measure(each.get(model, parts), name, folder, stages, asked, model) for name, model in rows)
        scores = {m.summary.name: m.scores for m in measured}
        if looks < len(shares) and clear([m.summary for m in measured], scores, clusters, w.limits(parts.ws), _away(each), project.seed):
            break
    return measured, asked


def _away(each: Mapping[str, Parts]) -> tuple[str, ...]:
    """The rows whose model may not be on this machine."""
    away = [model for model, parts in each.items() if remote(parts.ws.config.model.name)]
    return tuple(row(name, model) for name in LADDER if name not in SPECIALISTS for model in away)


def _chosen_prompts(each: Mapping[str, Parts]) -> dict[str, str]:
    return {f"choice of the prompt of {row(name, model)}": c.told for model, parts in each.items() for name, c in parts.prompts.items()}


def _measure(parts: Parts, name: str, folder: Path, stages: Stages, asked: Asked, model: str = "") -> Measured:
    from rung.measure.evaluate import SCORES
    from rung.measure.looks import weight
    from rung.measure.record import score_to_json, write_lines
    from rung.measure.repeats import averaged, spread
    from rung.measure.summary import not_run, summarise
    from rung.workspace.auditing import put_audit

    reason, own = stages.timed("open", lambda: unavailable(parts, name)), row(name, model)
    if reason:
        return Measured(not_run(own, reason))
    try:
        stages.timed("open" if LADDER[name].model == "base" else "train", lambda: model_of(parts, LADDER[name].model))
    except TuningError as error:  # the other rungs can still be measured
        return Measured(not_run(own, f"{error.message}; {error.hint}"))
    put_audit(parts.audits.get(LADDER[name].model), folder / own / AUDIT)
    ready = stages.timed("choose" if parts.ws.config.prompt.optimise else "open", lambda: approach(parts, name))
    if LADDER[name].source == "search":
        ready = replace(ready, source=Remembered(ready.source, parts.found))
    runs = stages.timed("answer", lambda: [_answered(parts, ready, own, folder, asked, run) for run in range(_repeats(parts, name))])
    pairs, project = averaged(runs), parts.ws.config.project
    level = 1 - 0.05 * weight(asked.known)  # with looks, what is left for this one, so that all intervals hold at once
    task, prices, note = w.task(parts.ws, parts.cases), w.prices(parts.ws), parts.notes.get(LADDER[name].model, "")
    summary = summarise(own, pairs, asked.cases, prices, task, note, seed=project.seed, level=level)
    if len(runs) > 1:
        write_lines(folder / own / SCORES, [score_to_json(score) for _, score in pairs])
        summary = replace(summary, spread=spread(runs))
    losses = model_of(parts, LADDER[name].model)[1]
    return Measured(summary, tuple(answer for answer, _ in pairs), tuple(score for _, score in pairs), losses)


def _repeats(parts: Parts, name: str) -> int:
    """How often a rung is asked: once where seeds change nothing. A server may ignore its temperature, so it is asked."""
    config = parts.ws.config
    greedy = name in SPECIALISTS or (config.model.temperature == 0 and not config.model.name.startswith("endpoint:"))
    return 1 if greedy else config.project.repeat


def _answered(parts: Parts, ready: Approach, own: str, folder: Path, asked: Asked, run: int) -> Pairs:
    """All that was asked so far, with the seed of this repetition."""
    from rung.measure.evaluate import evaluate, evaluation_key

    ready = replace(ready, settings=replace(ready.settings, seed=ready.settings.seed + run))
    return evaluate(
        own,
        lambda questions: answer_all(ready, questions),
        asked.cases,
        w.task(parts.ws, parts.cases),
        folder / own / f"repeat-{run}" if run else folder / own,
        evaluation_key(ready.id, parts.cases, "in parts" if len(asked.portions) > 1 else ""),
        lambda done, total: parts.progress(f"answer {own}" + (f" ({run + 1})" if run else ""), done, total),
        w.prices(parts.ws),
        portions=asked.portions,
    )


def _decide(each: Mapping[str, Parts], measured: Sequence[Measured], asked: Asked) -> Verdict:
    from rung.measure.bootstrap import clusters_of
    from rung.measure.verdict import decide

    if not any(m.summary.ran for m in measured):
        reasons = "; ".join(f"{m.summary.name}: {m.summary.note}" for m in measured)
        raise ModelError(f"no rung could be climbed ({reasons})", "add documents or examples, or name other rungs")
    scores = {m.summary.name: m.scores for m in measured if m.summary.ran}
    summaries, clusters, ws = [m.summary for m in measured], clusters_of(asked.cases), next(iter(each.values())).ws
    return decide(summaries, scores, clusters, w.limits(ws), _away(each), ws.config.project.seed, asked.known)


def _facts(each: Sequence[Parts], skipped: int) -> dict[str, str]:
    from importlib.metadata import version
    from platform import machine, python_version

    parts, ws = each[0], each[0].ws
    facts = {
        "project": ws.config.project.name,
        "model": "; ".join(f"{one.ws.config.model.name} ({model_of(one, 'base')[0].id})" for one in each),
        "documents": f"{len(parts.knowledge.documents()) if parts.knowledge else 0} read, {skipped} skipped",
        "knowledge": parts.knowledge.version if parts.knowledge else "none",
        "search": mode(ws, parts.knowledge) if parts.knowledge else "none",
        "cases": str(len(parts.cases)),
        "examples": str(len(parts.examples)),
        "seed": str(ws.config.project.seed),
        "rung": version("rung"),
    }
    live = [one.name for one in ws.config.knowledge.also if one.kind != "project"]
    facts |= {"live": f"{', '.join(live)}; no version, each answer records a hash of what came back"} if live else {}
    return facts | {"python": python_version(), "machine": f"{machine()}, {os.cpu_count()} cores"}


def _run_id(ws: Workspace, facts: dict[str, str], cases: Sequence[Case], examples: Sequence[Case]) -> str:
    apart: dict[str, Any] = {
        "limits": True,
        "prices": True,
        "models": True,
        "judge": True,
        "project": {"bar", "rungs", "margin", "repeat"},
        "tuning": {"general", "forgetting"},
    }
    config = ws.config.model_dump(mode="json", exclude=apart)  # what changes no answer, and models, which facts name by their weights
    made = {name: facts[name] for name in ("model", "knowledge", "search", "rung")}
    told = json.dumps([made, config, [repr(c) for c in cases], [repr(e) for e in examples]], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def as_json(done: Climb) -> dict[str, object]:
    """The climb as one JSON object: verdict, and each rung's score, interval, parts, cost and latency."""
    return {
        "verdict": asdict(done.verdict),
        "rungs": [asdict(m.summary) for m in done.rungs],
        "facts": done.facts,
        "seconds": {stage: round(seconds, 2) for stage, seconds in done.seconds.items()},
        "skipped": [{"document": path, "reason": reason} for path, reason in done.skipped],
        "models": done.models,
        "folder": str(done.folder),
    }


def _own(folder: Path, chosen: Sequence[str], named: Sequence[str]) -> Path:
    """Where the climb is told: a climb of rungs named for this once stands beside the whole one, in place of it nowhere."""
    return folder.with_name(f"{folder.name}-{'+'.join(name for name in LADDER if name in chosen)}") if named else folder


def _write(done: Climb, asked: Path) -> None:
    """All that `rung report` needs, of what was `asked` there; climb.json last, which makes it the last climb."""
    from rung.measure.record import write_lines, write_whole

    for m in done.rungs:
        if m.summary.ran and done.folder != asked:
            shutil.copytree(asked / m.summary.name, done.folder / m.summary.name, dirs_exist_ok=True)
        if m.losses:
            write_lines(done.folder / m.summary.name / LOSSES, m.losses)
    write_lines(done.folder / CASES, [asdict(case) for case in done.cases])
    write_whole(done.folder / CLIMB, json.dumps(as_json(done), indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))
