"""What is shown of a checked answer: unsupported sentences are kept, marked, dropped, or refuse it. It checks nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rung.types import Citation, Sentence

MARK = "[unsupported]"


@dataclass(frozen=True)
class Policy:
    """What happens to unsupported sentences. `keep` checks nothing."""

    unsupported: Literal["keep", "mark", "drop", "refuse"] = "keep"
    refusal: str = "The passages don't answer this."
    given: tuple[str, ...] = ()  # words that are not claims, for the form of every answer brings them


def quoting(citations: Sequence[Citation], checked: Sequence[Sentence]) -> tuple[Citation, ...]:
    """The citations with the span that supports the first sentence they stand in, where it was found in their passage."""
    return tuple(_with_quote(citation, checked) for citation in citations)


def _with_quote(citation: Citation, checked: Sequence[Sentence]) -> Citation:
    for sentence in checked:
        if f"[{citation.marker}]" in sentence.text and sentence.support:
            for document, start, end in sentence.quotes:
                if document == citation.document and citation.start <= start and end <= citation.end:
                    return replace(citation, quote=(start, end))
    return citation


def after(policy: Policy, sentence: Sentence) -> str:
    """What is shown of one sentence under `mark` or `drop`."""
    if sentence.support:
        return sentence.text
    inside = sentence.text.rstrip()
    return f"{inside} {MARK}{sentence.text[len(inside) :]}" if policy.unsupported == "mark" and inside else ""


def allowed(policy: Policy, checked: Sequence[Sentence]) -> str:
    """The answer that the policy lets through; its refusal where nothing is left, or where one sentence is too many."""
    if policy.unsupported == "refuse" and not all(sentence.support for sentence in checked):
        return policy.refusal
    text = "".join(after(policy, sentence) for sentence in checked).strip()
    return text or (policy.refusal if checked else "")
