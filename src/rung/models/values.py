"""From words of a text to values that a JSON Schema accepts: dates, durations, amounts, choices. It refuses to guess what isn't said.

Dates are written as ISO 8601 says (2014-05-08), durations as well (P30D); an ambiguous 5/8/14 is read as an American one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from rung.types import Json

Property = Mapping[str, Json]  # the schema of one field
Mention = tuple[int, int, Json]  # start, end, value

MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")
_MONTH = rf"(?P<m>{'|'.join((*MONTHS, 'sept', *(name[:3] for name in MONTHS)))})\.?"
DATES = (
    re.compile(rf"\b{_MONTH}\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s*,?\s+(?P<y>\d{{4}})\b", re.I),
    re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:day\s+)?(?:of\s+)?{_MONTH}\s*,?\s+(?P<y>\d{{4}})\b", re.I),
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})\b"),
    re.compile(r"\b(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4}|\d{2})\b"),
)
SMALL = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen")
WORDS = {word: n for n, word in enumerate(SMALL)}
WORDS |= {"fifteen": 15, "eighteen": 18, "twenty": 20, "thirty": 30, "forty-five": 45, "forty five": 45, "sixty": 60, "ninety": 90}
WORDS |= {"hundred eighty": 180, "hundred twenty": 120, "a": 1, "an": 1}
_COUNT = "|".join(sorted(map(re.escape, WORDS), key=len, reverse=True))
DURATION = re.compile(
    rf"\b(?:(?P<word>{_COUNT})|(?P<n>\d{{1,3}}))?[\s-]*(?:\((?P<p>\d{{1,3}})\))?[\s-]*(?:additional |successive |consecutive |full )?"
    r"(?:calendar |business |working )?(?P<unit>day|week|month|year)s?\b",
    re.I,
)
NUMBER = re.compile(
    r"(?<![\w.,])(?<!\w-)(?P<n>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![,.]?\d)(?:\s*(?P<k>thousand|million|billion)\b)?", re.I
)
SCALE = {"": 1, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}


def kind(schema: Property) -> str:
    """boolean, choice, date, duration, number, integer or text."""
    if "enum" in schema:
        return "choice"
    named = schema.get("type", "string")
    types = [one for one in (named if isinstance(named, list) else [named]) if one != "null"]
    if types[:1] == ["string"] and schema.get("format") in ("date", "duration"):
        return str(schema["format"])
    return types[0] if types and types[0] in ("boolean", "number", "integer") else "text"


def mentions(schema: Property, text: str) -> Iterator[Mention]:
    """The places of the text that say a value of this kind, in order. A yes-or-no or a text is said by all of it."""
    found = _FINDERS.get(kind(schema))
    if found:
        yield from sorted(found(schema, text), key=lambda one: one[:2])
    elif text.strip():
        start, end = len(text) - len(text.lstrip()), len(text.rstrip())
        yield start, end, True if kind(schema) == "boolean" else " ".join(text.split())


def absent(schema: Property) -> Json:
    """What stands for "not said": null where it is allowed, no where the question is yes or no, else an empty text."""
    named = schema.get("type", "string")
    if "null" in (named if isinstance(named, list) else [named]) or None in schema.get("enum", ()):
        return None
    return False if kind(schema) == "boolean" else ""


def _dates(schema: Property, text: str) -> Iterator[Mention]:
    for pattern in DATES:
        for found in pattern.finditer(text):
            month, year = found["m"].lower(), int(found["y"])
            number = int(month) if month.isdigit() else next(n for n, name in enumerate(MONTHS, 1) if name.startswith(month[:3]))
            year += (1900 if year > 50 else 2000) if year < 100 else 0
            try:
                yield found.start(), found.end(), date(year, number, int(found["d"])).isoformat()
            except ValueError:  # no such day
                continue


def _durations(schema: Property, text: str) -> Iterator[Mention]:
    for found in DURATION.finditer(text):
        said = found["p"] or found["n"] or (found["word"] and str(WORDS[found["word"].lower()]))
        if said:
            yield found.start(), found.end(), f"P{int(said)}{found['unit'][0].upper()}"


def _numbers(schema: Property, text: str) -> Iterator[Mention]:
    for found in NUMBER.finditer(text):
        value = float(found["n"].replace(",", "")) * SCALE[(found["k"] or "").lower()]
        if value.is_integer() or kind(schema) == "number":
            yield found.start(), found.end(), int(value) if value.is_integer() else value


def _choices(schema: Property, text: str) -> Iterator[Mention]:
    """Each choice where its words stand, or those before its first comma; the longer of two at one place."""
    taken: list[tuple[int, int]] = []
    for choice in sorted((one for one in schema["enum"] if isinstance(one, str)), key=lambda one: -len(one)):
        for spelling in dict.fromkeys((choice, choice.partition(",")[0])):
            for found in re.finditer(rf"(?<!\w){re.escape(spelling)}(?!\w)", text, re.I):
                if not any(start < found.end() and found.start() < end for start, end in taken):
                    taken.append(found.span())
                    yield found.start(), found.end(), choice


_FINDERS: dict[str, Any] = {"date": _dates, "duration": _durations, "number": _numbers, "integer": _numbers, "choice": _choices}
