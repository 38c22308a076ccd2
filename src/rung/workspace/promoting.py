"""Whether an adapter may take the place of another: better on the held-out cases, and nothing forgotten. Else it is refused.

Both are asked the same questions and compared case by case (a sign-flip test over clusters). What is forgotten is measured
against the bare base model, whichever adapter stands there, so that many small losses can't add up unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rung.approach.approach import Approach, answer_all
from rung.approach.ladder import LADDER, check_rungs
from rung.approach.policy import Policy
from rung.approach.prompt import PromptStyle
from rung.approach.source import Nothing
from rung.errors import ConfigError, TuningError
from rung.types import Case, Comparison, Message
from rung.workspace import labels
from rung.workspace import workspace as w
from rung.workspace.catalogue import Move, catalogue, standing
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from rung.measure.evaluate import Pairs
    from rung.measure.score import Task
    from rung.types import ChatModel

DEFAULT_GENERAL = Path(__file__).parent / "general.jsonl"


@dataclass(frozen=True)
class Gate:
    """What was measured, and what speaks against the promotion; `refused` is empty where nothing does."""

    candidate: str
    before: str  # the adapter in place; "" is the bare base model
    rung: str
    held_out: Comparison  # candidate minus the one in place
    scores: tuple[float, float]  # on the held-out cases: in place, candidate
    general_loss: tuple[float, float]  # nats a token on the general set: base, candidate
    general: Comparison  # candidate minus base on the general set
    general_scores: tuple[float, float]  # base, candidate
    refused: tuple[str, ...]


def promote(ws: Workspace, name: str, label: str, rung: str = "", progress: Progress = silent, force: str = "") -> tuple[Gate, Move | None]:
    """Measure, and move the label if nothing speaks against it; with `force`, a reason, also if something does.

    None where it was refused. RungError where the label was moved by someone else meanwhile.
    """
    labels.check_label(label)
    folder, before = labels.servable(ws, name), standing(catalogue(ws), label)
    rung = rung or (before.rung if before else "") or labels.trained_rung(folder)
    if before and before.adapter == folder.name:
        raise ConfigError(f"'{label}' stands on {folder.name} already", "name another adapter, or another label")
    gate = measured(ws, folder, labels.folder_of(ws, before.adapter) if before else None, rung, progress)
    if gate.refused and not force:
        return gate, None
    return gate, labels.moved(ws, before, label, folder, "promote", rung, force, asdict(gate))


def measured(ws: Workspace, candidate: Path, before: Path | None, rung: str, progress: Progress = silent) -> Gate:
    """The gate's numbers. The adapter in place is measured even where it is blocked by now: nothing is served here."""
    from rung.measure.score import make_task
    from rung.measure.stats import compare_all

    cases, general = w.cases(ws), general_set(ws)
    base, new = w.base_model(ws), w.base_model(ws, candidate)
    old = w.base_model(ws, before) if before and not labels.blocked(before) else base
    seed, clusters = ws.config.project.seed, _clusters(cases)
    asked = {"in place": approach(ws, rung, old), "candidate": approach(ws, rung, new)}
    task = w.task(ws, cases)
    scores = {side: _scores(ask(ws, one, cases, task, f"{side}, held-out", progress)) for side, one in asked.items()}
    held_out = compare_all(scores, clusters, seed)[0]
    plain = make_task("answer", general, None, (), None)
    sides = {"base": _general(ws, base), "candidate": _general(ws, new)}
    kept = {side: _scores(ask(ws, one, general, plain, f"{side}, general", progress)) for side, one in sides.items()}
    compared = compare_all(kept, _clusters(general), seed)[0]
    losses = loss(base, general), loss(new, general)
    named = before.name if before and old is not base else ""
    gate = Gate(candidate.name, named, rung, held_out, _means(scores), losses, compared, _means(kept), ())
    return Gate(**{**gate.__dict__, "refused": _against(gate, ws.config.tuning.forgetting)})


