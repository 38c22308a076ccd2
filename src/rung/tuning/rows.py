"""Cases to training rows through the same prompt module that serves; a training source sees the case, a serving one never.

RAFT (Zhang et al. 2024, arXiv 2403.10131): the gold passage stands among real look-alikes with probability p. Where it is
left out, a row teaches to say so: a product that must abstain should not be taught to answer without evidence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from rung.approach.prompt import PromptStyle, render
from rung.types import Case, Hit, Message, Passage

TrainingSource = Callable[[Case], tuple[Hit, ...]]


@dataclass(frozen=True)
class Row:
    """A chat whose last message is learned, or raw text that is learned whole, with the documents its facts came from."""

    id: str
    messages: tuple[Message, ...]
    documents: tuple[str, ...]
    group: str
    passages: tuple[str, ...] = ()  # what of them: "document:start-end", or "document#hash" of a quotation
    text: str = ""  # raw text; there are no messages then

    @property
    def hash(self) -> str:
        """Of what is trained on."""
        return hashlib.sha256(json.dumps(self.text or self.messages, ensure_ascii=False).encode()).hexdigest()[:16]


def no_context(case: Case) -> tuple[Hit, ...]:
    """The training source of `tuned` and `hybrid`."""
    return ()


def rows(cases: Sequence[Case], style: PromptStyle, source: TrainingSource) -> list[Row]:
    """A row per case, in order of id: the prompt as it will be served, then the ideal answer, cited where its passage is."""
    ordered = sorted(cases, key=lambda case: case.id)
    refusals = [case.text for case in ordered if case.unanswerable]
    made = []
    for case in ordered:
        hits = source(case)
        prompt = render(style, case.question, hits)
        target: Message = {"role": "assistant", "content": _target(case, hits, refusals, style)}
        documents = tuple(sorted({e.document for e in case.evidence} | {hit.passage.document for hit in hits}))
        made.append(Row(case.id, (*prompt, target), documents, case.group or case.id, _passages(case, hits)))
    return made


def _passages(case: Case, hits: Sequence[Hit]) -> tuple[str, ...]:
    """Names of what the row was made from; they hold none of its words."""
    shown = {f"{hit.passage.document}:{hit.passage.start}-{hit.passage.end}" for hit in hits}
    quoted = {f"{e.document}#{hashlib.sha256(_folded(e.quote).encode()).hexdigest()[:12]}" for e in case.evidence if e.quote}
    return tuple(sorted(shown | quoted))


def raw_rows(passages: Iterable[Passage]) -> list[Row]:
    """A row of raw text per document, put together from its passages, for continual pre-training."""
    texts: dict[str, list[Passage]] = {}
    for passage in passages:
        texts.setdefault(passage.document, []).append(passage)
    return [Row(f"text/{path}", (), (path,), path, text=_joined(parts)) for path, parts in sorted(texts.items())]


def _joined(parts: Sequence[Passage]) -> str:
    """Where passages overlap, the text stands once."""
    text, end = "", 0
    for part in sorted(parts, key=lambda part: (part.start, part.end)):
        if part.end > end:
            text += ("\n\n" if text and part.start > end else "") + part.text[max(0, end - part.start) :]
            end = part.end
    return text


def _target(case: Case, hits: Sequence[Hit], refusals: Sequence[str], style: PromptStyle) -> str:
    gold = [number for number, hit in enumerate(hits, 1) if is_gold(case, hit.passage)]
    if hits and not gold and not case.unanswerable and case.evidence and refusals:
        return Random(f"refusal/{case.id}").choice(refusals)
    return f"{case.text} [{gold[0]}]" if gold and style.cite else case.text


def is_gold(case: Case, passage: Passage) -> bool:
    """Whether the passage holds a piece of the case's evidence: its quote, or where none is given its document."""
    for evidence in case.evidence:
        if evidence.document == passage.document and (not evidence.quote or _folded(evidence.quote) in _folded(passage.text)):
            return True
    return False


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def raft_source(search: Callable[[str, int], Sequence[Hit]], passages: Iterable[Passage], p: float, k: int, seed: int) -> TrainingSource:
    """k passages: with probability `p` the gold one among the k - 1 best others, else the k best others; shuffled."""
    by_document: dict[str, list[Passage]] = {}
    for passage in passages:
        by_document.setdefault(passage.document, []).append(passage)

    def source(case: Case) -> tuple[Hit, ...]:
        r = Random(f"{seed}/{case.id}")
        gold = [g for e in case.evidence for g in by_document.get(e.document, ()) if is_gold(case, g)]
        others = [hit for hit in search(case.question, 2 * k) if not is_gold(case, hit.passage)]
        chosen = [*others[: k - 1], Hit(gold[0], 0.0)] if gold and r.random() < p else others[:k]
        r.shuffle(chosen)
        return tuple(chosen)

    return source
