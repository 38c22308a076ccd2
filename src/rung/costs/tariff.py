"""Prices and efforts, in a versioned TOML file; what a file doesn't say is the packaged one's. Unknown keys are refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rung.errors import ConfigError, DataError, near_or_known

PACKAGED = Path(__file__).parent / "tariff.toml"


class Part(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tokens(Part):
    """Money per million tokens of a hosted model."""

    input: float = Field(ge=0, description="per million prompt tokens")
    cached_input: float = Field(ge=0, description="per million prompt tokens found in a cache")
    output: float = Field(ge=0, description="per million answer tokens")


class Machines(Part):
    """Money for machines of one's own."""

    hour: float = Field(ge=0, description="an hour of the machine that answers, while it answers")
    training_hour: float = Field(ge=0, description="an hour of the machine that trains")
    watts: float = Field(ge=0, description="what the answering machine draws")
    kilowatt_hour: float = Field(ge=0, description="electricity")
    month: float = Field(ge=0, description="a machine that is kept for answering, busy or not")


class Hosting(Part):
    """Money a month for what a rung needs beside a model."""

    vector_store: float = Field(ge=0, description="the index of the rungs that search")
    adapter: float = Field(ge=0, description="keeping a tuned model served")


class People(Part):
    """Money for people's hours."""

    engineer_hour: float = Field(ge=0, description="an engineer's hour")
    curator_hour: float = Field(ge=0, description="an hour of whoever writes and checks examples")


class Effort(Part):
    """Hours of people, by what is built."""

    prompt_hours: float = Field(ge=0, description="to write and try the instructions of any rung")
    search_hours: float = Field(ge=0, description="to build retrieval")
    tuning_hours: float = Field(ge=0, description="to build tuning")
    example_minutes: float = Field(ge=0, description="to write and check one solved example")
    search_hours_month: float = Field(ge=0, description="to keep an index each month")
    tuning_hours_month: float = Field(ge=0, description="to keep a tuned model each month")
    retrainings_year: float = Field(ge=0, description="how often a tuned model is trained again")


class Use(Part):
    """How much and for how long."""

    questions_day: float = Field(gt=0, description="questions a day")
    months: float = Field(gt=0, description="how long it will be used")
    wrong_answer: float = Field(ge=0, description="what a wrong answer costs whoever acts on it")


class Tariff(Part):
    """The whole file."""

    version: str = Field(description="of the prices; a run in a report names it")
    currency: str = Field(description="in which all money is given")
    tokens: Tokens
    machines: Machines
    hosting: Hosting
    people: People
    effort: Effort
    use: Use


def read_tariff(path: Path | None = None, changes: dict[str, dict[str, Any]] | None = None) -> Tariff:
    """The packaged tariff, over it the file's tables, over these the changes. DataError, ConfigError with the nearest key."""
    told = _read(PACKAGED)
    for layer in (_read(path) if path else {}, changes or {}):
        for table, keys in layer.items():
            told[table] = {**told[table], **keys} if isinstance(keys, dict) and isinstance(told.get(table), dict) else keys
    try:
        return Tariff(**told)
    except ValidationError as error:
        raise _explained(error, path.name if path else "prices") from None


def leaves(tariff: Tariff) -> dict[str, float]:
    """Every number of it by its name, such as `tokens.input`."""
    tables = {name: part for name, part in tariff.model_dump().items() if isinstance(part, dict)}
    return {f"{name}.{key}": float(value) for name, part in tables.items() for key, value in part.items()}


def changed(tariff: Tariff, name: str, value: float) -> Tariff:
    """The tariff with one number another one."""
    table, key = name.split(".")
    return tariff.model_copy(update={table: getattr(tariff, table).model_copy(update={key: value})})


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}", "`rung cost --write prices.toml` writes one to start from") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not valid TOML: {error}", "mend that line") from None


def _explained(error: ValidationError, where: str) -> ConfigError:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        table = Tariff.model_fields.get(str(first["loc"][0]))
        kind = table.annotation if table and len(first["loc"]) > 1 else Tariff
        return ConfigError(f"{where}: nobody reads '{name}'", near_or_known(str(first["loc"][-1]), getattr(kind, "model_fields", {})))
    said = first["msg"][0].lower() + first["msg"][1:]
    return ConfigError(
        f"{where}: {name} is {first['input']!r}: {said}", "prices are numbers from 0 up; `rung cost --write` shows all of them"
    )
