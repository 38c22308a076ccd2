"""Takes documents, or all that holds certain words, out of a project, and certifies what went. It refuses to leave a half.

What is to go is written down before the first thing goes, every step can be taken twice, and the same request goes on where
a kill ended it. It reaches what this project holds on this machine: not backups, other copies, or what a disk keeps of files
that were deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import DataError
from rung.models.folder import BLOCKED as STONE
from rung.tuning.adapters import block, finished
from rung.tuning.raft_sweep import PLACE
from rung.workspace import adapter_store, jobs, labels
from rung.workspace import workspace as w
from rung.workspace.catalogue import catalogue, redact
from rung.workspace.ignoring import ignore, ignored
from rung.workspace.retraining import retrained
from rung.workspace.store import open_store
from rung.workspace.to_forget import Plan, Request, certificate, held, journal, lies, logs, plan, specialists, states
from rung.workspace.traces import Rows, Sought, drop_rows, folded, mentions, raw_mentions, rows_of, rows_with
from rung.workspace.trail import entries, erase, names
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge

APART = frozenset({"forget"})  # where plans and certificates lie
BLOCKED = ".blocked"  # an export's folder gets this ending


@dataclass(frozen=True)
class Certificate:
    """What went, and what was looked for afterwards; `passed` says that none of it was found."""

    id: str
    at: float
    documents: dict[str, str]
    subject: str  # its hash; "" where none was named
    rows: tuple[Rows, ...]
    runs: tuple[str, ...]
    logs: tuple[str, ...]
    blocked: tuple[str, ...]
    exports: tuple[str, ...]
    specialists: dict[str, str]  # folder below .rung → its kind; emptied
    retrained: dict[str, str]  # what learned from it → its successor
    checked: dict[str, int]  # what was looked for → how often it was found
    passed: bool
    file: str = ""

    def lines(self) -> list[str]:
        """For people."""
        rows = sum(len(one.rows) for one in self.rows)
        found = [f"gone: {len(self.documents)} documents, {rows} rows, {len(self.runs)} runs, {len(self.logs)} logs"]
        again = {name: f", trained again as {successor}" for name, successor in self.retrained.items()}
        found += [f"  blocked: adapter {name}{again.get(name, '')}" for name in self.blocked]
        found += [f"  emptied and blocked: {kind} {name}{again.get(name, '')}" for name, kind in self.specialists.items()]
        found += [f"  put aside: export {name}{BLOCKED}; copies made elsewhere are yours to delete" for name in self.exports]
        return [*found, *(f"  checked: {what}: {count} found" for what, count in self.checked.items())]


def forget(ws: Workspace, asked: Request, progress: Progress = silent) -> Certificate:
    """Do it all and certify it. DataError, with nothing changed, where a document would come back with the next sync."""
    whole = plan(ws, asked)
    gone = ignored(ws.folder)
    open_ = [path for path in whole.sources if path not in gone.paths and whole.documents[path] not in gone.hashes]
    if open_ and not (asked.delete_source or asked.ignore):
        raise DataError(
            f"{open_[0]} still lies where it came from ({len(open_)} in all), so the next sync would bring it back",
            "add --delete-source to delete the files, or --ignore to leave them and never read them again",
        )
    _write(journal(ws, asked), whole)
    steps = [_bar_return, _block, _delete_sources, _clean_index, _clean_rows, _clean_records, _clean_models]
    for number, step in enumerate(steps, 1):
        step(ws, asked, whole)
        progress("forget", number, len(steps))
    shutil.rmtree(ws.home / "uploads", ignore_errors=True)  # what waits there to be imported is nobody's yet, and may hold it
    if asked.subject:  # last, as a job that was killed before is taken up by its words
        jobs.redact(ws.home, Sought(frozenset(), asked.subject).said_in, f"forgotten (request {asked.id})")
    made = _certify(ws, asked, whole)
    if asked.retrain:
        made = replace(made, retrained={**made.retrained, **retrained(ws, whole.adapters, made.specialists, made.retrained, progress)})
        _write(Path(made.file), made)
    return made


def _bar_return(ws: Workspace, asked: Request, whole: Plan) -> None:
    """Before anything goes: what was forgotten doesn't come back, not even from a sync that runs beside this."""
    ignore(ws.folder, whole.documents if asked.ignore and not asked.subject else (), whole.documents.values())


