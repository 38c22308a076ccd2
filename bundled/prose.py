"""Exercises on plain prose: facts are set into the sentences of a text, and asked for by the sentence's own words.

The text is real English, the facts are made up, so that the answer can't be known and can only be found by matching
words, most of them not about any named thing. It refuses sentences with quotes or brackets.
"""

from __future__ import annotations

import gzip
import json
import re
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from bundled.compose import Branch, Exercise, Level, capital
from bundled.forms import draw_form
from bundled.kinds.general import RHYTHM
from bundled.kinds.names import clock, code, date, money, person, proper

SENTENCE = re.compile(r"(?<=[.!?]) +(?=[A-Z])")
CLEAN = re.compile(r"[A-Z][A-Za-z0-9 ,;:'$%-]{25,140}[.]")
NUMBER = re.compile(r"\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|hundred|\d{1,4})\b(?= [a-z]{3,})")
NAME = re.compile(r"(?<=[a-z,] )(?:(?:Mr|Mrs|Miss|Sir|Lady|Dr|Lord)\.? )?[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})?")
NUMERALS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "fifteen", "twenty", "thirty", "forty", "sixty", "ninety"]
SMALL = frozenset(["the", "a", "an", "of", "to", "and", "in", "that", "was", "were", "is", "are", "be", "been", "it", "its", "he", "she", "his", "her", "they", "their", "them", "with", "at", "on", "for", "as", "by", "had", "has", "have", "not", "but", "which", "from", "this", "so", "or", "if", "you", "your", "we", "our", "my", "i", "me", "him", "who", "would", "could", "will", "there", "very", "than", "then", "into", "upon", "all", "no", "what", "when", "such", "said"])
SPAN = ["days", "hours", "weeks", "months", "minutes", "years", "working days"]
Fact = tuple[str, str, str]  # the sentence, its answer, the question's first words

ADJUNCTS: tuple[tuple[Callable[[Random], str], str, tuple[str, ...]], ...] = (
    (clock, "at {v}", ("When", "At what time", "What time")),
    (date, "on {v}", ("When", "On which day", "What date")),
    (money, "for {v}", ("For how much", "How much", "At what price")),
    (lambda r: f"{r.randint(2, 60)} {r.choice(SPAN)}", "within {v}", ("Within how many days", "How soon", "By when", "In what time")),
    (lambda r: f"{r.randint(2, 60)} {r.choice(SPAN)}", "for {v}", ("How long", "For how long")),
    (lambda r: f"{r.choice(NUMERALS)} {r.choice(SPAN)}", "after {v}", ("After how long", "When")),
    (person, "with {v}", ("With whom", "Who")),
    (person, "through {v}", ("Through whom", "Who")),
    (proper, "in {v}", ("Where", "In which place")),
    (proper, "near {v}", ("Where", "Near what")),
    (code, "under {v}", ("Under which code", "Which number", "Which form")),
    (lambda r: f"{r.randint(2, 98)}%", "by {v}", ("By what share", "How much", "By what percentage")),
    (RHYTHM, "{v}", ("How often", "When")),
)  # fmt: skip


def paragraphs(path: Path | None, natural: Sequence[tuple[str, object]], limit: int = 40000) -> list[list[str]]:
    """Runs of plain sentences: from a tar of text files (.tar.gz), from JSON lines with `text` (.jsonl.gz), from natural texts."""
    texts = [text for text, _ in natural for _ in range(8)]  # nearer to business English than a novel is
    if path and path.name.endswith(".tar.gz"):
        with tarfile.open(path) as tar:
            files = [tar.extractfile(member) for member in tar if member.name.endswith(".txt")]
            texts += [line for file in files if file for line in file.read().decode("utf-8", "replace").splitlines()]
    elif path:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts += [block for line in lines for block in json.loads(line)["text"].split("\n\n")]
    Random(0).shuffle(texts)
    found: list[list[str]] = []
    for text in texts:
        kept = [s for s in SENTENCE.split(text.strip()) if CLEAN.fullmatch(s)]
        if len(kept) >= 3:
            found.append(kept[:12])
        if len(found) == limit:
            break
    return found


