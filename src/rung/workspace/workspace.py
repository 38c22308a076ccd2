"""From `rung.toml` to objects: opens what the configuration names, and refuses data that would spoil a measurement."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rung.config import Config, read_config
from rung.errors import ConfigError, DataError
from rung.sections import PromptConfig
from rung.types import Case, ChatModel, Embedder, Settings
from rung.workspace.privacy import kept_away, remote

if TYPE_CHECKING:
    from rung.approach.entailment import Entailment
    from rung.approach.policy import Policy
    from rung.approach.prompt import PromptStyle
    from rung.knowledge.access import Lists
    from rung.knowledge.cluster import Cluster
    from rung.knowledge.knowledge import Knowledge, SyncReport
    from rung.measure.cost import Prices
    from rung.measure.score import Task
    from rung.measure.verdict import Limits
    from rung.types import Filter

Progress = Callable[[str, int, int], None]  # what is being done, how much of it, out of how much


def silent(what: str, done: int, total: int) -> None:
    """Progress for nobody."""


@dataclass(frozen=True)
class Workspace:
    """A project's folder and its checked configuration, and what of its documents is asked about, by whom."""

    folder: Path
    config: Config
    user: str = ""  # "" is somebody unknown
    groups: tuple[str, ...] = ()  # that the user is in, beside those of rung.toml
    where: tuple[str, ...] = ()  # conditions on the documents' metadata
    at: str = ""  # the version of the knowledge; "" is the present, brought up to date
    part: str = ""  # a folder in `home` for what must not mix with the rest

    @property
    def home(self) -> Path:
        """Where everything that was made is kept."""
        return self.folder / ".rung" / self.part


def open_workspace(folder: Path, user: str = "", where: Sequence[str] = (), at: str = "") -> Workspace:
    """The project in `folder`, as this user sees it, with the knowledge of version `at`. ConfigError for a bad `rung.toml`."""
    from rung.approach.ladder import check_rungs

    config = read_config(folder / "rung.toml")
    check_rungs(config.project.rungs)
    if user and not config.access.on:
        raise ConfigError(f"access lists are off, so nothing is kept from '{user}' or anybody else", "set on = true under [access]")
    return Workspace(folder, config, user, where=tuple(where), at=at)


def with_project(ws: Workspace, changes: Mapping[str, object]) -> Workspace:
    """The workspace with other values under [project], as options of the command line give them; None changes nothing."""
    given = {key: value for key, value in changes.items() if value is not None}
    project = ws.config.project.model_copy(update=given)
    return replace(ws, config=ws.config.model_copy(update={"project": project}))


def answering_with(ws: Workspace, adapter: str) -> Workspace:
    """The project with an adapter, by label or hash, in place of the one that its configuration names; "" changes nothing."""
    if not adapter:
        return ws
    model = ws.config.model.model_copy(update={"adapter": adapter})
    return replace(ws, config=ws.config.model_copy(update={"model": model}))


def cases(ws: Workspace) -> list[Case]:
    """The held-out cases, in order of id; labels outside the list are refused."""
    from rung.measure.cases import check_labels, read_cases

    read = sorted(read_cases(ws.folder / ws.config.project.cases), key=lambda case: case.id)
    if ws.config.project.task == "classify":
        check_labels(read, labels(ws))
    return read


def examples(ws: Workspace) -> list[Case]:
    """The solved examples, none of them held out; empty where the project has none."""
    from rung.measure.cases import check_labels, check_overlap, read_cases

    if not ws.config.project.examples or _empty(ws.folder / ws.config.project.examples):
        return []
    read = sorted(read_cases(ws.folder / ws.config.project.examples), key=lambda case: case.id)
    check_overlap(cases_so_far(ws), read)
    if ws.config.project.task == "classify":
        check_labels(read, labels(ws))
    return read


def cases_so_far(ws: Workspace) -> list[Case]:
    """The held-out cases; none where their file is empty, as in a project that has just begun."""
    return [] if _empty(ws.folder / ws.config.project.cases) else cases(ws)


def _empty(path: Path) -> bool:
    """Whether it is a file without a byte: a place for rows that are still to come."""
    return path.is_file() and path.stat().st_size == 0


