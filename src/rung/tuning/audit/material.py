"""What the checks of an audit look at: examples, held-out cases, rendered rows and where each stands. It decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rung.tuning.audit.finding import Place
from rung.tuning.rows import Row
from rung.types import Case

PersonalData = Literal["keep", "redact", "drop"]


@dataclass(frozen=True)
class Material:
    """`places` and `held_places` by id. Without a tokenizer nothing is rendered; without a window nothing is too long."""

    examples: Sequence[Case]
    rows: Sequence[Row]
    cases: Sequence[Case] = ()
    places: Mapping[str, Place] = field(default_factory=dict)
    held_places: Mapping[str, Place] = field(default_factory=dict)
    task: str = "answer"
    labels: Sequence[str] = ()
    tokenizer: Any = None
    window: int = 0
    has_form: Callable[[str], bool] | None = None
    personal_data: PersonalData = "keep"
    validation: frozenset[str] = frozenset()  # ids of the rows set aside
    documents: Mapping[str, str] = field(default_factory=dict)  # path → the document that is the same, for copies

    def place(self, id: str) -> Place:
        """Where an example stands; under the name alone where its file is not known."""
        return self.places.get(id) or Place("examples", 0, id)

    def held_place(self, id: str) -> Place:
        """Where a held-out case stands."""
        return self.held_places.get(id) or Place("cases", 0, id)