def _block(ws: Workspace, asked: Request, whole: Plan) -> None:
    """Adapters stay as they are, to be looked at; specialists hold vectors and words of their rows, and are emptied."""
    why = f"it learned from what was forgotten (request {asked.id})"
    for folder in finished(labels.adapters_home(ws)):
        if folder.name in whole.adapters and not labels.blocked(folder):
            block(folder, why)
            adapter_store.put(ws, folder)
    for name in whole.specialists:
        block(ws.home / name, why)
        _empty(ws.home / name)
    for name in whole.exports:
        if Path(name).exists():
            os.replace(name, f"{name}{BLOCKED}")


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != STONE:
            path.unlink()


def _delete_sources(ws: Workspace, asked: Request, whole: Plan) -> None:
    for path in whole.sources if asked.delete_source else ():
        if (file := lies(ws, path)) and file.is_file():
            file.unlink()


def _clean_index(ws: Workspace, asked: Request, whole: Plan) -> None:
    """Out of the present state, then every earlier one deleted; indexes made under other settings are deleted whole."""
    from rung.knowledge import knowledge as k
    from rung.knowledge.gather import read_seen, write_seen
    from rung.types import Document

    knowledge = held(ws)
    if knowledge is None:
        return
    documents = knowledge.state.documents
    if documents.keys() & whole.documents.keys():
        stay = [Document(path, "", one.title, one.hash, one.meta) for path, one in documents.items() if path not in whole.documents]
        k.sync(knowledge, stay, (), None, w.lists(ws))
    k.purge(knowledge)
    note = ws.home / "knowledge" / "seen.json"
    seen = {
        made: replace(one, stamps={p: s for p, s in one.stamps.items() if p not in whole.documents})
        for made, one in read_seen(note).items()
    }
    if seen:
        write_seen(note, seen)
    for path in (ws.home / "knowledge").iterdir():
        if path.is_dir() and path != knowledge.folder:
            shutil.rmtree(path)
    knowledge.choice.unlink(missing_ok=True)  # it may show questions that were made of passages
    (knowledge.folder / "embedded.part").unlink(missing_ok=True)


def _clean_rows(ws: Workspace, asked: Request, whole: Plan) -> None:
    for path in rows_of(ws):
        drop_rows(path, Sought(frozenset(whole.documents), asked.subject))


def _clean_records(ws: Workspace, asked: Request, whole: Plan) -> None:
    """Runs go whole, since a verdict without its cases is none; of other records the lines go."""
    sought = Sought(frozenset(whole.documents), asked.subject)
    for name in whole.runs:
        shutil.rmtree(ws.home / "runs" / name, ignore_errors=True)
    for name in whole.logs:
        path = ws.home / name
        if path.suffix == ".jsonl" and path.exists():
            drop_rows(path, sought)
        else:
            path.unlink(missing_ok=True)
    shutil.rmtree(ws.home / "freshness", ignore_errors=True)  # a replay of the documents' past, made anew when it is asked for
    for at in (ws.home, catalogue(ws)) if asked.subject else ():  # where it is, and where it was before replicas shared it
        redact(at, sought.said_in, f"forgotten (request {asked.id})")
    _clean_trail(ws, asked, sought)


def _clean_trail(ws: Workspace, asked: Request, sought: Sought) -> None:
    """Out of the audit log go the texts of questions and answers that named it or were answered from its passages."""
    store = open_store(ws)
    erase(store, lambda entry: names(entry, sought), labels.who(), {"request": asked.id})
    store.shrink()
    store.close()


def _in_trail(ws: Workspace, sought: Sought) -> int:
    with closing(open_store(ws)) as store:
        return sum(names(one, sought) for one in entries(store))


