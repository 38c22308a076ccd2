"""Kinds of things a company writes about, as data: what each has, how it is stated and how it is asked.

Each module in this folder holds `KINDS`. Nothing here names a real company, person or product: names and
values are drawn at random, so a model trained on them learns to read and not to remember.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Attribute:
    """One thing that can be known about an entity.

    `statements` are sentences with `{e}` (the entity) and `{v}` (the value); `questions` hold `{e}` alone.
    """

    name: str
    value: Callable[[Random], str]
    statements: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of entity: how one is named, what is known of it, and sentences that say nothing we ask for."""

    name: str
    entity: Callable[[Random], str]
    attributes: tuple[Attribute, ...]
    filler: tuple[str, ...]
