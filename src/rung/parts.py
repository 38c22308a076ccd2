"""A project's rungs made ready to answer: what they share, and why one can't run here. It measures nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rung.approach.approach import Approach
from rung.approach.ladder import LADDER, SPECIALISTS, check_rungs
from rung.approach.policy import Policy
from rung.approach.prompt import BARE
from rung.approach.source import Context, Everything, Nearest, Nothing, Source, nearest
from rung.errors import ModelError
from rung.models import reads_only
from rung.types import Case, ChatModel
from rung.workspace import workspace as w
from rung.workspace.privacy import remote
from rung.workspace.prompting import RUNGS, Chosen, chosen_prompt, prompted
from rung.workspace.searching import source
from rung.workspace.training import audited, learned, quiet, train_adapter
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge


@dataclass
class Parts:
    """What approaches are built from; models and sources are made when a rung first asks."""

    ws: Workspace
    cases: list[Case]
    examples: list[Case]
    knowledge: Knowledge | None
    progress: Progress
    workers: int | None
    models: dict[str, tuple[ChatModel, tuple[dict[str, float], ...]]] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    found: dict[tuple[str, str], Context] = field(default_factory=dict)  # what search brought, for the rungs that share it
    say: Callable[[str], None] = quiet
    audits: dict[str, Path] = field(default_factory=dict)  # of the rows behind each tuned model
    notes: dict[str, str] = field(default_factory=dict)  # what is wrong with a tuned model, if anything
    prompts: dict[str, Chosen] = field(default_factory=dict)  # by rung, where they were chosen and not configured


def approach(parts: Parts, name: str, *, measured: bool = True) -> Approach:
    """The named rung, ready to answer. Trains its adapter where there is none yet."""
    rung = LADDER[name]
    policy = w.policy(parts.ws, measured=measured) if rung.source in ("everything", "search") else Policy()
    settings = w.settings(parts.ws)
    if name in SPECIALISTS:
        return Approach(name, model_of(parts, rung.model)[0], _source(parts, rung.source), BARE, settings, policy)
    style, rewrite = w.style(parts.ws), parts.ws.config.prompt.rewrite
    judge = w.entailment(parts.ws) if policy.unsupported != "keep" else None
    ready = Approach(name, model_of(parts, rung.model)[0], _source(parts, rung.source), style, settings, policy, judge, rewrite)
    chosen = chosen_for(parts, ready)
    return prompted(parts.ws, ready, chosen) if chosen else ready


def chosen_for(parts: Parts, ready: Approach) -> Chosen | None:
    """The prompt that was chosen for a rung; None where the configuration asks for none. Everyone may see what it shows."""
    ws, name = parts.ws, ready.name
    if not ws.config.prompt.optimise or name not in RUNGS or reads_only(ws.config.model.name):
        return None
    public = w.shown(ws, parts.knowledge, "") if parts.knowledge else None
    if name not in parts.prompts:
        examples = w.told(ws, public, parts.examples)
        parts.prompts[name] = chosen_prompt(ws, ready, examples, lambda pool: _nearest(replace(parts, examples=list(pool))), parts.progress)
    return parts.prompts[name]


def model_of(parts: Parts, name: str) -> tuple[ChatModel, tuple[dict[str, float], ...]]:
    """The model behind `base`, `tuned`, `raft` or a specialist, with the losses of its training; made when first asked for."""
    if name not in parts.models:
        if name == "base":
            parts.models[name] = base_of(parts.ws, parts.workers), ()
        elif name in SPECIALISTS:
            from rung.workspace.specialists import specialist

            model, losses, folder = specialist(parts.ws, name, parts.examples, parts.knowledge, parts.progress)
            parts.models[name], parts.audits[name] = (model, losses), audited(folder)
        else:
            raft = name == "raft"
            adapter, losses = train_adapter(
                parts.ws, parts.examples, parts.knowledge, parts.progress, parts.workers, raft=raft, say=parts.say
            )
            parts.audits[name] = audited(adapter)
            parts.notes[name] = f"warning: {why}" if (why := learned(adapter)) else ""
            parts.models[name] = w.base_model(parts.ws, adapter, parts.workers), losses
    return parts.models[name]


def named_adapter(ws: Workspace) -> Path | None:
    """The adapter that the configuration names, by a label or its hash. RungError where it can't be served."""
    if not ws.config.model.adapter:
        return None
    from rung.workspace.labels import servable

    return servable(ws, ws.config.model.adapter)


