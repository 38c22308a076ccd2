"""What is to go when documents or a subject are forgotten: found in every state, row, record, adapter and export. Changes nothing.

It refuses documents that nothing in the project knows, and words so short that they would take everything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import ConfigError, DataError
from rung.models.folder import BLOCKED
from rung.tuning.adapters import finished, told
from rung.workspace import labels
from rung.workspace import workspace as w
from rung.workspace.catalogue import catalogue, exports, moves
from rung.workspace.ignoring import ignored
from rung.workspace.store import open_store
from rung.workspace.traces import Rows, Sought, folded, mentions, rows_of, rows_with
from rung.workspace.trail import entries, names
from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    documents: tuple[str, ...] = ()
    subject: str = ""
    delete_source: bool = False
    ignore: bool = False
    retrain: bool = False
    named: str = ""  # the id, where another copy of the project was asked and its words may be gone

    @property
    def id(self) -> str:
        """Names the request, whatever else was asked with it."""
        return self.named or hashlib.sha256(json.dumps([sorted(self.documents), folded(self.subject)]).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Plan:
    """All that must go. It holds words of the documents, to search for when they are gone, and is deleted in the end."""

    documents: dict[str, str]  # path → hash of its bytes, of every state
    sources: tuple[str, ...]  # documents that lie where they came from
    rows: tuple[Rows, ...]
    row_ids: tuple[str, ...]
    runs: tuple[str, ...]
    logs: tuple[str, ...]
    adapters: tuple[str, ...]
    exports: tuple[str, ...]
    specialists: dict[str, str]  # folder below .rung → its kind: encoder, knn, extractor, or embedder
    probes: tuple[str, ...] = field(repr=False)
    hashes: tuple[str, ...] = ()  # of all versions of the documents
    by_path: bool = True  # whether all that the index holds under these paths goes, or only what has these hashes
    number: int = 0  # of the request among those that copies share
    before: float = float("inf")  # only files from before this moment are deleted: a later one is another

    def takes(self, path: str, digest: str) -> bool:
        """Whether a document of the index goes."""
        return digest in self.hashes or (self.by_path and path in self.documents)

    def lines(self) -> list[str]:
        """For people; the words stay out."""
        counts = {"documents": self.documents, "rows": [row for one in self.rows for row in one.rows], "runs": self.runs, "logs": self.logs}
        said = [f"{len(held)} {what}" for what, held in counts.items()]
        blocked = [f"  learned from it: {what} {name}" for what in ("adapters", "exports") for name in getattr(self, what)]
        blocked += [f"  learned from it: {kind} {Path(name).name}" for name, kind in self.specialists.items()]
        return [", ".join(said), *(f"  {path} ({digest[:12]})" for path, digest in self.documents.items()), *blocked]


def _audited(ws: Workspace, sought: Sought) -> bool:
    """Whether a question or an answer in the audit log holds it."""
    store = open_store(ws)
    found = any(names(entry, sought) for entry in entries(store))
    store.close()
    return found


def plan(ws: Workspace, asked: Request) -> Plan:
    """What the request is about, and what an interrupted one still had to do. Nothing is changed.

    DataError for a document that nothing here knows, or words that nothing here holds.
    """
    before, knowledge = read_plan(journal(ws, asked)), held(ws)
    _fetch_adapters(ws)
    if not before and not asked.documents and len(folded(asked.subject)) < 3:
        raise ConfigError("nothing to forget was named", "name documents, or --subject with at least three letters")
    texts = {(path, digest): text for path, digest, text in states(knowledge)}
    said = {path for (path, _), text in texts.items() if Sought(frozenset(), asked.subject).said_in(text)}
    by_path = before.by_path if before else True
    named = {*asked.documents, *said, *(before.documents if before else ())}
    hashes = {digest for path, digest in texts if path in (named if by_path else said)} | {*(before.hashes if before else ())} - {""}
    if not asked.named:  # a version that is not indexed yet must not be, either
        hashes |= {hashlib.sha256(file.read_bytes()).hexdigest() for path in named if (file := lies(ws, path))}
    named |= {path for path, digest in texts if digest in hashes}  # copies of it under other names
    documents = {path: next((digest for one, digest in texts if one == path), "") for path in sorted(named)}
    sought = Sought(frozenset(documents), asked.subject)
    found = replace(
        traced(ws, sought, documents, before.row_ids if before else ()),
        runs=tuple(
            sorted(path.name for path in ws.home.glob("runs/*") if any(mentions(one, sought) for one in path.rglob("*") if one.is_file()))
        ),
        logs=tuple(sorted(str(path.relative_to(ws.home)) for path in logs(ws) if mentions(path, sought))),
        probes=_probes(texts, documents),
        hashes=tuple(sorted(hashes)),
    )
    whole = _joined(before, found) if before else found
    gone = ignored(ws.folder)
    fresh = [path for path in whole.sources if path not in gone.paths]
    serving = [one for one in finished(labels.adapters_home(ws)) if one.name in found.adapters and not labels.blocked(one)]
    if not (
        before
        or fresh
        or _audited(ws, sought)
        or whole.rows
        or whole.runs
        or whole.logs
        or serving
        or found.specialists
        or any(documents.values())
        or (asked.retrain and (found.adapters or certificate(ws, asked).exists()))
    ):
        what = f"'{asked.documents[0]}'" if asked.documents else "these words"
        raise DataError(
            f"nothing here knows {what}",
            "name documents by the paths they are cited by: `rung index --list` shows versions, `--at VERSION` the paths of one",
        )
    return whole


def _fetch_adapters(ws: Workspace) -> None:
    """Adapters that labels stand on may be in the storage alone, and only what is at hand tells what it learned from."""
    for label in {one.label for one in moves(catalogue(ws))} if ws.config.serve.adapters else ():
        with suppress(DataError):  # it is nowhere, or was changed: nothing can serve it
            labels.folder_of(ws, label)


def traced(ws: Workspace, sought: Sought, documents: Mapping[str, str], ids: Sequence[str] = (), also: Sequence[str] = ()) -> Plan:
    """What is found at once: sources, rows, and what learned from these documents, from rows with these `ids`, or is named in `also`."""
    rows = tuple(one for path in rows_of(ws) if (one := rows_with(path, sought)).rows)
    row_ids = tuple(sorted({*ids, *(case.id for case in (w.examples(ws) if rows else ()) if sought.named_in(asdict(case)))}))
    adapters = tuple(one.name for one in finished(labels.adapters_home(ws)) if one.name in also or _learned(one, documents, row_ids))
    return Plan(
        dict(documents),
        tuple(path for path in documents if lies(ws, path)),
        rows,
        row_ids,
        (),
        (),
        adapters,
        tuple(one.folder for one in exports(catalogue(ws)) if one.adapter in adapters),
        specialists(ws, documents, row_ids),
        (),
    )


def held(ws: Workspace) -> Knowledge | None:
    """The project's knowledge, all of it; None where it has no documents."""
    return w.held_knowledge(untuned(ws)) if ws.config.knowledge.default_folder or ws.config.knowledge.sources else None