def labels(ws: Workspace) -> list[str]:
    """The labels of a `classify` project. ConfigError without a list of texts."""
    if not ws.config.project.labels:
        raise ConfigError("a project with task 'classify' needs its labels", 'add labels = "labels.json" under [project]')
    read = read_json(ws.folder / ws.config.project.labels)
    if not isinstance(read, list) or not read or not all(isinstance(label, str) for label in read):
        raise ConfigError(f"{ws.config.project.labels} must hold a JSON list of texts", 'for example ["refund", "delivery"]')
    return read


def read_json(path: Path) -> object:
    """A JSON file's value. DataError with the line that is wrong."""
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", "mend the name in rung.toml or write the file") from None
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}", "check that it is a file you may read") from None
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON: {error}", "mend that line") from None


def embedder(ws: Workspace) -> Embedder:
    """The embedder that the configuration names; a relative `hf:` folder is the project's. ConfigError where privacy forbids it."""
    from rung.knowledge.embedders import load

    spec = ws.config.knowledge.embedder
    if ws.config.limits.private and remote(spec):
        sentence = f"the project is private, and the embedder '{spec}' would send its documents to another machine"
        raise ConfigError(sentence, "choose minilm or hf:<folder>, or take private out of [limits]")
    return load(located(ws, spec))


def index(ws: Workspace) -> str:
    """The spec of the index that the configuration names. ConfigError where privacy forbids it."""
    spec = ws.config.knowledge.index
    if ws.config.limits.private and kept_away(spec):
        sentence = f"the project is private, and the index '{spec}' would keep its documents on another machine"
        raise ConfigError(sentence, "choose lance, or a server on this machine, or take private out of [limits]")
    return spec


def located(ws: Workspace, spec: str) -> str:
    """A spec whose folder is found from the project's own, and `tuned:<hash>` among what was trained here."""
    kind, _, name = spec.partition(":")
    if kind not in ("hf", "tuned"):
        return spec
    near = ws.folder / ".rung" / "embedders" / name if kind == "tuned" and "/" not in name else ws.folder / name
    return f"{kind}:{near}" if near.is_dir() else spec


def cluster(ws: Workspace, address: str) -> AbstractContextManager[Cluster]:
    """A connection to a Ray cluster that can load the project's embedder. ConfigError where privacy forbids it."""
    from rung.knowledge.cluster import connected

    if ws.config.limits.private and address != "local":
        sentence = f"the project is private, and a cluster at '{address}' may have other machines"
        raise ConfigError(sentence, "write --ray local, or take private out of [limits]")
    kind, _, name = located(ws, ws.config.knowledge.embedder).partition(":")
    return connected(address, f"{kind}:{Path(name).absolute()}" if name and Path(name).is_dir() else f"{kind}:{name}")


def sync_knowledge(
    ws: Workspace,
    progress: Progress = silent,
    *,
    fresh: bool = False,
    ray: str = "",
    allow_empty: bool = False,
    take_over: bool = False,
) -> tuple[Knowledge, SyncReport] | None:
    """Read what changed and bring the index up to date, and what changed; None where the project has no documents.

    `ray` is the address of a cluster that does the work. Unless `fresh`, a source is not asked again within the seconds
    that it names as `every`; unless `allow_empty`, NoDocuments where the project's own folder holds nothing: its disk may be
    away. The knowledge is what the workspace's user may see of it, and what meets the conditions. An earlier version is opened
    as it was, and nothing changes. What another copy of the project was asked to forget goes first. What other copies brought
    into a shared index stays, unless this one is to `take_over`.
    """
    from rung.knowledge.knowledge import SyncReport, narrowed, reopened

    if ws.config.serve.store.startswith("postgres:"):
        from rung.workspace.catching_up import bar, catch_up

        catch_up(ws, progress) if fresh else bar(ws)
    if not ws.config.knowledge.default_folder and not ws.config.knowledge.sources:
        return None
    with cluster(ws, ray) if ray else nullcontext() as machines:  # before the index is opened: LanceDB minds being forked
        knowledge = held_knowledge(ws)
        if ws.at:
            knowledge = reopened(knowledge, ws.at)
            report = SyncReport(unchanged=len(knowledge.state.documents))
        else:
            report = _synced(ws, knowledge, progress, machines, fresh=fresh, allow_empty=allow_empty, take_over=take_over)
    view = shown(ws, knowledge, ws.user)
    return narrowed(view, *ws.where) if ws.where else view, report


