"""Passages for the benchmarks of size: real-looking text, vectors that behave like MiniLM's, labels. It refuses to embed anything.

Vectors come in topics of topics with a spectrum that falls like MiniLM's, and questions are noisy passages, so that a
question's nearest neighbours are about as near, and as close together, as MiniLM's are on a company's handbook.
"""

from __future__ import annotations

import random
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rung.knowledge.access import allows
from rung.types import Filter, Labels, Passage

if TYPE_CHECKING:
    from rung.types import Vectors

NOVELS = Path(__file__).resolve().parents[2] / "shared" / "data" / "novels" / "100_english_novels.tar.gz"
DIMENSIONS, PER_DOCUMENT, TEAMS = 384, 10, 20
HALF = 40  # words of each of the two stretches that make a passage
TEAM = Filter(frozenset({"everyone", "user:ann"}), (frozenset({"team=7"}),))  # one document in twenty


@dataclass(frozen=True)
class Words:
    """A long text and where its words begin, shape (words,)."""

    text: str
    starts: Any

    def stretch(self, chance: random.Random, count: int) -> str:
        """So many words in a row."""
        at = chance.randrange(len(self.starts) - count - 1)
        return self.text[self.starts[at] : self.starts[at + count]].strip()


def words() -> Words:
    """A hundred old novels where the development data is there, else made-up words about as unequal as a language's."""
    if NOVELS.exists():
        with tarfile.open(NOVELS) as archive:
            files = [archive.extractfile(member) for member in archive.getmembers() if member.name.endswith(".txt")]
            raw = " ".join(file.read().decode("utf-8", "replace") for file in files if file)
        text = re.sub(r"\s+", " ", raw)
    else:
        chance = random.Random(0)
        text = " ".join(f"w{int(chance.paretovariate(0.9)) % 50_000}" for _ in range(2_000_000))
    return Words(text, np.flatnonzero(np.frombuffer(text.encode("utf-32-le"), np.uint32) == ord(" ")) + 1)


def text(held: Words, number: int) -> str:
    """The text of a passage: two stretches, so that a hundred novels make a million of them."""
    chance = random.Random(f"text/{number}")
    return f"{held.stretch(chance, HALF)} {held.stretch(chance, HALF)}"


def passage(number: int, said: str) -> Passage:
    """Passage `number` of a corpus whose documents have ten each."""
    document, place = divmod(number, PER_DOCUMENT)
    return Passage(f"{number:016x}", f"{document}.md", 1000 * place, 1000 * place + len(said), said)


def labels(number: int) -> Labels:
    """What filters see of a document: one of twenty teams; everyone reads it, or one of a hundred groups does."""
    chance = random.Random(f"labels/{number}")
    readers = ("everyone",) if chance.random() < 0.9 else (f"group:{chance.randrange(100)}", "user:ann")
    return Labels(readers, (f"kind={chance.choice('abc')}", f"team={number % TEAMS}"))


def allowed(number: int) -> bool:
    """Whether TEAM lets a document through."""
    return allows(TEAM, labels(number))


def passages(held: Words, numbers: range) -> tuple[list[Passage], dict[str, Labels]]:
    """These passages and the labels of their documents."""
    made = [passage(number, text(held, number)) for number in numbers]
    documents = range(numbers.start // PER_DOCUMENT, (numbers.stop - 1) // PER_DOCUMENT + 1)
    return made, {f"{number}.md": labels(number) for number in documents}


def vectors(numbers: range, size: int) -> Vectors:
    """The passages' vectors, shape (numbers, 384), in a corpus of so many: what all share, a topic, a document and their own.

    Against 6,000 passages of a handbook: a pair's cosine .16 +- .12 there, ten nearest from .82 to .65.
    """
    common, topics, scale = _topics(size)
    made = []
    for first in range(numbers.start, numbers.stop, PER_DOCUMENT):
        chance = np.random.default_rng([7, first // PER_DOCUMENT])
        drawn = chance.standard_normal((PER_DOCUMENT + 1, DIMENSIONS), np.float32) * scale
        topic = topics[int(len(topics) * chance.random() ** 1.5)]  # some topics are larger
        made.append(common + 0.54 * topic + 0.52 * drawn[-1] + 0.52 * drawn[:-1])
    return _unit(np.concatenate(made)[: len(numbers)])


def asked(held: Words, count: int, size: int) -> list[tuple[str, Vectors]]:
    """Questions about passages of team 7, each as six words of its passage and a vector at a cosine of about .57 from it."""
    common, _, scale = _topics(size)
    found = []
    for number in range(count):
        chance = random.Random(f"question/{number}")
        document = TEAMS * chance.randrange(size // PER_DOCUMENT // TEAMS) + 7
        about = document * PER_DOCUMENT + chance.randrange(PER_DOCUMENT)
        said = re.findall(r"\w+", text(held, about))
        long = [word for word in said if len(word) > 4] or said  # made-up words may all be short
        noise = np.random.default_rng([9, number]).standard_normal(DIMENSIONS, np.float32) * scale
        source = vectors(range(document * PER_DOCUMENT, (document + 1) * PER_DOCUMENT), size)[about % PER_DOCUMENT]
        found.append((" ".join(chance.sample(long, min(6, len(long)))), _unit((0.5 * source + 0.3 * common + 0.75 * noise)[None])[0]))
    return found


def _topics(size: int) -> tuple[Vectors, Vectors, Vectors]:
    """What all vectors share, one vector for each topic of five hundred passages, and the spectrum: unit length on average."""
    chance = np.random.default_rng(3)
    spectrum = np.arange(4, DIMENSIONS + 4, dtype=np.float32) ** -0.5
    scale = spectrum / np.linalg.norm(spectrum)
    common = _unit(chance.standard_normal((1, DIMENSIONS), np.float32) * scale)[0] * np.float32(0.4)
    return common, chance.standard_normal((max(size // 500, 1), DIMENSIONS), np.float32) * scale, scale


def _unit(rows: Any) -> Vectors:
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit
