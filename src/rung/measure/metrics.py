"""Pure functions from texts to numbers in [0, 1]; none of them asks a model, and none forgives what a reader would not.

Sources: exact match and token F1 as in SQuAD (Rajpurkar et al., 2016); macro-F1 as the mean of the labels' F1.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from rung.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKER = re.compile(r"\s*\[ ?\d+ ?\]")  # citations, and what the documents quote of such
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:[,'\u00a0\u2009\u202f\u2019]\d{3})+(?!\d|[,.]\d{3}\b)(?:\.\d+)?")
WHOLE = re.compile(r"(?<![\d.,])(\d+)\.00(?![\d]|\.\d)")
UNIFY = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2010": "-", "\u2011": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-"}
)
PUNCTUATION = str.maketrans("", "", string.punctuation)


def without_markers(text: str) -> str:
    """The text without citation markers such as [2], unless nothing else would be left."""
    return MARKER.sub("", text).strip() or text.strip()


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """Case, Unicode form, quotes, dashes and spacing unified; "1,240" becomes "1240" and "12.00" becomes "12"."""
    text = THOUSANDS.sub(lambda found: re.sub(r"[^\d.]", "", found.group()), text)
    text = WHOLE.sub(r"\1", text)
    return " ".join(unicodedata.normalize("NFKC", text).translate(UNIFY).casefold().split())


def normalise(text: str) -> str:
    """SQuAD's normal form: lower case, no punctuation, no English articles, single spaces; numbers as in `canonical`."""
    bare = canonical(text).translate(PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def exact(text: str, accepted: Sequence[str]) -> float:
    """1 where the text equals one of the accepted texts in normal form, else 0."""
    said = normalise(text)
    return float(any(said == normalise(one) for one in accepted))


def token_f1(text: str, accepted: Sequence[str]) -> float:
    """The best F1 of the text's tokens (a multiset, in normal form) against an accepted text; two empty texts agree."""
    return max((_f1(normalise(text).split(), normalise(one).split()) for one in accepted), default=0.0)


def _f1(said: Sequence[str], gold: Sequence[str]) -> float:
    if not said or not gold:
        return float(said == gold)
    same = sum((Counter(said) & Counter(gold)).values())
    return 2 * same / (len(said) + len(gold))


def contains(text: str, spelling: str) -> bool:
    """Whether the text holds the spelling as a whole: not within a longer word, number, range or code.

    "12" is not in "112", "12.5", "12-14" or "12:30"; "HX-20" is not in "HX-200" nor in "HX-20-S"; "30" is in "30-day".
    """
    wanted = canonical(spelling)
    return bool(wanted) and _whole(wanted).search(canonical(text)) is not None


@lru_cache(maxsize=4096)
def _whole(wanted: str) -> re.Pattern[str]:
    first, last = wanted.split()[0], wanted.split()[-1]
    before, after = "", ""
    if re.match(r"\w", wanted):
        before = r"(?<!\w)" + (r"(?<!\d[.,:/-])" if wanted[0].isdigit() else "") + (r"(?<!\w-)" if _is_code(first) else "")
    if re.search(r"\w$", wanted):
        after = r"(?!\w)" + (r"(?![.,:/-]\d)" if wanted[-1].isdigit() else "") + (r"(?!-\w)" if _is_code(last) else "")
    return re.compile(before + re.escape(wanted) + after)


def _is_code(token: str) -> bool:
    return any(c.isdigit() for c in token) and any(c.isalpha() for c in token)


def facts_contained(text: str, facts: Sequence[Sequence[str]]) -> float:
    """The share of fact groups of which the text contains a spelling; 1 where there are none to contain.

    It can't see a contradiction: a text that lists every candidate contains the right one, too. A required form bounds that.
    """
    found = sum(any(contains(text, spelling) for spelling in group) for group in facts)
    return found / len(facts) if facts else 1.0


def has_form(text: str, form: str) -> bool:
    """Whether the whole text, outer white space aside, matches the regular expression. ConfigError where it isn't one."""
    return _compiled(form).fullmatch(text.strip()) is not None


@lru_cache(maxsize=64)
def _compiled(form: str) -> re.Pattern[str]:
    try:
        return re.compile(form)
    except re.error as fault:
        raise ConfigError(
            f"`form` is not a regular expression: {fault}",
            "in rung.toml write it in single quotes, so that backslashes stay as they are",
        ) from None


def accuracy(gold: Sequence[str], said: Sequence[str]) -> float:
    """The share of equal labels; 0 where there are none."""
    return sum(g == s for g, s in zip(gold, said, strict=True)) / len(gold) if gold else 0.0


def macro_f1(gold: Sequence[str], said: Sequence[str]) -> float:
    """The mean F1 over the labels that occur in `gold`; what was said outside of them counts against the gold label.

    A label that is only ever said, never right, has no F1 of its own here: it would let one invented word cost a whole label.
    """
    labels = sorted(set(gold))
    right = Counter(g for g, s in zip(gold, said, strict=True) if g == s)
    golds, saids = Counter(gold), Counter(said)
    return sum(2 * right[one] / (golds[one] + saids[one]) for one in labels) / len(labels) if labels else 0.0


def abstention_rates(abstained: Sequence[bool], unanswerable: Sequence[bool]) -> tuple[float | None, float | None]:
    """Precision (abstained where there was no answer / abstained) and recall (… / had no answer); None over nothing."""
    both = sum(a and u for a, u in zip(abstained, unanswerable, strict=True))
    said, gold = sum(abstained), sum(unanswerable)
    return (both / said if said else None), (both / gold if gold else None)
