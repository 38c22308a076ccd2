"""What a climb chose, and on which rows: each choice with its split, for the report. It chooses nothing, and refuses to guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Collection

    from rung.knowledge.knowledge import Knowledge

NAMED = "named in rung.toml"


def choices(ws: Workspace, knowledge: Knowledge | None, trained: bool, examples: int, tasks: Collection[str] = ()) -> dict[str, str]:
    """What was chosen → by whom and on what. Held-out cases choose nothing: they are read by the verdict alone.

    `trained` says whether a rung with an adapter was climbed, `tasks` which specialists were.
    """
    settings, tuning = ws.config.knowledge, ws.config.tuning
    found: dict[str, str] = {}
    if knowledge:
        found["passages"] = f"k = {settings.k}, {NAMED if 'k' in settings.model_fields_set else 'the default'}"
        found["fusion"] = _fusion(ws, knowledge)
    named = "instructions named in rung.toml" if "system" in ws.config.prompt.model_fields_set else "instructions by default"
    found["prompt"] = named + (f"; few-shot shows the nearest of {examples} solved examples" if examples else "")
    if trained:
        own = [key for key in ("method", "rank", "alpha", "epochs", "learning_rate", "batch_rows") if key in tuning.model_fields_set]
        rest = "the rest derived from the solved examples and the model; whether it learned is told by rows set aside from them"
        found["tuning"] = (f"{', '.join(own)} named in rung.toml; " if own else "") + rest
    if tasks:
        found["specialists"] = f"{', '.join(tasks)}: confidence and threshold fitted on solved examples set aside"
    return found


def _fusion(ws: Workspace, knowledge: Knowledge) -> str:
    from rung.knowledge.choice import read_choice

    mode = ws.config.knowledge.mode
    if mode != "auto":
        return f"{mode}, {NAMED if 'mode' in ws.config.knowledge.model_fields_set else 'the default'}"
    made = read_choice(knowledge.choice)
    return f"{made.mode}, measured on {made.questions}" if made else "hybrid, since nothing was measured yet"
