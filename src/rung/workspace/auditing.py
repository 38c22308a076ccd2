"""From a project to the audit of its examples: read with their lines, rendered as they will be trained on. It trains nothing."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import ConfigError, MissingExtra
from rung.types import Case
from rung.workspace import workspace as w
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from rung.tuning.audit.finding import Audit, Finding, Place
    from rung.tuning.rows import Row
    from rung.types import Document


@dataclass(frozen=True)
class About:
    """What stands around the rows: held-out cases, places, findings from reading, copies of documents, ids to validate on."""

    cases: Sequence[Case]
    places: Mapping[str, Place]
    found: Sequence[Finding]
    copies: Mapping[str, str]
    validation: frozenset[str]


def audit_examples(
    ws: Workspace, cases: Sequence[Case], documents: Sequence[Document] = (), show: str = "", progress: Progress = silent
) -> Audit:
    """The audit of a project's examples as `tuned` would train on them; rows that can't be read are findings, not errors."""
    from rung.tuning.rows import no_context, rows

    examples, places, found = read_examples(ws)
    made = rows(examples, w.style(ws), no_context)
    aside, unsplit = _set_aside(ws, made)
    about = About(cases, places, [*found, *unsplit], _copies(documents), aside)
    return _audit(ws, examples, made, about, show, progress)


def audit_rows(
    ws: Workspace,
    examples: Sequence[Case],
    made: Sequence[Row],
    validation: Sequence[Row],
    progress: Progress = silent,
    *,
    bare: bool = False,
) -> Audit:
    """The audit of rows that are about to be trained on, `bare` through no chat template. TuningError where a finding stops it."""
    from rung.tuning.audit.audit import refuse

    _, places, found = read_examples(ws)
    cases = [] if ws.part else w.cases(ws)  # what is kept apart, such as freshness, teaches held-out questions on purpose
    about = About(cases, places, found, {}, frozenset(row.id for row in validation))
    done = _audit(ws, examples, made, about, "", progress, bare=bare)
    refuse(done, f"`rung check {ws.folder}`")
    return done


def audit_labelled(ws: Workspace, examples: Sequence[Case], made: Sequence[Row], progress: Progress) -> Callable[[Sequence[Row]], Audit]:
    """The audit of a specialist's rows, for whoever knows which of them are set aside. They go through no chat template."""
    return lambda validation: audit_rows(ws, examples, made, validation, progress, bare=True)


