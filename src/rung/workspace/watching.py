"""Tells when a project's documents may have changed: at once for files, after the seconds they name for other sources.

It reads no document and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from rung.errors import MissingExtra
from rung.sources import FolderSource, GitSource, PushSource, RowsSource
from rung.workspace.workspace import Workspace

SHORTEST = 1.0  # seconds between two looks at a source that can't be watched


def changes(ws: Workspace) -> Iterator[None]:
    """Yields after each change, several at once as one, until Ctrl-C. Raises MissingExtra without watchfiles."""
    try:
        from watchfiles import watch
    except ModuleNotFoundError:
        raise MissingExtra("watching for changes", "knowledge") from None
    logging.getLogger("watchfiles").setLevel(logging.ERROR)  # it warns of Ctrl-C, which is how watching ends
    roots, pause = watched(ws), _pause(ws)
    if not roots:  # watchfiles wants a folder; nothing ever changes in this one
        ws.home.mkdir(parents=True, exist_ok=True)
    found = watch(
        *(roots or [ws.home]),
        watch_filter=lambda _, path: bool(roots) and _counts(Path(path), roots),
        debounce=1000,
        rust_timeout=int(pause * 1000),
        yield_on_timeout=pause > 0,
        raise_interrupt=False,
    )
    for _ in found:
        yield


def watched(ws: Workspace) -> list[Path]:
    """The folders whose files are documents, and those that hold the state of git repositories."""
    settings = ws.config.knowledge
    roots = [ws.folder / settings.default_folder] if settings.default_folder else []
    for source in settings.sources:
        path = ws.folder / getattr(source, "path", "")
        if isinstance(source, FolderSource):
            roots.append(path)
        elif isinstance(source, RowsSource):
            roots.append(path.parent)
        elif isinstance(source, PushSource):
            roots += [path / source.name] if (path / source.name).is_dir() else []
        elif isinstance(source, GitSource):
            roots += [part for part in (path / ".git", path / "refs") if part.is_dir()]
    return list(dict.fromkeys(root.resolve() for root in roots))


def _counts(path: Path, roots: list[Path]) -> bool:
    """Whether a changed path may be a document, or a branch of a repository that moved."""
    for root in roots:
        if path.is_relative_to(root):
            parts = path.relative_to(root).parts
            if root.name in (".git", "refs"):
                return path.name == "HEAD" or "refs" in (*parts, root.name)
            if not any(part.startswith((".", "~$")) for part in parts):
                return True
    return False


def _pause(ws: Workspace) -> float:
    """Seconds after which sources that can't be watched are looked at; 0 where there are none."""
    local = (FolderSource, GitSource, RowsSource, PushSource)
    pauses = [max(source.every, SHORTEST) for source in ws.config.knowledge.sources if not isinstance(source, local)]
    return min(pauses, default=0.0)
