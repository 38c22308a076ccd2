"""Cases and examples: looking, editing, importing with a mapping of columns, and what the audit found.

It refuses a row that stands on the other side already: a question is measured on or trained on, never both.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile
from starlette.responses import Response
from starlette.routing import Route

from rung.approach.question import question_key
from rung.errors import DataError
from rung.measure.cases import numbered_cases
from rung.measure.record import to_line, write_whole
from rung.serve.studio.room import Ask, Room, route
from rung.serve.studio.settings import changed
from rung.types import Case
from rung.workspace import jobs
from rung.workspace.holding_out import Side
from rung.workspace.importing import append, as_row, held, target_of
from rung.workspace.peeking import first_rows

TEXTS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
ENDINGS = (*TEXTS, *(f"{ending}.gz" for ending in TEXTS), ".parquet")
LARGEST = 20 << 20
KEPT = 86400.0  # seconds for which a file waits to be imported
TAKEN = ("question", "answer", "id", "group", "tags")
SHOWN = 200


def routes(room: Room) -> list[Route]:
    """`/cases`, editing a row, importing a file, and the audit."""

    def listed(ask: Ask) -> Response:
        sweep(room.home)
        side, wanted = _side(ask), ask.text("q").casefold()
        rows = [row for row in held(room.ws(), side) if wanted in f"{row.id} {row.question} {row.text}".casefold()]
        _, checked = ask.told("check")
        told = {"side": side, "rows": rows[:SHOWN], "count": len(rows), "q": ask.text("q"), "checked": checked}
        return ask.page("cases.html", **told, now=_newest(ask), endings=",".join(ENDINGS))

    def edit(ask: Ask) -> Response:
        side, known = _side(ask), {row.id: row for row in held(room.ws(), _side(ask))}
        row = known.get(ask.text("id"), Case("", ask.text("question"), ask.text("answer")))
        return ask.page("case.html", side=side, row=row)

    def save(ask: Ask) -> Response:
        side, before = _placed(ask), ask.text("before")
        row = _row(ask, next((one for one in held(room.ws(), side) if one.id == before), None))
        _check_other(ask, side, row)
        if before:
            _replace(ask, side, before, to_line(as_row(row)))
        else:
            if any(one.id == row.id for one in held(room.ws(), side)):
                raise DataError(f"the id '{row.id}' is taken", "choose another, or leave it empty")
            append(target_of(room.ws(), side), [row])
        return ask.back(f"/cases?side={side}")

    def delete(ask: Ask) -> Response:
        _replace(ask, _side(ask), ask.text("before"), b"")
        return ask.back(f"/cases?side={_side(ask)}")

    def upload(ask: Ask) -> Response:
        sent = ask.form.get("file")
        if not isinstance(sent, UploadFile) or not sent.filename or not sent.filename.lower().endswith(ENDINGS):
            raise DataError("no file of rows came with the form", f"choose one that ends with {', '.join(ENDINGS)}")
        name = f"{secrets.token_hex(4)}-{Path(sent.filename.replace(chr(92), '/')).name}"
        sweep(room.home)
        write_whole(room.home / "uploads" / name, sent.file.read())
        return ask.back(f"/cases/import?side={_side(ask)}&file={name}")

    def columns(ask: Ask) -> Response:
        file = _uploaded(room, ask.text("file"))
        rows = first_rows(file)
        if not rows:
            raise DataError("the file holds no row that can be read", "is it the right file?")
        return ask.page("import.html", side=_side(ask), file=file.name, rows=rows, columns=list(rows[0]), taken=TAKEN)

    def take(ask: Ask) -> Response:
        file, side = _uploaded(room, ask.text("file")), _placed(ask)
        pairs = {name: ask.text(f"map-{name}") for name in TAKEN if ask.text(f"map-{name}")}
        if any("," in column or "=" in column for column in pairs.values()):
            raise DataError("a column's name holds a comma or an equals sign", "give it another name in the file")
        mapped = ["--map", ",".join(f"{name}={column}" for name, column in pairs.items())] if pairs else []
        words = ["import", str(file), str(room.folder), "--to", side, *mapped, "--json", *(["--skip"] if ask.text("skip") else [])]
        return ask.start(words, "light", f"/cases?side={side}")

    def check(ask: Ask) -> Response:
        return ask.start(("check", str(room.folder), "--json"), "light", f"/cases?side={_side(ask)}")

    return [
        route(room, "/cases", listed),
        route(room, "/cases/edit", edit, role="editor"),
        route(room, "/cases/save", save, ("POST",), "editor"),
        route(room, "/cases/delete", delete, ("POST",), "editor"),
        route(room, "/cases/upload", upload, ("POST",), "editor", LARGEST),
        route(room, "/cases/import", columns, role="editor"),
        route(room, "/cases/take", take, ("POST",), "editor"),
        route(room, "/cases/check", check, ("POST",), "editor"),
    ]


def _side(ask: Ask) -> Side:
    return "examples" if ask.text("side") == "examples" else "cases"


def _placed(ask: Ask) -> Side:
    """The side, with a file for it: a project without examples gets a place for them."""
    if _side(ask) == "examples" and not ask.room.ws().config.project.examples:
        path = ask.room.folder / "examples.jsonl"
        path.touch()
        changed(ask, {"project": {"examples": path.name}})
    return _side(ask)


def _newest(ask: Ask) -> Any:
    found = [one for one in (ask.latest("check"), ask.latest("import")) if one]
    return max(found, key=lambda one: one.id, default=None)


def _uploaded(room: Room, name: str) -> Path:
    path = room.home / "uploads" / Path(name).name
    if not name or not path.is_file():
        raise DataError("this upload is gone", "send the file again")
    return path


def sweep(home: Path) -> None:
    """Delete what was sent and imported, or was sent a day ago and never imported: nothing lies about that nobody looks after."""
    imports = [one for one in jobs.jobs(home) if one.words[0] == "import"]
    needed = {one.words[1] for one in imports if one.state not in jobs.ENDED}
    done = {one.words[1] for one in imports if one.state == "done"}
    for file in (home / "uploads").glob("*"):
        with suppress(FileNotFoundError):  # another page swept it
            if str(file) not in needed and (str(file) in done or file.stat().st_mtime < time.time() - KEPT):
                file.unlink()


def _row(ask: Ask, before: Case | None) -> Case:
    """The row as the form has it; what the form does not show stays as it was. DataError for an empty question or answer."""
    question, answer = ask.text("question"), ask.text("answer")
    if not question or not (answer or ask.text("unanswerable")):
        raise DataError("a row has a question and an answer", "fill in both")
    tags = tuple(tag.strip() for tag in ask.text("tags").split(",") if tag.strip())
    told = before or Case(ask.text("id") or f"studio-{secrets.token_hex(4)}", question, answer, origin=f"written by {ask.person.name}")
    kept = told.answer if before and answer == before.text else answer
    return replace(told, question=question, answer=kept, tags=tags, group=ask.text("group"), unanswerable=bool(ask.text("unanswerable")))


def _check_other(ask: Ask, side: Side, row: Case) -> None:
    other: Side = "examples" if side == "cases" else "cases"
    twin = next((one for one in held(ask.room.ws(), other) if question_key(one.question) == question_key(row.question)), None)
    if twin:
        raise DataError(f"'{twin.id}' asks this among the {other}", "a question is trained on or measured on, never both")


def _replace(ask: Ask, side: Side, id: str, line: bytes) -> None:
    """Put a line in the place of the row with this id; the others stay as they were written."""
    target = target_of(ask.room.ws(), side)
    at = next((number for number, found in numbered_cases(target) if isinstance(found, Case) and found.id == id), 0)
    raw = target.read_bytes()
    if not at or raw.lstrip().startswith(b"["):
        raise DataError(f"the row '{id}' can't be changed here", "it is gone, or its file is one JSON list: edit the file")
    lines = raw.splitlines(keepends=True)
    lines[at - 1] = line
    write_whole(target, b"".join(lines))
