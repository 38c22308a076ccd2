"""Makes cases and examples out of a project's documents, for users who have none; each document stands on one side for good.

A passage's reply is recorded as it comes, so an interrupted run asks nothing twice. It refuses to go on with a model that
can't do it: after so many passages without one usable question it stops and says why.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from rung.errors import ConfigError, KnowledgeError, ModelError
from rung.types import Case, ChatModel, Passage, Reply, Settings
from rung.workspace import workspace as w
from rung.workspace.holding_out import Side
from rung.workspace.importing import append, held, target_of
from rung.workspace.privacy import remote
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge
    from rung.tuning.audit.same import Near
    from rung.tuning.questions import Rejected

BLOCK = 16  # passages asked at a time
TRIAL = 24  # passages after which a model that wrote nothing usable is given up
SETTINGS = Settings(max_tokens=320)
SIDES: tuple[Side, Side] = ("cases", "examples")


@dataclass(frozen=True)
class Made:
    """What was made for each side, what was there from earlier runs, and why the rest was not kept."""

    cases: int
    examples: int
    before: int
    asked: int
    rejected: Mapping[str, int]
    documents: Mapping[str, int]  # how many stand on each side
    both: tuple[str, ...]  # left out: they stand on both sides already
    preview: tuple[Case, ...]


@dataclass
class Run:
    """What a run knows as it goes."""

    ws: Workspace
    writer: Writer
    seen: Near
    progress: Progress
    rejected: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    kept: int = 0


@dataclass(frozen=True)
class Writer:
    """Who makes the questions: a model with its record, or nobody, and gaps are cut."""

    model: ChatModel | None
    name: str
    record: Path


def synthesize(ws: Workspace, number: int, share: float = 0.3, *, model: str = "", cut: bool = False, progress: Progress = silent) -> Made:
    """Bring the project to `number` made questions, `share` of them cases, and append the new ones. The same call again adds nothing.

    Only what everyone may read is asked about. ModelError where the model writes nothing usable; ConfigError for a project
    whose answers have a form of their own.
    """
    from rung.tuning.audit.same import Near, shape

    _check(ws)
    for side in SIDES:
        target_of(ws, side)
    there = {side: held(ws, side) for side in SIDES}
    run = Run(ws, _writer(ws, model, cut), Near(), progress)
    run.seen.add([shape(case.question) for side in SIDES for case in there[side]])
    synced = w.sync_knowledge(ws, progress)
    if synced is None:
        raise ConfigError("the project has no documents to make questions from", "set folder under [knowledge] in rung.toml")
    public = w.shown(ws, synced[0], "")
    sides, roots, both = _sides(public, there, share, ws.config.project.seed)
    wanted = {"cases": round(number * share), "examples": number - round(number * share)}
    made: dict[Side, list[Case]] = {}
    for side in SIDES:
        before = sum("synthetic" in case.tags for case in there[side])
        known = {case.id for case in there[side]}
        passages = [one for one in _ordered(public, ws.config.project.seed) if sides.get(one.document) == side and _id(one) not in known]
        made[side] = list(_kept(run, passages, roots, max(0, wanted[side] - before), side))
    for side in SIDES:
        if made[side]:
            append(target_of(ws, side), made[side])
    before = sum("synthetic" in case.tags for side in SIDES for case in there[side])
    preview = (*made["cases"][:2], *made["examples"][:2])
    documents = dict(Counter[str](sides.values()))
    return Made(len(made["cases"]), len(made["examples"]), before, run.asked, dict(run.rejected), documents, both, preview)


def _check(ws: Workspace) -> None:
    project = ws.config.project
    if project.task != "answer":
        raise ConfigError(f"questions are made for projects of task 'answer'; this one's is '{project.task}'", "write or import rows")
    if project.form:
        raise ConfigError("the project asks for answers of a certain form, which made answers don't have", "take form out, or write rows")


def _writer(ws: Workspace, model: str, cut: bool) -> Writer:
    from rung.tuning.questions import VERSION

    folder = ws.home / "synthetic"
    if cut:
        return Writer(None, "", folder)
    name = model or ws.config.model.name
    if ws.config.limits.private and remote(name):
        raise ConfigError(f"the project is private, and '{name}' would be sent its documents", "name a model on this machine, or use --cut")
    config = ws.config.model_copy(update={"model": ws.config.model.model_copy(update={"name": name})})
    opened = w.base_model(replace(ws, config=config))
    told = json.dumps([opened.id, VERSION, repr(SETTINGS), ws.config.project.seed])
    return Writer(opened, name, folder / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.jsonl")


def _sides(
    knowledge: Knowledge, there: Mapping[Side, Sequence[Case]], share: float, seed: int
) -> tuple[dict[str, Side], dict[str, str], tuple[str, ...]]:
    """Each document's side, the first of its copies, and documents that are on both sides already and stay out.

    A document that cases or examples name stays where it is; the others are drawn by lot, `share` of all to the cases.
    """
    first: dict[str, str] = {}
    roots = {path: first.setdefault(hashed, path) for path, hashed in sorted(knowledge.documents().items())}
    named = {side: {roots.get(e.document, "") for case in there[side] for e in case.evidence} for side in SIDES}
    both = named["cases"] & named["examples"] - {""}
    every = sorted(set(roots.values()), key=lambda root: Random(f"{seed}/side/{root}").random())
    if len(every) < 2:
        raise KnowledgeError("questions from one document can't be split in two sides", "add documents, or write the rows by hand")
    of: dict[str, Side] = {root: side for side in SIDES for root in named[side] if root and root not in both}
    room = min(max(round(share * len(every)), 1), len(every) - 1) - sum(side == "cases" for side in of.values())
    for root in every:
        if root not in of and root not in both:
            of[root] = "cases" if room > 0 else "examples"
            room -= of[root] == "cases"
    return {path: of[root] for path, root in roots.items() if root in of and root == path}, roots, tuple(sorted(both))


def _ordered(knowledge: Knowledge, seed: int) -> list[Passage]:
    """The passages worth a question, by lot, each document's first before any document's second."""
    from rung.tuning.questions import SHORTEST

    lots = {one.id: Random(f"{seed}/{one.id}").random() for one in knowledge.passages() if len(one.text.split()) >= SHORTEST}
    turns: Counter[str] = Counter()
    placed = []
    for one in sorted((one for one in knowledge.passages() if one.id in lots), key=lambda one: lots[one.id]):
        placed.append((turns[one.document], lots[one.id], one))
        turns[one.document] += 1
    return [one for _, _, one in sorted(placed, key=lambda row: row[:2])]


def _kept(run: Run, passages: Sequence[Passage], roots: Mapping[str, str], wanted: int, side: Side) -> Iterator[Case]:
    """The questions that are kept, until there are enough or no passage is left."""
    from rung.tuning.audit.same import shape
    from rung.tuning.questions import Rejected

    kept = 0
    for at in range(0, len(passages), BLOCK):
        if kept >= wanted:
            return
        for found in _written(run, passages[at : at + BLOCK], roots):
            if kept >= wanted:
                return
            run.asked += 1
            if isinstance(found, Rejected):
                run.rejected[found.reason] += 1
            elif run.seen.of(shape(found.question)):
                run.rejected["it nearly repeats another question"] += 1
            else:
                run.seen.add([shape(found.question)])
                kept, run.kept = kept + 1, run.kept + 1
                run.progress(f"questions for {side}", kept, wanted)
                yield found
        if run.writer.model and run.asked >= TRIAL and not run.kept:
            raise _incapable(run)


def _incapable(run: Run) -> ModelError:
    reason, times = run.rejected.most_common(1)[0]
    said = f"{run.writer.name} wrote no usable question about {run.asked} passages ({times} times: {reason})"
    return ModelError(said, "name a more capable model with --model, or make gaps in sentences with --cut")


def _written(run: Run, passages: Sequence[Passage], roots: Mapping[str, str]) -> Iterator[Case | Rejected]:
    """A case or why there is none for each passage; replies that are on record are not asked for again."""
    from rung.tuning.questions import Rejected, cut_out, judged
    from rung.workspace.choose import parted

    if run.writer.model is None:
        for one in passages:
            sentence = parted(one)
            yield cut_out(one, sentence[0], roots[one.document]) if sentence else Rejected("it has no sentence to cut a gap into")
        return
    replies = _replies(run.writer, run.writer.model, passages)
    for one in passages:
        yield judged(replies[one.id], one, roots[one.document], run.writer.name)


def _replies(writer: Writer, model: ChatModel, passages: Sequence[Passage]) -> dict[str, str]:
    """What the model said about each passage, by its id; recorded as it comes."""
    from rung.measure.record import lines_of, refuse_write, to_line
    from rung.tuning.questions import asking

    known = {row["passage"]: row["reply"] for row in lines_of(writer.record)}
    missing = [one for one in passages if one.id not in known]
    try:
        writer.record.parent.mkdir(parents=True, exist_ok=True)
        with writer.record.open("ab") as file:
            if file.tell() and not writer.record.read_bytes().endswith(b"\n"):
                file.write(b"\n")  # a kill tore the last line, which is asked for again
            for number, item in model.stream([asking(one) for one in missing], SETTINGS) if missing else ():
                if isinstance(item, Reply):
                    known[missing[number].id] = item.text
                    file.write(to_line({"passage": missing[number].id, "reply": item.text}))
                    file.flush()
                    os.fsync(file.fileno())
    except OSError as fault:
        refuse_write(writer.record, fault)
    return known


def _id(passage: Passage) -> str:
    from rung.tuning.questions import made_id

    return made_id(passage)
