"""The whole story: sync, train, answer, score, decide. It names no back end and never lets a held-out case near training."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rung.approach.approach import Approach, answer_all
from rung.approach.ladder import LADDER, SPECIALISTS, check_rungs, rungs_of
from rung.approach.policy import Policy
from rung.approach.prompt import BARE
from rung.approach.source import Everything, Nearest, Nothing, Source, nearest
from rung.errors import ModelError, TuningError
from rung.models import reads_only
from rung.types import Answer, Case, ChatModel, Score, Summary, Verdict
from rung.workspace import workspace as w
from rung.workspace.privacy import remote
from rung.workspace.searching import mode, source
from rung.workspace.training import audited, quiet, train_adapter
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge
    from rung.report.html import Report

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


@dataclass
class Parts:
    """What approaches are built from; models and sources are made when a rung first asks."""

    ws: Workspace
    cases: list[Case]
    examples: list[Case]
    knowledge: Knowledge | None
    progress: Progress
    workers: int | None
    models: dict[str, tuple[ChatModel, tuple[dict[str, float], ...]]] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    say: Callable[[str], None] = quiet
    audits: dict[str, Path] = field(default_factory=dict)  # of the rows behind each tuned model


def climb(
    ws: Workspace, progress: Progress = silent, rungs: Sequence[str] = (), workers: int | None = None, say: Callable[[str], None] = quiet
) -> Climb:
    """Measure the rungs on the held-out cases and decide.

    Answers, adapters and the index are reused where what made them is unchanged. Raises RungError; an interrupted
    climb goes on where it stopped.
    """
    stages = Stages()
    check_rungs(rungs)
    cases, examples = w.cases(ws), w.examples(ws)
    w.task(ws, cases)
    model = stages.timed("open", lambda: w.base_model(ws, named_adapter(ws), workers))  # what is wrong is said before hours of indexing
    synced = stages.timed("index", lambda: w.sync_knowledge(ws, progress))
    parts = Parts(ws, cases, examples, synced[0] if synced else None, progress, workers, {"base": (model, ())}, say=say)
    skipped = tuple((one.path, one.reason) for one in synced[1].skipped) if synced else ()
    facts = _facts(parts, len(skipped))
    folder = ws.home / "runs" / _run_id(ws, facts, cases, examples)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = tuple(rungs) or ws.config.project.rungs or rungs_of(ws.config.project.task)
    measured = tuple(_measure(parts, name, folder, stages) for name in LADDER if name in chosen)
    verdict = stages.timed("decide", lambda: _decide(ws, measured, cases))
    done = Climb(verdict, measured, tuple(cases), folder, facts, stages.seconds, skipped)
    _write(done)
    return done


def approach(parts: Parts, name: str, *, measured: bool = True) -> Approach:
    """The named rung, ready to answer. Trains its adapter where there is none yet."""
    rung = LADDER[name]
    policy = w.policy(parts.ws, measured=measured) if rung.source in ("everything", "search") else Policy()
    settings = w.settings(parts.ws)
    if name in SPECIALISTS:
        return Approach(name, _model(parts, rung.model)[0], _source(parts, rung.source), BARE, settings, policy)
    style, rewrite = w.style(parts.ws), parts.ws.config.prompt.rewrite
    judge = w.entailment(parts.ws) if policy.unsupported != "keep" else None
    return Approach(name, _model(parts, rung.model)[0], _source(parts, rung.source), style, settings, policy, judge, rewrite)


def _model(parts: Parts, name: str) -> tuple[ChatModel, tuple[dict[str, float], ...]]:
    if name not in parts.models:
        if name == "base":
            parts.models[name] = w.base_model(parts.ws, named_adapter(parts.ws), parts.workers), ()
        elif name in SPECIALISTS:
            from rung.workspace.specialists import specialist

            parts.models[name] = specialist(parts.ws, name, parts.examples, parts.knowledge, parts.progress)
        else:
            raft = name == "raft"
            adapter, losses = train_adapter(
                parts.ws, parts.examples, parts.knowledge, parts.progress, parts.workers, raft=raft, say=parts.say
            )
            parts.audits[name] = audited(adapter)
            parts.models[name] = w.base_model(parts.ws, adapter, parts.workers), losses
    return parts.models[name]


def named_adapter(ws: Workspace) -> Path | None:
    """The adapter that the configuration names, by a label or its hash. RungError where it can't be served."""
    if not ws.config.model.adapter:
        return None
    from rung.workspace.labels import servable

    return servable(ws, ws.config.model.adapter)


