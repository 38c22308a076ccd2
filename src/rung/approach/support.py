"""Checks each sentence of an answer against the passages behind it, and says what supports it or what is missing.

By words alone, in English: an amount, date, time or name that is in none of the cited passages is unsupported, and so is a
denial turned round. It refuses to judge truth: a sentence made of the passage's own words in a wrong order passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from rung.approach.claims import Atom, Claims, claims, denials, holds, stems
from rung.approach.prompt import MARKER, QUOTED
from rung.approach.sentences import sentences
from rung.types import Hit, Sentence

VERSION = 1
COVERED = 0.5  # share of a sentence's words that the spans must hold; on what it was chosen by, .3 to .6 made little difference
FUZZY = 90  # rapidfuzz's partial ratio, from which a sentence is a quotation with slips
SPANS = 3  # spans that may support one sentence together
CARRIES = 0.25  # share of a sentence's words that a span must hold to lend it an amount
ALONE = 0.8  # share from which the best span alone lends amounts
SLACK = 25  # letters within which a quotation's end is that of the sentence it stands in
FRAGMENT = 3  # words up to which an answer is a fragment, all of which must be found
OPPOSITES = tuple(
    (frozenset(stems(first)), frozenset(stems(second)))
    for first, second in (
        ("increase increased raise raises rise rises higher grows", "decrease decreased reduce reduces fall falls lower shrinks"),
        ("before earlier", "after later"), ("minimum least", "maximum most"), ("above", "below"),
        ("allowed permitted", "forbidden prohibited banned refused"), ("required mandatory compulsory", "optional voluntary"),
        ("include includes included", "exclude excludes excluded"), ("open opens", "closed closes shut"), ("always", "never"),
        ("promotes activates enhances induces", "inhibits suppresses impairs blocks"),
        ("positive positively", "negative negatively"), ("free", "charged"), ("upregulated", "downregulated"), ("safe", "dangerous unsafe"),
    )
)  # fmt: skip
NOT_KNOWING = re.compile(
    r"\b(?:do not|don't|cannot|can't|could not|couldn't) (?:know|say|find|answer|tell|state|mention)\b"
    r"|\b(?:no|not enough) (?:information|answer|mention)\b|\bnot (?:stated|mentioned|known|given|specified)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Span:
    """A sentence of a passage, where it stands in its document."""

    hit: Hit
    start: int
    end: int
    claims: Claims
    exact: bool = False


def check(text: str, question: str, hits: Sequence[Hit], given: Sequence[str] = ()) -> tuple[Sentence, ...]:
    """Each sentence of the answer with its support among the hits, which are numbered from 1 as its markers number them.

    `given` words are not claims: a form that every answer must have brings them.
    """
    return tuple(check_sentence(text[start:end], question, hits, given) for start, end in sentences(text))


def check_sentence(text: str, question: str, hits: Sequence[Hit], given: Sequence[str] = ()) -> Sentence:
    """One sentence against the passages it cites, or against all where it cites none."""
    numbers = [int(number) for number in MARKER.findall(text)]
    nowhere = tuple(dict.fromkeys(f"[{number}]" for number in numbers if not 1 <= number <= len(hits)))
    cited = [hits[number - 1] for number in dict.fromkeys(numbers) if 1 <= number <= len(hits)] or list(hits)
    said = bare(" ".join(word for word in text.split(" ") if word.strip(".,;:!?\n") not in given))
    claimed = claims(said)
    if NOT_KNOWING.search(said) or not (claimed.atoms or claimed.names or claimed.stems):
        return Sentence(text, "" if nowhere else "plain", nowhere)
    quoted = _quoted(said, cited)
    spans = [] if quoted else _chosen(claimed, claims(question), cited)
    missing = [*nowhere, *_missing(claimed, claims(question), spans, cited, hits)] if not quoted else [*nowhere, *_slips(claimed, quoted)]
    places = [(one.hit.passage.document, one.start, one.end) for one in (quoted or spans)]
    if not missing and not quoted and (not spans or _covered(claimed, spans) < COVERED):
        missing = [word for key, word in claimed.stems.items() if not any(_has(span, key) for span in spans)][:5] or [said]
    exact = quoted and quoted[0].exact
    support = "" if missing else "exact" if exact else "fuzzy" if quoted else "words"
    return Sentence(text, support, tuple(dict.fromkeys(missing)), tuple(places))


def bare(text: str) -> str:
    """A sentence without markers, Markdown and list numbering."""
    text = re.sub(r"^\s*(?:[-*•>#]+|\d{1,3}[.)])\s+", "", QUOTED.sub("", MARKER.sub("", text)))
    return " ".join(re.sub(r"[*_`]{1,3}|\|", " ", text).split())


def _chosen(claimed: Claims, asked: Claims, cited: Sequence[Hit]) -> list[_Span]:
    """Up to three sentences of the passages that hold most of the claims together, the best first; the question breaks ties."""
    left = set(claimed.stems) | set(claimed.names) | set(claimed.atoms)
    pool = [span for hit in cited for span in _spans(hit)]
    chosen: list[_Span] = []
    while left and pool and len(chosen) < SPANS:
        best = max(pool, key=lambda span: (_gain(left, span), len(asked.stems.keys() & span.claims.stems.keys())))
        if not _gain(left, best):
            break
        chosen.append(best)
        pool.remove(best)
        left -= {key for key in left if _has(best, key)}
    return chosen


def _gain(left: set[str | Atom], span: _Span) -> float:
    return sum((2.0 if isinstance(key, tuple) else 1.0) for key in left if _has(span, key))


def _has(span: _Span, key: str | Atom) -> bool:
    if isinstance(key, tuple):
        return holds(key, span.claims.atoms)
    return key in span.claims.stems or key in span.claims.names or key == span.claims.first


def _missing(claimed: Claims, asked: Claims, spans: Sequence[_Span], cited: Sequence[Hit], hits: Sequence[Hit]) -> list[str]:
    """What the sentence says and the passages don't, in its own words."""
    alone = bool(claimed.stems) and _covered(claimed, spans[:1]) >= ALONE
    carrying = [span for n, span in enumerate(spans) if n == 0 or (not alone and _covered(claimed, [span]) >= CARRIES)]
    lost = [said for atom, said in claimed.atoms.items() if not any(holds(atom, span.claims.atoms) for span in carrying)]
    words = _words(cited)
    names = {**claimed.names, **({claimed.first: claimed.first} if claimed.first in _names(hits) else {})}
    lost += [said for name, said in names.items() if name not in words and not (stems(name) and stems(name).keys() <= stems_of(cited))]
    about = {name for name in asked.names if name in _words(hits)}
    if about and not about & words:
        lost += sorted(about)
    if claimed.words <= FRAGMENT:
        lost += [said for key, said in claimed.stems.items() if key not in stems_of(cited)]
    if spans and (turned := _turned(claimed, spans)):
        lost.append(turned)
    return lost


