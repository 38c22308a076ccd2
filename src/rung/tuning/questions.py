"""Questions made from passages: the prompt that asks a model for one, and the judge that keeps only what the passage bears out.

It refuses a question whose quote is not in the passage, whose answer the quote does not support, or that speaks of "the passage".
Without a model, a gap is cut into a sentence: such a question sounds like its document, and says so in its tags.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

from rung.approach.claims import UNITS, claims
from rung.approach.support import bare, check
from rung.types import Case, Evidence, Hit, Message, Passage

VERSION = 1
SYSTEM = (
    "You write questions that a customer or a colleague would really ask and that the text answers. "
    'Reply with one JSON object and nothing else: {"question": ..., "answer": ..., "quote": ...}. '
    "The question must be clear to somebody who does not see the text: name the thing it is about. "
    "The answer is short and uses the text's own words. The quote is the sentence that holds the answer, copied letter by letter."
)
SHORTEST = 12  # words of a passage that is worth a question
POINTS = re.compile(r"\b(?:the|this|that) (?:passage|text|excerpt|paragraph|document|section|quote)\b|\baccording to (?:it|this)\b", re.I)
GAP = "____"


@dataclass(frozen=True)
class Rejected:
    """Why what a model wrote was not kept."""

    reason: str


def asking(passage: Passage) -> list[Message]:
    """The prompt for one question about a passage."""
    headings = " > ".join(passage.headings)
    text = f"{headings}\n{passage.text.strip()}" if headings else passage.text.strip()
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]


def judged(reply: str, passage: Passage, group: str, by: str) -> Case | Rejected:
    """The case in a model's reply, or why there is none."""
    said = _object(reply)
    if said is None:
        return Rejected("no JSON object with question, answer and quote")
    question, answer, quote = said
    held = found(quote, passage.text)
    if not held:
        return Rejected("the quote is not in the passage")
    if not question.rstrip().endswith("?") or len(question.split()) < 3:
        return Rejected("it is no question")
    if POINTS.search(question):
        return Rejected("the question speaks of the text itself")
    checked = check(answer, question, [Hit(replace(passage, text=held), 1.0)])
    if not checked or any(not one.support for one in checked) or all(one.support == "plain" for one in checked):
        return Rejected("the quote does not support the answer")
    return _case(passage, question, answer, held, group, ("synthetic",), f"written by {by}")


def cut_out(passage: Passage, sentence: str, group: str) -> Case | Rejected:
    """A gap where a sentence of the passage says an amount, a date, a time or a name; what stood there is the answer."""
    claimed = claims(bare(sentence))
    spans = [
        said
        for said in (*claimed.atoms.values(), *claimed.names.values())
        if said.lower() not in UNITS and len(said) > 1 and sentence.count(said) == 1
    ]
    if not spans or not found(sentence, passage.text):
        return Rejected("the sentence names nothing that could be asked for")
    answer = max(spans, key=len)
    question = f"What is missing here? {sentence.strip().replace(answer, GAP)}"
    return _case(passage, question, answer, found(sentence, passage.text), group, ("synthetic", "cut-out"), "a gap cut")


def found(quote: str, text: str) -> str:
    """The quote as it stands in the text, white space and case apart; "" where it does not, or is shorter than three words."""
    words = quote.split()
    if len(words) < 3:
        return ""
    match = re.search(r"\s+".join(map(re.escape, words)), text, re.IGNORECASE)
    return match[0] if match else ""


def _case(passage: Passage, question: str, answer: str, quote: str, group: str, tags: tuple[str, ...], how: str) -> Case:
    origin = f"{how} from {passage.document}:{passage.start}-{passage.end}"
    evidence = (Evidence(passage.document, quote),)
    return Case(made_id(passage), question.strip(), answer.strip(), (), evidence, tags, group, origin=origin)


def made_id(passage: Passage) -> str:
    """The id of the question made from a passage."""
    return f"made-{passage.id[:12]}"


def _object(reply: str) -> tuple[str, str, str] | None:
    """Question, answer and quote of the first JSON object in a text that holds them."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", reply):
        try:
            value, _ = decoder.raw_decode(reply, match.start())
        except (ValueError, RecursionError):
            continue
        told = [value.get(name) for name in ("question", "answer", "quote")] if isinstance(value, dict) else []
        if len(told) == 3 and all(isinstance(one, str) and one.strip() for one in told):
            return str(told[0]), str(told[1]), str(told[2])
    return None
