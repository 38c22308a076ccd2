"""Where the context of an answer comes from; a serving source sees a question and never a case.

Training has sources of its own (`rung.tuning`), of another type, so that a gold passage can't leak into serving.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Protocol

from rung.approach.prompt import Wider
from rung.knowledge.expand import Widener, most
from rung.knowledge.knowledge import Knowledge, search
from rung.knowledge.rerankers import Reranker, reranked
from rung.types import Case, Embedder, Hit

if TYPE_CHECKING:
    from rung.types import Vectors


@dataclass(frozen=True)
class Context:
    """What a source brings to one question. `widener`, if any, shows hits with their neighbours as far as there is room."""

    hits: tuple[Hit, ...] = ()
    shots: tuple[tuple[str, str], ...] = ()
    widener: Wider | None = None
    live: Mapping[str, str] = field(default_factory=dict)  # name of each live source → hash of what it said
    seconds: float | None = None  # what finding it took where it was not found just now


class Source(Protocol):
    """Context for a question. `whole` says that leaving something out would make it another source."""

    @property
    def id(self) -> str:
        """Names everything that decides what is found."""

    @property
    def whole(self) -> bool:
        """Whether all of it must fit the window."""

    def find(self, question: str) -> Context:
        """The context, best first."""


@dataclass(frozen=True)
class Remembered:
    """A source that is asked each question once, for several rungs of one climb; what it took is told each time.

    It refuses to remember longer than its owner keeps `found`: live sources change.
    """

    source: Source
    found: dict[tuple[str, str], Context]  # (source's id, question) → context

    @property
    def id(self) -> str:
        """The source's own."""
        return self.source.id

    @property
    def whole(self) -> bool:
        """As the source says."""
        return self.source.whole

    def find(self, question: str) -> Context:
        """What the source found when it was first asked."""
        key = (self.source.id, question)
        if key not in self.found:
            started = time.perf_counter()
            context = self.source.find(question)
            self.found[key] = replace(context, seconds=time.perf_counter() - started)
        return self.found[key]


@dataclass(frozen=True)
class Nothing:
    """No context at all."""

    id: str = "nothing"
    whole: bool = False

    def find(self, question: str) -> Context:
        """Nothing, whatever is asked."""
        return Context()


@dataclass(frozen=True)
class Fixed:
    """The same solved examples with every question: chosen ones, as `rung.workspace.prompting` finds them."""

    shots: tuple[tuple[str, str], ...]
    whole: bool = False

    @property
    def id(self) -> str:
        """The hash of the examples, in their order."""
        return f"fixed/{hashlib.sha256(repr(self.shots).encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"

    def find(self, question: str) -> Context:
        """The examples, whatever is asked."""
        return Context(shots=self.shots)


@dataclass(frozen=True)
class Everything:
    """Every passage of the knowledge, always in the same order: one long prefix that is cached."""

    knowledge: Knowledge
    whole: bool = True

    @property
    def id(self) -> str:
        """The knowledge's version."""
        return f"everything/{self.knowledge.version}"

    def find(self, question: str) -> Context:
        """All passages in order of document and start."""
        return Context(tuple(Hit(passage, 0.0) for passage in self.knowledge.passages()))


@dataclass(frozen=True)
class Search:
    """The k best passages for the question; with a reranker the best k of the `read` that it reads."""

    knowledge: Knowledge
    k: int = 5
    mode: str = "hybrid"  # never `auto`: what it stands for may change, and answers are kept under the id
    reranker: Reranker | None = None
    read: int = 30
    expand: str = ""  # how far hits are widened when they are shown: see rung.knowledge.expand
    whole: bool = False

    @property
    def id(self) -> str:
        """The knowledge's version and how it is searched."""
        again = f"/{self.reranker.id}/{self.read}" if self.reranker else ""
        wider = f"/{self.expand}" if most(self.expand) else ""
        return f"search/{self.knowledge.version}/{self.k}/{self.mode}{again}{wider}"

    def find(self, question: str) -> Context:
        """The k best passages, best first."""
        widener = Widener(self.knowledge, self.expand) if most(self.expand) else None
        if self.reranker is None:
            return Context(tuple(search(self.knowledge, question, self.k, self.mode)), widener=widener)
        hits = search(self.knowledge, question, max(self.k, self.read), self.mode)
        return Context(tuple(reranked(self.reranker, question, hits)[: self.k]), widener=widener)


@dataclass(frozen=True)
class Nearest:
    """The n solved examples whose questions are nearest, the nearest last, where models look most."""

    examples: Sequence[Case]
    embedder: Embedder
    vectors: Callable[[], Vectors]  # float32, shape (len(examples), dimensions); computed when first asked for
    n: int
    id: str
    whole: bool = False

    def find(self, question: str) -> Context:
        """The n nearest examples by cosine."""
        import numpy as np

        scores = self.vectors() @ self.embedder.embed([question], query=True)[0]
        best = np.argsort(-scores, kind="stable")[: self.n]
        return Context(shots=tuple((self.examples[i].question, self.examples[i].text) for i in reversed(best)))


def nearest(examples: Sequence[Case], embedder: Embedder, n: int) -> Nearest:
    """Embed the examples' questions once; `n` of them are shown with each question."""
    ordered = sorted(examples, key=lambda case: case.id)
    told = "\0".join(f"{case.id}\1{case.question}\1{case.text}" for case in ordered)
    name = hashlib.sha256(f"{embedder.id}\0{n}\0{told}".encode()).hexdigest()[:16]
    vectors = cache(lambda: embedder.embed([case.question for case in ordered], query=True))
    return Nearest(ordered, embedder, vectors, n, f"nearest/{name}")
