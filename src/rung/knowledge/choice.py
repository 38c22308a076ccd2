"""The way to rank that measuring chose for one knowledge, and its evidence, kept beside the index. It refuses to measure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rung.errors import KnowledgeError
from rung.knowledge.replace import replace_file

DRIFT = 0.2  # a choice stands until the documents are this share more or fewer


@dataclass(frozen=True)
class Candidate:
    """One way to rank, measured: mean nDCG@10 with its 95 % interval."""

    mode: str
    ndcg: float
    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """The chosen mode and all that were tried, best first."""

    mode: str
    why: str
    questions: str  # where the questions came from and how many they were
    asked: str  # hash of the questions
    documents: int
    candidates: tuple[Candidate, ...]


def read_choice(path: Path) -> Choice | None:
    """The choice kept there, None where there is none. KnowledgeError where the file is damaged."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Choice(**{**told, "candidates": tuple(Candidate(**one) for one in told["candidates"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KnowledgeError(f"{path} can't be read: {error}", f"delete {path} and run `rung index`") from None


def write_choice(path: Path, choice: Choice) -> None:
    """Replace the choice at once. OSError where the disk refuses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps(asdict(choice), indent=1, ensure_ascii=False).encode())


def stands(choice: Choice | None, asked: str, documents: int) -> bool:
    """Whether the choice was made on these questions and about as many documents."""
    return choice is not None and choice.asked == asked and abs(documents - choice.documents) <= DRIFT * choice.documents


def resolved(path: Path, mode: str) -> str:
    """What `auto` stands for: the mode that was chosen here, `hybrid` before anything was. Other modes stand for themselves."""
    if mode != "auto":
        return mode
    choice = read_choice(path)
    return choice.mode if choice else "hybrid"
