"""Money from tokens and seconds, by the price table of rung.toml; it knows no vendor's prices and assumes no discount."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING

from rung.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rung.types import Answer, Score, Usage

PER = 1_000_000


@dataclass(frozen=True)
class Prices:
    """Per million tokens (input, cached input, output), and per hour of the machine that answers; in any one currency."""

    input: float = 0.0
    cached_input: float = 0.0
    output: float = 0.0
    machine_hour: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isfinite(value) or value < 0:
                raise ConfigError(f"the price {name!r} is {value}", "prices are numbers from 0 up, per million tokens or per hour")


def cost(usage: Usage, seconds: float, prices: Prices) -> float:
    """(prompt - cached) × input + cached × cached_input + completion × output, per million, plus hours × machine_hour."""
    tokens = (usage.prompt - usage.cached) * prices.input + usage.cached * prices.cached_input + usage.completion * prices.output
    return tokens / PER + seconds / 3600 * prices.machine_hour


def seconds(answer: Answer) -> float:
    """What one answer took, retrieval and generation together."""
    return answer.retrieval_seconds + answer.generation_seconds


def total_cost(answers: Sequence[Answer], prices: Prices) -> float:
    """The cost of all answers; the machine is counted as if it answered one question at a time, so batching only saves."""
    return sum(cost(answer.usage, seconds(answer), prices) for answer in answers)


def cost_per_1000(answers: Sequence[Answer], prices: Prices) -> float:
    """What 1,000 such answers cost; 0 where there are none."""
    return 1000 * total_cost(answers, prices) / len(answers) if answers else 0.0


def cost_per_correct(answers: Sequence[Answer], scores: Sequence[Score], prices: Prices) -> float | None:
    """All cost / answers whose primary score is 1; None where no answer was wholly right."""
    right = sum(score.primary >= 1.0 for score in scores)
    return total_cost(answers, prices) / right if right else None
