"""Exercises to token rows: a shared prompt and its branches in one row, each branch blind to the others.

A branch sees its prompt and itself and stands at the position it would have alone, so that one row trains many
questions on the same passages exactly as if each were a chat of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from bundled.compose import Exercise

SPECIAL = ("<pad>", "<s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
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
class Rows:
    """A batch of packed rows, each array of shape (rows, length). Row padding has document -1."""

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    document: NDArray[np.int16]  # which exercise a token belongs to
    branch: NDArray[np.int16]  # 0 for the shared prompt
    weight: NDArray[np.float32]  # of the loss on predicting this token


def encode(tokenizer: Tokenizer, x: Exercise, r: Random, limit: int, prompt_share: float) -> list[tuple[int, int, int, float]] | None:
    """(token, position, branch, weight) for one exercise, or None where the prompt leaves no room for a branch."""
    start = tokenizer.encode(prompt(x), add_special_tokens=False).ids
    rows = [(t, i, 0, 1.0 if r.random() < prompt_share else 0.0) for i, t in enumerate(start)]
    for number, branch in enumerate(x.branches, 1):
        ask = tokenizer.encode(f": {branch.question}<|end|><|assistant|>", add_special_tokens=False).ids
        reply = tokenizer.encode(f" {branch.answer}<|end|>", add_special_tokens=False).ids
        if len(rows) + len(ask) + len(reply) > limit:
            break
        at = len(start)
        rows += [(t, at + i, number, 0.0) for i, t in enumerate(ask)]
        rows += [(t, at + len(ask) + i, number, 1.0) for i, t in enumerate(reply)]
    return rows if len(rows) > len(start) else None


def pack(encoded: Sequence[list[tuple[int, int, int, float]]], length: int) -> list[list[list[tuple[int, int, int, float]]]]:
    """First fit, longest first, into rows of `length`."""
    rows: list[list[list[tuple[int, int, int, float]]]] = []
    room: list[int] = []
    for item in sorted(encoded, key=len, reverse=True):
        spot = next((i for i, free in enumerate(room) if free >= len(item)), None)
        if spot is None:
            rows.append([])
            room.append(length)
            spot = len(rows) - 1
        rows[spot].append(item)
        room[spot] -= len(item)
    return rows


def lay(rows: Sequence[list[list[tuple[int, int, int, float]]]], length: int) -> Rows:
    """Packed rows as arrays."""
    shape = (len(rows), length)
    made = Rows(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.full(shape, -1, np.int16), np.zeros(shape, np.int16), np.zeros(shape, np.float32))
    for i, row in enumerate(rows):
        at = 0
        for number, item in enumerate(row):
            columns = np.array(item, dtype=np.float64)
            end = at + len(item)
            made.ids[i, at:end], made.positions[i, at:end] = columns[:, 0], columns[:, 1]
            made.branch[i, at:end], made.weight[i, at:end] = columns[:, 2], columns[:, 3]
            made.document[i, at:end] = number
            made.weight[i, at] = 0.0  # nothing before the first token predicts it
            at = end
    return made
