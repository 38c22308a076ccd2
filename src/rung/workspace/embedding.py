"""From a project's solved examples to a tuned embedder: which pairs, against which passages, and how much better it ranks.

Like an adapter, it learns only from what everyone may read, and never from a held-out case.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from rung.errors import TuningError
from rung.types import Case, Interval, Passage
from rung.workspace import workspace as w
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge
    from rung.tuning.embedder import Asked, EmbedderRecipe
    from rung.types import Vectors

MOST = 20_000  # passages trained against: all of a small corpus, else the hard ones and a random rest
HARD = 100  # passages that each leg brings to a training question
SHARE = 0.15  # of the questions, set aside to see whether anything was learned


@dataclass(frozen=True)
class TunedEmbedder:
    """Where it is, how `rung.toml` names it, and what it gained on the questions set aside."""

    folder: str
    spec: str
    base: float  # mean reciprocal rank of the right passage
    tuned: float
    gained: Interval  # the paired difference
    unseen: Interval | None  # the same on questions about documents that no training question is about, where there are any


def tune_embedder(ws: Workspace, progress: Progress = silent) -> TunedEmbedder:
    """Train on the project's examples. TuningError where the embedder can't be tuned or nothing better was learned."""
    synced = w.sync_knowledge(ws, progress)
    if synced is None:
        raise TuningError("the project has no documents to search", "set folder under [knowledge] in rung.toml")
    public = w.shown(ws, synced[0], "")
    examples = w.told(ws, public, w.examples(ws))
    return tuned_on(public, examples, ws.home / "embedders", progress=progress, seed=ws.config.project.seed)


def tuned_on(
    knowledge: Knowledge,
    examples: Sequence[Case],
    home: Path,
    recipe: EmbedderRecipe | None = None,
    progress: Progress = silent,
    seed: int = 0,
) -> TunedEmbedder:
    """Train the questions' side of the knowledge's embedder on examples that name their evidence."""
    from rung.knowledge.embedders.minilm import SHA256, MiniLM
    from rung.knowledge.embedders.tuned import Tuned
    from rung.tuning.embedder import EmbedderRecipe, train_embedder

    embedder = knowledge.embedder.passages if isinstance(knowledge.embedder, Tuned) else knowledge.embedder
    if not isinstance(embedder, MiniLM):
        raise TuningError("this embedder can't be tuned from here", 'set embedder = "minilm" under [knowledge]')
    passages, asked = pairs(knowledge, examples)
    training, validation = _parted(asked, examples, seed)
    vectors, numbers = _against(knowledge, passages, training + validation, seed)
    folder = train_embedder(
        embedder.folder,
        SHA256,
        vectors,
        [_renumbered(one, numbers) for one in training],
        [_renumbered(one, numbers) for one in validation],
        recipe or EmbedderRecipe(seed=seed),
        home,
        lambda done, total: progress("train embedder", done, total),
    )
    return _told(folder, examples)


def pairs(knowledge: Knowledge, examples: Sequence[Case]) -> tuple[list[Passage], list[Asked]]:
    """The passages that may be seen, and each example with the numbers of those that hold its evidence."""
    from rung.measure.retrieval import covers
    from rung.tuning.embedder import Asked

    passages = list(knowledge.passages())
    of: dict[str, list[int]] = {}
    for number, passage in enumerate(passages):
        of.setdefault(passage.document, []).append(number)
    asked = []
    for case in examples:
        right = {n for e in case.evidence for n in of.get(e.document, []) if covers(passages[n].text, e.quote)}
        if right:
            asked.append(Asked(case.id, case.question, tuple(sorted(right))))
    return passages, asked


def _parted(asked: Sequence[Asked], examples: Sequence[Case], seed: int) -> tuple[list[Asked], list[Asked]]:
    """Training and validation; examples of one group stay on one side."""
    group = {case.id: case.group or case.id for case in examples}
    groups = sorted({group[one.id] for one in asked})
    Random(f"{seed}/embedder").shuffle(groups)
    held = set(groups[: max(1, round(SHARE * len(groups)))]) if len(groups) > 1 else set()
    return [one for one in asked if group[one.id] not in held], [one for one in asked if group[one.id] in held]


def _against(knowledge: Knowledge, passages: Sequence[Passage], asked: Sequence[Asked], seed: int) -> tuple[Vectors, dict[int, int]]:
    """Vectors of the passages to train against, and each one's number among them by its number among all."""
    import numpy as np

    from rung.knowledge.knowledge import legs

    chosen = set(range(len(passages)))
    if len(passages) > MOST:
        places = {passage.id: number for number, passage in enumerate(passages)}
        chosen = {number for one in asked for number in one.right}
        for one in asked:
            chosen |= {places[hit.passage.id] for hits in legs(knowledge, one.question, HARD).values() for hit in hits}
        rest = sorted(set(range(len(passages))) - chosen)
        chosen |= set(Random(f"{seed}/passages").sample(rest, max(0, min(len(rest), MOST - len(chosen)))))
    kept = sorted(chosen)
    stored, rows = knowledge.index.stored(sorted({passages[number].document for number in kept}))
    by_id = dict(zip((passage.id for passage in stored), rows, strict=True))
    vectors = np.array([by_id[passages[number].id] for number in kept], np.float32)
    return vectors.reshape(len(kept), rows.shape[1]), {number: place for place, number in enumerate(kept)}


def _renumbered(one: Asked, numbers: dict[int, int]) -> Asked:
    return replace(one, right=tuple(numbers[number] for number in one.right))


def _told(folder: Path, examples: Sequence[Case]) -> TunedEmbedder:
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    learned = set(json.loads((folder / "rows.json").read_text(encoding="utf-8")))
    known = {evidence.document for case in examples if case.id in learned for evidence in case.evidence}
    fresh = {case.id for case in examples if not known & {evidence.document for evidence in case.evidence}}
    base, tuned = (sum(pair[side] for pair in scores.values()) / len(scores) for side in (0, 1))
    gains = {name: after - before for name, (before, after) in scores.items()}
    unseen = {name: gain for name, gain in gains.items() if name in fresh}
    return TunedEmbedder(
        str(folder), f"tuned:{folder.name}", base, tuned, _gain(gains, examples), _gain(unseen, examples) if unseen else None
    )


def _gain(gains: Mapping[str, float], examples: Sequence[Case]) -> Interval:
    from rung.measure.bootstrap import clusters_of, interval

    return interval(gains, clusters_of(examples), (-1.0, 1.0))
