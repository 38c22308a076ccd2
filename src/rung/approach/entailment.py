"""A model of natural language inference that judges sentences after they were checked by words. It refuses to overrule numbers.

It can take the support from a sentence that has the passage's words but not its meaning, and give it to one in words of its
own. What lacks an amount, a date, a name, or points nowhere stays unsupported, whatever the model says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rung.approach.prompt import MARKER
from rung.approach.support import bare
from rung.errors import ConfigError, KnowledgeError, MissingExtra
from rung.knowledge.rerankers.crossencoder import CrossEncoder, opened
from rung.types import Hit, Sentence

ENOUGH = 0.5  # probability from which a passage entails a sentence
TURNED = ("not", "the passage says not")


class Entailment(Protocol):
    """Says how probable it is that a text entails a sentence."""

    @property
    def id(self) -> str:
        """Names weights and settings."""

    def entails(self, premise: str, hypothesis: str) -> float:
        """From 0 to 1."""


@dataclass(frozen=True)
class CrossEntailment:
    """A cross-encoder with an output for entailment; what is over its limit is cut off the premise."""

    encoder: CrossEncoder
    output: int

    @property
    def id(self) -> str:
        """That of the weights."""
        return self.encoder.id

    def entails(self, premise: str, hypothesis: str) -> float:
        """The softmax over the outputs."""
        logits = self.encoder.logits(premise, hypothesis)
        highest = max(logits)
        shares = [math.exp(logit - highest) for logit in logits]
        return shares[self.output] / sum(shares)


def load(spec: str) -> CrossEntailment:
    """`hf:<name or folder>`. ConfigError for another kind, KnowledgeError without an output for entailment, MissingExtra."""
    kind, _, name = spec.partition(":")
    if kind != "hf" or not name:
        raise ConfigError(f"'{spec}' names no model of entailment", "write hf:<name or folder>, or nothing for none")
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra(f"checking entailment ({error.name})", "local") from None
    encoder, labels = opened(name)
    found = [number for number, label in enumerate(labels) if label.lower().startswith("entail")]
    if len(found) != 1 or len(labels) < 2:
        known = ", ".join(labels)
        raise KnowledgeError(
            f"{encoder.folder.name} has no output for entailment, only {known}", "choose a model trained on MNLI or the like"
        )
    return CrossEntailment(encoder, found[0])


def judged(model: Entailment, sentence: Sentence, hits: Sequence[Hit]) -> Sentence:
    """The sentence as the model sees it; quotations, and what claims nothing, are left as they are."""
    if sentence.support in ("exact", "plain") or (not sentence.support and not _open(sentence)):
        return sentence
    numbers = dict.fromkeys(int(number) for number in MARKER.findall(sentence.text))
    cited = [hits[number - 1] for number in numbers if 1 <= number <= len(hits)] or list(hits)
    said, texts = bare(sentence.text), ["\n".join((*hit.passage.headings, hit.passage.text)) for hit in cited]
    chances = [model.entails(text, said) for text in texts]
    if len(numbers) > 1 and len(cited) > 1:
        chances.append(model.entails("\n".join(texts), said))  # two cited passages may say together what neither says
    best = max(range(len(chances)), key=chances.__getitem__, default=None)
    entailed = best is not None and chances[best] >= ENOUGH
    if sentence.support:
        return sentence if entailed else replace(sentence, support="", missing=("no passage entails it",))
    if best is None or not entailed:
        return sentence
    quoted = cited if best == len(cited) else [cited[best]]
    places = tuple((hit.passage.document, hit.passage.start, hit.passage.end) for hit in quoted)
    return replace(sentence, support="entailed", missing=(), quotes=places)


def _open(sentence: Sentence) -> bool:
    """Whether only plain words are missing, which another wording may well lack; the first word's capital makes no name."""
    first = bare(sentence.text).partition(" ")[0]
    plain = (item for item in sentence.missing if (item == item.lower() or item == first) and item not in TURNED)
    return len([item for item in plain if not any(c.isdigit() or c == "[" for c in item)]) == len(sentence.missing)
