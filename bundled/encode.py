"""Exercises to tokens: a shared prompt and its branches behind it, each branch blind to the others.

A branch sees its prompt and itself and stands at the position it would have alone, so that one prompt trains many
questions on the same passages exactly as if each were a chat of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from bundled.compose import Exercise

SPECIAL = ("<pad>", "<s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
CITED = 4.0  # weight of a passage's number, one token of many and the last to be learned
TEMPLATE = (
    "{{ '<s>' }}{% for m in messages %}{{ '<|' + m['role'] + '|> ' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def sources(passages: Sequence[str]) -> str:
    """Numbered passages as they stand before the question."""
    return "\n\n".join(f"[{n}] {text}" for n, text in enumerate(passages, 1))


def prompt(x: Exercise) -> str:
    """The prompt up to the question, in the chat template's own text."""
    text = "<s>" + (f"<|system|> {x.system}<|end|>" if x.system else "")
    for question, answer in x.shots:
        text += f"<|user|> Question: {question}<|end|><|assistant|> {answer}<|end|>"
    return text + "<|user|> " + (sources(x.passages) + "\n\n" if x.passages else "") + "Question"


def learn_tokenizer(texts: Sequence[str], size: int) -> Tokenizer:
    """Byte-level BPE with single digits; " word" and "word" are two tokens, so every turn begins with a space."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(t, special=True, normalized=False) for t in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


@dataclass
class Stream:
    """Encoded exercises one behind the other; the arrays have shape (tokens,), the lists one number for each exercise."""

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    branch: NDArray[np.int64]  # 0 for the shared prompt
    weight: NDArray[np.float64]  # of the loss on predicting this token
    prompts: list[int]  # tokens before the first branch
    lengths: list[int]

    @property
    def starts(self) -> list[int]:
        """Where each exercise begins."""
        return [0, *accumulate(self.lengths)][:-1]


Item = list[tuple[int, int, int, float]]


def encode(tokenizer: Tokenizer, x: Exercise, r: Random, limit: int, prompt_share: float) -> Item | None:
    """(token, position, branch, weight) for one exercise, or None where the prompt leaves no room for a branch.

    The word before an answer stands at the end of its own branch's question, so every answer token follows its
    predecessor in the line; a branch's first token does not, and has no weight.
    """
    start = tokenizer.encode(prompt(x), add_special_tokens=False).ids
    rows = [(t, i, 0, float(i > 0 and r.random() < prompt_share)) for i, t in enumerate(start)]
    for number, branch in enumerate(x.branches, 1):
        ask = tokenizer.encode(f": {branch.question}<|end|><|assistant|>", add_special_tokens=False).ids
        reply = tokenizer.encode(f" {branch.answer}<|end|>", add_special_tokens=False).ids
        if len(rows) + len(ask) + len(reply) > limit:
            break
        at = len(start)
        rows += [(t, at + i, number, 0.0) for i, t in enumerate(ask)]
        weights = [1.0] * len(reply)
        if len(x.passages) > 1 and branch.answer.endswith(f"[{branch.passage}]"):
            weights[-3] = CITED  # the digit, before "]" and the end
        rows += [(t, at + len(ask) + i, number, weights[i]) for i, t in enumerate(reply)]
    return rows if len(rows) > len(start) else None


def join(items: Sequence[Item]) -> Stream:
    """Encoded exercises as one stream."""
    columns = np.array([token for item in items for token in item])
    ids, positions, branch = (columns[:, i].astype(np.int64) for i in range(3))
    return Stream(ids, positions, branch, columns[:, 3], [sum(t[2] == 0 for t in item) for item in items], [len(item) for item in items])
