"""rung settles "prompt, RAG, fine-tune or both?" with a measurement. Importing it loads nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rung.project import Project
    from rung.types import Answer

__version__ = "0.1.0"


def open(folder: str | Path = ".") -> Project:
    """The project in a folder that holds `rung.toml`. ConfigError where it can't be read.

    `rung.open("shop").climb().verdict.sentence` is what `rung climb shop` prints as its verdict.
    """
    from rung.project import Project

    project = Project(Path(folder))
    _ = project.workspace  # refuse a broken rung.toml now rather than later
    return project


def ask(question: str, folder: str | Path = ".", rung: str = "rag", user: str = "") -> Answer:
    """One answer of a project's rung, with its sources; with access lists, from what the user may read."""
    return open(folder).ask(question, rung, user)
