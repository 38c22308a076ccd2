"""The money of approaches: per 1,000 questions, a month, a correct answer, over time, and where two of them cross.

Plain arithmetic on plain numbers, in one currency; it knows no prices and rounds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

DAYS = 30  # in a month of this arithmetic
PER = 1_000_000


@dataclass(frozen=True)
class Running:
    """An approach as money: what one question costs, what each month does, what it took to build, and its share right."""

    name: str
    question: float
    month: float = 0.0
    up_front: float = 0.0
    right: float | None = None


def tokens_a_question(fresh: float, cached: float, out: float, prices: tuple[float, float, float]) -> float:
    """fresh × input + cached × cached_input + out × output, prices per million tokens."""
    return (fresh * prices[0] + cached * prices[1] + out * prices[2]) / PER


def monthly(one: Running, questions: float) -> float:
    """A month with so many questions in it: questions × question + month."""
    return questions * one.question + one.month


def total(one: Running, questions: float, months: float) -> float:
    """Total cost of ownership: up_front + months × monthly, undiscounted."""
    return one.up_front + months * monthly(one, questions)


def per_1000(one: Running, questions: float, months: float) -> float:
    """All of it, building included, over 1,000 questions. `questions` a month, more than 0."""
    return 1000 * total(one, questions, months) / (questions * months)


def per_correct(one: Running, questions: float, months: float) -> float | None:
    """All of it over the answers that are right; None where none is, or nobody measured."""
    return per_1000(one, questions, months) / 1000 / one.right if one.right else None


def crossing_volume(a: Running, b: Running, months: float) -> float | None:
    """Questions a month at which both cost the same over so many months; None where there is no such volume above 0.

    v = ((up_b - up_a) / months + month_b - month_a) / (question_a - question_b).
    """
    gap = (b.up_front - a.up_front) / months + b.month - a.month
    saved = a.question - b.question
    return gap / saved if saved and gap / saved > 0 else None


def crossing_months(a: Running, b: Running, questions: float) -> float | None:
    """Months after which both have cost the same at so many questions a month; None where they never have.

    t = (up_b - up_a) / (monthly_a - monthly_b).
    """
    saved = monthly(a, questions) - monthly(b, questions)
    gap = b.up_front - a.up_front
    return gap / saved if saved and gap / saved > 0 else None