def untuned(ws: Workspace) -> Workspace:
    """The project with the embedder that its index was made with, where the one tuned for questions is blocked."""
    settings = ws.config.knowledge
    if not (settings.embedder.startswith("tuned:") and (Path(w.located(ws, settings.embedder)[6:]) / BLOCKED).exists()):
        return ws
    return replace(ws, config=ws.config.model_copy(update={"knowledge": settings.model_copy(update={"embedder": "minilm"})}))


def states(knowledge: Knowledge | None) -> list[tuple[str, str, str]]:
    """Path, hash and text of each document of the present and of every earlier state."""
    from rung.knowledge import knowledge as k

    found: dict[tuple[str, str], list[str]] = {}
    for moment in k.history(knowledge) if knowledge else ():
        state = k.reopened(knowledge, moment.version)  # type: ignore[arg-type]
        fresh = {path: held.hash for path, held in state.state.documents.items() if (path, held.hash) not in found}
        for key in fresh.items():
            found[key] = []
        for passage in state.passages() if fresh else ():
            if passage.document in fresh:
                found[passage.document, fresh[passage.document]].append(passage.text)
    return [(path, digest, "".join(texts)) for (path, digest), texts in found.items()]


def versions(knowledge: Knowledge) -> set[tuple[str, str]]:
    """Path and hash of each document of the present and of every earlier state."""
    from rung.knowledge import knowledge as k

    return {
        (path, held.hash) for moment in k.history(knowledge) for path, held in k.reopened(knowledge, moment.version).state.documents.items()
    }


