"""Finds personal data that has a shape of its own: e-mail, phone, IBAN, card, IP address, US social security number.

Phone numbers by phonenumbers (national ones only behind a word such as "call"), numbers with check digits by python-stdnum.
It does not find names and postal addresses: that takes a language model of hundreds of megabytes, and guesses.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rung.errors import MissingExtra
from rung.tuning.audit.finding import Finding, Place, counted, finding
from rung.tuning.audit.material import Material, PersonalData
from rung.tuning.rows import Row
from rung.types import Message

EMAIL = re.compile(r"\b[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
CARD = re.compile(r"(?<![\d.,-])[3-6]\d{3}(?:[ -]?\d{2,6}){2,4}(?![\d.,-]\d)")
ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
SSN = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")
CALL = re.compile(r"(?:tel|phone|fon|call|mobile|mobil|cell|fax|handy|whatsapp|portable)\w*\W{0,12}(?:\w+\W{1,3}){0,4}$", re.IGNORECASE)
REGIONS = ("US", "GB", "DE", "FR", "IN", "AU")


@dataclass(frozen=True)
class Found:
    """A piece of personal data: its kind and where in the text it stands."""

    kind: str
    start: int
    end: int


def personal(text: str) -> list[Found]:
    """All that was found, in order, none within another."""
    found: list[Found] = []
    for one in sorted(_found(text), key=lambda one: (one.start, -one.end)):
        if not found or one.start >= found[-1].end:
            found.append(one)
    return found


def _found(text: str) -> Iterator[Found]:
    if "@" in text:
        yield from (Found("e-mail", *match.span()) for match in EMAIL.finditer(text))
    if sum(letter.isdigit() for letter in text) < 7:
        return
    try:
        from stdnum import iban, luhn
        from stdnum.us import ssn
    except ModuleNotFoundError:
        raise MissingExtra("the audit of training rows", "audit") from None
    yield from (Found("IBAN", *match.span()) for match in IBAN.finditer(text) if iban.is_valid(match[0]))
    for match in CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if 14 <= len(digits) <= 16 and luhn.is_valid(digits):
            yield Found("card", *match.span())
    yield from (Found("social security number", *match.span()) for match in SSN.finditer(text) if ssn.is_valid(match[0]))
    yield from (Found("IP address", *match.span()) for match in ADDRESS.finditer(text) if _reaches(match[0]))
    yield from _phones(text)


def _reaches(text: str) -> bool:
    """Whether it is an address that somebody may have, not one kept for networks, examples or masks."""
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


def _phones(text: str) -> Iterator[Found]:
    try:
        from phonenumbers import PhoneNumberMatcher
    except ModuleNotFoundError:
        raise MissingExtra("the audit of training rows", "audit") from None
    if "+" in text:
        yield from (Found("phone", match.start, match.end) for match in PhoneNumberMatcher(text, None))
    if CALL.search(re.split(r"\d", text, maxsplit=1)[0]) or re.search(r"(?i)tel|phone|fon|call|mobil|cell|fax|handy|whatsapp", text):
        for region in REGIONS:
            yield from (
                Found("phone", match.start, match.end)
                for match in PhoneNumberMatcher(text, region)
                if CALL.search(text[max(0, match.start - 60) : match.start])
            )


def of_row(row: Row) -> list[str]:
    """The kinds found in a row's question, passages and answer; the instructions are the project's own."""
    return [one.kind for message in row.messages if message["role"] != "system" for one in personal(message["content"])]


def check_personal(material: Material) -> Iterator[Finding]:
    """Rows with personal data, and what will be done about it."""
    found = {row.id: kinds for row in material.rows if (kinds := of_row(row))}
    if not found:
        return
    counts = Counter(kind for one in found.values() for kind in one)
    told = ", ".join(f"{n:,} {kind}" for kind, n in counts.most_common())
    done = {"keep": "kept", "redact": "replaced by their kind in brackets", "drop": "left out of training with their rows"}
    said = f"{counted(len(found), 'row holds', 'rows hold')} personal data ({told}), which is {done[material.personal_data]}"
    places: list[Place] = [material.place(id) for id in found]
    if material.personal_data == "keep":
        yield finding("personal", "warn", said, 'set personal_data = "redact" or "drop" under [tuning]', places)
    else:
        yield finding("personal", "note", said, "nothing to do; names and postal addresses are not looked for", places)


def cleaned(rows: Sequence[Row], how: PersonalData) -> list[Row]:
    """The rows as they may be trained on: as they are, with personal data replaced by its kind, or without those that hold any."""
    if how == "keep":
        return list(rows)
    if how == "drop":
        return [row for row in rows if not of_row(row)]
    return [replace(row, messages=tuple(map(_redacted, row.messages))) for row in rows]


def _redacted(message: Message) -> Message:
    if message["role"] == "system":
        return message
    return {"role": message["role"], "content": redacted(message["content"])}


def redacted(text: str) -> str:
    """The text with each piece of personal data replaced by its kind in brackets, such as [e-mail]."""
    made, at = [], 0
    for one in personal(text):
        made += [text[at : one.start], f"[{one.kind}]"]
        at = one.end
    return "".join([*made, text[at:]])
