"""rung settles "prompt, RAG, fine-tune or both?" with a measurement. Importing it loads nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rung.workspace.workspace import Workspace

__version__ = "0.1.0"


def open(folder: str | Path = ".") -> Workspace:
    """The project in a folder that holds `rung.toml`. ConfigError where it can't be read."""
    from rung.workspace.workspace import open_workspace

    return open_workspace(Path(folder))
