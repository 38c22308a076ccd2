"""`bundled:reader`: MiniLM with a small change of its weights that finds the words of a passage that answer a question.

It refuses to say anything of its own: an answer is a quote with its passage's marker, or that the passages don't answer. It
writes no form, sums nothing up, and can't be tuned.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import ConfigError, KnowledgeError, MissingExtra, ModelError
from rung.models.numbered import parted
from rung.models.options import chosen
from rung.models.spans import SEP, Span, Window, best, spread, windows
from rung.types import Messages, Reply, Settings, Usage

if TYPE_CHECKING:
    from rung.types import Vectors

HOME = Path(__file__).parent / "reader"
UNKNOWN = "I don't know: the passages don't answer this."
WORTH = 5.0  # of the question's words, all said in a window or none, in the logarithm of odds
WORD = re.compile(r"\w+")
HEADING = 200  # characters, above which a first line is no heading
TRIMMED = " \t\n,;:*_`|\"'“”‘’("


@dataclass(frozen=True)
class Options:
    """`threads` 0 takes every core this process may use; `precision` "" is bf16 where the processor has it.

    `threshold` is the probability of an answer below which the reader says that it doesn't know; 0 takes the shipped one.
    """

    threads: int = 0
    precision: str = ""
    threshold: float = 0.0


@dataclass(frozen=True)
class Quote:
    """Words of a passage, as characters [start, end) of its text, and the probability that the passages answer at all."""

    passage: int  # from 0
    start: int
    end: int
    probability: float


@dataclass(frozen=True)
class Reader:
    """An extractive reader with abstention, over passages that compete with one another and with "no answer"."""

    folder: Path  # of MiniLM
    change: Path  # the folder of the change, the head and what was tuned with them
    precision: str
    threads: int
    threshold: float
    id: str
    window: int = 65_536  # tokens; they are read in pieces, so it bounds the time and not the memory

    def count(self, messages: Messages) -> int:
        """Tokens of the last message, the only one that is read."""
        return len(self._tokenizer.encode(messages[-1]["content"], add_special_tokens=False).ids)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        """See the protocol. Each answer comes whole."""
        for number, messages in enumerate(prompts):
            started = time.perf_counter()
            passages, question = parted(messages[-1]["content"])
            found = self.answer(question, passages)
            text = UNKNOWN if found is None else f"{passages[found.passage][found.start : found.end]} [{found.passage + 1}]"
            usage = Usage(self.count(messages), len(self._tokenizer.encode(text, add_special_tokens=False).ids))
            yield number, text
            yield number, Reply(text, usage, time.perf_counter() - started)

    def answer(self, question: str, passages: Sequence[str]) -> Quote | None:
        """The words that answer best; None where the probability that any do is below the threshold."""
        found = self.found(question, passages)
        if found is None or found.probability < self.threshold:
            return None
        start, end = trimmed(passages[found.passage], found.start, found.end)
        return Quote(found.passage, start, end, found.probability) if start < end else None

    def found(self, question: str, passages: Sequence[str]) -> Quote | None:
        """The likeliest words however unlikely; None without passages."""
        spans = self.spans(question, passages)
        if not spans:
            return None
        first = max(spans, key=lambda span: span.score)
        return Quote(first.text, first.start, first.end, sum(spread(spans)))

    def spans(self, question: str, texts: Sequence[str]) -> list[Span]:
        """The best span of each text, without those that hold nothing. A first line that looks like a heading is never quoted.

        Windows that say more of the question's words are preferred, and one that says few of them is likelier no answer.
        """
        parts = [(n, w) for n, text in enumerate(texts) for w in windows(self._tokenizer, question, text, skip=heading(text))]
        scored: dict[int, Span] = {}
        for (number, window), (score, start, end) in zip(parts, self.scored([window for _, window in parts]), strict=True):
            score += WORTH * (said(question, _read(texts[number], window)) - 0.5)
            if start < end and (number not in scored or score > scored[number].score):
                scored[number] = Span(number, start, end, score)
        return [scored[number] for number in sorted(scored)]

    def scored(self, parts: Sequence[Window]) -> list[tuple[float, int, int]]:
        """(score, start, end) of the best span of each window."""
        return [best(logits, window) for logits, window in zip(self._run([window.ids for window in parts]), parts, strict=True)]

    @cached_property
    def _tokenizer(self) -> Any:
        from rung.knowledge.embedders.minilm import tokenizer

        return tokenizer(self.folder)

    @cached_property
    def _run(self) -> Callable[[Sequence[Sequence[int]]], list[Vectors]]:
        from rung.knowledge.embedders.openvino import running, tagger

        config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        graph = tagger(config, changed(self.folder, self.change), "head", SEP)
        return running(graph, self.precision, self.threads, lambda row: row)


def said(question: str, text: str) -> float:
    """The share of the question's words of four letters and more that the text says, up to their first five letters."""
    asked = {word[:5] for word in WORD.findall(question.lower()) if len(word) > 3}
    return len(asked & {word[:5] for word in WORD.findall(text.lower())}) / len(asked) if asked else 0.5


