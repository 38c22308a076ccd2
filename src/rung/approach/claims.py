"""What a sentence claims that can be looked up: amounts with units, dates, times, names, words, and how often it denies.

English. It refuses to understand: two sentences that claim the same in other words have little in common here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

Atom = tuple[str, ...]  # ("amount", value, unit), ("date", year, month, day) or ("time", "17:30"); "" where not said

MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"]
_SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS = {word: n for n, word in enumerate(_SMALL.split())} | {word: 10 * n for n, word in enumerate(_TENS.split(), 2)}
TIMES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
UNITS = {
    form: forms.split()[0]
    for forms in (
        "second seconds sec secs s", "minute minutes min mins", "hour hours h hr hrs hourly", "day days daily", "week weeks weekly",
        "month months monthly", "year years yearly annually", "% percent pct", "euro euros eur €", "dollar dollars usd $",
        "pound pounds gbp £", "crown crowns", "cent cents", "metre metres meter meters m", "kilometre kilometres kilometer kilometers km",
        "centimetre centimetres cm", "millimetre millimetres mm", "knot knots", "kilogram kilograms kilo kilos kg", "gram grams g",
        "tonne tonnes ton tons t", "litre litres liter liters l", "degree degrees °", "gb gigabyte gigabytes", "mb megabyte megabytes",
        "kb kilobyte kilobytes", "person persons people", "request requests", "call calls", "user users", "device devices", "time times",
    )
    for form in forms.split()
}  # fmt: skip
STOP = frozenset(
    re.findall(
        r"\w+",
        """a an the and or but if of to in on at by for with from as is are was were be been being it its they them their this that these
    those there here which who whom what when where how why than then so such will would can could should shall may might must do does
    did has have had having we you your our i he she his her not no nor also any all each per about into over more most other some only
    own same very just up out off between during before after above below under again further once both few s t
        yes yeah ok okay get gets got""",
    )
)
DENIALS = re.compile(
    r"\b(?:not|never|none|neither|nor|nobody|nothing|without|cannot|unable|lacks?|lacking|fails? to|failed to|absence)\b|n[’']t\b"
    r"|\bno\b(?! (?:more|less|fewer|later|longer|earlier|sooner) than)",
    re.IGNORECASE,
)
HARMLESS = re.compile(r"\bnot (?:only|just|more than|less than|exceed\w*|later than)\b|\bwhether or not\b|\bif not\b", re.IGNORECASE)
_MONTH = "|".join([*(m.title() for m in MONTHS), *(m[:3].title() for m in MONTHS if m != "may"), "Sept"])
_CLOCK = re.compile(r"\b(\d{1,2})(?:[:.](\d{2}))?\s*([ap])\.?m\b|\b(\d{1,2}):(\d{2})(?!\d)", re.IGNORECASE)
_DATES = (
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})\b"),
    re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m>{_MONTH})\b\.?(?:,? (?P<y>\d{{4}}))?"),
    re.compile(rf"\b(?P<m>{_MONTH})\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?!\d)(?:,? (?P<y>\d{{4}}))?"),
    re.compile(rf"\b(?P<m>{_MONTH})\.?,? (?P<y>\d{{4}})\b"),
)
_ID = re.compile(r"\b[A-Za-z]+[-_]?\d\w*|\b\d+[A-Z]\w*")
_AMOUNT = re.compile(
    r"(?P<sign>[€$£]|\b(?:EUR|USD|GBP)\b)?\s?(?<![\w.,])(?P<n>\d+(?:[.,'’]\d+)*)(?:st|nd|rd|th)?(?P<unit>\s*[%°]|[A-Za-z]*)"
)
_NAME = re.compile(r"(?<![\w-])[A-Z][\w’'&-]*")
_ACRONYM = re.compile(r"\([A-Z]{2,6}s?\)")  # told beside what it stands for
_TOKEN = re.compile(r"[^\W_]+(?:[’'][^\W_]+)?")


@dataclass(frozen=True)
class Claims:
    """What one sentence claims; each thing with the words that say it."""

    atoms: dict[Atom, str]
    names: dict[str, str]  # lower case → as written; without a capitalised first word
    first: str  # the first word, lower case, where it is capitalised
    stems: dict[str, str]
    denials: int
    words: int


@lru_cache(maxsize=4096)
def claims(sentence: str) -> Claims:
    """Read one sentence. List numbering and markers should be taken off before."""
    atoms: dict[Atom, str] = {}
    names: dict[str, str] = {}
    rest = _blanked(_CLOCK, sentence, lambda m: atoms.setdefault(("time", _clock(m)), m.group().strip()))
    rest = _ACRONYM.sub(" ", rest)
    for pattern in _DATES:
        rest = _blanked(pattern, rest, lambda m: _dated(m, atoms))
    rest = _blanked(_ID, rest, lambda m: _identified(m, names), keep=_is_amount)
    for atom, said in _amounts(_digits(rest)):
        atoms.setdefault(atom, said)
    tokens = list(_NAME.finditer(rest))
    start = re.search(r"\w", sentence)
    first = tokens[0].group().lower() if tokens and start and tokens[0].start() == start.start() else ""
    for match in tokens:
        word = _bare(match.group())
        plain = word in STOP or word in WORDS
        if not plain and not (first and match is tokens[0] and not _clearly_a_name(match.group())):
            names.setdefault(word, match.group())
    return Claims(atoms, names, _bare(first) if first not in STOP else "", stems(rest), denials(sentence), len(sentence.split()))


def denials(text: str) -> int:
    """How often the text denies something in English, limits such as "no more than" not counted."""
    return len(DENIALS.findall(HARMLESS.sub(" ", text)))


def stems(text: str) -> dict[str, str]:
    """The stem of each word that carries meaning → the word. Numbers are left out."""
    found: dict[str, str] = {}
    for match in _TOKEN.finditer(text):
        word = _bare(match.group())
        if len(word) > 1 and word not in STOP and word not in WORDS and not word[0].isdigit():
            found.setdefault(stem(word), match.group())
    return found


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A crude English stem: the commonest endings off, then at most six letters."""
    for ending in ("ingly", "edly", "ings", "ing", "ies", "ied", "ed", "es", "ly", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word[:6]


def _bare(word: str) -> str:
    return re.sub(r"[’']s?$", "", word.lower())


def _clearly_a_name(word: str) -> bool:
    return any(letter.isupper() for letter in word[1:])


def _blanked(
    pattern: re.Pattern[str], text: str, note: Callable[[re.Match[str]], object], keep: Callable[[str], bool] | None = None
) -> str:
    """The text with what matches noted and blanked out."""

    def blank(match: re.Match[str]) -> str:
        if keep and keep(match.group()):
            return match.group()
        note(match)
        return " " * len(match.group())

    return pattern.sub(blank, text)


def _is_amount(word: str) -> bool:
    return bool(re.fullmatch(r"\d+[A-Za-z]+", word)) and re.sub(r"\d", "", word).lower() in UNITS


def _identified(match: re.Match[str], names: dict[str, str]) -> None:
    names.setdefault(match.group().lower().replace("-", ""), match.group())


def _clock(match: re.Match[str]) -> str:
    hour, minute, half = int(match[1] or match[4]), int(match[2] or match[5] or 0), (match[3] or "").lower()
    return f"{hour % 12 + (12 if half == 'p' else 0) if half else hour}:{minute:02}"


def _dated(match: re.Match[str], atoms: dict[Atom, str]) -> None:
    atom = _date(match)
    atoms.setdefault(atom, match.group().strip(" ."))
    if atom[1]:
        atoms.setdefault(("amount", atom[1], ""), atom[1])


def _date(match: re.Match[str]) -> Atom:
    of = match.groupdict()
    month = of["m"] if of["m"].isdigit() else str(1 + [m[:3] for m in MONTHS].index(of["m"][:3].lower()))
    return ("date", of.get("y") or "", str(int(month)), str(int(of["d"])) if of.get("d") else "")


def _digits(text: str) -> str:
    """Numbers in words as digits: "twenty-seven" as 27. "one" stays, for it is seldom a number."""
    tens, small = "|".join(_TENS.split()), "|".join(word for word in _SMALL.split() if word != "one")
    text = re.sub(
        rf"\b({tens})[- ]({_SMALL.replace(' ', '|')})\b",
        lambda m: str(WORDS[m[1].lower()] + WORDS[m[2].lower()]),
        text,
        flags=re.IGNORECASE,
    )
    text = re.sub(rf"\b({tens}|{small})\b", lambda m: str(WORDS[m[1].lower()]), text, flags=re.IGNORECASE)
    return re.sub(r"\ba (hundred|thousand|million)\b", r"1 \1", text, flags=re.IGNORECASE)


def _amounts(text: str) -> Iterator[tuple[Atom, str]]:
    for match in _AMOUNT.finditer(text):
        value = re.sub(r"[,'’](?=\d{3}(?!\d))", "", match["n"])
        words = [match["unit"].strip(), *(word.strip(".,;:()-") for word in text[match.end() : match.end() + 40].split()[:3])]
        times = 1
        while words and words[0].lower() in ("", *TIMES):
            times *= TIMES.get(words.pop(0).lower(), 1)
        near = words[:1] if words and words[0].lower() in STOP else words[:2]
        word = (match["sign"] or "") or next((word for word in near if word.lower() in UNITS), "")
        said = f"{word}{match['n']}" if match["sign"] else f"{match['n']} {word}".strip()
        yield ("amount", _value(value.replace(",", "."), times), UNITS.get(word.lower(), "")), said


def _value(number: str, times: int) -> str:
    """One spelling for each number; what is none, such as a version, stays as it is."""
    return f"{float(number) * times:.12g}" if re.fullmatch(r"\d+(?:\.\d+)?", number) else number


def holds(atom: Atom, among: dict[Atom, str]) -> bool:
    """Whether the atoms say it: the same value, and nothing else of what only one of the two leaves open."""
    return any(
        one[0] == atom[0] and len(one) == len(atom) and all(a == b or not a or not b for a, b in zip(one, atom, strict=True))
        for one in among
    )
