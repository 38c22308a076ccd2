"""A remembered source is asked each question once, says what it said, and tells what finding it took."""

from __future__ import annotations

from dataclasses import dataclass, field

from rung.approach.source import Context, Remembered
from rung.types import Hit, Passage


@dataclass(frozen=True)
class Counting:
    """Brings another passage each time it is asked, so that asking twice would show."""

    id: str = "counting"
    whole: bool = False
    asked: list[str] = field(default_factory=list)

    def find(self, question: str) -> Context:
        self.asked.append(question)
        return Context((Hit(Passage(f"p{len(self.asked)}", "d", 0, 1, "x"), 1.0),))


def test_each_question_is_asked_once_for_all_rungs() -> None:
    source, found = Counting(), dict[tuple[str, str], Context]()
    rag, hybrid = Remembered(source, found), Remembered(source, found)
    first = rag.find("a")
    assert first.seconds is not None
    assert hybrid.find("a") is first
    assert rag.find("b").hits != first.hits
    assert source.asked == ["a", "b"]
    assert (rag.id, rag.whole) == (source.id, source.whole)


def test_another_source_is_not_taken_for_it() -> None:
    found: dict[tuple[str, str], Context] = {}
    one, two = Counting("one"), Counting("two")
    Remembered(one, found).find("a")
    Remembered(two, found).find("a")
    assert (one.asked, two.asked) == (["a"], ["a"])
