"""A project from Python: the command line's verbs as methods. It prints nothing; errors are RungErrors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import ConfigError
from rung.types import Answer, Messages
from rung.workspace.workspace import Progress, Workspace, open_workspace, silent

if TYPE_CHECKING:
    from rung.advice.advise import Advice
    from rung.climb import Climb
    from rung.costs.costs import Costs
    from rung.freshness import Measured
    from rung.knowledge.explain import Explanation
    from rung.knowledge.knowledge import SyncReport
    from rung.measure.diagnose import Diagnosis
    from rung.measure.plan import Plan
    from rung.workspace.catalogue import Move
    from rung.workspace.check import Checked
    from rung.workspace.embedding import TunedEmbedder
    from rung.workspace.exporting import Written
    from rung.workspace.forgetting import Certificate
    from rung.workspace.holding_out import Side
    from rung.workspace.importing import Imported
    from rung.workspace.lineage import Known
    from rung.workspace.model_export import Exported, Format, Quantised
    from rung.workspace.promoting import Gate
    from rung.workspace.synthesize import Made


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

    def import_(
        self,
        file: str | Path,
        to: Side = "examples",
        columns: Mapping[str, str] | None = None,
        *,
        held_out: float = 0.0,
        skip: bool = False,
        dry: bool = False,
    ) -> Imported:
        """Add a file's rows to the examples or cases, or a share `held_out` of them to the cases and the rest to the examples.

        `columns`: field → column of the file. DataError where a row can't be used.
        """
        from rung.workspace.importing import import_rows

        return import_rows(self.workspace, Path(file), to, columns, held_out=held_out, skip=skip, dry=dry)

    def synthesize(self, number: int = 200, share: float = 0.3, model: str = "", *, cut: bool = False) -> Made:
        """Bring the project to `number` made questions, `share` of them to measure on. ModelError where the model can't write any."""
        from rung.workspace.synthesize import synthesize

        return synthesize(self.workspace, number, share, model=model, cut=cut, progress=self.progress)

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
        from rung.parts import open_rung
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

    def train(self, rung: str = "tuned", allow: Sequence[str] = ()) -> Path:
        """The folder of the adapter behind `tuned` or `raft`, trained if it isn't there. TuningError where the audit stops it."""
        from rung.workspace.auditing import allowing
        from rung.workspace.training import is_raft, knowledge_for, train_adapter
        from rung.workspace.workspace import examples

        ws, raft = allowing(self.workspace, allow), is_raft(rung)
        return train_adapter(ws, examples(ws), knowledge_for(ws, self.progress, raft=raft), self.progress, raft=raft)[0]

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

    def rows(self, form: str, out: str | Path, rung: str = "tuned", allow: Sequence[str] = ()) -> Written:
        """Write the training rows of `tuned` or `raft` as openai, trl or axolotl take them. TuningError where the audit stops it."""
        from rung.workspace.auditing import allowing
        from rung.workspace.exporting import write_rows

        return write_rows(allowing(self.workspace, allow), form, Path(out), raft=rung == "raft", progress=self.progress)

    def adapters(self) -> list[Known]:
        """All adapters that are whole, with their labels, settings and scores."""
        from rung.workspace.lineage import all_known

        return all_known(self.workspace)

    def promote(self, name: str, label: str, rung: str = "", force: str = "") -> tuple[Gate, Move | None]:
        """Move the label to an adapter that beats the one in place; what was measured, and None where it was refused."""
        from rung.workspace.promoting import promote

        return promote(self.workspace, name, label, rung, self.progress, force)

    def rollback(self, label: str, why: str = "") -> Move:
        """Put a label back onto the adapter it stood on before. DataError where there is none."""
        from rung.workspace.labels import roll_back

        return roll_back(self.workspace, label, why)

    def export(
        self, name: str, to: str | Path, format: Format = "gguf", quantised: Quantised = "", rung: str = "", cases: int = 0
    ) -> Exported:
        """Write an adapter for other runtimes, checked on `cases` held-out ones (0: all). TuningError where it differs there."""
        from rung.workspace.model_export import export

        return export(self.workspace, name, Path(to), format, quantised, rung, cases, self.progress)

    def forget(
        self, *documents: str, subject: str = "", delete_source: bool = False, ignore: bool = False, retrain: bool = False
    ) -> Certificate:
        """Take documents, or all that holds the words `subject`, out of everything. DataError where they would come back."""
        from rung.workspace.forgetting import forget
        from rung.workspace.to_forget import Request

        return forget(self.workspace, Request(documents, subject, delete_source, ignore, retrain), self.progress)

    def diagnose(
        self, rung: str = "rag", answers: str | Path | None = None, endpoint: str = "", most: int = 100, workers: int | None = None
    ) -> Diagnosis:
        """Why a rung, recorded answers or an endpoint fail on the held-out cases, replayed without a judge."""
        from rung.diagnosing import diagnose

        return diagnose(self.workspace, self.progress, rung, Path(answers) if answers else None, endpoint, most, workers)

    def advise(self, **answers: Any) -> Advice:
        """The rungs in order, unmeasured: the project's own facts, overruled by answers named as in `rung advise --save`."""
        from rung.advice.advise import advise
        from rung.advice.situation import situation
        from rung.advising import known

        return advise(situation(known(self.folder) | answers, "the answers"))

    def cost(
        self, prices: str | Path | None = None, questions_day: float | None = None, months: float | None = None, hosted: str = "auto"
    ) -> Costs:
        """What the rungs of the last climb cost to build, run and keep. DataError without a climb."""
        from rung.costing import costs_of
        from rung.runs import last_climb

        ws = self.workspace
        return costs_of(ws, last_climb(ws), Path(prices) if prices else None, questions_day, months, hosted)

    def freshness(self, before: str | Path, cases: str | Path | None = None, rungs: Sequence[str] = ()) -> Measured:
        """How stale each rung's answers are after documents changed; `before` holds their older versions. DataError where none did."""
        from rung.freshness import measure

        return measure(self.workspace, Path(before), Path(cases) if cases else None, rungs, self.progress)
