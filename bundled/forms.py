"""Answer forms without number: wrappers, keys, prefixes, refusals and citations, described or only shown.

Thousands of forms make the form a thing to be read off the prompt and not a habit of the weights.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from bundled.kinds.names import WORDS, money, person, proper, syllables

COMMON = ["answer", "note", "reply", "desk", "info", "result", "fact", "entry", "value", "found", "record", "file", "ref", "item", "team", "office", "line", "memo", "log", "update", "source", "detail", "finding", "response", "summary", "status", "case", "ticket", "service", "help", "check", "data", "report", "card", "label", "tag", "mark", "book", "list"]
MARKS = [":", " -", " =", " >", ">>", " |", "::", " ->", ",", " /", " #", ".", " ~"]
ENDS = ["", "", "", ".", " <<", " |", " #", " /end", " (ok)", " --", "!", " *", ";"]
BRACKETS = [("[", "]"), ("<", ">"), ("(", ")"), ("{", "}"), ("*", "*"), ("**", "**"), ('"', '"'), ("`", "`"), ("= ", " ="), ("| ", " |")]
REFUSALS = (
    "I don't know.",
    "not stated",
    "unknown",
    "not on file",
    "no answer",
    "n/a",
    "not found",
    "no entry",
    "I can't find that.",
    "not in the sources",
    "nothing found",
    "no record",
)


@dataclass(frozen=True)
class Form:
    """A pattern with `<answer>` in it, what to say when there is no answer, and whether to cite."""

    pattern: str = "<answer>"
    refusal: str = "I don't know."
    cite: bool = False
    keys: bool = False
    sentence: bool = False
    described: bool = True  # by the system prompt; otherwise the solved examples show it
    one_key: str = ""
    shown: int = 0

    def write(self, value: str, name: str, sentence: str, passage: int) -> str:
        """The answer in this form, with its citation where the form asks for one and there is a passage."""
        if self.one_key:
            return json.dumps({self.one_key: value} | ({"source": passage} if self.cite and passage else {}), ensure_ascii=False)
        text = self.pattern.replace("<answer>", sentence if self.sentence else value).replace("<topic>", name)
        return f"{text} [{passage}]" if self.cite and passage else text

    def refuse(self, name: str) -> str:
        """The answer that says there is none; it never cites."""
        if self.one_key:
            return json.dumps({self.one_key: None})
        return self.pattern.replace("<answer>", self.refusal).replace("<topic>", name)

    def system(self, r: Random) -> str:
        """Instructions for this form, worded at random."""
        parts = [r.choice(OPENINGS)]
        if self.keys:
            parts.append(r.choice(["Reply in JSON with the keys asked for.", "Return a JSON object with the asked keys; use null if a value is missing."]))
        elif self.one_key:
            parts.append(r.choice(['Reply in JSON with the key "{}".', 'Return JSON: {{"{}": ...}}.', "Answer as a JSON object with key {}."]).format(self.one_key))
        elif self.described and self.sentence:
            parts.append(r.choice(["Answer in a full sentence.", "Reply with a complete sentence."]))
        elif self.described and self.pattern == "- <answer>":
            parts.append(r.choice(["Answer as a bullet.", "Use a bullet point.", "Form: - <answer>"]))
        elif self.described and self.pattern != "<answer>":
            parts.append(r.choice(["Reply in the form: {}", "Use this form: {}", "Answer like this: {}", "Form: {}", "Write every answer as {}"]).format(self.pattern))
        if not self.keys and not self.one_key and (self.refusal != "I don't know." or r.random() < 0.4):
            ask = ['If it is not there, say "{}".', 'When the answer is missing, write "{}".', 'Say "{}" if the passages do not say.', "Unknown: {}"]
            if self.described or self.refusal == "I don't know.":
                parts.append(r.choice(ask).format(self.refusal))
        if self.cite:
            parts.append(r.choice(["Cite the passage.", "Cite the passage number in brackets.", "Give the number of the passage, such as [1].", "End with the source number in brackets."]))
        return " ".join(p for p in parts if p)

    def shots(self, r: Random, none: bool) -> tuple[tuple[str, str], ...]:
        """Solved examples without passages: always some where the form is shown and not described."""
        count = 0 if none and self.described else self.shown
        made = []
        for i in range(count):
            thing, value = proper(r), r.choice([money, person, proper])(r)
            question = r.choice(["What is the {} of {}?", "Which {} does {} have?", "{} for {}?", "Tell me the {} of {}."])
            word = r.choice(WORDS) if r.random() < 0.4 else r.choice(COMMON)
            question = question.format(word, thing)
            answer = self.refuse(word) if i and i == count - 1 else self.write(value, word, f"The {word} of {thing} is {value}.", 0)
            made.append((question[:1].upper() + question[1:], answer))
        return tuple(made)


OPENINGS = (
    "",
    "Answer from the passages.",
    "Answer the question from the passages.",
    "You answer questions about our company.",
    "Use only the passages.",
    "Answer briefly from the passages below.",
    "You are a helpful assistant. Answer with what the passages say.",
    "You help our staff. Answer from the sources.",
    "Answer the question with the shortest exact text.",
)


def words(r: Random) -> str:
    """One to three words for a wrapper."""
    made = [r.choice(COMMON) if r.random() < 0.5 else r.choice(WORDS) if r.random() < 0.5 else syllables(r, 1, 2) for _ in range(r.choice([1, 1, 2, 2, 3]))]
    style = r.choice([str.lower, str.upper, str.capitalize, str.title])
    return style(" ".join(made))


def wrapper(r: Random) -> str:
    """A pattern nobody has seen: words and marks before, behind or around `<answer>`."""
    kind = r.random()
    if kind < 0.35:
        return f"{words(r)}{r.choice(MARKS)} <answer>{r.choice(ENDS)}"
    if kind < 0.5:
        return f"<answer>{r.choice([' ', ' - ', ' | ', ', ', ' / '])}{words(r)}{r.choice(ENDS)}"
    if kind < 0.65:
        left, right = r.choice(BRACKETS)
        return f"{left}<answer>{right}"
    if kind < 0.9:
        return f"{words(r)}{r.choice(MARKS)} <answer>{r.choice([' | ', ' - ', ' // ', ', ', '; '])}{words(r)}"
    return f"{words(r)}{r.choice(MARKS)} <topic>{r.choice([' | ', ' = ', ': ', ' - '])}<answer>{r.choice(ENDS)}"


def draw_form(r: Random, share: float) -> Form:
    """A form: with probability `share` an unusual one, else the bare value; citations in two thirds."""
    cite = r.random() < 0.65
    refusal = "I don't know." if r.random() < 0.6 else r.choice(REFUSALS)
    if r.random() > share:
        return Form(refusal=refusal, cite=cite, shown=r.choice([0, 0, 0, 0, 2]))
    kind = r.random()
    if kind < 0.13:
        return Form(keys=True)
    if kind < 0.24:
        return Form(one_key=r.choice([*COMMON, words(r).lower().replace(" ", "_")]), cite=cite and r.random() < 0.4)
    if kind < 0.32:
        return Form(sentence=True, refusal=refusal, cite=cite)
    if kind < 0.40:
        return Form("- <answer>", refusal, cite)
    described = r.random() < 0.6
    return Form(wrapper(r), refusal, cite, described=described, shown=r.choice([0, 0, 1, 2, 3]) if described else r.randint(2, 4))
