"""Tunes the bundled reader into an extractor on a project's own examples: texts with the values of a JSON Schema's fields.

It refuses nested schemas, and learns a field only from what a text says: a value that is nowhere in its text teaches nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from rung.errors import TuningError
from rung.knowledge.embedders import minilm
from rung.models.extracting import STEP, Extracted, Extractor, Field, joined, looked, open_extractor, questions, sieved
from rung.models.reading import HOME
from rung.models.spans import LONGEST, Window, covered, windows
from rung.models.values import absent, kind, mentions
from rung.tuning.spans import Group, Progress, SpanRecipe, batches, loaded, train, write
from rung.types import Json

KEPT_WORDS = 250  # of a field, those that tell most
NEVER = 1e9  # a threshold for a field that is better never said
RECIPE = SpanRecipe(rate=3e-4, tokens=3072, size=192)


@dataclass(frozen=True)
class Solved:
    """A text with its values. `spans` are the characters that say them, where known; a field in `skipped` teaches nothing."""

    id: str
    text: str
    values: Mapping[str, Json]
    spans: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    skipped: frozenset[str] = frozenset()


def train_extractor(
    training: Sequence[Solved],
    validation: Sequence[Solved],
    schema: Mapping[str, Json],
    out: Path,
    recipe: SpanRecipe = RECIPE,
    start: Path = HOME,
    progress: Progress | None = None,
    settled: Callable[[int, int], None] | None = None,
) -> Extractor:
    """Tune, then choose each field's threshold on the validation texts; the folder `out` can be named as `extractor:<out>`.

    Started again with the same makings it goes on from its checkpoint, `<hash of the makings>.pt`. TuningError where nothing
    can be learned.
    """
    asked, properties = questions(schema), schema["properties"]
    base = minilm.open_embedder().folder
    tokenizer = minilm.tokenizer(base)
    read = [
        _Read(one, parts := list(windows(tokenizer, "", one.text, recipe.size - 32, STEP)), looked(one.text, parts)) for one in training
    ]
    fields = [Field(name, question, properties[name], weighed(read, name, properties[name]), 0.0) for name, question in asked.items()]
    groups = [group for one in fields for each in read for group in _group(tokenizer, one, each, recipe)]
    if not any(group.target for group in groups):
        hint = "an extractor learns to quote; check that texts and values belong together"
        raise TuningError("no value of any example stands in its text", hint)
    told = json.loads((start / "reader.json").read_text(encoding="utf-8"))
    recipe = replace(recipe, scale=float(told["scale"]))
    made_of = [asdict(recipe), told["sha256"], schema, [[one.id, one.text, one.values, one.spans, sorted(one.skipped)] for one in training]]
    name = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    out.mkdir(parents=True, exist_ok=True)
    made = batches(groups, Random(f"{recipe.seed}"), recipe.tokens)
    learned = train(base, loaded(start), made, recipe, out / f"{name}.pt", progress)
    write(learned, out, {"scale": recipe.scale, "threshold": told["threshold"], "recipe": asdict(recipe)})
    _told(out, fields, recipe)
    _told(out, thresholds(open_extractor(str(out)), validation, settled), recipe)
    return open_extractor(str(out))


@dataclass(frozen=True)
class _Read:
    """A solved text, its windows, and what each of them says."""

    solved: Solved
    parts: Sequence[Window]
    said: Sequence[tuple[str, frozenset[str]]]


def _told(out: Path, fields: Sequence[Field], recipe: SpanRecipe) -> None:
    told = {"size": recipe.size, "fields": [{**asdict(one), "weights": dict(one.weights)} for one in fields]}
    (out / "extractor.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def targets(solved: Solved, name: str, schema: Mapping[str, Json]) -> list[tuple[int, int]]:
    """The characters that say the field's value: its mentions within the known spans, else within the text."""
    value = solved.values.get(name)
    if value is None or value == absent(schema):
        return []
    within = solved.spans.get(name) or ((0, len(solved.text)),)
    if kind(schema) == "boolean":
        return list(solved.spans.get(name, ()))
    if kind(schema) == "text":
        return [found for start, end in within for found in _places(solved.text, str(value), start, end)]
    return [(start + a, start + b) for start, end in within for a, b, said in mentions(schema, solved.text[start:end]) if said == value]


def _places(text: str, value: str, start: int, end: int) -> list[tuple[int, int]]:
    """Where the text says these words, in any case."""
    lower, wanted, found = text[start:end].lower(), value.lower(), []
    at = lower.find(wanted) if wanted else -1
    while at >= 0:
        found.append((start + at, start + at + len(wanted)))
        at = lower.find(wanted, at + len(wanted))
    return found


