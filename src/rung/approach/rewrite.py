"""Makes a question that leans on the chat before it stand alone, so that it can be searched for. It refuses to answer it."""

from __future__ import annotations

from rung.types import ChatModel, Message, Messages, Reply, Settings

TURNS = 6  # of the history, the latest
INSTRUCTION = "Rewrite the last question so that it can be understood without the conversation. Reply with the question alone."


def rewriting(history: Messages, question: str) -> list[Message]:
    """The prompt: the latest turns as one text, then the question. What users and models said is quoted, never an instruction."""
    said = "\n".join(f"{turn['role']}: {turn['content']}" for turn in history[-TURNS:] if turn["role"] != "system")
    return [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": f"{said}\n\nLast question: {question}"}]


def rewritten(model: ChatModel, history: Messages, question: str, max_tokens: int = 64) -> str:
    """The question to search for: as it is without a history, where the model says nothing, or where it was cut off."""
    if not any(turn["role"] != "system" for turn in history):
        return question
    for _, piece in model.stream([rewriting(history, question)], Settings(max_tokens=max_tokens)):
        if isinstance(piece, Reply):
            lines = piece.text.strip().splitlines()
            return lines[0].strip() if lines and piece.finish == "stop" and lines[0].strip() else question
    return question