def _source(parts: Parts, name: str) -> Source:
    if name not in parts.sources:
        parts.sources[name] = _open_source(parts, name)
    return parts.sources[name]


def _open_source(parts: Parts, name: str) -> Source:
    if name == "nothing":
        return Nothing()
    if name == "nearest":
        return _nearest(parts)
    assert parts.knowledge is not None, "unavailable() is asked first"
    return Everything(parts.knowledge) if name == "everything" else source(parts.ws, parts.knowledge)


def _nearest(parts: Parts) -> Nearest:
    embedder = parts.knowledge.embedder if parts.knowledge else w.embedder(parts.ws)
    return nearest(w.told(parts.ws, parts.knowledge, parts.examples), embedder, parts.ws.config.prompt.shots)


def unavailable(parts: Parts, name: str) -> str:
    """Why a rung can't be climbed here; "" where it can."""
    rung, config = LADDER[name], parts.ws.config
    if name in SPECIALISTS:
        does, task = ("fills fields" if name == "extractor" else "names labels"), SPECIALISTS[name]
        reason = "" if parts.examples else "the project has no solved examples"
        return reason if config.project.task == task else f"it {does}, and the project's task is not {task}"
    if rung.source in ("everything", "search") and parts.knowledge is None:
        return "the project has no documents"
    if (rung.source == "nearest" or rung.trained_on) and not parts.examples:
        return "the project has no solved examples"
    if rung.trained_on and config.model.name.startswith("endpoint:") and not config.tuning.remote:
        return "a model behind an endpoint is tuned by its server: set remote under [tuning]"
    if reads_only(config.model.name) and (rung.trained_on or rung.source not in ("everything", "search")):
        return f"{config.model.name} quotes from passages and learns nothing, and this rung is about " + (
            "learning" if rung.trained_on else "answering without passages"
        )
    if rung.trained_on and config.model.name.startswith("extractor:"):
        return "an extractor was tuned already"
    if config.limits.private and remote(config.model.name):
        return "the project is private and the model may not be on this machine"
    if rung.source == "everything":
        return _too_long(parts)
    return ""


def _too_long(parts: Parts) -> str:
    from rung.approach.prompt import render

    model, source = model_of(parts, "base")[0], _source(parts, "everything")
    longest = max((case.question for case in parts.cases), key=len, default="")
    needed = model.count(render(w.style(parts.ws), longest, source.find(longest).hits)) + parts.ws.config.model.max_tokens
    return f"the documents need {needed:,} tokens and the model's window is {model.window:,}" if needed > model.window else ""


def base_of(ws: Workspace, workers: int | None) -> ChatModel:
    """The configured model, with the adapter that the configuration names."""
    return w.base_model(ws, named_adapter(ws), workers)


def open_rung(ws: Workspace, name: str, progress: Progress = silent) -> Approach:
    """A rung ready to be asked. ConfigError for an unknown name, ModelError where it can't run here."""
    check_rungs([name])
    cases, examples, adapter = w.cases(ws), w.examples(ws), named_adapter(ws)
    model = w.base_model(ws, adapter)
    synced = w.sync_knowledge(ws, progress)
    ready = ("base", "tuned", "raft") if adapter else ("base",)  # an adapter that was named answers on the trained rungs too
    parts = Parts(ws, cases, examples, synced[0] if synced else None, progress, None, dict.fromkeys(ready, (model, ())))
    reason = unavailable(parts, name)
    if reason:
        able = [rung for rung in LADDER if not unavailable(parts, rung)]
        raise ModelError(f"{name} can't run here: {reason}", f"choose another rung with --rung: {', '.join(able)}")
    return approach(parts, name, measured=False)
