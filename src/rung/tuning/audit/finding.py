"""What an audit says: findings with their severity, their rows and a fix; it refuses a kind of finding that isn't listed here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["stop", "warn", "note"]
NAMED = 3  # rows that a message names; the finding holds them all

KINDS: Mapping[str, str] = {
    "unreadable": "a row that can't be read",
    "held-out": "a row that asks what a held-out case asks, or carries its id",
    "label": "an answer outside the list of labels",
    "template": "the model's chat template can't make a training row of it",
    "no-validation": "rows that can't be split into training and validation",
    "empty-mask": "nothing of the row would be trained on",
    "prompt-trained": "the prompt would be trained on too",
    "frame-trained": "the template puts something before the answer that is trained on too",
    "answer-changed": "what would be trained on is not the answer",
    "too-long": "the row does not fit the model's window and is left out",
    "contradiction": "one question with different answers",
    "near-contradiction": "nearly the same question under different labels",
    "duplicate": "the same row again",
    "near-duplicate": "nearly the same row again",
    "near-held-out": "a row that nearly asks what a held-out case asks",
    "shared-document": "a document or group behind training rows and held-out cases",
    "validation-leak": "rows set aside to validate on that are like rows trained on",
    "missing-label": "a label without examples",
    "rare-label": "a label with few examples",
    "imbalance": "labels with far more examples than others",
    "form": "an answer without the form that rung.toml asks for",
    "length": "a row far longer than the others",
    "language": "a row in another language than most",
    "personal": "personal data",
    "garbled": "text that lost its encoding",
    "few": "fewer examples than tuning usually takes",
}
FIRM = ("unreadable", "held-out", "label", "template", "no-validation")  # no setting lets these through


@dataclass(frozen=True)
class Place:
    """Where a row stands."""

    file: str
    line: int
    id: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Finding:
    """Something wrong or worth knowing. `stop` keeps the training from starting unless its kind is allowed."""

    kind: str
    severity: Severity
    message: str
    fix: str
    rows: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Rendered:
    """A row as the model sees it, in pieces; those that are trained on are marked."""

    id: str
    pieces: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Audit:
    """All findings, the worst first, with the kinds that were allowed, and one row as it is trained on."""

    rows: int
    findings: tuple[Finding, ...]
    allowed: tuple[str, ...] = ()
    shown: Rendered | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)  # of each check

    @property
    def stops(self) -> tuple[Finding, ...]:
        """The findings that keep the training from starting."""
        return tuple(one for one in self.findings if one.severity == "stop" and (one.kind in FIRM or one.kind not in self.allowed))


def finding(kind: str, severity: Severity, message: str, fix: str, rows: Iterable[Place] = ()) -> Finding:
    """A finding of a listed kind, its rows in order."""
    assert kind in KINDS, kind
    return Finding(kind, severity, message, fix, tuple(sorted(rows, key=lambda place: (place.file, place.line))))


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first, then in the order of the list above."""
    kinds, worst = list(KINDS), ("stop", "warn", "note")
    return tuple(sorted(findings, key=lambda one: (worst.index(one.severity), kinds.index(one.kind))))


def counted(n: int, one: str, many: str) -> str:
    """ "1 row is", "2 rows are"."""
    return f"{n:,} {one if n == 1 else many}"


def listed(texts: Sequence[str], most: int = NAMED) -> str:
    """The first few and how many more."""
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def short(text: str, most: int = 60) -> str:
    """A text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
