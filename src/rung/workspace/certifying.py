"""What a copy of the project certifies when something was forgotten: it looks for everything once more, and says what it found.

It holds hashes, paths and names, no word of what went; a path that holds the words is told by its hash.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import DataError
from rung.tuning.adapters import finished
from rung.workspace import copies, labels
from rung.workspace.copies import Copy, Wanted
from rung.workspace.store import open_store
from rung.workspace.to_forget import Plan, Request, certificate, held, journal, logs, specialists, states
from rung.workspace.traces import Rows, Sought, folded, mentions, raw_mentions, rows_of, rows_with
from rung.workspace.trail import entries, names
from rung.workspace.workspace import Workspace

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
    number: int = 0  # of the request among those that copies share
    copies: dict[str, float] = field(default_factory=dict)  # each other copy → when it was clean; 0 where it isn't yet

    def lines(self) -> list[str]:
        """For people."""
        rows = sum(len(one.rows) for one in self.rows)
        found = [f"gone: {len(self.documents)} documents, {rows} rows, {len(self.runs)} runs, {len(self.logs)} logs"]
        again = {name: f", trained again as {successor}" for name, successor in self.retrained.items()}
        found += [f"  blocked: adapter {name}{again.get(name, '')}" for name in self.blocked]
        found += [f"  emptied and blocked: {kind} {name}{again.get(name, '')}" for name, kind in self.specialists.items()]
        found += [f"  put aside: export {name}{BLOCKED}; copies made elsewhere are yours to delete" for name in self.exports]
        found += [f"  checked: {what}: {count} found" for what, count in self.checked.items()]
        return [*found, *(f"  copy {name}: {'clean' if at else 'not clean yet'}" for name, at in self.copies.items())]


def _in_trail(ws: Workspace, sought: Sought) -> int:
    with closing(open_store(ws)) as store:
        voted = sum(sought.said_in(question) for (question,) in store.read("SELECT question FROM votes"))
        return voted + sum(names(one, sought) for one in entries(store))


def certify(ws: Workspace, asked: Request, whole: Plan) -> Certificate:
    """Look for everything once more, write down what was found, and delete the plan, which holds words."""
    sought, file = Sought(frozenset(whole.documents), asked.subject), certificate(ws, asked)
    knowledge = held(ws)
    still = [path for path, digest, text in states(knowledge) if whole.takes(path, digest) or sought.said_in(text)]
    checked = {
        "documents in the index, of any state": len(still),
        "passages found by searching for their words": _searched(
            knowledge, (*whole.probes, *([asked.subject] if asked.subject else [])), whole
        ),
        "files of the project's own records that hold their words": len(raw_mentions(ws.home, whole.probes, sought, APART)),
        "rows of cases and examples": sum(len(rows_with(path, sought).rows) for path in rows_of(ws)),
        "questions and answers in the audit log and in votes": _in_trail(ws, sought),
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
    made = replace(_with_earlier(made, file), number=whole.number)
    write(file, made)
    journal(ws, asked).unlink(missing_ok=True)
    if not made.passed:
        where = ", ".join(f"{what}: {count}" for what, count in checked.items() if count)
        raise DataError(f"not everything is gone ({where}); the certificate in {file} says so", "run the same command again, or look there")
    return _told(ws, made)


def _told(ws: Workspace, made: Certificate) -> Certificate:
    """The certificate with how far the other copies are, once they know that this one is clean."""
    if not (own := copies.enrol(ws)):
        return made
    copies.clean(ws, made.number, own, plain)
    made = replace(made, copies=others(ws, made.id, own))
    write(Path(made.file), made)
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


def others(ws: Workspace, id: str, own: Copy) -> dict[str, float]:
    """The other copies by label, and when each was clean of the request."""
    return {name: at for name, at in copies.standing(ws, id).items() if name != own.label}


def plain(one: Wanted) -> Wanted:
    """The request without words: what a copy is held to that nobody knew of before."""
    sought = Sought(frozenset(), one.subject)
    documents = {path: digest for path, digest in one.documents.items() if not sought.said_in(path)}
    return replace(one, documents=documents, row_ids=tuple(id for id in one.row_ids if not sought.said_in(id)), probes=(), subject="")


def _searched(knowledge: Knowledge | None, probes: Sequence[str], whole: Plan) -> int:
    from rung.knowledge.knowledge import search

    if knowledge is None:
        return 0
    held_now = knowledge.state.documents
    hits = {hit.passage.id: hit.passage.document for probe in probes[:20] for hit in search(knowledge, probe, 10)}
    return sum(whole.takes(path, held_now[path].hash) for path in hits.values())


def _plain(path: str, sought: Sought) -> str:
    """A document's path, or its hash where the path itself holds the words."""
    return hashlib.sha256(path.encode()).hexdigest() if sought.said_in(path) else path


def write(path: Path, value: Plan | Certificate) -> None:
    from rung.measure.record import write_whole

    write_whole(path, json.dumps(asdict(value), indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))
