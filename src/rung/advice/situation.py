"""What a team says of its problem, as asked in the terminal, read from a TOML file or told by a project. Unknown keys are refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rung.errors import ConfigError, DataError, near_or_known

Updates = Literal["hourly", "daily", "weekly", "monthly", "quarterly", "yearly", "never"]
Behaviour = Literal["format", "labels", "tone", "judgement"]
TOKENS_A_PAGE = 600  # of plain English, for those who count pages


class Situation(BaseModel):
    """The answers of the interview, in the order in which they are asked; the default is what is taken where nothing is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    facts: bool = Field(True, description="Do right answers depend on documents or data that a public model has not seen?")
    behaviour: tuple[Behaviour, ...] = Field(
        (),
        description="What must it do that clear instructions don't achieve? format, labels, tone, judgement (by house rules); or nothing",
    )
    prompt_right: float | None = Field(
        None, ge=0, le=1, description="If you measured it: the share of answers that a good prompt gets right"
    )
    knowledge_tokens: int = Field(0, ge=0, description=f"How much must be known, in tokens? A page has about {TOKENS_A_PAGE}")
    updates: Updates = Field("monthly", description="How often does what must be known change?")
    citations: bool = Field(False, description="Must an answer name its source?")
    queries_per_day: float = Field(100, ge=0, description="How many questions a day?")
    seconds_p95: float = Field(5, gt=0, description="How many seconds may an answer take, 19 times out of 20?")
    examples: int = Field(0, ge=0, description="How many solved examples do you have, or can you write in time?")
    weeks: float = Field(8, gt=0, description="In how many weeks must it run?")
    budget: float | None = Field(None, ge=0, description="Money for building it, before it runs, in dollars")
    team: Literal["none", "software", "ml"] = Field("software", description="Who builds it? none, software engineers, ml engineers")
    private: bool = Field(False, description="Must everything stay on your own machines?")


def read_situation(path: Path) -> Situation:
    """The answers in a TOML file. DataError where it can't be read, ConfigError for a key or a value that nobody knows."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}", "write one with `rung advise --save situation.toml`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not valid TOML: {error}", "mend that line") from None
    return situation(told, path.name)


def situation(told: dict[str, Any], where: str) -> Situation:
    """The answers, checked. ConfigError with the first that is wrong."""
    try:
        return Situation(**told)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"{where}: nobody asks '{key}'", near_or_known(key, Situation.model_fields)) from None
        said = first["msg"][0].lower() + first["msg"][1:]
        raise ConfigError(f"{where}: {key} is {first['input']!r}: {said}", str(Situation.model_fields[key].description)) from None


def as_toml(told: Situation) -> str:
    """The answers as a file that `read_situation` takes, each under its question."""
    lines = []
    for name, field in Situation.model_fields.items():
        value = getattr(told, name)
        lines.append(f"# {field.description}\n" + (f"# {name} = \n" if value is None else f"{name} = {_literal(value)}\n"))
    return "\n".join(lines)


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{one}"' for one in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