def weighed(read: Sequence[_Read], name: str, schema: Mapping[str, Json]) -> dict[str, float]:
    """Word → the logarithm of how much oftener windows that say the field hold it than others do, of the words that tell most."""
    saying: Counter[str] = Counter()
    other: Counter[str] = Counter()
    counts = [0, 0]
    for one in read:
        spans = targets(one.solved, name, schema)
        for window, (_, words) in zip(one.parts, one.said, strict=True):
            says = _overlaps(window, spans)
            (saying if says else other).update(words)
            counts[0 if says else 1] += 1
    weights = {w: math.log((n + 0.5) / (counts[0] + 1)) - math.log((other[w] + 0.5) / (counts[1] + 1)) for w, n in saying.items() if n > 1}
    worth = {w: weight * saying[w] for w, weight in weights.items() if weight > 0}
    return {w: round(weights[w], 3) for w in sorted(worth, key=lambda w: (-worth[w], w))[:KEPT_WORDS]}


def _overlaps(window: Window, spans: Sequence[tuple[int, int]]) -> bool:
    return bool(window.offsets) and any(a < window.offsets[-1][1] and window.offsets[0][0] < b for a, b in spans)


def _group(tokenizer: Any, wanted: Field, read: _Read, recipe: SpanRecipe) -> list[Group]:
    """One window that says the field beside one that only looks like it, or one that looks like it alone; none where nothing is known."""
    solved = read.solved
    value, spans = solved.values.get(wanted.name), targets(solved, wanted.name, wanted.schema)
    said = value is not None and value != absent(wanted.schema)
    if wanted.name in solved.skipped or (said and not spans):
        return []
    r, asked = (
        Random(f"{recipe.seed}/{solved.id}/{wanted.name}"),
        tuple(tokenizer.encode(wanted.question, add_special_tokens=False).ids[:31]),
    )
    alike = [window for n in sieved(wanted, read.said, 4) if not _overlaps(window := read.parts[n], spans)]
    beside = (joined(asked, r.choice(alike)),) if alike else ()
    if not said:
        return [Group(beside, None)] if beside and r.random() < 0.6 else []
    at = [(joined(asked, window), found) for window in read.parts for a, b in spans if (found := _shortened(window, a, b))]
    if not at:
        return []
    window, (first, last) = r.choice(at)
    return [Group((window, *beside), (0, first + len(asked), last + len(asked)))]


def _shortened(window: Window, start: int, end: int) -> tuple[int, int] | None:
    """The tokens of the span; of a long one its beginning, which is quoted for the whole."""
    inside = [number for number, (a, b) in enumerate(window.offsets) if a < end and b > start]
    if len(inside) > LONGEST:
        end = window.offsets[inside[LONGEST - 1]][1]
    return covered(window, start, end)


def thresholds(extractor: Extractor, validation: Sequence[Solved], settled: Callable[[int, int], None] | None = None) -> list[Field]:
    """The fields with the threshold of the best F1 on these texts; where nothing beats silence, none is ever said."""
    found = []
    for number, solved in enumerate(validation, 1):
        found.append(extractor.candidates(solved.text))
        if settled:
            settled(number, len(validation))
    chosen = []
    for number, asked in enumerate(extractor.fields):
        pairs = [
            (one[number][0] if one[number] else None, solved.values.get(asked.name, absent(asked.schema)))
            for one, solved in zip(found, validation, strict=True)
            if asked.name not in solved.skipped
        ]
        chosen.append(replace(asked, threshold=_threshold(asked, pairs)))
    return chosen


def _threshold(one: Field, pairs: Sequence[tuple[Extracted | None, Json]]) -> float:
    scores = sorted({said.score for said, _ in pairs if said})
    gold = sum(bool(value != absent(one.schema)) for _, value in pairs)

    def f1(least: float) -> float:
        spoken = [(said, value) for said, value in pairs if said and said.score >= least]
        right = sum(same(said.value, value) for said, value in spoken)
        return 2 * right / max(len(spoken) + gold, 1)

    best: float = max(scores, key=f1, default=NEVER)
    return best if scores and f1(best) > 0 else NEVER


def same(said: Json, value: Json) -> bool:
    """Whether two values are one; texts up to case and spacing."""
    if isinstance(said, str) and isinstance(value, str):
        return said.casefold().split() == value.casefold().split()
    return bool(said == value)