def _clean_models(ws: Workspace, asked: Request, whole: Plan) -> None:
    """Trainings that were not finished hold gradients of nobody knows which rows; audits show a row in its words."""
    if whole.documents or whole.row_ids:
        for kind in ("adapters", "specialists", "embedders"):
            for path in (*ws.home.glob(f"{kind}/*.partial"), *ws.home.glob(f"{kind}/*.tmp")):
                shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(ws.home / "adapters" / PLACE, ignore_errors=True)  # a sweep that was stopped holds finished cells, too
        for path in (*ws.home.glob("*/*.audit.json"), *ws.home.glob("runs/*/*/audit.json")):
            path.unlink(missing_ok=True)


def _certify(ws: Workspace, asked: Request, whole: Plan) -> Certificate:
    """Look for everything once more, write down what was found, and delete the plan, which holds words."""
    sought, file = Sought(frozenset(whole.documents), asked.subject), certificate(ws, asked)
    knowledge = held(ws)
    still = [path for path, _, text in states(knowledge) if path in whole.documents or sought.said_in(text)]
    checked = {
        "documents in the index, of any state": len(still),
        "passages found by searching for their words": _searched(
            knowledge, (*whole.probes, *([asked.subject] if asked.subject else [])), whole
        ),
        "files of the project's own records that hold their words": len(raw_mentions(ws.home, whole.probes, sought, APART)),
        "rows of cases and examples": sum(len(rows_with(path, sought).rows) for path in rows_of(ws)),
        "questions and answers in the audit log": _in_trail(ws, sought),
        "runs and logs": sum(mentions(one, sought) for one in [*logs(ws), *(p for p in ws.home.glob("runs/**/*") if p.is_file())]),
        "adapters that learned from it and are not blocked": sum(
            not labels.blocked(folder) for folder in finished(labels.adapters_home(ws)) if folder.name in whole.adapters
        ),
        "specialists that learned from it and hold anything": len(specialists(ws, whole.documents, whole.row_ids)),
    }
    subject = hashlib.sha256(folded(asked.subject).encode()).hexdigest() if asked.subject else ""
    made = Certificate(
        asked.id, time.time(), {_plain(path, sought): digest for path, digest in whole.documents.items()}, subject, whole.rows, whole.runs,
        whole.logs, whole.adapters, whole.exports, whole.specialists, {}, checked, not any(checked.values()), str(file),
    )  # fmt: skip
    made = _with_earlier(made, file)
    _write(file, made)
    journal(ws, asked).unlink(missing_ok=True)
    if not made.passed:
        where = ", ".join(f"{what}: {count}" for what, count in checked.items() if count)
        raise DataError(f"not everything is gone ({where}); the certificate in {file} says so", "run the same command again, or look there")
    return made


def _with_earlier(made: Certificate, file: Path) -> Certificate:
    """What an earlier run of the same request certified stays told."""
    if not file.exists():
        return made
    earlier: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    rows = tuple(Rows(one["file"], tuple((number, digest) for number, digest in one["rows"])) for one in earlier["rows"])
    names = ("runs", "logs", "blocked", "exports")
    both: dict[str, Any] = {name: tuple(dict.fromkeys((*earlier[name], *getattr(made, name)))) for name in names}
    documents = {**made.documents, **{path: digest for path, digest in earlier["documents"].items() if digest}}
    emptied = {**earlier["specialists"], **made.specialists}
    return replace(made, rows=(*rows, *made.rows), documents=documents, specialists=emptied, retrained=earlier["retrained"], **both)


def _searched(knowledge: Knowledge | None, probes: Sequence[str], whole: Plan) -> int:
    from rung.knowledge.knowledge import search

    if knowledge is None:
        return 0
    hits = {hit.passage.id for probe in probes[:20] for hit in search(knowledge, probe, 10) if hit.passage.document in whole.documents}
    return len(hits)


def _plain(path: str, sought: Sought) -> str:
    """A document's path, or its hash where the path itself holds the words."""
    return hashlib.sha256(path.encode()).hexdigest() if sought.said_in(path) else path


def _write(path: Path, value: Plan | Certificate) -> None:
    from rung.measure.record import write_whole

    write_whole(path, json.dumps(asdict(value), indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))