def _read(text: str, window: Window) -> str:
    """What of the text stands in a window, its heading included."""
    return text[: heading(text)] + text[window.offsets[0][0] : window.offsets[-1][1]] if window.offsets else ""


def heading(text: str) -> int:
    """The length of a first line that reads like the headings above a passage, its line break included; else 0."""
    line, mark, rest = text.partition("\n")
    return (
        len(line) + 1
        if mark and rest.strip() and len(line) <= HEADING and not line.rstrip().endswith((".", "!", "?", ":", ";", ","))
        else 0
    )


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without marks and spaces that don't belong to it."""
    while start < end and text[start] in TRIMMED:
        start += 1
    while start < end and text[end - 1] in TRIMMED + ".":
        end -= 1
    if text[start:end].count("(") > text[start:end].count(")") and text[end : end + 1] == ")":
        end += 1
    return start, end


def changed(folder: Path, change: Path) -> dict[str, Any]:
    """MiniLM's weights, verified, with the change added to them: matrices a and b as w + scale * b a, all else in its place."""
    from safetensors.numpy import load_file

    from rung.knowledge.embedders.minilm import verified

    verified(folder / "model.safetensors")
    weights, learned = load_file(folder / "model.safetensors"), load_file(change / "change.safetensors")
    scale = json.loads((change / "reader.json").read_text(encoding="utf-8"))["scale"]
    for name, value in learned.items():
        if name.endswith(".a"):
            layer = f"{name.removesuffix('.a')}.weight"
            weights[layer] = weights[layer] + scale * (learned[f"{name.removesuffix('.a')}.b"].astype("float32") @ value.astype("float32"))
        elif not name.endswith(".b"):
            weights[name] = value.astype("float32")
    return dict(weights)


def open_reader(adapter: Path | None = None, change: Path = HOME, /, **options: object) -> Reader:
    """The shipped reader. MissingExtra without MiniLM's package or OpenVINO; ModelError for an adapter or an unknown option."""
    asked = chosen(Options, options)
    if adapter is not None:
        raise ModelError("bundled:reader can't be tuned", "choose bundled:tiny, a local: or an hf: model for the tuned rungs")
    if not 0 <= asked.threshold < 1:
        raise ModelError(f"option 'threshold' is {asked.threshold}", "it is a probability, and 0 takes the shipped one")
    if not find_spec("openvino"):
        raise MissingExtra("the model 'bundled:reader'", "knowledge")
    from rung.knowledge.embedders import minilm

    try:
        base = minilm.open_embedder("", "openvino", asked.precision, asked.threads)
        told = json.loads((change / "reader.json").read_text(encoding="utf-8"))
    except (ConfigError, KnowledgeError) as error:
        raise ModelError(error.message, error.hint) from None
    except OSError:
        raise ModelError("this copy of rung ships no reader", "train it by the recipe in bundled/reader/") from None
    with (change / "change.safetensors").open("rb") as file:
        weights = hashlib.file_digest(file, "sha256").hexdigest()
    if (base.sha256, weights) != (told["base"], told["sha256"]):
        raise ModelError(f"the reader in {change} is not the one that was measured", "reinstall rung")
    threshold = asked.threshold or float(told["threshold"])
    name = f"reader-{weights[:16]}-{base.precision}-{threshold}-{WORTH}"
    return Reader(base.folder, change, base.precision, base.threads, threshold, name)
