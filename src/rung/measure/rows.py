"""One row of a file to one case, for the JSON forms in use; it refuses a row that leaves anything to guess.

Case rows carry `question` and `answer`; OpenAI chat rows carry `messages` (the last assistant turn is the answer, the last
user turn before it the question), ShareGPT rows the same as `conversations`; Alpaca rows carry `instruction`, `input` and
`output`. A logged answer carries `question`, `answer` and `feedback`: "up", "down" or "", and may carry a `correction`.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from rung.types import Case, Evidence, Json

if TYPE_CHECKING:
    from collections.abc import Collection

BESIDE = ("id", "facts", "evidence", "tags", "group", "unanswerable", "origin")  # fields of a case that any form may carry
CASE = ("question", "answer", *BESIDE)
CHAT = ("messages", *BESIDE)
SHAREGPT = ("conversations", *BESIDE)
LOGGED = ("question", "answer", "feedback", "correction", "comment", "by", "user", "time", *BESIDE)
SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant", "system": "system"}
ALPACA = ("instruction", "input", "output", "text", *BESIDE)  # `text` repeats the other three in the original data set
NOT_KNOWN = "I don't know."


class RowError(Exception):
    """What is wrong with a row, before its file and line are known."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotRated(RowError):
    """A logged answer that was neither rated well nor corrected: sound, but nothing to learn from."""


def form_of(row: dict[str, Json]) -> str:
    """What kind of row it is, in words."""
    kinds = {"messages": "OpenAI chats", "conversations": "ShareGPT", "instruction": "Alpaca", "feedback": "logged answers"}
    return next((name for field, name in kinds.items() if field in row), "cases")


def case_from_row(row: dict[str, Json]) -> Case:
    """The case in a row, its id "" where the row has none. RowError for a missing, unknown or ill-typed field."""
    if "messages" in row:
        _refuse_unknown(row, CHAT)
        question, answer = _last_exchange(row["messages"])
    elif "conversations" in row:
        _refuse_unknown(row, SHAREGPT)
        question, answer = _last_exchange(_turns(row["conversations"]))
    elif "feedback" in row:
        _refuse_unknown(row, LOGGED)
        question, answer = _text(row, "question"), _rated(row)
    elif "instruction" in row:
        _refuse_unknown(row, ALPACA)
        question, answer = _text(row, "instruction"), _text(row, "output")
        if beside := _text(row, "input", required=False):
            question = f"{question}\n\n{beside}"
    else:
        _refuse_unknown(row, CASE)
        question, answer = _text(row, "question"), _answer(row)
    return Case(
        id=_text(row, "id", required=False),
        question=question,
        answer=answer,
        facts=_facts(row.get("facts", [])),
        evidence=_evidence(row.get("evidence", [])),
        tags=_texts(row.get("tags", []), "tags"),
        group=_text(row, "group", required=False),
        unanswerable=_flag(row.get("unanswerable", False)),
        origin=_text(row, "origin", required=False) or _logged_by(row),
    )


def _rated(row: dict[str, Json]) -> str:
    """The correction where there is one, else the answer that was rated well. NotRated for all others."""
    feedback, correction = row["feedback"], _text(row, "correction", required=False).strip()
    if feedback not in ("up", "down", "", None):
        raise RowError(f"'feedback' is {feedback!r}", 'write "up", "down" or ""; a better answer goes into "correction"')
    if correction:
        return correction
    if feedback != "up":
        raise NotRated("the answer was neither rated well nor corrected", "it is left out; rate it, or write a correction")
    return _text(row, "answer")


def _logged_by(row: dict[str, Json]) -> str:
    """Where a logged answer comes from, in words; "" for other forms."""
    if "feedback" not in row:
        return ""
    by = f" of {row['by']}" if isinstance(row.get("by"), str) and row["by"] else ""
    return ("a person's correction of an answer" if row.get("correction") else "an answer rated well") + by


def _turns(conversation: Json) -> Json:
    """ShareGPT's turns as chat turns; what is not in that form is left for the next check to name."""
    if not isinstance(conversation, list) or not all(isinstance(turn, dict) for turn in conversation):
        return conversation
    said = [(turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))) for turn in conversation]
    return [{"role": SPEAKERS.get(str(speaker), speaker), "content": text} for speaker, text in said]