def _source(parts: Parts, name: str) -> Source:
    if name not in parts.sources:
        parts.sources[name] = _open_source(parts, name)
    return parts.sources[name]


def _open_source(parts: Parts, name: str) -> Source:
    if name == "nothing":
        return Nothing()
    if name == "nearest":
        return _nearest(parts)
    assert parts.knowledge is not None, "unavailable() is asked first"
    return Everything(parts.knowledge) if name == "everything" else source(parts.ws, parts.knowledge)


def _nearest(parts: Parts) -> Nearest:
    embedder = parts.knowledge.embedder if parts.knowledge else w.embedder(parts.ws)
    return nearest(w.told(parts.ws, parts.knowledge, parts.examples), embedder, parts.ws.config.prompt.shots)


def unavailable(parts: Parts, name: str) -> str:
    """Why a rung can't be climbed here; "" where it can."""
    rung, config = LADDER[name], parts.ws.config
    if name in SPECIALISTS:
        does, task = ("fills fields" if name == "extractor" else "names labels"), SPECIALISTS[name]
        reason = "" if parts.examples else "the project has no solved examples"
        return reason if config.project.task == task else f"it {does}, and the project's task is not {task}"
    if rung.source in ("everything", "search") and parts.knowledge is None:
        return "the project has no documents"
    if (rung.source == "nearest" or rung.trained_on) and not parts.examples:
        return "the project has no solved examples"
    if rung.trained_on and config.model.name.startswith("endpoint:") and not config.tuning.remote:
        return "a model behind an endpoint is tuned by its server: set remote under [tuning]"
    if reads_only(config.model.name) and (rung.trained_on or rung.source not in ("everything", "search")):
        return f"{config.model.name} quotes from passages and learns nothing, and this rung is about " + (
            "learning" if rung.trained_on else "answering without passages"
        )
    if rung.trained_on and config.model.name.startswith("extractor:"):
        return "an extractor was tuned already"
    if config.limits.private and remote(config.model.name):
        return "the project is private and the model may not be on this machine"
    if rung.source == "everything":
        return _too_long(parts)
    return ""


def _too_long(parts: Parts) -> str:
    from rung.approach.prompt import render

    model, source = _model(parts, "base")[0], _source(parts, "everything")
    longest = max(parts.cases, key=lambda case: len(case.question)).question
    needed = model.count(render(w.style(parts.ws), longest, source.find(longest).hits)) + parts.ws.config.model.max_tokens
    return f"the documents need {needed:,} tokens and the model's window is {model.window:,}" if needed > model.window else ""


def _measure(parts: Parts, name: str, folder: Path, stages: Stages) -> Measured:
    from rung.measure.evaluate import evaluate, evaluation_key
    from rung.measure.summary import not_run, summarise
    from rung.workspace.auditing import put_audit

    reason = stages.timed("open", lambda: unavailable(parts, name))
    if reason:
        return Measured(not_run(name, reason))
    try:
        stages.timed("open" if LADDER[name].model == "base" else "train", lambda: _model(parts, LADDER[name].model))
    except TuningError as error:  # the other rungs can still be measured
        return Measured(not_run(name, f"{error.message}; {error.hint}"))
    put_audit(parts.audits.get(LADDER[name].model), folder / name / AUDIT)
    ready, task, prices = approach(parts, name), w.task(parts.ws, parts.cases), w.prices(parts.ws)
    pairs = stages.timed(
        "answer",
        lambda: evaluate(
            name,
            lambda questions: answer_all(ready, questions),
            parts.cases,
            task,
            folder / name,
            evaluation_key(ready.id, parts.cases),
            lambda done, total: parts.progress(f"answer {name}", done, total),
            prices,
        ),
    )
    summary = summarise(name, pairs, parts.cases, prices, task, seed=parts.ws.config.project.seed)
    losses = _model(parts, LADDER[name].model)[1]
    return Measured(summary, tuple(answer for answer, _ in pairs), tuple(score for _, score in pairs), losses)


