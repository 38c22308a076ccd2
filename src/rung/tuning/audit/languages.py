"""Which language each row is in, by py3langid, offline. It says nothing of texts that are too short to tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from rung.errors import MissingExtra
from rung.tuning.audit.finding import Finding, counted, finding
from rung.tuning.audit.material import Material
from rung.types import Case

LETTERS = 40  # below which a guess is worth little
SURE = 0.95


def language(text: str) -> str:
    """Its ISO 639-1 code; "" where it is too short or can't be told."""
    if sum(letter.isalpha() for letter in text) < LETTERS:
        return ""
    code, share = _identifier().classify(text)
    return str(code) if code and share >= SURE else ""


def check_languages(material: Material) -> Iterator[Finding]:
    """Rows in another language than most rows, and examples in another language than the held-out cases."""
    of = {case.id: _of(case, material.task) for case in material.examples}
    most = _usual([code for code in of.values() if code])
    others = {id: code for id, code in of.items() if code and most and code != most}
    if others:
        codes = ", ".join(f"{n:,} {code}" for code, n in Counter(others.values()).most_common(5))
        said = f"{counted(len(others), 'row is', 'rows are')} not in '{most}' as most are: {codes}"
        yield finding(
            "language", "note", said, "remove them unless the product is asked in these languages", [material.place(id) for id in others]
        )
    held = _usual([code for case in material.cases if (code := _of(case, material.task))])
    if held and most and held != most:
        said = f"the examples are in '{most}' and the held-out cases in '{held}'"
        yield finding("language", "warn", said, "train in the language that is measured")


def _of(case: Case, task: str) -> str:
    return language(case.question if task != "answer" else f"{case.question}\n{case.text}")


def _usual(codes: Sequence[str]) -> str:
    return Counter(codes).most_common(1)[0][0] if codes else ""


@lru_cache(maxsize=1)
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ModuleNotFoundError:
        raise MissingExtra("the audit of training rows", "audit") from None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
