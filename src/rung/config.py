"""`rung.toml` as checked values; an unknown key is refused and the nearest known one named."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from rung.errors import ConfigError, near_or_known
from rung.sections import (
    AccessConfig,
    AccessRule,
    AnswerConfig,
    JudgeConfig,
    KnowledgeConfig,
    LimitsConfig,
    ModelConfig,
    OtherModel,
    PricesConfig,
    ProjectConfig,
    PromptConfig,
    Section,
    ServeConfig,
    SpecialistConfig,
    TuningConfig,
)
from rung.sources import BESIDE, KINDS


class Config(Section):
    """The whole of `rung.toml`."""

    project: ProjectConfig = ProjectConfig()
    model: ModelConfig = ModelConfig()
    models: tuple[OtherModel, ...] = ()
    knowledge: KnowledgeConfig = KnowledgeConfig()
    access: AccessConfig = AccessConfig()
    prompt: PromptConfig = PromptConfig()
    answer: AnswerConfig = AnswerConfig()
    judge: JudgeConfig = JudgeConfig()
    tuning: TuningConfig = TuningConfig()
    specialist: SpecialistConfig = SpecialistConfig()
    limits: LimitsConfig = LimitsConfig()
    prices: PricesConfig = PricesConfig()
    serve: ServeConfig = ServeConfig()


def read_config(path: Path) -> Config:
    """The checked configuration. ConfigError with the key and the nearest known one."""
    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except FileNotFoundError:
        raise ConfigError(f"there is no {path.name} in {path.parent}", "run `rung init` there, or name the project's folder") from None
    except OSError as error:
        hint = "name the folder that holds rung.toml, and check that you may read it"
        raise ConfigError(f"{path} can't be read: {error.strerror}", hint) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start})", "save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", "mend that line") from None
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise _explain(path, error) from None


def _explain(path: Path, error: ValidationError) -> ConfigError:
    errors = error.errors()
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])  # a slip in a key leaves it missing, too
    where = [str(part) for part in first["loc"]]
    if where[0] == "knowledge" and where[1:2] in (["sources"], ["also"]):
        return _explain_source(path, where[1], where[2:], first["type"], first["msg"], str(first["input"]))
    if first["type"] == "extra_forbidden":
        return ConfigError(f"{path.name}: nobody reads the key '{_placed(where)}'", _nearest(where))
    if first["type"].startswith("model_"):
        return ConfigError(f"{path.name}: {where[0]} must be a table", f"write [{where[0]}] on a line of its own, its keys below")
    said = (first["msg"][0].lower() + first["msg"][1:]).replace("valid tuple", "list")
    if where[:2] == ["access", "rules"] and first["type"] == "missing":
        return ConfigError(f"{path.name}: {_placed(where)} is missing", f"{where[3]}: {AccessRule.model_fields[where[3]].description}")
    depth = len(where) - 1 if where[0] == "models" else 1
    field = _fields(where[:depth]).get(where[depth]) if len(where) > 1 else None
    hint = f"{where[depth]}: {field.description}" if field else "the reference of rung.toml is in docs/reference/config.md"
    return ConfigError(f"{path.name}: {_placed(where)} is {first['input']!r}: {said}", hint)


def _placed(where: list[str]) -> str:
    """A key with the tables it stands in, those of a list counted from 1."""
    return "".join(f"[{int(step) + 1}]" if step.isdigit() else f".{step}" for step in where).lstrip(".")


def _explain_source(path: Path, table: str, where: list[str], kind: str, said: str, given: str) -> ConfigError:
    """An error within `[[knowledge.TABLE]]`; `where` is the number of the table, its kind and the key, as far as known."""
    kinds: Mapping[str, type[BaseModel]] = KINDS if table == "sources" else BESIDE
    place = f"{path.name}: knowledge.{table}" + (f"[{int(where[0]) + 1}]" if where and where[0].isdigit() else "")
    fields = kinds[where[1]].model_fields if len(where) > 1 and where[1] in kinds else {}
    if kind.startswith("union_tag"):
        return ConfigError(f"{place} has no kind that is known", f"write kind = one of {', '.join(kinds)}")
    if not fields or len(where) < 3:
        hint = f"write each source as a [[knowledge.{table}]] table with kind and name"
        return ConfigError(f"{place}: {said[0].lower()}{said[1:].replace('alue error, ', '')}", hint)
    key = where[2]
    if kind == "extra_forbidden":
        return ConfigError(f"{place}: nobody reads the key '{key}' in a source of kind {where[1]}", near_or_known(key, fields))
    if kind == "missing":
        return ConfigError(f"{place}: a source of kind {where[1]} needs the key '{key}'", f"{key}: {fields[key].description}")
    return ConfigError(f"{place}: {key} is {given!r}: {said[0].lower()}{said[1:]}", f"{key}: {fields[key].description}")


def _nearest(where: list[str]) -> str:
    """A hint for an unknown key: the nearest of its own table, else the table that knows it."""
    known = known_keys(where[:-1])
    if near := difflib.get_close_matches(where[-1], known, 1, 0.5):
        return f"did you mean '{near[0]}'?"
    tables = [section for section in Config.model_fields if [section] != where[:-1] and where[-1] in known_keys([section])]
    return f"it belongs under [{tables[0]}]" if tables else f"known here: {', '.join(known)}"


def known_keys(section: list[str]) -> list[str]:
    """The keys that a section of `rung.toml` takes."""
    return list(_fields(section))


def _fields(section: list[str]) -> dict[str, FieldInfo]:
    if not section:
        return Config.model_fields
    if section[:2] == ["access", "rules"]:
        return AccessRule.model_fields
    if section[0] == "models":
        return PricesConfig.model_fields if "prices" in section else OtherModel.model_fields
    annotation = Config.model_fields[section[0]].annotation
    return annotation.model_fields if isinstance(annotation, type) and issubclass(annotation, Section) else {}
