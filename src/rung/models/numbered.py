"""How passages stand in a message before a question: numbered, so that an answer can cite them. It refuses to read anything else."""

from __future__ import annotations

from collections.abc import Sequence

ASK = "Question: "


def written(passages: Sequence[str], question: str, before: str = ASK) -> str:
    """The passages under the markers [1], [2], ..., then the question behind `before`.

    Passages come first, so that equal ones share a cached prefix.
    """
    parts = [f"[{number}] {passage}" for number, passage in enumerate(passages, 1)]
    return "\n\n".join([*parts, f"{before}{question}"])


def parted(message: str) -> tuple[list[str], str]:
    """(passages, question) of what `written` wrote with its own `before`; a message of another form is a question without passages.

    A passage that holds the next one's marker at the head of a paragraph of its own is read as two.
    """
    above, mark, question = message.rpartition(f"\n\n{ASK}")
    if not mark or not above.startswith("[1] "):
        return [], message.removeprefix(ASK)
    passages, rest, number = [], above.removeprefix("[1] "), 2
    while True:
        passage, mark, later = rest.partition(f"\n\n[{number}] ")
        passages.append(passage)
        if not mark:
            return passages, question
        rest, number = later, number + 1
