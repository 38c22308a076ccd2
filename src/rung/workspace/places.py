"""Where a project's documents come from. Its own files are never among them: a held-out answer must not be found by search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import ConfigError

if TYPE_CHECKING:
    from rung.knowledge.gather import Place
    from rung.workspace.workspace import Workspace


def places(ws: Workspace, *, lacking: bool = False) -> list[Place]:
    """Where the project's documents come from: its folder under their own paths, then each source under its name.

    The project's own files are kept apart, wherever they lie: a held-out answer must not be found by search. Places in its
    folder that are not there, or hold nothing, are left out where this copy may be `lacking` them.
    """
    from hashlib import sha256

    from rung.knowledge.gather import Place
    from rung.knowledge.origins import open_origin
    from rung.knowledge.read import VERSION
    from rung.sources import FolderSource, RowsSource, Source
    from rung.workspace.sharing import bare, is_own

    settings, found = ws.config.knowledge, []
    ocr = settings.ocr_languages
    if ocr:
        from rung.knowledge.readers.ocr import check

        check(ocr)
    version = f"{VERSION} ocr={ocr}" if ocr else VERSION

    def missing(one: Source) -> bool:
        return lacking and is_own(ws, one) and bare(ws, one)

    source = FolderSource(kind="folder", name="folder", path=settings.default_folder)
    if settings.default_folder and not missing(source):
        origin = open_origin(source, ws.folder, ws.home, ocr)
        found.append(Place("", origin, f"{version} {settings.default_folder}", apart=own_files(ws, source.path)))
    for one in (one for one in settings.sources if not missing(one)):
        if isinstance(one, RowsSource) and (ws.folder / one.path).name in own_files(ws, str(Path(one.path).parent)):
            raise ConfigError(f"the source '{one.name}' is a file of the project itself", "its questions and answers are no documents")
        told = sha256(f"{version} {one.model_dump_json(exclude={'every'})}".encode()).hexdigest()[:16]
        origin = open_origin(one, ws.folder, ws.home / "knowledge", ocr)
        found.append(Place(one.name, origin, told, one.every, own_files(ws, getattr(one, "path", ""))))
    return found


def own_files(ws: Workspace, path: str) -> frozenset[str]:
    """Settings, cases and examples of the project as they would be listed below a folder, or at the top of its repository."""
    project, root = ws.config.project, (ws.folder / path).resolve()
    names = ("rung.toml", project.cases, project.examples, project.labels, project.json_schema, ws.config.tuning.general, "forgotten.json")
    own = [(ws.folder / name).resolve() for name in names if name]
    tops = [root, *(parent for parent in (root, *root.parents) if (parent / ".git").exists())][:2]
    return frozenset(file.relative_to(top).as_posix() for top in tops for file in own if file.is_relative_to(top))