def lies(ws: Workspace, path: str) -> Path | None:
    """The file a document came from, where it is a file here and still lies there."""
    from rung.knowledge.origins.push import Push
    from rung.sources import FolderSource, PushSource

    for one in ws.config.knowledge.sources:
        if isinstance(one, PushSource) and path.startswith(f"{one.name}/"):
            kept = Push(ws.folder / one.path / one.name).file(path.removeprefix(f"{one.name}/"))
            return kept if kept.is_file() else None
    folders = [one for one in ws.config.knowledge.sources if isinstance(one, FolderSource)]
    roots = {"": ws.config.knowledge.default_folder} | {one.name: one.path for one in folders}
    for name, root in roots.items():
        inner = path.removeprefix(f"{name}/") if name else path
        if root and (not name or inner != path) and (ws.folder / root / inner).is_file():
            return ws.folder / root / inner
    return None


def logs(ws: Workspace) -> list[Path]:
    """Text files of the project's own that are none of the kinds that are handled one by one."""
    handled = ("runs", "adapters", "knowledge", "embedders", "specialists", "forget", "freshness")
    return [path for path in sorted(ws.home.rglob("*")) if path.is_file() and path.relative_to(ws.home).parts[0] not in handled]


def _learned(folder: Path, documents: Mapping[str, str], row_ids: Sequence[str]) -> bool:
    rows = told(folder, "rows.json")
    behind = {document for one in rows.get("behind", {}).values() for document in one["documents"]} | rows.get("documents", {}).keys()
    return bool(behind & documents.keys() or {*rows.get("training", {}), *rows.get("validation", {})} & set(row_ids))


def specialists(ws: Workspace, documents: Mapping[str, str], row_ids: Sequence[str]) -> dict[str, str]:
    """Those that learned from it and hold anything still, with their kinds. An embedder tells its rows' ids alone."""
    found = {}
    for path in (*ws.home.glob("specialists/*/rows.json"), *ws.home.glob("embedders/*/rows.json")):
        of = path.parent
        rows: Any = json.loads(path.read_text(encoding="utf-8"))
        seen = {*map(str, rows), *told(of, "scores.json")} if isinstance(rows, list) else set()
        if seen & set(row_ids) or (not seen and _learned(of, documents, row_ids)):
            found[of.relative_to(ws.home).as_posix()] = kind_of(of)
    return dict(sorted(found.items()))


def kind_of(folder: Path) -> str:
    """What a folder below .rung/specialists or .rung/embedders holds, by its files."""
    kinds = {"tuned.json": "embedder", "extractor.json": "extractor", "vectors.safetensors": "knn"}
    return next((kind for file, kind in kinds.items() if (folder / file).exists()), "encoder")


def _probes(texts: Mapping[tuple[str, str], str], documents: Mapping[str, str]) -> tuple[str, ...]:
    """The longest lines of each document that no other document says: words to look for when it is gone."""
    others = "\n".join(text for (path, _), text in texts.items() if path not in documents)
    found: set[str] = set()
    for (path, _), text in texts.items():
        lines = {line.strip() for line in text.splitlines() if len(line.strip()) >= 24} if path in documents else set()
        found |= set(sorted((line for line in lines if line not in others), key=len)[-3:])
    return tuple(sorted(found))


def journal(ws: Workspace, asked: Request) -> Path:
    """Where the plan of a request lies while it is carried out."""
    return ws.home / "forget" / asked.id / "plan.json"


def certificate(ws: Workspace, asked: Request) -> Path:
    """What a request that was carried out leaves."""
    return ws.home / "forget" / asked.id / "certificate.json"


def read_plan(path: Path) -> Plan | None:
    """The plan of a request that was interrupted; None where none was."""
    if not path.exists():
        return None
    told: dict[str, Any] = json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
    rows = tuple(Rows(one["file"], tuple((number, digest) for number, digest in one["rows"])) for one in told["rows"])
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}
    return Plan(**{**values, "rows": rows})


def _joined(before: Plan, now: Plan) -> Plan:
    """What an interrupted request had found and what is found now, each thing once."""
    both: dict[str, Any] = {
        name: tuple(dict.fromkeys((*getattr(before, name), *getattr(now, name))))
        for name in ("row_ids", "runs", "logs", "adapters", "exports", "probes", "hashes")
    }
    files = {one.file for one in before.rows}
    documents, rows = {**now.documents, **before.documents}, (*before.rows, *(one for one in now.rows if one.file not in files))
    return replace(
        before, documents=documents, sources=now.sources, rows=rows, specialists={**now.specialists, **before.specialists}, **both
    )