def keep_audit(done: Audit, path: Path) -> None:
    """Write the audit as JSON, whole or not at all."""
    from rung.measure.record import write_whole

    write_whole(path, json.dumps(asdict(done), indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def put_audit(made: Path | None, into: Path) -> None:
    """Copy a kept audit into a run folder, where there is one."""
    from rung.measure.record import write_whole

    if made and made.exists():
        write_whole(into, made.read_bytes())


def allowing(ws: Workspace, kinds: Sequence[str]) -> Workspace:
    """The project with more kinds of findings allowed. ConfigError for one that isn't known or can't be allowed."""
    _check_kinds(kinds, "--allow")
    tuning = ws.config.tuning.model_copy(update={"allow": (*ws.config.tuning.allow, *kinds)})
    return replace(ws, config=ws.config.model_copy(update={"tuning": tuning}))


def read_examples(ws: Workspace) -> tuple[list[Case], dict[str, Place], list[Finding]]:
    """The examples that can be read, in order of id, where each stands, and a finding for each way in which a row is broken."""
    from rung.measure.cases import numbered_cases
    from rung.measure.rows import NotRated
    from rung.tuning.audit.finding import Place, counted, finding

    if not ws.config.project.examples:
        return [], {}, []
    name = ws.config.project.examples
    examples, places, broken = [], dict[str, "Place"](), dict[tuple[str, str], list["Place"]]()
    for line, found in numbered_cases(ws.folder / name):
        if isinstance(found, Case):
            examples.append(found)
            places[found.id] = Place(name, line, found.id)
        elif not isinstance(found, NotRated):
            broken.setdefault((found.message, found.hint), []).append(Place(name, line, ""))
    findings = [
        finding("unreadable", "stop", f"{counted(len(rows), 'row', 'rows')} can't be read: {message}", hint, rows)
        for (message, hint), rows in broken.items()
    ]
    return sorted(examples, key=lambda case: case.id), places, findings


def _set_aside(ws: Workspace, made: Sequence[Row]) -> tuple[frozenset[str], list[Finding]]:
    """The ids of the rows that a training would validate on, or what keeps it from setting any aside."""
    from rung.errors import TuningError
    from rung.tuning.audit.finding import finding
    from rung.tuning.split import split

    try:
        return frozenset(row.id for row in split(made, 0.1, ws.config.project.seed)[1]) if made else frozenset(), []
    except TuningError as error:
        return frozenset(), [finding("no-validation", "stop", error.message, error.hint)]


def _audit(
    ws: Workspace, examples: Sequence[Case], made: Sequence[Row], about: About, show: str, progress: Progress, *, bare: bool = False
) -> Audit:
    from rung.tuning.audit.audit import audit
    from rung.tuning.audit.material import Material

    settings = ws.config.tuning
    _check_kinds(settings.allow, "[tuning] allow")
    tokenizer, window = _tokenizer(ws) if made and not bare else (None, 0)
    material = Material(
        examples,
        made,
        about.cases,
        about.places,
        _held_places(ws),
        ws.config.project.task,
        w.labels(ws) if ws.config.project.task == "classify" else (),
        tokenizer,
        window,
        _form(ws),
        settings.personal_data,
        about.validation,
        about.copies,
    )
    return audit(material, settings.allow, about.found, show, partial(progress, "audit"))


def _tokenizer(ws: Workspace) -> tuple[Any, int]:
    """The base model's tokenizer and window; none for one that is not on this machine, or that can't be tuned."""
    from rung.models import base_folder, on_this_machine, reads_only

    name = ws.config.model.name
    if not on_this_machine(name) or reads_only(name) or name.startswith("extractor:"):
        return None, 0
    try:
        from transformers import AutoTokenizer
    except ModuleNotFoundError:
        raise MissingExtra("the audit of training rows", "local") from None
    folder = base_folder(name, ws.folder)
    return AutoTokenizer.from_pretrained(folder, local_files_only=True), window_of(folder)


def window_of(folder: Path) -> int:
    """Tokens that the positions of a model's folder reach; 0 where its configuration does not say."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return int(config.get("max_position_embeddings") or config.get("text_config", {}).get("max_position_embeddings") or 0)


def _held_places(ws: Workspace) -> dict[str, Place]:
    from rung.measure.cases import numbered_cases
    from rung.tuning.audit.finding import Place

    name = ws.config.project.cases
    return {found.id: Place(name, line, found.id) for line, found in numbered_cases(ws.folder / name) if isinstance(found, Case)}


def _form(ws: Workspace) -> Any:
    from rung.measure.metrics import has_form

    form = ws.config.project.form
    return (lambda text: has_form(text, form)) if form else None


def _copies(documents: Sequence[Document]) -> dict[str, str]:
    """Each document to the first that holds the same text: a copy under another name is the same document."""
    first: dict[str, str] = {}
    return {one.path: first.setdefault(" ".join(one.text.split()), one.path) for one in sorted(documents, key=lambda one: one.path)}


def _check_kinds(kinds: Sequence[str], where: str) -> None:
    from rung.tuning.audit.finding import FIRM, KINDS

    for kind in kinds:
        if kind in FIRM:
            raise ConfigError(f"{where}: '{kind}' can't be allowed", f"{KINDS[kind]}: mend or remove it")
        if kind not in KINDS:
            near = difflib.get_close_matches(kind, KINDS, 1, 0.4)
            hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(KINDS)}"
            raise ConfigError(f"{where}: there is no finding '{kind}'", hint)