def _turned(claimed: Claims, spans: Sequence[_Span]) -> str:
    """Whether the sentence denies what the span says, or says what it denies; the word that shows it."""
    if len(claimed.stems) < 3:
        return ""  # too little to tell its clause
    span = spans[0]
    said = span.hit.passage.text[span.start - span.hit.passage.start : span.end - span.hit.passage.start]
    clauses = re.split(r"[,;:()]|\b(?:but|although|though|unless|except|while|whereas)\b", said)
    nearest = max(clauses, key=lambda clause: len(claimed.stems.keys() & stems(clause).keys()))
    if claimed.denials and not any(one.claims.denials for one in spans):
        return "not"
    if not claimed.denials and denials(bare(nearest)):
        return "the passage says not"
    return _opposed(claimed, set(stems(nearest)), set(span.claims.stems))


def _opposed(claimed: Claims, near: set[str], held: set[str]) -> str:
    """A word of the sentence whose opposite stands near in the passage, while it does not stand there itself."""
    for pair in OPPOSITES:
        for mine, theirs in (pair, pair[::-1]):
            if claimed.stems.keys() & mine and not held & mine and near & theirs:
                return next(claimed.stems[key] for key in claimed.stems if key in mine)
    return ""


def _covered(claimed: Claims, spans: Sequence[_Span]) -> float:
    """The share of the sentence's words that the spans or their headings hold; 1 where it has none but amounts and dates."""
    if not claimed.stems:
        return 1.0
    above = stems_of([span.hit for span in spans], headings_only=True)
    return sum(key in above or any(_has(span, key) for span in spans) for key in claimed.stems) / len(claimed.stems)


def _spans(hit: Hit) -> tuple[_Span, ...]:
    return tuple(replace(span, hit=hit) for span in _cut(hit))