def _against(gate: Gate, most: float) -> tuple[str, ...]:
    """What speaks against the promotion, each with its numbers."""
    found, gained = [], gate.held_out.difference
    told = f"{gained.estimate:+.3f}, 95 % interval {gained.low:+.3f} to {gained.high:+.3f}, p = {gate.held_out.p:.3g}"
    if not (gate.held_out.distinguishable and gained.estimate > 0):
        than = gate.before or "the bare base model"
        found.append(f"it does not beat {than} on the held-out cases ({told} on {gained.n})")
    rise = gate.general_loss[1] - gate.general_loss[0]
    if rise > most:
        before, after = gate.general_loss
        found.append(f"its loss on the general set rose by {rise:.3f} nats a token ({before:.3f} to {after:.3f}); {most:.3f} is allowed")
    lost = gate.general.difference
    if gate.general.distinguishable and lost.estimate < 0:
        found.append(f"its score on the general set fell by {-lost.estimate:.3f} (p = {gate.general.p:.3g} on {lost.n})")
    return tuple(found)


def approach(ws: Workspace, rung: str, model: ChatModel) -> Approach:
    """A trained rung with this model; the knowledge is brought up to date where the rung searches. ConfigError for another rung."""
    check_rungs([rung])
    if not LADDER[rung].trained_on:
        raise ConfigError(f"an adapter doesn't answer on the rung '{rung}'", "name tuned, hybrid or raft with --rung")
    if LADDER[rung].source == "nothing":
        return Approach(rung, model, Nothing(), w.style(ws), w.settings(ws), Policy())
    from rung.workspace.searching import searching

    synced = w.sync_knowledge(ws)
    if synced is None:
        raise ConfigError(f"the rung '{rung}' searches and the project has no documents", "set folder under [knowledge]")
    return Approach(rung, model, searching(ws, synced[0]), w.style(ws), w.settings(ws), w.policy(ws, measured=True))


def ask(ws: Workspace, ready: Approach, cases: Sequence[Case], task: Task, what: str, progress: Progress) -> Pairs:
    """Every case answered and scored; what was asked before of the same approach is taken from its record."""
    from rung.measure.evaluate import evaluate, evaluation_key

    key = evaluation_key(ready.id, cases)
    return evaluate(
        ready.name,
        lambda questions: answer_all(ready, questions),
        cases,
        task,
        ws.home / "runs" / f"adapters-{key[:16]}",
        key,
        lambda done, total: progress(f"answer {what}", done, total),
        w.prices(ws),
    )


def general_set(ws: Workspace) -> list[Case]:
    """The cases that show what is forgotten. DataError where one of them is a held-out case or a solved example too."""
    from rung.measure.cases import check_overlap, read_cases

    named = ws.config.tuning.general
    read = sorted(read_cases(ws.folder / named if named else DEFAULT_GENERAL), key=lambda case: case.id)
    check_overlap(read, w.examples(ws))
    return read


def loss(model: ChatModel, general: Sequence[Case]) -> float:
    """Mean negative log likelihood of the ideal answers' tokens, in nats. TuningError where no row fits the window."""
    from torch.nn.functional import cross_entropy

    from rung.models.local import LocalModel
    from rung.models.template import encode_row

    if not isinstance(model, LocalModel):
        raise TuningError("only a model on this machine can be measured so", "tune a bundled:, local: or hf: model")
    total = tokens = 0.0
    for case in general:
        turns: list[Message] = [{"role": "user", "content": case.question}, {"role": "assistant", "content": case.text}]
        ids, prompt = encode_row(model.engine.tokenizer, turns)
        if len(ids) > model.window:
            continue
        logits = model.engine.logits(model.adapter, ids[:-1])[prompt - 1 :]
        total += float(cross_entropy(logits, logits.new_tensor(ids[prompt:]).long(), reduction="sum"))
        tokens += len(ids) - prompt
    if not tokens:
        raise TuningError("no row of the general set fits the model's window", "shorten the rows that general under [tuning] names")
    return total / tokens


def _general(ws: Workspace, model: ChatModel) -> Approach:
    return Approach("prompt", model, Nothing(), PromptStyle(system=""), w.settings(ws), Policy())


def _clusters(cases: Sequence[Case]) -> dict[str, str]:
    from rung.measure.bootstrap import clusters_of

    return clusters_of(cases)


def _scores(pairs: Pairs) -> dict[str, float]:
    return {score.case: score.primary for _, score in pairs}


def _means(scores: dict[str, dict[str, float]]) -> tuple[float, float]:
    first, second = (sum(one.values()) / len(one) for one in scores.values())
    return first, second
