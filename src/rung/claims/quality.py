"""Claims on what is right: RAG and made-up answers, RAFT, fifty passages, LoRA against all weights, small and tuned against large.

It compares rungs on the same cases alone, and says so where too little is right for a share of it to mean anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rung.claims.claim import Claim, Finding, Scene, both, difference, judged, points, ratio, unmeasured, values
from rung.claims.speed import GUIDES
from rung.climb import Climb, Measured
from rung.errors import ModelError
from rung.types import Interval, Json

LEAST = 0.2  # of the rung that a share is taken of: below it the share says nothing
MANY, FEW = 50, 5  # passages
ABOVE = 1e-9  # a difference whose interval begins here is more than none


def hallucination(scene: Scene) -> Finding:
    """Answers that are neither right nor an "I don't know", at `rag` over those at `prompt`."""
    ran = scene.ran("prompt", "rag")
    if scene.ws.config.project.task != "answer" or len(ran) < 2:
        return unmeasured("it takes prompt and rag, climbed on a project of the task answer")
    without, behind = map(_made_up, ran.values())
    if _mean(without) < LEAST:
        return unmeasured(f"the bare prompt makes up {_mean(without):.0%}, too little to be halved: it says that it doesn't know")
    found = ratio(behind, without, scene)
    said = f"{_mean(behind):.1%} of answers made up with passages, {_mean(without):.1%} without: {_times(found)}"
    return judged(said, found, 0.0, 0.5)


def _made_up(one: Measured) -> dict[str, float]:
    said = {score.case: score.parts for score in one.scores}
    return {case: float(not parts["abstained"] and parts.get("facts", 0.0) < 1) for case, parts in said.items()}


def raft(scene: Scene) -> Finding:
    """RAFT minus RAG and RAFT minus plain tuning, all behind the same search but the last."""
    ran = scene.ran("rag", "tuned", "raft")
    if len(ran) < 3:
        return unmeasured("rag, tuned and raft were not all climbed")
    told = []
    for name in ("rag", "tuned"):
        found = difference(values(ran["raft"]), values(ran[name]), scene)
        told.append(judged(f"{points(found)} over {name}", found, ABOVE, 1.0))
    return both(*told)


def passages(scene: Scene) -> Finding:
    """The rung `rag` climbed twice, behind five passages and behind fifty, as far as the window holds them."""
    if not scene.ran("rag"):
        return unmeasured("rag was not climbed")
    few, many = (_climbed(scene, "rag", {"knowledge": {"k": k}}) for k in (FEW, MANY))
    part = "facts" if scene.ws.config.project.form else ""  # a form that the base model never keeps would hide the facts
    near, far = values(few, part), values(many, part)
    if not any(near.values()) and not any(far.values()):
        return unmeasured(f"rag is right on no case, behind {FEW} passages and behind {MANY}")
    found = difference(near, far, scene)
    shown = sum(len(answer.hits) for answer in many.answers) / len(many.answers)
    said = f"{points(found)} with {FEW} over {MANY}, of which the window held {shown:.0f}"
    return judged(f"{said}; {part or 'all'} right {_mean(near):.1%} and {_mean(far):.1%}", found, ABOVE, 1.0)


def lora(scene: Scene) -> Finding:
    """The rung `tuned` as the project tunes it and with all weights, by the form where the project asks for one."""
    if not scene.ran("tuned"):
        return unmeasured("tuned was not climbed")
    if scene.ws.config.tuning.method not in ("lora", "rslora", "dora"):
        return unmeasured(f"the project tunes by {scene.ws.config.tuning.method}")
    one, whole = (_climbed(scene, "tuned", {"tuning": {"method": method}}) for method in (scene.ws.config.tuning.method, "full"))
    part = "form" if scene.ws.config.project.form else ""
    low, all_of_it = values(one, part), values(whole, part)
    if _mean(all_of_it) < LEAST:
        return unmeasured(f"full fine-tuning is right {_mean(all_of_it):.0%}, too little for a share of it")
    found = ratio(low, all_of_it, scene)
    what = "the form right" if part else "right"
    return judged(f"LoRA {what} {_mean(low):.1%}, full {_mean(all_of_it):.1%}: {_times(found)}", found, 0.95, float("inf"))


def small(scene: Scene) -> Finding:
    """The tuned rung of one model against the prompt of a larger one, where two climbs of the project asked the same cases."""
    from rung.runs import climbs

    ran, mine = scene.ran("tuned"), _model(scene.climb)
    size = _bytes(scene, mine)
    if not ran or size is None:
        return unmeasured("no tuned model whose size is known was climbed")
    for other in climbs(scene.ws):
        name = _model(other)
        larger = _bytes(scene, name)
        prompted = replace(scene, climb=other).ran("prompt")
        if prompted and larger and larger > size and other.cases == scene.climb.cases:
            found = difference(values(ran["tuned"]), values(prompted["prompt"]), scene)
            said = f"{points(found)}: {mine} tuned over {name} ({larger / size:.1f} times as large) prompted"
            return judged(said, found, ABOVE, 1.0)
    return unmeasured("no climb of this project has a larger model: name one in rung.toml and climb again")


def _model(climbed: Climb) -> str:
    return climbed.facts["model"].split(" (")[0]


def _bytes(scene: Scene, spec: str) -> int | None:
    """Bytes of a model's weights; None where they are not on this machine."""
    from rung.models import base_folder

    try:
        folder: Path = base_folder(spec, scene.ws.folder)
    except ModelError:
        return None
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) or None


def _climbed(scene: Scene, rung: str, change: Mapping[str, Mapping[str, Json]]) -> Measured:
    """One rung with a changed configuration, measured apart from the project's own runs, which stay the last ones."""
    from rung.climb import climb

    config = scene.ws.config
    sections = {name: getattr(config, name).model_copy(update=dict(keys)) for name, keys in change.items()}
    apart = replace(scene.ws, config=config.model_copy(update=sections), part="claims")
    return climb(apart, scene.progress, (rung,)).rungs[0]


def _mean(told: Mapping[str, float]) -> float:
    return sum(told.values()) / len(told)


def _times(found: Interval) -> str:
    return f"{found.estimate:.2f} times ({found.low:.2f} to {found.high:.2f})"


CLAIMS = (
    Claim("hallucination", "RAG halves what is made up.", GUIDES, hallucination),
    Claim("RAFT", "RAFT, trained among distractors, beats RAG and plain tuning.", "Zhang et al. 2024 (RAFT)", raft),
    Claim("few passages", "5 to 10 passages beat 50.", "Liu et al. 2023 (Lost in the Middle)", passages, heavy=True),
    Claim("LoRA", "LoRA comes within 2 to 5 % of full fine-tuning.", "Hu et al. 2021 (LoRA); practice guides", lora, heavy=True),
    Claim("small and tuned", "A small tuned model beats a large prompted one.", GUIDES, small),
)