def _decide(ws: Workspace, measured: Sequence[Measured], cases: Sequence[Case]) -> Verdict:
    from rung.measure.bootstrap import clusters_of
    from rung.measure.verdict import decide

    if not any(m.summary.ran for m in measured):
        reasons = "; ".join(f"{m.summary.name}: {m.summary.note}" for m in measured)
        raise ModelError(f"no rung could be climbed ({reasons})", "add documents or examples, or name other rungs")
    scores = {m.summary.name: m.scores for m in measured if m.summary.ran}
    away = tuple(name for name in LADDER if name not in SPECIALISTS) if remote(ws.config.model.name) else ()
    return decide([m.summary for m in measured], scores, clusters_of(cases), w.limits(ws), away, ws.config.project.seed)


def _facts(parts: Parts, skipped: int) -> dict[str, str]:
    from importlib.metadata import version
    from platform import machine, python_version

    ws = parts.ws
    facts = {
        "project": ws.config.project.name,
        "model": f"{ws.config.model.name} ({_model(parts, 'base')[0].id})",
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
    config = ws.config.model_dump(
        mode="json",
        exclude={"limits": True, "prices": True, "judge": True, "project": {"bar", "rungs"}, "tuning": {"general", "forgetting"}},
    )
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
        "folder": str(done.folder),
    }


def _write(done: Climb) -> None:
    """All that `rung report` needs; climb.json last, which makes it the last climb."""
    from rung.measure.record import write_lines, write_whole

    for m in done.rungs:
        if m.losses:
            write_lines(done.folder / m.summary.name / LOSSES, m.losses)
    write_lines(done.folder / CASES, [asdict(case) for case in done.cases])
    write_whole(done.folder / CLIMB, json.dumps(as_json(done), indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def as_report(done: Climb) -> Report:
    """The climb as the report wing takes it."""
    from rung.measure.agree import read_judged
    from rung.report.html import Report, RungReport
    from rung.report.judged import line

    rungs = [RungReport(m.summary, m.answers, m.scores, m.losses) for m in done.rungs]
    made = time.strftime("%d %B %Y", time.localtime((done.folder / CLIMB).stat().st_mtime))
    judged = tuple(map(line, read_judged(done.folder)))
    return Report(done.facts["project"], made, done.verdict, rungs, done.cases, done.facts, judged)


def report(done: Climb) -> Path:
    """Write the climb's HTML report and return its path."""
    from rung.report.html import write_html

    path = done.folder / "report.html"
    write_html(as_report(done), path)
    return path


def open_rung(ws: Workspace, name: str, progress: Progress = silent) -> Approach:
    """A rung ready to be asked. ConfigError for an unknown name, ModelError where it can't run here."""
    check_rungs([name])
    cases, examples, adapter = w.cases(ws), w.examples(ws), named_adapter(ws)
    model = w.base_model(ws, adapter)
    synced = w.sync_knowledge(ws, progress)
    ready = ("base", "tuned", "raft") if adapter else ("base",)  # an adapter that was named answers on the trained rungs too
    parts = Parts(ws, cases, examples, synced[0] if synced else None, progress, None, dict.fromkeys(ready, (model, ())))
    reason = unavailable(parts, name)
    if reason:
        able = [rung for rung in LADDER if not unavailable(parts, rung)]
        raise ModelError(f"{name} can't run here: {reason}", f"choose another rung with --rung: {', '.join(able)}")
    return approach(parts, name, measured=False)
