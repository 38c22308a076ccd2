"""`extractor:<folder>`: fills the fields of a JSON Schema with what a long text says, each value with its quote and its place.

It refuses nested schemas, and values that are not said: a field without a likely enough quote is null, no, or empty.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rung.errors import ModelError
from rung.models.folder import refuse_blocked
from rung.models.numbered import parted
from rung.models.reading import Reader, open_reader
from rung.models.spans import Window, best, windows
from rung.models.values import absent, kind, mentions
from rung.types import Json, Messages, Reply, Settings, Usage

READ = 3  # windows that are read for a field
STEP = 96  # tokens from window to window
WORD = re.compile(r"[a-z]{3,}")
Weights = Mapping[str, float]  # word → how much more likely a window with it says the field


@dataclass(frozen=True)
class Field:
    """A field as it is looked for."""

    name: str
    question: str
    schema: Mapping[str, Json]
    weights: Weights
    threshold: float  # of the score, a logarithm of odds


@dataclass(frozen=True)
class Extracted:
    """A value and the characters of the text that say it; start == end where it isn't said."""

    field: str
    value: Json
    start: int
    end: int
    score: float


def questions(schema: Mapping[str, Json]) -> dict[str, str]:
    """Field → what is asked for it: its description, else its name. ModelError for a schema that isn't flat."""
    fields = schema.get("properties")
    if not isinstance(fields, dict) or not fields:
        raise ModelError("the schema names no properties", "an extractor fills the fields of a JSON object")
    for name, one in fields.items():
        if not isinstance(one, dict) or {"array", "object"} & {*_types(one)} or "$ref" in one:
            raise ModelError(f"the field '{name}' is nested", "an extractor fills flat fields; use a chat model for lists and objects")
    return {name: str(one.get("description") or name.replace("_", " ")) for name, one in fields.items()}


def _types(schema: Mapping[str, Json]) -> list[str]:
    named = schema.get("type", "string")
    return [str(one) for one in (named if isinstance(named, list) else [named])]


@dataclass(frozen=True)
class Extractor:
    """A reader that was tuned on a project's own examples, asked once for each field. It sells no tokens, so its usage is zero."""

    reader: Reader
    fields: tuple[Field, ...]
    size: int  # tokens of a window
    id: str  # of weights, precision, fields and thresholds
    window: int = 1_000_000  # tokens; a text is read in pieces, so it bounds the time and not the memory

    def count(self, messages: Messages) -> int:
        """Tokens of the last message, the only one that is read."""
        return self.reader.count(messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        """See the protocol: the fields as one JSON object, whole. The text is the passages, or the question where there are none."""
        for number, messages in enumerate(prompts):
            started = time.perf_counter()
            passages, question = parted(messages[-1]["content"])
            found = self.extract("\n\n".join(passages) if passages else question)
            text = json.dumps({one.field: one.value for one in found}, ensure_ascii=False)
            yield number, text
            yield number, Reply(text, Usage(), time.perf_counter() - started)

    def extract(self, text: str) -> list[Extracted]:
        """Every field, in the schema's order."""
        return [chosen(field, found) for field, found in zip(self.fields, self.candidates(text), strict=True)]

    def candidates(self, text: str) -> list[list[Extracted]]:
        """For each field what the windows say, the likeliest first, however unlikely."""
        tokenizer = self.reader._tokenizer
        parts = list(windows(tokenizer, "", text, self.size - 32, STEP))
        said = looked(text, parts)
        read: list[tuple[int, Window]] = []
        for number, field in enumerate(self.fields):
            asked = tuple(tokenizer.encode(field.question, add_special_tokens=False).ids[:31])
            read += [(number, joined(asked, parts[one])) for one in sieved(field, said)]
        found: list[list[Extracted]] = [[] for _ in self.fields]
        for (number, window), logits in zip(read, self.reader._run([window.ids for _, window in read]), strict=True):
            score, start, end = best(logits, window)
            field = self.fields[number]
            value = next(((start + a, start + b, said) for a, b, said in mentions(field.schema, text[start:end])), None)
            if value:
                found[number].append(Extracted(field.name, value[2], *_whole(field, start, end, value), score))
        return [sorted(one, key=lambda said: -said.score) for one in found]


def _whole(field: Field, start: int, end: int, value: tuple[int, int, Json]) -> tuple[int, int]:
    return (start, end) if kind(field.schema) == "boolean" else value[:2]


def joined(asked: tuple[int, ...], window: Window) -> Window:
    """A window that was cut without a question, with one before it."""
    return Window((window.ids[0], *asked, *window.ids[1:]), window.first + len(asked), window.offsets)


def looked(text: str, parts: Sequence[Window]) -> list[tuple[str, frozenset[str]]]:
    """What each window says, and its words."""
    said = [text[part.offsets[0][0] : part.offsets[-1][1]] if part.offsets else "" for part in parts]
    return [(one, frozenset(WORD.findall(one.lower()))) for one in said]


def sieved(field: Field, said: Sequence[tuple[str, frozenset[str]]], most: int = READ) -> list[int]:
    """The numbers of the windows whose words speak most of the field; windows that mention no value of its kind are out."""
    weights = field.weights
    worth = sorted(
        ((sum(weights[word] for word in words if word in weights), -number) for number, (_, words) in enumerate(said)), reverse=True
    )
    found = (-number for _, number in worth if next(mentions(field.schema, said[-number][0]), None))
    return list(islice(found, most))


def chosen(field: Field, found: Sequence[Extracted]) -> Extracted:
    """The likeliest, or that it isn't said."""
    if found and found[0].score >= field.threshold:
        return found[0]
    return Extracted(field.name, absent(field.schema), 0, 0, found[0].score if found else float("-inf"))


def open_extractor(name: str, adapter: Path | None = None, **options: object) -> Extractor:
    """`extractor:<folder>`, with the reader's options. ModelError where the folder holds none."""
    folder = Path(name).expanduser()
    refuse_blocked(folder, "extractor", "train another with rung train --specialist")
    try:
        told: dict[str, Any] = json.loads((folder / "extractor.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ModelError(f"there is no extractor in {folder}", "train one with rung train --specialist in an extract project") from None
    reader, fields = open_reader(adapter, folder, **options), tuple(Field(**one) for one in told["fields"])
    named = hashlib.sha256(json.dumps([reader.id, told], sort_keys=True).encode()).hexdigest()[:16]
    return Extractor(reader, fields, int(told["size"]), f"extractor-{named}")
