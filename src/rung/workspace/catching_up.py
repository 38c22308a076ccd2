"""Forgets in this copy of a project what another copy was asked to forget. It refuses to let anything be answered before that begins.

First, before the next answer or sync, adapters are blocked and documents and rows go; then, when nobody waits, all the rest.
A copy that nobody knew of when it was asked is held to hashes alone: what lies there under the same name may be another document.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rung.errors import RungError
from rung.workspace import copies
from rung.workspace.certifying import others, plain
from rung.workspace.copies import Copy, Wanted
from rung.workspace.forgetting import alone, begin, finish
from rung.workspace.to_forget import Plan, Request, certificate, held, journal, lies, plan, read_plan, traced
from rung.workspace.traces import Sought
from rung.workspace.workspace import Progress, Workspace, silent


def bar(ws: Workspace) -> int:
    """Nothing that was forgotten is answered from here any more; the number of the last request, 0 where nothing is shared.

    RungError where that can't be.
    """
    ws = replace(ws, part="")
    own = copies.enrol(ws)
    return _barred(ws, own) if own else 0


def _barred(ws: Workspace, own: Copy) -> int:
    if not (last := copies.latest(ws)) or not (left := [one for one in copies.wanted(ws) if _done(ws, one) < 1]):
        return last
    with alone(ws, "begin"):  # another process of this folder may do the same
        for one in left:
            if _done(ws, one) < 1:
                begin(ws, _asked(one, own), _at_hand(ws, one, own))
    return last


def catch_up(ws: Workspace, progress: Progress = silent) -> int:
    """All of it, certified; how many requests were carried out here. Those that another process of this folder is at are left to it."""
    ws = replace(ws, part="")
    own, count = copies.enrol(ws), 0
    if own is None:
        return 0
    _barred(ws, own)
    faults: list[RungError] = []
    for one in copies.wanted(ws):
        with alone(ws, "finish", 0) as mine:
            if mine and _done(ws, one) < 2:
                asked = _asked(one, own)
                try:
                    finish(ws, asked, plan(ws, asked), progress)
                    count += 1
                except RungError as error:  # the others are to be carried out all the same
                    faults.append(error)
    _tell(ws, own)
    if faults:
        raise faults[0]
    return count


def _done(ws: Workspace, one: Wanted) -> int:
    """How far this copy is with a request: 0 not begun, 1 begun, 2 certified."""
    asked = Request(named=one.id)
    begun, certified = read_plan(journal(ws, asked)), _told(certificate(ws, asked))
    if begun and begun.number >= one.number:
        return 1
    return 2 if certified.get("passed") and certified.get("number", 0) >= one.number else 0


def _asked(one: Wanted, own: Copy) -> Request:
    late = own.joined > one.at
    return Request(() if late else tuple(one.documents), "" if late else one.subject, one.delete_source, one.ignore, named=one.id)


def _at_hand(ws: Workspace, one: Wanted, own: Copy) -> Plan:
    """What of a request is found here without reading all that was ever kept."""
    late, shares, knowledge = own.joined > one.at, bool(ws.config.knowledge.share), held(ws)
    now = {path: document.hash for path, document in knowledge.state.documents.items()} if knowledge else {}
    documents = {} if late else dict(one.documents)
    hashes = {*one.hashes, *(() if shares else (now[path] for path in documents if path in now))}
    files = [file for path in documents if (file := lies(ws, path)) and file.stat().st_mtime < one.at]
    hashes |= {hashlib.sha256(file.read_bytes()).hexdigest() for file in files}  # a version that only this copy has
    documents |= {path: digest for path, digest in now.items() if digest in hashes}
    found = traced(ws, Sought(frozenset(documents), "" if late else one.subject), documents, () if late else one.row_ids, one.adapters)
    marks: dict[str, Any] = {"number": one.number, "before": one.at, "by_path": not (late or shares)}
    return replace(found, hashes=tuple(sorted(hashes)), probes=one.probes, **marks)


def _tell(ws: Workspace, own: Copy) -> None:
    """What a kill kept from being told is told, and a certificate that names copies as not yet clean is written again when they are."""
    from rung.measure.record import write_whole

    known = copies.clean_of(ws, own)
    for one in copies.wanted(ws):
        if _done(ws, one) == 2 and one.id not in known:
            copies.clean(ws, one.number, own, plain)
        file = certificate(ws, Request(named=one.id))
        said = _told(file)
        if said.get("passed") and not all({own.label: one.id in known, **said["copies"]}.values()):
            said["copies"] = others(ws, one.id, own)
            write_whole(file, json.dumps(said, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _told(file: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return told