def _synced(
    ws: Workspace,
    knowledge: Knowledge,
    progress: Progress,
    machines: Cluster | None,
    *,
    fresh: bool,
    allow_empty: bool,
    take_over: bool,
) -> SyncReport:
    """Bring the knowledge up to date with all places, and measure anew how to rank where that is asked for and needed."""
    from rung.knowledge.gather import gather, read_seen, write_seen
    from rung.knowledge.knowledge import sync
    from rung.workspace.copies import latest
    from rung.workspace.ignoring import remembered
    from rung.workspace.places import places
    from rung.workspace.sharing import brought, merging, note_brought

    settings, note = ws.config.knowledge, ws.home / "knowledge" / "seen.json"
    ours, asked = None if take_over else brought(ws, knowledge), latest(ws)
    found = places(replace(ws, folder=ws.folder.absolute()) if machines else ws, lacking=ours is not None and not ours.documents)
    found = [replace(one, may_be_empty=one.may_be_empty or (allow_empty and not one.name)) for one in found]
    before = read_seen(note)
    reader = machines.reader() if machines else None
    held_now = knowledge.state.documents
    gathered = gather(found, before, held_now, fresh=fresh, progress=lambda done, total, _: progress("read", done, total), reader=reader)
    gathered = remembered(ws.folder, gathered)
    merge = merging(ws, ours, asked)
    report = sync(knowledge, gathered.documents, (), lambda done, total, what: progress("index", done, total), lists(ws), machines, merge)
    gathered = note_brought(ws, knowledge, gathered)
    if gathered.seen != before:
        with suppress(OSError):  # it only saves work
            write_seen(note, gathered.seen)
    if settings.mode == "auto":
        from rung.knowledge.knowledge import share
        from rung.workspace.choose import keep_choice

        keep_choice(knowledge, examples(ws), lambda done, total: progress("choose how to rank", done, total))
        share(knowledge)
    return replace(report, skipped=tuple(gathered.skipped), kept=gathered.kept)  # what is kept was settled in gathering


def held_knowledge(ws: Workspace) -> Knowledge:
    """The knowledge as the last sync left it, all of it."""
    from rung.knowledge.knowledge import open_knowledge

    settings = ws.config.knowledge
    making = (settings.chunker, settings.ocr_languages, settings.share)
    return open_knowledge(ws.home / "knowledge", embedder(ws), index(ws), settings.passage_tokens, settings.keep_days, *making)


def lists(ws: Workspace) -> Lists | None:
    """The access lists; None where they are off."""
    from rung.knowledge.access import Lists, Rule

    settings = ws.config.access
    rules = tuple(Rule(rule.documents, rule.readers) for rule in settings.rules)
    return Lists(rules, settings.groups, settings.metadata, settings.auditors) if settings.on else None


def shown(ws: Workspace, knowledge: Knowledge, user: str) -> Knowledge:
    """The knowledge as this user may see it, today, even where it is of an earlier day; as it is where the lists are off."""
    from rung.knowledge.access import viewer
    from rung.knowledge.knowledge import seen
    from rung.types import Filter

    held = lists(ws)
    if held is None:
        return knowledge
    only = viewer(user, held, ws.groups if user == ws.user else ())
    return seen(knowledge, Filter(only.readers, (_still(ws, knowledge, only, held),)) if ws.at else only)


def _still(ws: Workspace, earlier: Knowledge, only: Filter, held: Lists) -> frozenset[str]:
    """The documents of an earlier state that the lists of today let through; what is gone since has what it last said of itself."""
    from rung.knowledge.access import allows, labels
    from rung.types import Document

    now = held_knowledge(ws).state.documents
    then = {path: Document(path, "", "", "", now.get(path, one).meta) for path, one in earlier.state.documents.items()}
    return frozenset(f"path={path}" for path, document in then.items() if allows(only, labels(document, held)))


