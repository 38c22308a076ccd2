"""JSON in an answer: finds it, checks it against a JSON Schema, and compares it field by field. No schema is ever fetched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rung.errors import ConfigError
from rung.measure.metrics import canonical
from rung.types import Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Accepts = Callable[[Json], bool]


TRIES = 100  # brackets that open nothing, after which a text is taken to hold no more JSON


def schema_check(schema: Mapping[str, Json] | None) -> Accepts:
    """A function that says whether a value is valid; without a schema every object or list is. ConfigError for a bad schema."""
    if schema is None:
        return lambda value: isinstance(value, dict | list)
    from jsonschema import validators
    from jsonschema.exceptions import SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    kind = validators.validator_for(schema, default=validators.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as fault:
        raise ConfigError(f"the schema is not a JSON Schema: {fault.message}", "mend the schema file named in rung.toml") from None
    validator = kind(schema, registry=Registry())  # an empty registry: a remote $ref is an error, not a request

    def accepts(value: Json) -> bool:
        try:
            return bool(validator.is_valid(value))
        except Unresolvable as fault:
            raise ConfigError(f"the schema refers to {fault.ref!r}, which is not in it", "copy the definition under $defs") from None

    return accepts


def find_json(text: str, accepts: Accepts) -> tuple[bool, Json]:
    """(valid, value): the first value in the text that is accepted, else the first object, else the first value, else None."""
    values = list(_values(text))
    for value in values:
        if accepts(value):
            return True, value
    objects = [value for value in values if isinstance(value, dict)]
    return False, (objects or values or [None])[0]


def _values(text: str) -> Iterator[Json]:
    decoder = json.JSONDecoder(parse_constant=_refuse)
    try:
        yield decoder.decode(text.strip())
        return
    except (ValueError, RecursionError):
        pass
    at, failed = 0, 0
    while at < len(text) and failed < TRIES:
        if text[at] not in "{[":
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at, failed = at + 1, failed + 1
            continue
        yield value


def _refuse(name: str) -> Json:
    raise ValueError(name)


def field_f1(said: Json, gold: Json) -> float:
    """F1 over leaf values at equal paths; a list's order doesn't count, its items are paired so that most leaves agree.

    Texts are equal up to case, spacing and thousands separators; 1 equals 1.0, but not true and not "1".
    """
    return 2 * _same(said, gold) / (_leaves(said) + _leaves(gold))


def _leaves(value: Json) -> int:
    if isinstance(value, dict | list) and value:
        return sum(_leaves(item) for item in (value.values() if isinstance(value, dict) else value))
    return 1


def _same(said: Json, gold: Json) -> int:
    if isinstance(said, dict) and isinstance(gold, dict) and said and gold:
        return sum(_same(said[key], gold[key]) for key in said.keys() & gold.keys())
    if isinstance(said, list) and isinstance(gold, list) and said and gold:
        return _paired(said, gold)
    return int(_equal(said, gold))


def _paired(said: list[Json], gold: list[Json]) -> int:
    """Leaves that agree when items are paired greedily, the most alike first."""
    pairs = sorted((-_same(s, g), i, j) for i, s in enumerate(said) for j, g in enumerate(gold))
    used_said: set[int] = set()
    used_gold: set[int] = set()
    total = 0
    for same, i, j in pairs:
        if i not in used_said and j not in used_gold:
            used_said.add(i)
            used_gold.add(j)
            total -= same
    return total


def _equal(said: Json, gold: Json) -> bool:
    if isinstance(said, str) and isinstance(gold, str):
        return canonical(said) == canonical(gold)
    if isinstance(said, int | float) and isinstance(gold, int | float):
        return said == gold and isinstance(said, bool) is isinstance(gold, bool)
    return type(said) is type(gold) and bool(said == gold)
