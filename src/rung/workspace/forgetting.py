"""Takes documents, or all that holds certain words, out of a project, and certifies what went. It refuses to leave a half.

What is to go is written down before the first thing goes, every step can be taken twice, and the same request goes on where
a kill ended it. Copies of the project that share a PostgreSQL are told before anything else, and do the same for themselves.
It doesn't reach backups, copies that share nothing, or what a disk keeps of files that were deleted.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rung.errors import DataError, KnowledgeError
from rung.models.folder import BLOCKED as STONE
from rung.tuning.adapters import block, finished
from rung.tuning.raft_sweep import PLACE
from rung.workspace import adapter_store, copies, jobs, labels
from rung.workspace import workspace as w
from rung.workspace.catalogue import catalogue, redact
from rung.workspace.certifying import BLOCKED, Certificate, certify, write
from rung.workspace.ignoring import ignore, ignored
from rung.workspace.retraining import retrained
from rung.workspace.store import open_store
from rung.workspace.to_forget import Plan, Request, held, journal, lies, plan, versions
from rung.workspace.traces import Sought, drop_rows, rows_of
from rung.workspace.trail import erase, names
from rung.workspace.workspace import Progress, Workspace, silent

__all__ = ["BLOCKED", "Certificate", "begin", "finish", "forget"]

Step = Callable[[Workspace, Request, Plan], None]
PATIENCE = 30.0  # seconds for which others' changes of the index are waited for


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
    whole = replace(whole, number=_published(ws, asked, whole))
    with alone(ws, "begin"):
        begin(ws, asked, whole, progress)
    with alone(ws, "finish"):
        made = finish(ws, asked, whole, progress)
    if asked.retrain:
        made = replace(made, retrained={**made.retrained, **retrained(ws, whole.adapters, made.specialists, made.retrained, progress)})
        write(Path(made.file), made)
    return made


def _published(ws: Workspace, asked: Request, whole: Plan) -> int:
    copies.enrol(ws)
    told = {name: getattr(whole, name) for name in ("documents", "hashes", "row_ids", "adapters", "probes")}
    flags = {name: getattr(asked, name) for name in ("id", "subject", "delete_source", "ignore")}
    return copies.publish(ws, copies.Wanted(at=time.time(), **told, **flags))


def begin(ws: Workspace, asked: Request, whole: Plan, progress: Progress = silent) -> None:
    """What must be done before anything more is answered: block what learned from it, take it out of the index and the rows."""
    write(journal(ws, asked), whole)
    _take(BEGIN, ws, asked, whole, progress)


def finish(ws: Workspace, asked: Request, whole: Plan, progress: Progress = silent) -> Certificate:
    """What takes longer: earlier states, runs, logs, half trainings; then look for all of it once more, and certify."""
    _take(FINISH, ws, asked, whole, progress)
    shutil.rmtree(ws.home / "uploads", ignore_errors=True)  # what waits there to be imported is nobody's yet, and may hold it
    if asked.subject:  # last, as a job that was killed before is taken up by its words
        jobs.redact(ws.home, Sought(frozenset(), asked.subject).said_in, f"forgotten (request {asked.id})")
    return certify(ws, asked, whole)


def _take(steps: tuple[Step, ...], ws: Workspace, asked: Request, whole: Plan, progress: Progress) -> None:
    for number, step in enumerate(steps, 1 if steps is BEGIN else 1 + len(BEGIN)):
        step(ws, asked, whole)
        progress("forget", number, len(BEGIN) + len(FINISH))


@contextmanager
def alone(ws: Workspace, what: str, seconds: float = -1) -> Iterator[bool]:
    """As the only process of this folder that does it, where other copies may ask for it too; False where that took too long."""
    if copies.shared(ws) is None:
        yield True
        return
    from filelock import FileLock, Timeout

    (ws.home / "forget").mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(ws.home / "forget" / f"{what}.lock").acquire(timeout=seconds)
    except Timeout:
        yield False
        return
    with lock:
        yield True


def _bar_return(ws: Workspace, asked: Request, whole: Plan) -> None:
    """Before anything goes: what was forgotten doesn't come back, not even from a sync that runs beside this."""
    ignore(ws.folder, whole.documents if asked.ignore and not asked.subject else (), {*whole.documents.values(), *whole.hashes})


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
        if (file := lies(ws, path)) and file.is_file() and file.stat().st_mtime < whole.before:
            file.unlink()


def _leave_index(ws: Workspace, asked: Request, whole: Plan) -> None:
    """Out of the present state, which is what is searched."""
    _patiently(lambda: _left_index(ws, whole))


def _left_index(ws: Workspace, whole: Plan) -> None:
    from rung.knowledge import knowledge as k
    from rung.types import Document

    knowledge = held(ws)
    documents = knowledge.state.documents if knowledge else {}
    stay = [Document(path, "", one.title, one.hash, one.meta) for path, one in documents.items() if not whole.takes(path, one.hash)]
    if knowledge and len(stay) < len(documents):
        k.sync(knowledge, stay, (), None, w.lists(ws))


def _patiently(work: Callable[[], None]) -> None:
    """Again where somebody else is changing the index, another copy that shares it for example."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except KnowledgeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _clean_index(ws: Workspace, asked: Request, whole: Plan) -> None:
    """Every earlier state is deleted, and so is what lies beside the index; indexes made under other settings are deleted whole."""
    from rung.knowledge import knowledge as k
    from rung.knowledge.brought import FILE, read_brought, write_brought
    from rung.knowledge.gather import read_seen, write_seen

    _leave_index(ws, asked, whole)
    knowledge = held(ws)
    if knowledge is None:
        return
    if whole.by_path or any(whole.takes(path, digest) for path, digest in versions(knowledge)):
        _patiently(lambda: k.purge(knowledge))
    note = ws.home / "knowledge" / "seen.json"
    seen = {
        made: replace(one, stamps={p: s for p, s in one.stamps.items() if p not in whole.documents})
        for made, one in read_seen(note).items()
    }
    if seen:
        write_seen(note, seen)
    if (knowledge.folder / FILE).exists():
        here = read_brought(knowledge.folder, lambda path: True).documents
        write_brought(knowledge.folder, {path: digest for path, digest in here.items() if path not in whole.documents})
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
    """Out of the audit log go the texts of questions and answers that named it or were answered from its passages; out of votes, too."""
    store = open_store(ws)
    erase(store, lambda entry: names(entry, sought), labels.who(), {"request": asked.id})
    for id, question in store.read("SELECT id, question FROM votes") if asked.subject else ():
        if sought.said_in(question):
            store.write(lambda run, id=id: run("UPDATE votes SET question = '' WHERE id = ?", (id,)))  # type: ignore[misc]
    store.shrink("trail", "votes")
    store.close()


def _clean_models(ws: Workspace, asked: Request, whole: Plan) -> None:
    """Trainings that were not finished hold gradients of nobody knows which rows; audits show a row in its words."""
    if whole.documents or whole.row_ids:
        for kind in ("adapters", "specialists", "embedders"):
            for path in (*ws.home.glob(f"{kind}/*.partial"), *ws.home.glob(f"{kind}/*.tmp")):
                shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(ws.home / "adapters" / PLACE, ignore_errors=True)  # a sweep that was stopped holds finished cells, too
        for path in (*ws.home.glob("*/*.audit.json"), *ws.home.glob("runs/*/*/audit.json")):
            path.unlink(missing_ok=True)


BEGIN: tuple[Step, ...] = (_bar_return, _block, _delete_sources, _leave_index, _clean_rows)
FINISH: tuple[Step, ...] = (_clean_index, _clean_records, _clean_models)