def told(ws: Workspace, knowledge: Knowledge | None, solved: Sequence[Case]) -> list[Case]:
    """The solved examples that may be told to whom the knowledge is shown: those whose evidence it shows, all of it."""
    if knowledge is None or not ws.config.access.on:
        return list(solved)
    return [case for case in solved if all(knowledge.shows(evidence.document) for evidence in case.evidence)]


def base_model(ws: Workspace, adapter: Path | None = None, workers: int | None = None) -> ChatModel:
    """The configured model, with an adapter on top if given. `workers` bounds what runs side by side.

    An adapter that a remote tuner made is a model of its own, on the tuner's server.
    """
    from rung.models import load

    name, options = ws.config.model.name, dict(ws.config.model.options)
    if adapter and (adapter / "remote.json").is_file():
        told = json.loads((adapter / "remote.json").read_text(encoding="utf-8"))
        options = options if name.startswith("endpoint:") else {"key_env": told["key_env"]}
        name, adapter = f"endpoint:{told['model']}@{told['url']}", None
    if workers:
        options["concurrency" if name.startswith("endpoint:") else "threads"] = workers
    kind, _, path = name.partition(":")
    if kind in ("local", "extractor") and not Path(path).expanduser().is_absolute():
        name = f"{kind}:{ws.folder / path}"
    return load(name, adapter, **options)


def settings(ws: Workspace) -> Settings:
    """How answers are generated."""
    return Settings(ws.config.model.max_tokens, ws.config.model.temperature, ws.config.project.seed)


def style(ws: Workspace) -> PromptStyle:
    """The instructions of every rung; for `classify` and `extract` they name the labels or the keys."""
    from rung.approach.prompt import PromptStyle

    system, project = ws.config.prompt.system, ws.config.project
    if project.task == "classify":
        own = f"{system} " if system != PromptConfig().system else ""  # the default speaks of passages, which few labels need
        system = f"{own}Answer with one label: {', '.join(labels(ws))}."
    elif project.task == "extract":
        schema = read_json(ws.folder / project.json_schema) if project.json_schema else {}
        keys = list(schema.get("properties", {})) if isinstance(schema, dict) else []
        system = f"{system} Reply in JSON with the keys {', '.join(keys)}." if keys else system
    return PromptStyle(system, ws.config.prompt.cite and project.task == "answer")


def policy(ws: Workspace, *, measured: bool) -> Policy:
    """What happens to unsupported sentences; a measured answer is dropped from or refused as a served one is, but never marked."""
    from rung.approach.policy import Policy
    from rung.measure.score import form_words

    answer = ws.config.answer
    if ws.config.project.task != "answer" or (measured and answer.unsupported == "mark"):
        return Policy()
    return Policy(answer.unsupported, answer.refusal, form_words(ws.config.project.form))


def entailment(ws: Workspace) -> Entailment | None:
    """The model that judges sentences after they were checked by words; None where none is named."""
    from rung.approach.entailment import load

    name = ws.config.answer.entailment
    return load(located(ws, name)) if name else None


def task(ws: Workspace, held_out: Sequence[Case]) -> Task:
    """What a right answer is, checked against the cases."""
    from rung.measure.score import make_task

    project = ws.config.project
    schema = read_json(ws.folder / project.json_schema) if project.json_schema else None
    if schema is not None and not isinstance(schema, dict):
        raise ConfigError(f"{project.json_schema} must hold a JSON Schema", "a JSON object with type and properties")
    return make_task(project.task, held_out, project.form or None, labels(ws) if project.task == "classify" else (), schema)


def limits(ws: Workspace) -> Limits:
    """The bar and the constraints."""
    from rung.measure.verdict import Limits

    return Limits(bar=ws.config.project.bar, margin=ws.config.project.margin, **ws.config.limits.model_dump())


def prices(ws: Workspace) -> Prices:
    """The price table."""
    from rung.measure.cost import Prices

    return Prices(**ws.config.prices.model_dump(exclude={"questions_day"}))
