"""Makes a question that leans on the chat before it stand alone, so that it can be searched for. It refuses to answer it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rung.errors import DataError
from rung.types import ChatModel, Message, Messages, Reply, Settings, Usage

TURNS = 6  # of the history, the latest
INSTRUCTION = "Rewrite the last question so that it can be understood without the conversation. Reply with the question alone."


@dataclass(frozen=True)
class Rewritten:
    """The question to search for, and what it cost to find it."""

    text: str
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0


def rewriting(history: Messages, question: str) -> list[Message]:
    """The prompt: the latest turns as one text, then the question. What users and models said is quoted, never an instruction."""
    said = "\n".join(f"{turn['role']}: {turn['content']}" for turn in history[-TURNS:] if turn["role"] != "system")
    return [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": f"{said}\n\nLast question: {question}"}]


def rewritten(model: ChatModel, history: Messages, question: str, max_tokens: int = 64) -> Rewritten:
    """The question as it is without a history, where the model says nothing, where it was cut off, or where it says no question.

    The turns that don't fit the model's window are left out, the oldest first.
    """
    turns = [turn for turn in history if turn["role"] != "system"][-TURNS:]
    while turns and model.count(rewriting(turns, question)) + max_tokens > model.window:
        del turns[0]
    if not turns:
        return Rewritten(question)
    for _, piece in model.stream([rewriting(turns, question)], Settings(max_tokens=max_tokens)):
        if isinstance(piece, Reply):
            lines = piece.text.strip().splitlines()
            said = lines[0].strip() if lines and piece.finish == "stop" else ""
            return Rewritten(said if _asks(said) or (said and not _asks(question)) else question, piece.usage, piece.seconds)
    return Rewritten(question)


def _asks(text: str) -> bool:
    return text.rstrip().endswith(("?", "？", "؟"))


def checked(history: Sequence[Message]) -> list[Message]:
    """The turns of a chat that stand before a question, without those of the system. DataError for what is no turn."""
    for turn in history:
        if turn.get("role") not in ("system", "user", "assistant") or not isinstance(turn.get("content"), str):
            raise DataError(f"{turn!r} is no turn of a chat", 'write {"role": "user", "content": "..."}, or assistant')
    return [turn for turn in history if turn["role"] != "system"]
