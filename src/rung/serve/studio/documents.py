"""The documents: uploading, deleting, syncing, what was skipped and why, reading one with a span marked, why a search finds what it does.

Uploads are only kept here; they are read by the job that syncs, a process of its own.
"""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import UploadFile
from starlette.responses import Response
from starlette.routing import Route

from rung.errors import ConfigError, DataError
from rung.knowledge.knowledge import Knowledge
from rung.knowledge.origins.push import check_path
from rung.knowledge.read import READERS, check_name, check_size
from rung.knowledge.reading import Unreadable
from rung.measure.record import write_whole
from rung.serve.studio.room import LARGE, Ask, Room, route
from rung.workspace.places import own_files
from rung.workspace.trail import note
from rung.workspace.workspace import Workspace

SHOWN = 200_000  # characters of a document on one page


def routes(room: Room) -> list[Route]:
    """`/documents`, uploading and syncing, `/documents/view` and `/documents/search`."""

    def listed(ask: Ask) -> Response:
        knowledge = room.at.offers.knowledge(ask.person.key)
        found = [(path, knowledge.state.documents[path].title) for path in sorted(knowledge.documents())] if knowledge else []
        wanted = ask.text("q").casefold()
        shown = [row for row in found if wanted in f"{row[0]} {row[1]}".casefold()]
        _, report = ask.told("index")
        told = {"documents": shown[:500], "count": len(shown), "held": len(found), "report": report, "q": ask.text("q")}
        told |= {"endings": ",".join(READERS), "folder": room.ws().config.knowledge.default_folder}
        return ask.page("documents.html", **told, now=ask.latest("index"))

    def upload(ask: Ask) -> Response:
        ws = room.ws()
        sent = [one for one in ask.form.getlist("files") if isinstance(one, UploadFile) and one.filename]
        if not sent:
            raise DataError("no file came with the form", "choose files, or drop them onto the field")
        kept = [(_target(ws, one.filename or ""), one.file.read()) for one in sent]
        for target, body in kept:
            write_whole(target, body)
        return ask.start(("index", str(room.folder), "--json"), "light", "/documents")

    def sync(ask: Ask) -> Response:
        return ask.start(("index", str(room.folder), "--json"), "light", "/documents")

    def delete(ask: Ask) -> Response:
        knowledge, path = _knowledge(ask), ask.text("path")
        file = _own(room.ws(), path) if knowledge.shows(path) else None
        if file is None:
            raise DataError(f"'{path[:200]}' is no file of the project's folder", "take it out of the source that it comes from")
        file.unlink(missing_ok=True)
        note(room.store, "document", ask.person.name, {"deleted": path})
        return ask.start(("index", str(room.folder), "--allow-empty", "--json"), "light", "/documents")

    def view(ask: Ask) -> Response:
        knowledge, path = _knowledge(ask), ask.text("path")
        if not knowledge.shows(path) or not (document := knowledge.recall(path, knowledge.documents()[path])):
            raise DataError(f"there is no document '{path[:200]}'", "look for it in the list")
        start, end = _span(ask, len(document.text))
        first = max(0, start - SHOWN // 2)
        last = min(len(document.text), max(first + SHOWN, end))
        pieces = document.text[first:start], document.text[start:end], document.text[end:last]
        cut = first > 0 or last < len(document.text)
        passages = [one for one in knowledge.index.stored([path])[0] if first <= one.start < last]
        own = _own(room.ws(), path) is not None
        return ask.page("document.html", own=own, document=document, pieces=pieces, cut=cut, passages=passages)

    def search(ask: Ask) -> Response:
        from rung.knowledge.explain import BY, explain

        asked, settings = ask.text("q"), room.ws().config.knowledge
        explanation = explain(_knowledge(ask), asked, settings.k, settings.mode) if asked else None
        return ask.page("search.html", asked=asked, explanation=explanation, BY=BY, k=settings.k)

    return [
        route(room, "/documents", listed),
        route(room, "/documents/upload", upload, ("POST",), "editor", LARGE),
        route(room, "/documents/sync", sync, ("POST",), "editor"),
        route(room, "/documents/delete", delete, ("POST",), "editor"),
        route(room, "/documents/view", view),
        route(room, "/documents/search", search),
    ]


def _knowledge(ask: Ask) -> Knowledge:
    knowledge = ask.room.at.offers.knowledge(ask.person.key)
    if knowledge is None:
        raise DataError("the project has no documents yet", "upload some")
    return knowledge


def _target(ws: Workspace, name: str) -> Path:
    """Where an upload is kept. DataError for a name that leads elsewhere, has no reader, or is the project's own file."""
    folder = ws.config.knowledge.default_folder
    if not folder:
        raise ConfigError("the project has no folder of documents", "set folder under [knowledge] in rung.toml")
    name = name.replace("\\", "/").lstrip("/")
    check_path(name)
    try:
        check_name(name)
        check_size(0)
    except Unreadable as error:
        raise DataError(f"{name} {error}", f"formats that are read: {', '.join(sorted(READERS))}") from None
    target = ws.folder / folder / name
    if name in own_files(ws, folder) or not target.resolve().is_relative_to((ws.folder / folder).resolve()):
        raise DataError(f"{name} can't be taken", "give it another name")
    return target


def _own(ws: Workspace, path: str) -> Path | None:
    """The file of a document that lies in the project's folder; None for one that comes from elsewhere."""
    root = (ws.folder / ws.config.knowledge.default_folder).resolve()
    file = root / path
    inside = bool(ws.config.knowledge.default_folder) and file.resolve().is_relative_to(root)
    return file if inside and file.is_file() and path not in own_files(ws, ws.config.knowledge.default_folder) else None


def _span(ask: Ask, length: int) -> tuple[int, int]:
    try:
        start, end = int(ask.text("start", "0")), int(ask.text("end", "0"))
    except ValueError:
        return 0, 0
    return (start, end) if 0 <= start <= end <= length else (0, 0)
