"""The nouns of `rung`: frozen dataclasses, and protocols of at most four methods. Nothing here does anything.

Offsets are character offsets into `Document.text`, half open. Seconds are wall clock. Hashes are lower-case hex.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]

Json: TypeAlias = Any  # None, bool, int, float, str, list or dict of the same


class Message(TypedDict):
    """One turn of a chat, in the form every chat API takes."""

    role: Literal["system", "user", "assistant"]
    content: str


Messages: TypeAlias = Sequence[Message]


@dataclass(frozen=True)
class Document:
    """A document as read: its text is what passages and citations point into."""

    path: str  # relative to the source's root, with forward slashes; the document's identity
    text: str
    title: str
    hash: str  # of the raw bytes
    meta: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Passage:
    """A span of a document, `text == document.text[start:end]`."""

    id: str  # hash of (document path, document hash, start, end)
    document: str  # Document.path
    start: int
    end: int
    text: str
    headings: tuple[str, ...] = ()  # document title first, then the headings above the span


@dataclass(frozen=True)
class Hit:
    """A passage that retrieval brought, best first. `legs` holds its rank (from 1) in each leg that found it."""

    passage: Passage
    score: float
    legs: Mapping[str, int] = field(default_factory=dict)
    folded: tuple[str, ...] = ()  # documents whose copies of it were left out below it
    won: tuple[str, ...] = ()  # where the passage was widened: ids of the passages in it that retrieval brought


@dataclass(frozen=True)
class Labels:
    """What filters see of a document. `readers` are "everyone", "user:NAME" or "group:NAME"; empty means nobody."""

    readers: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()  # "key=value" of its metadata, and "path=FOLDER/" of each folder above it


@dataclass(frozen=True)
class Filter:
    """Which passages may come out: those with one of `readers` (None: no lists) and one fact out of every set in `facts`."""

    readers: frozenset[str] | None = None
    facts: tuple[frozenset[str], ...] = ()


ALL = Filter()


class Embedder(Protocol):
    """Texts to unit vectors."""

    @property
    def id(self) -> str:
        """Names weights and settings; two embedders with one id give the same vectors."""

    @property
    def limit(self) -> int:
        """Tokens after which a text is cut."""

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """float32, shape (len(texts), dimensions), rows of length 1."""

    def count(self, text: str) -> int:
        """The tokens of one text, special tokens not counted."""


class Index(Protocol):
    """Passages with vectors and words, changed as one commit: a reader sees the old state or the new one.

    A filter is applied before ranking: the k best are the k best of what it lets through."""

    def commit(self, remove: Sequence[str], add: Sequence[Passage], vectors: Vectors, labels: Mapping[str, Labels] | None = None) -> str:
        """Remove every passage of the document paths `remove`, then add passages with vectors (len(add), d).

        `labels` by document path; a document without any is let through by `ALL` alone.
        Returns the name of the new state, which can be opened again; the old one stays until then."""

    def dense(self, vector: Vectors, k: int, only: Filter = ALL, thin: bool = False) -> list[Hit]:
        """The k nearest by cosine to one vector of shape (d,). Where `thin`, an index may leave out what `whole` brings later."""

    def words(self, text: str, k: int, only: Filter = ALL, thin: bool = False) -> list[Hit]:
        """The k best by full text (BM25), `thin` or not."""

    def passages(self, only: Filter = ALL) -> Iterator[Passage]:
        """All passages in order of document and start."""


@dataclass(frozen=True)
class Settings:
    """How to generate. Temperature 0 is greedy and takes no notice of the seed."""

    max_tokens: int = 128
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Usage:
    """Tokens as the model's own tokenizer counts them; `cached` of the `prompt` tokens cost no computation."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.prompt + other.prompt, self.completion + other.completion, self.cached + other.cached)


@dataclass(frozen=True)
class Reply:
    """What a model said to one prompt. `finish` is "stop", "length" or "tool_calls"; `confidence` in [0, 1] where the model knows it."""

    text: str
    usage: Usage
    seconds: float
    finish: str = "stop"
    confidence: float | None = None
    calls: tuple[Json, ...] = ()  # tools that the model wants called, as a chat API writes them


class ChatModel(Protocol):
    """Messages to text. An adapter is part of the model: base and base + adapter are two models."""

    @property
    def id(self) -> str:
        """Names weights, adapter and everything else that changes what is said."""

    @property
    def window(self) -> int:
        """Tokens that prompt and completion may fill together."""

    def count(self, messages: Messages) -> int:
        """Tokens of the rendered prompt (an estimate where the tokenizer is out of reach)."""

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        """Answer the prompts, batched or side by side: yields (prompt's number, piece of text) as text arrives, and
        for each prompt exactly one (number, Reply) last, whose text is the whole. Raises ModelError."""


