"""A project from Python: the command line's verbs as methods. It prints nothing; errors are RungErrors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import ConfigError
from rung.types import Answer
from rung.workspace.workspace import Progress, Workspace, open_workspace, silent

if TYPE_CHECKING:
    from rung.climb import Climb
    from rung.knowledge.knowledge import SyncReport
    from rung.workspace.check import Checked


@dataclass(frozen=True)
class Project:
    """A folder with a checked `rung.toml`. `progress` is called with what is being done, how much of it, out of how much."""

    folder: Path
    progress: Progress = silent

    @property
    def workspace(self) -> Workspace:
        """The project as the wings take it, read afresh. ConfigError where `rung.toml` is missing or wrong."""
        return open_workspace(self.folder)

    def check(self) -> Checked:
        """Read everything, ask no model: counts, skipped documents, warnings."""
        from rung.workspace.check import check_project

        return check_project(self.folder)

    def index(self) -> SyncReport:
        """Bring the index up to date with the documents. ConfigError where the project has none."""
        from rung.workspace.workspace import sync_knowledge

        synced = sync_knowledge(self.workspace, self.progress, fresh=True)
        if synced is None:
            raise ConfigError("the project has no documents", "set folder or add [[knowledge.sources]] in rung.toml")
        return synced[1]

    def ask(self, question: str, rung: str = "rag", user: str = "", where: Sequence[str] = ()) -> Answer:
        """One answer with its sources, citations, tokens and seconds, as far as the user may read and the conditions hold."""
        *_, answer = self.stream(question, rung, user, where)
        assert isinstance(answer, Answer), "the last piece of a stream"
        return answer

    def stream(self, question: str, rung: str = "rag", user: str = "", where: Sequence[str] = ()) -> Iterator[str | Answer]:
        """The answer's text in pieces as it comes, the Answer last."""
        from rung.approach.approach import answer_stream
        from rung.climb import open_rung

        return answer_stream(open_rung(open_workspace(self.folder, user, where), rung, self.progress), question)

    def climb(self, rungs: Sequence[str] = (), workers: int | None = None) -> Climb:
        """Measure the rungs (all that apply, unless some are named), decide, and write the report into `Climb.folder`."""
        from rung.climb import climb, report

        done = climb(self.workspace, self.progress, rungs, workers)
        report(done)
        return done