@lru_cache(maxsize=512)
def _cut_text(text: str) -> tuple[tuple[int, int, Claims], ...]:
    unwrapped = re.sub(r"(?<=[^\s|])\n(?=[a-z0-9(])", " ", text)  # lines that were broken to fit a page
    return tuple((start, end, claims(bare(text[start:end]))) for start, end in _trimmed(unwrapped))


def _cut(hit: Hit) -> Iterator[_Span]:
    for start, end, claimed in _cut_text(hit.passage.text):
        yield _Span(hit, hit.passage.start + start, hit.passage.start + end, claimed)


def _trimmed(text: str) -> Iterator[tuple[int, int]]:
    for start, end in sentences(text):
        inside = text[start:end].strip()
        if inside:
            at = start + text[start:end].index(inside)
            yield at, at + len(inside)


def _words(hits: Sequence[Hit]) -> set[str]:
    return set().union(*(_lower(_whole(hit)) for hit in hits))


@lru_cache(maxsize=512)
def _lower(text: str) -> frozenset[str]:
    words = re.findall(r"[^\W_][\w&’'-]*", text.lower())
    return frozenset(
        {
            *words,
            *(re.sub(r"[’']s?$", "", word) for word in words),
            *(part for word in words for part in (*word.split("-"), word.replace("-", ""))),
        }
    )


def _names(hits: Sequence[Hit]) -> set[str]:
    """Names that stand inside a sentence, in any of the hits: what a capitalised first word may be."""
    return {name for hit in hits for _, _, claimed in _cut_text(hit.passage.text) for name in claimed.names}


def stems_of(hits: Sequence[Hit], *, headings_only: bool = False) -> set[str]:
    """The stems of the passages with their headings."""
    return {key for hit in hits for key in stems("\n".join(hit.passage.headings) if headings_only else _whole(hit))}


def _whole(hit: Hit) -> str:
    return "\n".join((*hit.passage.headings, hit.passage.text))


def _quoted(said: str, cited: Sequence[Hit]) -> list[_Span]:
    """Where a sentence of three words or more stands in a passage, letter for letter or with slips: one place, or none."""
    from rapidfuzz import fuzz

    wanted = said.rstrip(".!?… ").lower()
    found: list[tuple[float, _Span]] = []
    for hit in cited if len(wanted.split()) >= 3 else ():
        text = hit.passage.text.lower()
        if len(wanted) <= len(text) == len(hit.passage.text) and (at := fuzz.partial_ratio_alignment(wanted, text, score_cutoff=FUZZY)):
            start, end = _snapped(hit.passage.text, at.dest_start, at.dest_end, 0 if at.score == 100 else SLACK)
            read = claims(bare(hit.passage.text[start:end]))
            first = hit.passage.start
            found.append((at.score, _Span(hit, first + start, first + end, read, exact=at.score == 100)))
    return [max(found, key=lambda pair: pair[0])[1]] if found else []


def _slips(claimed: Claims, quoted: Sequence[_Span]) -> list[str]:
    """What a quotation says otherwise than the place it is from: amounts, dates, names, and how often it denies."""
    span = quoted[0]
    text, start = span.hit.passage.text, span.start - span.hit.passage.start
    clause = max(0, *(text.rfind(mark, 0, start) for mark in ".;:,!?\n"))
    denied = denials(bare(text[clause : span.end - span.hit.passage.start])) - claimed.denials
    lost = [said for atom, said in claimed.atoms.items() if not span.exact and not holds(atom, span.claims.atoms)]
    words = _lower(text[start : span.end - span.hit.passage.start])
    names = claimed.names | ({claimed.first: claimed.first} if claimed.first else {})
    lost += [
        said for name, said in names.items() if not span.exact and name not in words and not stems(name).keys() & span.claims.stems.keys()
    ]
    held = set(span.claims.stems)
    lost += [turned] if (turned := _opposed(claimed, held, held)) else []
    return lost + (["the passage says not"] if denied > 0 else ["not"] if denied < 0 else [])


def _snapped(text: str, start: int, end: int, slack: int) -> tuple[int, int]:
    """The span with ends moved to the ends of sentences where those are near, else to the ends of words."""
    inside = [(begin, stop) for begin, stop, _ in _cut_text(text) if begin < end and start < stop]
    begin, stop = max(inside, key=lambda one: min(one[1], end) - max(one[0], start), default=(start, end))
    start, end = begin if abs(begin - start) <= slack else start, stop if abs(stop - end) <= slack else end
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    return start, end