@dataclass(frozen=True)
class Evidence:
    """Where an answer is to be found: a document and, where known, the exact words."""

    document: str
    quote: str = ""


@dataclass(frozen=True)
class Case:
    """A question with its ideal answer: a row to be measured on or trained on, never both."""

    id: str
    question: str
    answer: Json  # text, a list of accepted texts, a JSON value, or a label
    facts: tuple[tuple[str, ...], ...] = ()  # each group: spellings of which one must be contained
    evidence: tuple[Evidence, ...] = ()
    tags: tuple[str, ...] = ()
    group: str = ""  # cases that share a document or a customer; "" means the case stands alone
    unanswerable: bool = False
    origin: str = ""  # where it was taken from and how, in words

    @property
    def text(self) -> str:
        """The ideal answer as it is trained on: the first accepted text, or JSON on one line."""
        answer = self.answer[0] if isinstance(self.answer, list) and self.answer and isinstance(self.answer[0], str) else self.answer
        return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


@dataclass(frozen=True)
class Citation:
    """A marker such as [2] in an answer and the passage it points to; `passage` is "" where it points nowhere."""

    marker: int
    passage: str
    document: str = ""
    start: int = 0
    end: int = 0
    quote: tuple[int, int] | None = None  # the span of the document that supports the sentence, where one was looked for and found


@dataclass(frozen=True)
class Sentence:
    """A sentence as the model said it, and what of the passages supports it."""

    text: str
    support: str  # "exact", "fuzzy", "words" or, by a model, "entailed"; "plain" where it claims nothing; "" where it is unsupported
    missing: tuple[str, ...] = ()  # what no passage says, and markers that point nowhere
    quotes: tuple[tuple[str, int, int], ...] = ()  # document, start, end


@dataclass(frozen=True)
class Answer:
    """What an approach answered, with all that is needed to score it again without asking a model."""

    question: str
    text: str
    citations: tuple[Citation, ...] = ()
    hits: tuple[Hit, ...] = ()  # what stood in the prompt, in the order of its markers
    dropped: int = 0  # hits left out because the window was full
    usage: Usage = Usage()
    retrieval_seconds: float = 0.0
    generation_seconds: float = 0.0
    made_by: Mapping[str, str] = field(default_factory=dict)  # approach, model, prompt, knowledge, settings → hash
    sentences: tuple[Sentence, ...] = ()  # where the policy on what is unsupported had them checked
    confidence: float | None = None  # the calibrated probability of a specialist's label
    query: str = ""  # what was searched for, where that is not the question as it was asked
    finish: str = "stop"  # or "length", where the model was cut off
    calls: tuple[Json, ...] = ()  # tools that the model wants called instead


@dataclass(frozen=True)
class Score:
    """`primary` in [0, 1] is right facts and required form; `parts` holds each metric that applies to the case."""

    case: str
    primary: float
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval and the number of cases and clusters behind it."""

    estimate: float
    low: float
    high: float
    n: int
    clusters: int


@dataclass(frozen=True)
class Comparison:
    """Two rungs on the same cases: the paired difference (second minus first) and whether it can be told from 0."""

    first: str
    second: str
    difference: Interval
    p: float
    p_adjusted: float  # Holm over the family
    distinguishable: bool
    cases_needed: int | None = None  # about how many would tell, where they can't be told apart
    as_good: bool = False  # whether the first is worse than the second by less than the margin, with 95 % confidence over the family


@dataclass(frozen=True)
class Summary:
    """One rung measured: what the report shows a row of."""

    name: str
    primary: Interval
    parts: Mapping[str, float]
    seconds_p50: float
    seconds_p95: float
    cost_per_1000: float
    cost_per_correct: float | None
    usage: Usage
    note: str = ""  # why the rung could not run, or what to know of it
    ran: bool = True
    spread: Mapping[str, float] = field(default_factory=dict)  # of a rung asked repeatedly: the variance of one answer's score, by cause


@dataclass(frozen=True)
class Verdict:
    """The decision: the lowest rung that meets the bar, or the best set and what is missing."""

    sentence: str
    chosen: str  # "" where nothing meets the bar
    best: tuple[str, ...]  # rungs not distinguishable from the best
    reasons: Mapping[str, str]  # why each other rung was passed over
    comparisons: tuple[Comparison, ...] = ()
    bar: float = 0.0
    met: bool = False
    margin: float = 0.0  # by how much a rung may be worse and count as good