def fact(r: Random, sentence: str) -> Fact:
    """A sentence with a made-up number, name or adjunct set into it."""
    if (found := NUMBER.search(sentence)) and r.random() < 0.8:
        unit = re.match(r" ([a-z-]+)", sentence[found.end() :])
        said = r.choice(NUMERALS) if r.random() < 0.4 else f"{r.randint(2, 9999 if r.random() < 0.3 else 90):,}"
        noun = unit.group(1) if unit else ""
        answer = f"{said} {noun}" if r.random() < 0.8 else said
        return sentence[: found.start()] + said + sentence[found.end() :], answer, r.choice([f"How many {noun}", f"How many {noun}", "How many", "What number of"])
    if (found := NAME.search(sentence)) and r.random() < 0.7:
        who = r.random() < 0.7
        value = person(r) if who else proper(r)
        return sentence[: found.start()] + value + sentence[found.end() :], value, r.choice(["Who", "Whom", "Which person"] if who else ["Which", "What", "Which place"])
    make, form, asks = r.choice(ADJUNCTS)
    value = make(r)
    if not form.startswith("{v}") and r.random() < 0.3:
        return f"{capital(form.format(v=value))}, {sentence[0].lower() if sentence.split()[0].lower() in SMALL else sentence[0]}{sentence[1:]}", value, r.choice(asks)
    return f"{sentence[:-1]} {form.format(v=value)}.", value, r.choice(asks)


def worn(r: Random, word: str) -> str:
    """A word without its ending, now and then, since people don't ask in the text's own grammar."""
    if r.random() < 0.2:
        for ending in ("ing", "ed", "s"):
            if word.endswith(ending) and len(word) > len(ending) + 3:
                return word[: -len(ending)]
    return word


def ask(r: Random, sentence: str, answer: str, first: str) -> str:
    """The question: its first words, and some of the sentence's other words in their order."""
    before, _, after = sentence.partition(answer)
    words = re.findall(r"[A-Za-z0-9'%-]+", f"{before} | {after}" if r.random() < 0.7 else f"{after} {before}")
    share, small = r.uniform(0.35, 1.0), r.uniform(0.2, 1.0)
    asked = set(re.findall(r"\w+", first.lower()))
    kept = [worn(r, w) for w in words if w.lower() not in asked and r.random() < (small if w.lower() in SMALL else share)]
    if sum(w.lower() not in SMALL for w in kept) < 2:
        kept = [w for w in words if w.lower() not in SMALL] or words
    kept = kept[:14]
    kept[0] = kept[0][0].lower() + kept[0][1:] if kept[0].lower() in SMALL else kept[0]
    style = r.random()
    if style < 0.75:
        return f"{first} {' '.join(kept)}?"
    if style < 0.9:
        return f"{capital(' '.join(kept))}, {first[0].lower()}{first[1:]}?"
    return f"{capital(' '.join(kept))}?"


def prose_exercise(r: Random, texts: Sequence[Sequence[str]], level: Level) -> Exercise:
    """Passages of prose with one to four facts each; a question whose sentence was left out has no answer."""
    form = draw_form(r, level.forms * 0.6)
    passages: list[str] = []
    branches: list[Branch] = []
    for number in range(1, min(r.randint(*level.passages), 5) + 1):
        sentences = list(r.choice(texts))
        start = r.randrange(len(sentences) - 2)
        chosen = sentences[start : start + r.randint(3, 6)]
        set_in = dict.fromkeys(r.sample(range(len(chosen)), min(len(chosen), r.randint(2, 5))))
        left_out = r.random() < level.absent * 3
        for spot in sorted(set_in):
            chosen[spot], answer, first = fact(r, chosen[spot])
            question = ask(r, chosen[spot], answer, first)
            if left_out:  # the first one chosen: its sentence goes, its question stays
                branches.append(Branch(question, form.refuse("answer"), "", "absent"))
                chosen[spot], left_out = "", False
            else:
                branches.append(Branch(question, form.write(answer, "answer", chosen[spot], number), answer, "prose", number))
        body = " ".join(s for s in chosen if s)
        words = [w for w in re.findall(r"[a-z]{4,}", body) if w not in SMALL]
        heading = capital(" ".join(r.sample(words, min(len(words), r.choice([1, 2, 2, 3])))))
        passages.append(f"{heading}\n{body}" if r.random() < 0.5 else body)
    r.shuffle(branches)
    unique = {b.question: b for b in branches[: level.branches + 2]}
    return Exercise(form.system(r), form.shots(r, len(passages) > 3), tuple(passages), tuple(unique.values()))
