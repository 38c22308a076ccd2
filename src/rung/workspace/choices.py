"""How a climb measured, in the report's words: when it stopped, whose variance it is, and what was chosen on which rows.

It chooses nothing, and says nothing that was not measured, named or recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rung.approach.ladder import LADDER, SPECIALISTS, rung_of
from rung.measure.repeats import told
from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge
    from rung.measure.looks import Asked
    from rung.types import Case, Summary

NAMED, DEFAULT = "named in rung.toml", "the default"
GREEDY = "not repeated: temperature 0 takes the likeliest word each time, so seeds have no effect"
RECIPE = ("method", "rank", "alpha", "epochs", "learning_rate", "batch_rows")


def how_measured(
    ws: Workspace, knowledge: Knowledge | None, examples: Sequence[Case], summaries: Sequence[Summary], asked: Asked
) -> dict[str, str]:
    """Heading → sentence, for all that applies to this climb."""
    project, ran = ws.config.project, [one for one in summaries if one.ran]
    found = {"stopped early": asked.told()} if project.stop_early else {}
    if project.repeat > 1:
        found["variance"] = "; ".join(f"{one.name}: {told(one.spread)}" for one in ran if one.spread) or GREEDY
    return found | choices(ws, knowledge, len(examples), list(dict.fromkeys(rung_of(one.name) for one in ran)))


def choices(ws: Workspace, knowledge: Knowledge | None, examples: int, rungs: Sequence[str]) -> dict[str, str]:
    """What was chosen → by whom and on what. Held-out cases choose nothing: they are read by the verdict alone."""
    settings, tuning = ws.config.knowledge, ws.config.tuning
    found: dict[str, str] = {}
    if knowledge:
        found["choice of k"] = f"{settings.k}, {NAMED if 'k' in settings.model_fields_set else DEFAULT}"
        found["choice of fusion"] = _fusion(ws, knowledge)
    shots = f"; few-shot shows the nearest of {examples} solved examples" if "few-shot" in rungs else ""
    found["choice of prompt"] = (NAMED if "system" in ws.config.prompt.model_fields_set else DEFAULT) + shots
    if any(LADDER[name].trained_on for name in rungs):
        own = [key for key in RECIPE if key in tuning.model_fields_set]
        rest = "the rest derived from the solved examples and the model; whether it learned is told by rows set aside from them"
        found["choice of tuning"] = (f"{', '.join(own)} {NAMED}; " if own else "") + rest
    if fitted := [name for name in rungs if name in SPECIALISTS]:
        found["choice of threshold"] = f"{', '.join(fitted)}: fitted on solved examples"
    return found


def _fusion(ws: Workspace, knowledge: Knowledge) -> str:
    from rung.knowledge.choice import read_choice

    settings = ws.config.knowledge
    if settings.mode != "auto":
        return f"{settings.mode}, {NAMED if 'mode' in settings.model_fields_set else DEFAULT}"
    made = read_choice(knowledge.choice)
    return f"{made.mode}, measured on {made.questions}" if made else "hybrid, since nothing was measured yet"
