"""Why a case itself may be wrong, told from its evidence and a replay, and whether a text holds facts in other spelling.

It refuses to doubt a case because it is hard: the evidence must say another thing, or speak of something else. A number that is
the sum, difference, product or quotient of two in the evidence is held by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isclose

from rung.approach.claims import TIMES, WORDS, Atom, claims, holds, stems
from rung.approach.sentences import sentences
from rung.approach.support import bare, check
from rung.measure.abstention import abstains
from rung.measure.metrics import canonical, facts_contained, without_markers
from rung.types import Answer, Case, Hit

LIKE = 0.6  # share of a quote's words that another sentence must hold to be what became of it
APART = 0.5  # share of the question's words found elsewhere that evidence about something else has at most
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_RUN = re.compile(rf"\b(?:{'|'.join([*WORDS, *TIMES])})(?:(?:[ -]|\s+and\s+)(?:{'|'.join([*WORDS, *TIMES])}))*\b", re.IGNORECASE)


@dataclass(frozen=True)
class Ground:
    """What the knowledge holds for a case: a passage for each piece of its evidence, and all of the documents it names."""

    evidence: tuple[Hit, ...] = ()
    whole: bool = False  # every piece was found
    documents: tuple[Hit, ...] = ()


def asked_twice(cases: Sequence[Case]) -> dict[str, str]:
    """Case id → another case that asks the same and wants something else."""
    first: dict[str, Case] = {}
    found: dict[str, str] = {}
    for case in cases:
        other = first.setdefault(canonical(case.question), case)
        if other is not case and (other.text != case.text or other.unanswerable != case.unanswerable):
            found[case.id], found[other.id] = other.id, case.id
    return found


def doubt(case: Case, ground: Ground, said: Answer, replayed: Answer | None, given: Sequence[str] = ()) -> str:
    """Why the case can't be right; "" where nothing speaks against it.

    `said`: what the system answered, with the passages it saw. `replayed`: what it said to a wrong replay with the evidence
    alone; None where there was none, or a right one. `given`: words that every answer has, by the form.
    """
    if case.unanswerable or not case.evidence:
        return ""
    if not ground.whole:
        return _changed(case, ground)
    if replayed is None:
        return ""
    return _elsewhere(case, ground, said) or _otherwise(case, ground, replayed, given)


def _changed(case: Case, ground: Ground) -> str:
    """A quote that its document does not hold, where the document has a sentence like it."""
    for one in case.evidence:
        wanted = stems(one.quote).keys()
        texts = [hit.passage.text for hit in ground.documents if hit.passage.document == one.document]
        if any(canonical(one.quote) in canonical(text) for text in texts):
            continue
        like = [(len(wanted & stems(s).keys()), s) for text in texts for s in _cut(text)] if wanted else []
        share, nearest = max(like, default=(0, ""))
        if wanted and share >= LIKE * len(wanted):
            return f"{one.document} does not hold the quote that is its evidence; it says {nearest!r}"
    return ""


def _cut(text: str) -> Iterator[str]:
    return (text[start:end].strip() for start, end in sentences(text))


def _elsewhere(case: Case, ground: Ground, said: Answer) -> str:
    """The evidence is about something else: its documents never name what is asked about, or share far fewer of its words than what
    the answer was found in."""
    names = claims(case.question).names
    found = [
        _names([hit for hit in said.hits if hit.passage.document == one]) for one in dict.fromkeys(h.passage.document for h in said.hits)
    ]
    everywhere = set.intersection(*found) if len(found) > 1 else set()  # what every document names tells none from another
    about = {name for name in names if any(name in one for one in found)} - everywhere
    if about and not about & _names(ground.documents):
        return f"its evidence says nothing of {', '.join(sorted(names[name] for name in about))}, which the question is about"
    asked = stems(case.question).keys()
    shared = len(asked & _stems(ground.documents))
    best = max((len(asked & _stems([hit])) for hit in said.hits), default=0)
    if best > 1 and shared <= APART * best and not abstains(said.text):
        return "its evidence has little to do with the question, and what was found has"
    return ""


def _stems(hits: Sequence[Hit]) -> set[str]:
    return {stem for hit in hits for text in (hit.passage.text, *hit.passage.headings) for stem in stems(text)}


def _names(hits: Sequence[Hit]) -> set[str]:
    return {word for hit in hits for text in (hit.passage.text, *hit.passage.headings) for word in re.findall(r"[\w’'&-]+", text.lower())}


def _otherwise(case: Case, ground: Ground, replayed: Answer, given: Sequence[str]) -> str:
    """The evidence does not hold the ideal answer, and does hold the one that was given."""
    held = "\n".join(one.quote or _of(one.document, ground) for one in case.evidence)
    passages = "\n".join("\n".join((*hit.passage.headings, hit.passage.text)) for hit in ground.evidence)
    lost = [group for group in case.facts if not says(held if _amounts(group) else passages, [group])]
    if not lost or not all(_could_stand(group) for group in lost):
        return ""
    if all(_reckoned(atom, held) for group in lost for atom in claims(in_digits(group[0])).atoms) and any(map(_amounts, lost)):
        return ""
    said, there = claims(in_digits(bare(replayed.text))).atoms, claims(in_digits(held)).atoms
    if said:
        stands = all(holds(atom, there) or _reckoned(atom, held) for atom in said)
    else:
        claimed = [one for one in check(replayed.text, case.question, ground.evidence, given) if one.support != "plain"]
        stands = bool(claimed) and all(one.support for one in claimed)
    return f"the evidence does not hold the ideal answer, and does hold {replayed.text!r}" if stands else ""


def _could_stand(group: Sequence[str]) -> bool:
    """Whether the fact is of a kind that evidence holds as it is: an amount, a date, a name. "Yes" is not."""
    return _amounts(group) or bool(claims(f"It is {group[0]}").names)


def _amounts(group: Sequence[str]) -> bool:
    return bool(claims(in_digits(group[0])).atoms)


def _of(document: str, ground: Ground) -> str:
    return "\n".join(hit.passage.text for hit in ground.evidence if hit.passage.document == document)


def _reckoned(atom: Atom, held: str) -> bool:
    """Whether an amount is one step of arithmetic away from two amounts of the text."""
    if atom[0] != "amount" or not _NUMBER.fullmatch(atom[1]):
        return False
    wanted, numbers = float(atom[1]), [float(n) for n in _NUMBER.findall(canonical(in_digits(held)))]
    for a, b in combinations(numbers, 2):
        steps = [a + b, abs(a - b), a * b, *([a / b, b / a] if a and b else [])]
        if any(isclose(wanted, step, rel_tol=0.005) for step in steps):
            return True
    return False


def says(text: str, facts: Sequence[Sequence[str]]) -> bool:
    """Whether the text holds every fact, whatever the spelling: "twenty-seven days" is 27 days. Facts without amounts as they stand."""
    held = claims(in_digits(bare(without_markers(text)))).atoms

    def group_held(group: Sequence[str]) -> bool:
        if facts_contained(text, [group]):
            return True
        atoms = [claims(in_digits(spelling)).atoms for spelling in group]
        return any(bool(one) and all(holds(atom, held) for atom in one) for one in atoms)

    return bool(facts) and all(group_held(group) for group in facts)


def in_digits(text: str) -> str:
    """Numbers in words as digits: "three hundred and forty-five" as 345. A lone "one" stays, for it is seldom a number."""
    return _RUN.sub(lambda found: found[0] if found[0].lower() in ("one", *TIMES) else str(_value(found[0])), text)


def _value(run: str) -> int:
    total = part = 0
    for word in re.findall(r"[a-z]+", run.lower()):
        if word in WORDS:
            part += WORDS[word]
        elif word == "hundred":
            part = max(part, 1) * 100
        elif word in TIMES:
            total, part = total + max(part, 1) * TIMES[word], 0
    return total + part


def unmoved(*texts: str) -> bool:
    """Whether answers to one question say the same, markers aside, so that what was shown beside it changed nothing."""
    return len({canonical(without_markers(text)) for text in texts}) == 1
