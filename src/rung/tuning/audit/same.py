"""Rows that are the same or nearly the same, within the examples and against the held-out cases. It compares words, not meaning.

Near duplicates: MinHash (Broder 1997) of letters in fours with banded hashing finds pairs, then the Jaccard index itself decides.
Texts with other numbers, or where each has a word that the other lacks, are never near: "order 1234" and "order 9999" are two
things, and so are "the price of bread" and "the price of butter".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rung.approach.claims import stems
from rung.approach.question import question_key
from rung.errors import MissingExtra
from rung.tuning.audit.finding import Finding, Place, Severity, counted, finding, short
from rung.tuning.audit.material import Material
from rung.types import Case

NEAR = 0.8  # Jaccard index of the questions' letters in fours
TORN = 0.01  # share of the rows whose labels contradict each other, above which a training is stopped
HASHES, BANDS = 128, 32  # of a pair with an index of .8, fewer than one in a million is missed: (1 - .8^4)^32


@dataclass(frozen=True)
class Shape:
    """A text as it is compared."""

    key: str
    fours: frozenset[str]
    numbers: tuple[str, ...]
    words: frozenset[str]  # stems of those that carry meaning


def shape(text: str) -> Shape:
    """Its key, its letters in fours, and its numbers."""
    key = question_key(text)
    return Shape(key, frozenset(key[i : i + 4] for i in range(max(1, len(key) - 3))), tuple(re.findall(r"\d+", key)), frozenset(stems(key)))


def near(one: Shape, other: Shape) -> bool:
    """Whether two texts are nearly the same."""
    if one.numbers != other.numbers or (one.words - other.words and other.words - one.words):
        return False
    return len(one.fours & other.fours) >= NEAR * len(one.fours | other.fours)


class Near:
    """Texts seen so far, and which of them a new one is near to."""

    def __init__(self) -> None:
        try:
            from rensa import RMinHashLSH
        except ModuleNotFoundError:
            raise MissingExtra("the audit of training rows", "audit") from None
        self.index: Any = RMinHashLSH(threshold=NEAR, num_perm=HASHES, num_bands=BANDS)
        self.shapes: list[Shape] = []

    def add(self, shapes: Sequence[Shape]) -> None:
        """Take them in; their numbers go on from those before."""
        for one, hashed in zip(shapes, _hashed(shapes), strict=True):
            self.index.insert(len(self.shapes), hashed)
            self.shapes.append(one)

    def of(self, one: Shape) -> list[int]:
        """The numbers of those it is near to, or the same as, the first first."""
        return sorted(number for number in self.index.query(_hashed([one])[0]) if near(self.shapes[number], one))


def _hashed(shapes: Sequence[Shape]) -> list[Any]:
    from rensa import RMinHash

    return list(RMinHash.from_token_sets([sorted(one.fours) for one in shapes], num_perm=HASHES, seed=0))


def check_held_out(material: Material) -> Iterator[Finding]:
    """Rows that ask what a held-out case asks: the same question or id stops any training, nearly the same is a warning."""
    held = {question_key(case.question): case.id for case in material.cases}
    ids = {case.id for case in material.cases}
    same = [(one.id, held.get(question_key(one.question)) or (one.id if one.id in ids else "")) for one in material.examples]
    exact = {id: case for id, case in same if case}
    if exact:
        id, case = next(iter(exact.items()))
        said = f"{counted(len(exact), 'row asks', 'rows ask')} what a held-out case asks, such as "
        said += f"{material.place(id)} and {material.held_place(case)}"
        fix = "remove these rows; a question is trained on or measured on, never both"
        yield finding("held-out", "stop", said, fix, [material.place(id) for id in exact])
    pairs = list(_near_held_out(material, exact))
    if pairs:
        one, other = pairs[0]
        said = f"{counted(len(pairs), 'row nearly asks', 'rows nearly ask')} what a held-out case asks, such as "
        said += f"{short(one.question)!r} ({material.place(one.id)}) and {short(other.question)!r} ({material.held_place(other.id)})"
        fix = "remove them if the score must say how new questions are answered"
        yield finding("near-held-out", "warn", said, fix, [material.place(one.id) for one, _ in pairs])


def _near_held_out(material: Material, exact: dict[str, str]) -> Iterator[tuple[Case, Case]]:
    held = Near()
    held.add([shape(case.question) for case in material.cases])
    for example in material.examples:
        if example.id not in exact and (found := held.of(shape(example.question))):
            yield example, material.cases[found[0]]


def check_within(material: Material) -> Iterator[Finding]:
    """The same row again, nearly the same row again, and the same or nearly the same question with another answer."""
    by_key: dict[str, list[Case]] = {}
    for example in sorted(material.examples, key=lambda one: material.place(one.id).line):
        by_key.setdefault(question_key(example.question), []).append(example)
    again = [one for group in by_key.values() for n, one in enumerate(group) if _answer(one) in {_answer(other) for other in group[:n]}]
    if again:
        said = f"{counted(len(again), 'row repeats', 'rows repeat')} an earlier one, question and answer"
        yield finding("duplicate", "warn", said, "remove them: what stands twice weighs twice", [material.place(one.id) for one in again])
    yield from _contradictions(material, [group for group in by_key.values() if len({_answer(one) for one in group}) > 1])
    yield from _near_within(material, [group[0] for group in by_key.values()])


def _contradictions(material: Material, groups: Sequence[Sequence[Case]]) -> Iterator[Finding]:
    if groups:
        said = f"{counted(len(groups), 'question has', 'questions have')} different answers, such as {short(groups[0][0].question)!r}: "
        said += " and ".join(f"{short(one.text, 40)!r} ({material.place(one.id)})" for one in _unlike(groups[0])[:2])
        labelled = material.task == "classify"
        severity: Severity = "stop" if labelled and sum(map(len, groups)) > TORN * len(material.examples) else "warn"
        fix = "decide for one of the labels" if labelled else "keep one answer, or write into the question what makes the difference"
        yield finding("contradiction", severity, said, fix, [material.place(one.id) for group in groups for one in group])


def _unlike(group: Sequence[Case]) -> list[Case]:
    """The first case of each answer."""
    return list({_answer(one): one for one in reversed(group)}.values())[::-1]


def _near_within(material: Material, firsts: Sequence[Case]) -> Iterator[Finding]:
    """Compared with the first of each cluster alone, so that a thousand copies make a thousand comparisons."""
    seen, kept = Near(), list[Case]()
    again: list[tuple[Case, Case]] = []
    against: list[tuple[Case, Case]] = []
    for one in firsts:
        now = shape(one.question)
        found = [kept[number] for number in seen.of(now)]
        alike = [other for other in found if _answer(other) == _answer(one)]
        again += [(one, alike[0])] if alike else []
        if found and not alike:
            against.append((one, found[0]))
        if not alike:
            seen.add([now])
            kept.append(one)
    if again:
        said = f"{counted(len(again), 'row nearly repeats', 'rows nearly repeat')} another with the same answer, "
        said += f"such as {_pair(material, again[0])}"
        yield finding("near-duplicate", "note", said, "remove them if they came from copying", _first(material, again))
    if against and material.task == "classify":
        said = f"{counted(len(against), 'question is', 'questions are')} nearly another's under another label, "
        said += f"such as {_pair(material, against[0])}"
        yield finding("near-contradiction", "warn", said, "see whether one of the labels is wrong", _first(material, against))


def _first(material: Material, pairs: Sequence[tuple[Case, Case]]) -> list[Place]:
    return [material.place(one.id) for one, _ in pairs]


def _pair(material: Material, pair: tuple[Case, Case]) -> str:
    one, other = pair
    more = (f" → {one.text}", f" → {other.text}") if material.task == "classify" else ("", "")
    first = f"{short(one.question)!r}{more[0]} ({material.place(one.id)})"
    return f"{first} and {short(other.question)!r}{more[1]} ({material.place(other.id)})"


def _answer(case: Case) -> str:
    return question_key(case.text)
