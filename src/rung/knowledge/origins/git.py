"""Documents in a local git repository at one revision, with dates and authors from its log. It refuses to fetch or to check out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import KnowledgeError
from rung.knowledge.origins import Entry, hidden, wanted
from rung.knowledge.read import LARGEST, check_name, check_size, read_document
from rung.knowledge.reading import Unreadable
from rung.types import Document

if TYPE_CHECKING:
    from rung.sources import GitSource

_POINTER = b"version https://git-lfs.github.com/spec/"
_MARK = "\x01"  # opens a commit in the log; no path holds it after git's quoting is off by -z


@dataclass(frozen=True)
class Git:
    """The files of one commit; stamps are blob hashes."""

    repository: Path
    commit: str
    folder: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    largest: int = LARGEST
    ocr: str = ""

    def entries(self) -> Iterator[Entry]:
        """The files in git's order; links, submodules and hidden files are left out."""
        listing = _git(self.repository, "ls-tree", "-r", "-z", "-l", "--full-tree", self.commit, *self._limits())
        for row in filter(None, listing.split(b"\0")):
            told, _, name = row.partition(b"\t")
            mode, kind, blob, size = told.decode().split()
            path = name.decode("utf-8", errors="backslashreplace")
            if kind != "blob" or mode == "120000" or hidden(path) or not wanted(path, self.include, self.exclude):
                continue
            try:
                check_name(path)
                check_size(int(size), self.largest)
                yield Entry(path, blob)
            except Unreadable as error:
                yield Entry(path, refused=str(error))

    def read(self, path: str) -> Document:
        """The file with `author`, `created`, `modified` and `revision` in its meta, where the format names no others."""
        raw = _git(self.repository, "cat-file", "blob", f"{self.commit}:{path}")
        if raw.startswith(_POINTER):
            raise Unreadable("is a pointer of Git LFS; its content is not in the repository")
        document = read_document(raw, path, self.ocr)
        return replace(document, meta={**self._history.get(path, {}), **document.meta, "revision": self.commit[:12]})

    def _limits(self) -> tuple[str, ...]:
        return ("--", self.folder) if self.folder else ()

    @cached_property
    def _history(self) -> Mapping[str, Mapping[str, str]]:
        """Path → first and last date and last author, from one walk over the log, newest first."""
        form = f"--format={_MARK}%aI{_MARK}%an"
        log = _git(self.repository, "log", "-z", "--name-only", "--no-renames", "--no-ext-diff", form, self.commit, *self._limits())
        found: dict[str, dict[str, str]] = {}
        date = author = ""
        for part in log.decode("utf-8", errors="backslashreplace").split("\0"):
            name = part.lstrip("\n")
            if name.startswith(_MARK):
                date, author = name[1:].split(_MARK)
            elif name:
                found.setdefault(name, {"author": author, "modified": date})["created"] = date
        return found


def open_origin(source: GitSource, project: Path, cache: Path) -> Git:
    """The repository at the revision that the table names. KnowledgeError where there is none."""
    repository = project / source.path
    named = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{source.revision}^{{commit}}")
    commit = named.decode().strip()
    return Git(repository, commit, source.folder.strip("/"), source.include, source.exclude, source.largest_mb << 20)


def _git(repository: Path, *words: str) -> bytes:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(["git", "-C", str(repository), *words], capture_output=True, check=False, env=environment)
    except FileNotFoundError:
        raise KnowledgeError("the command git is not installed", "install git, or use a folder as the source") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        why = said[0].removeprefix("fatal: ") if said else "there is no such revision"
        raise KnowledgeError(f"git can't read {repository}: {why}", "check path and revision of the source in rung.toml")
    return done.stdout
