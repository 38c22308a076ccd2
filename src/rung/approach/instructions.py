"""Candidates for a prompt: instructions worded after solved examples, and sets of examples to show. It chooses none of them.

It sees solved examples only, never a held-out case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from random import Random

from rung.types import Case, ChatModel, Messages, Reply, Settings

OF_LABELS = ("Choose the one label that fits best.", "Reply with the label alone, as it is written.")
OF_FIELDS = ("Reply with the JSON object alone.", "Copy each value as it stands in the text; leave out what it does not say.")
ASK = (
    "Here are questions with their ideal answers.\n\n{0}\n\nWrite one short instruction for an assistant that has to answer such "
    "questions in the same way. Write the instruction alone."
)
SHOWN = 4  # examples that a model sees when it words an instruction
WORDED = 2  # instructions that the model words
LONGEST = 400  # characters of an instruction that a model worded; more is babble
SETS = 3  # sets of examples of each kind


def instructions(system: str, pool: Sequence[Case], task: str, model: ChatModel, seed: int) -> list[str]:
    """What to try, without repetition; the configured one first."""
    told = [system, *(f"{system} {more}".strip() for more in _of_task(pool, task))]
    return list(dict.fromkeys([*told, *_worded(pool, model, seed)]))


def _of_task(pool: Sequence[Case], task: str) -> list[str]:
    if task == "classify":
        return [*OF_LABELS, " ".join(OF_LABELS)]
    if task == "extract":
        return [*OF_FIELDS, " ".join(OF_FIELDS)]
    words = sorted(len(case.text.split()) for case in pool if not case.unanswerable)
    brief = f"Answer in at most {words[int(0.9 * (len(words) - 1))]} words." if words else ""
    refusals = Counter(case.text for case in pool if case.unanswerable)
    unknown = f'Where the answer is not known, say: "{refusals.most_common(1)[0][0]}"' if refusals else ""
    like = [case.text for case in pool if not case.unanswerable and len(case.text) <= LONGEST]
    shown = f'Word the answer like this one: "{min(like, key=lambda text: (_off(text, words), text))}"' if like else ""
    short = "Give the fact that is asked for and nothing else."
    return [text for text in (brief, unknown, shown, short, f"{brief} {unknown}".strip(), f"{shown} {unknown}".strip()) if text]


def _off(text: str, ordered: Sequence[int]) -> int:
    """How far a text's number of words is from the middle one."""
    return abs(len(text.split()) - ordered[len(ordered) // 2])


def _worded(pool: Sequence[Case], model: ChatModel, seed: int) -> list[str]:
    """Instructions that the model words after some examples; none where it says nothing of use."""
    prompts: list[Messages] = []
    settings = Settings(max_tokens=80, seed=seed)
    for number in range(WORDED):
        shown = Random(f"{seed}/worded/{number}").sample(list(pool), min(SHOWN, len(pool)))
        told = "\n\n".join(f"Question: {case.question}\nAnswer: {case.text}" for case in shown)
        prompt: Messages = [{"role": "user", "content": ASK.format(told)}]
        if model.count(prompt) + settings.max_tokens <= model.window:
            prompts.append(prompt)
    replies = {number: piece.text for number, piece in model.stream(prompts, settings) if isinstance(piece, Reply)} if prompts else {}
    said = [" ".join(replies[number].split()).strip('"') for number in sorted(replies)]
    return [text for text in said if len(text.split()) >= 3 and len(text) <= LONGEST]


def shots(pool: Sequence[Case], right: Collection[str], n: int, seed: int) -> list[tuple[tuple[str, str], ...]]:
    """Sets of n examples to show with every question: some out of those that the model has right by itself, some out of all.

    `right` holds the ids of the former. Source of the idea: Khattab et al. (2023), "DSPy", BootstrapFewShotWithRandomSearch.
    """
    own = [case for case in pool if case.id in right]
    found = []
    for name, chosen in (("own", own), ("all", list(pool))):
        for number in range(SETS if len(chosen) >= n else 0):
            drawn = Random(f"{seed}/{name}/{number}").sample(chosen, n)
            found.append(tuple((case.question, case.text) for case in drawn))
    return list(dict.fromkeys(found))