def _refuse_unknown(row: dict[str, Json], known: Collection[str]) -> None:
    for name in row:
        if name not in known:
            missing = [field for field in known if field not in row]
            nearest = get_close_matches(name, missing, n=1) or get_close_matches(name, known, n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"fields that are read: {', '.join(known)}"
            raise RowError(f"nobody reads the field {name!r}", hint)


def _missing(row: dict[str, Json], name: str) -> RowError:
    return RowError(f"the field {name!r} is missing", f"the row has {', '.join(row) or 'no fields'}; add {name!r}")


def _text(row: dict[str, Json], name: str, *, required: bool = True) -> str:
    value = row.get(name)
    if value is None and not required:
        return ""
    if name not in row:
        raise _missing(row, name)
    if name in ("id", "group") and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise RowError(f"the field {name!r} must be text", f'write "{name}": "..."')
    if required and not value.strip():
        raise RowError(f"the field {name!r} is empty", f"fill in {name!r}, or remove the row")
    return value


def _answer(row: dict[str, Json]) -> Json:
    if row.get("unanswerable") is True and row.get("answer") in (None, "", []):
        return NOT_KNOWN
    if "answer" not in row:
        raise _missing(row, "answer")
    answer = row["answer"]
    if answer is None or (isinstance(answer, str | list) and not answer) or (isinstance(answer, str) and not answer.strip()):
        raise RowError("the field 'answer' is empty", 'write the ideal answer, or "unanswerable": true where there is none')
    return answer


def _last_exchange(messages: Json) -> tuple[str, str]:
    hint = 'write {"messages": [{"role": "user", "content": ...}, {"role": "assistant", "content": ...}]}'
    if not isinstance(messages, list) or not all(isinstance(turn, dict) for turn in messages):
        raise RowError("'messages' must be a list of turns", hint)
    for turn in messages:
        if not isinstance(turn.get("role"), str) or not isinstance(turn.get("content"), str):
            raise RowError("each turn in 'messages' needs a role and a content of text", hint)
    roles = [turn["role"] for turn in messages]
    if "assistant" not in roles:
        raise RowError("'messages' holds no assistant turn to take the answer from", hint)
    last = len(roles) - 1 - roles[::-1].index("assistant")
    if "user" not in roles[:last]:
        raise RowError("'messages' holds no user turn before the last assistant turn", hint)
    asked = last - 1 - roles[:last][::-1].index("user")
    question, answer = messages[asked]["content"], messages[last]["content"]
    if not question.strip() or not answer.strip():
        raise RowError("the last question or answer in 'messages' is empty", "fill it in, or remove the row")
    return question, answer


def _facts(value: Json) -> tuple[tuple[str, ...], ...]:
    hint = 'write "facts": [["12 EUR", "12 euros"], ["two days"]]: of each inner list one spelling must occur'
    if not isinstance(value, list):
        raise RowError("'facts' must be a list", hint)
    groups = tuple((group,) if isinstance(group, str) else tuple(group) if isinstance(group, list) else () for group in value)
    for group in groups:
        if not group or not all(isinstance(spelling, str) and spelling.strip() for spelling in group):
            raise RowError("each of the 'facts' must be a text or a list of texts, none of them empty", hint)
    return groups


def _evidence(value: Json) -> tuple[Evidence, ...]:
    hint = 'write "evidence": [{"document": "folder/file.md", "quote": "the exact words"}]; the quote may be left out'
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise RowError("'evidence' must be a list of objects", hint)
    found = []
    for item in value:
        _refuse_unknown(item, ("document", "quote"))
        found.append(Evidence(_text(item, "document"), _text(item, "quote", required=False)))
    return tuple(found)


def _texts(value: Json, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RowError(f"{name!r} must be a list of texts", f'write "{name}": ["one", "two"]')
    return tuple(value)


def _flag(value: Json) -> bool:
    if not isinstance(value, bool):
        raise RowError("'unanswerable' must be true or false", 'write "unanswerable": true')
    return value
