"""A project from Python: the command line's verbs as methods. It prints nothing; errors are RungErrors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import ConfigError
from rung.types import Answer, Messages
from rung.workspace.workspace import Progress, Workspace, open_workspace, silent

if TYPE_CHECKING:
    from rung.climb import Climb
    from rung.knowledge.explain import Explanation
    from rung.knowledge.knowledge import SyncReport
    from rung.measure.plan import Plan
    from rung.workspace.check import Checked
    from rung.workspace.embedding import TunedEmbedder


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

    def ask(
        self, question: str, rung: str = "rag", user: str = "", where: Sequence[str] = (), history: Messages = (), model: str = ""
    ) -> Answer:
        """One answer with its sources, citations, tokens and seconds, as far as the user may read and the conditions hold.

        `history` holds the turns of the chat before the question, oldest first: {"role": "user", "content": "..."}, and so
        on. `model` is one of several base models, by its short name or as rung.toml names it.
        """
        *_, answer = self.stream(question, rung, user, where, history, model)
        assert isinstance(answer, Answer), "the last piece of a stream"
        return answer

    def stream(
        self, question: str, rung: str = "rag", user: str = "", where: Sequence[str] = (), history: Messages = (), model: str = ""
    ) -> Iterator[str | Answer]:
        """The answer's text in pieces as it comes, the Answer last."""
        from rung.approach.approach import answer_stream
        from rung.climb import open_rung
        from rung.workspace.bases import answering_by

        ws = answering_by(open_workspace(self.folder, user, where), model)
        return answer_stream(open_rung(ws, rung, self.progress), question, history)

    def explain(self, question: str, k: int | None = None, user: str = "", where: Sequence[str] = ()) -> Explanation:
        """Why each passage is found for the question, or not: its ranks, scores and the reason. ConfigError without documents."""
        from rung.knowledge.explain import explain
        from rung.workspace.workspace import sync_knowledge

        ws = open_workspace(self.folder, user, where)
        if (synced := sync_knowledge(ws, self.progress)) is None:
            raise ConfigError("the project has no documents", "set folder or add [[knowledge.sources]] in rung.toml")
        return explain(synced[0], question, k or ws.config.knowledge.k, ws.config.knowledge.mode)

    def tune_embedder(self) -> TunedEmbedder:
        """Train the search's embedder on the solved examples. TuningError where it can't be tuned or learned nothing better."""
        from rung.workspace.embedding import tune_embedder

        return tune_embedder(self.workspace, self.progress)

    def climb(
        self,
        rungs: Sequence[str] = (),
        workers: int | None = None,
        *,
        models: Sequence[str] = (),
        stop_early: bool | None = None,
        repeat: int | None = None,
    ) -> Climb:
        """Measure the rungs (all that apply, unless some are named), decide, and write the report into `Climb.folder`.

        `models` are several base models, by short name or as rung.toml names them. `stop_early` and `repeat` take the place
        of those under [project].
        """
        from rung.climb import climb
        from rung.reporting import report
        from rung.workspace.workspace import with_project

        ws = with_project(self.workspace, {"stop_early": stop_early, "repeat": repeat})
        done = climb(ws, self.progress, rungs, workers, models=models)
        report(ws, done)
        return done

    def plan(self, rungs: Sequence[str] = (), differences: Sequence[float] = ()) -> Plan:
        """How many cases tell the rungs apart, with the variance of the last climb where there is one; nothing is asked."""
        from rung.planning import planned

        return planned(self.workspace, rungs, differences)
