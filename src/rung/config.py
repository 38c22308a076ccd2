"""`rung.toml` as checked values; an unknown key is refused and the nearest known one named."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rung.errors import ConfigError


class Section(BaseModel):
    """A table of `rung.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProjectConfig(Section):
    """What is measured, and the bar."""

    name: str = Field("project", description="shown in reports")
    task: Literal["answer", "extract", "classify"] = Field("answer", description="what an answer is: text, JSON or a label")
    cases: str = Field("cases.jsonl", description="held-out questions with ideal answers")
    examples: str = Field("", description="solved examples to show and to train on; never measured on")
    bar: float = Field(0.8, ge=0, le=1, description="share of cases that must be right in facts and form")
    form: str = Field("", description="regular expression that a whole answer must match")
    labels: str = Field("", description="JSON file with the list of labels, for `classify`")
    json_schema: str = Field("", description="JSON Schema file, for `extract`")
    rungs: tuple[str, ...] = Field((), description="rungs to climb; empty means all that apply")
    seed: int = Field(0, description="seed of every random choice")


class ModelConfig(Section):
    """The base model of every rung."""

    name: str = Field("bundled:tiny", description="bundled:tiny, local:<folder>, hf:<owner>/<name> or endpoint:<model>@<url>")
    max_tokens: int = Field(64, ge=1, description="longest answer in tokens")
    temperature: float = Field(0.0, ge=0, description="0 is greedy")
    options: dict[str, Any] = Field({}, description="keywords of the model's kind, such as window or key_env")


class KnowledgeConfig(Section):
    """The documents and how they are searched."""

    folder: str = Field("docs", description="folder of documents; empty for none")
    embedder: str = Field("minilm", description="minilm, hashing, hf:<name or folder> or endpoint:<url>")
    index: str = Field(
        "lance",
        pattern="^(exact|(lance|postgres)(:.+)?)$",
        description="where vectors and full text live: lance, lance:s3://BUCKET/FOLDER, postgres:URL or exact",
    )
    keep_days: float = Field(30, ge=0, description="how long earlier states can be opened again; 0 keeps none")
    passage_tokens: int = Field(200, ge=16, description="longest passage, in the embedder's tokens")
    k: int = Field(5, ge=1, le=100, description="passages put before the model")
    mode: Literal["hybrid", "dense", "words"] = Field("hybrid", description="how passages are ranked")


class AccessRule(Section):
    """Who reads the documents whose paths match."""

    documents: str = Field(description="pattern of paths: * within a folder, ** across folders, hr/ a whole folder")
    readers: tuple[str, ...] = Field(description='users by name, "group:NAME", or "everyone"')


class AccessConfig(Section):
    """Who may read which document. Off, everybody reads everything; on, nobody reads what no list gives them."""

    on: bool = Field(False, description="whether the lists are in force")
    metadata: str = Field("access", description="key of a document's metadata that holds its own list, which comes before the rules")
    rules: tuple[AccessRule, ...] = Field((), description="`documents` (a pattern) and `readers` of each; the last that matches counts")
    groups: dict[str, tuple[str, ...]] = Field({}, description='name → users, and groups as "group:NAME"')
    auditors: tuple[str, ...] = Field((), description="who reads every document, whatever the lists say")


class PromptConfig(Section):
    """The instructions."""

    system: str = Field("Answer the question from the passages.", description="the system prompt of every rung")
    cite: bool = Field(True, description="ask for the passage's number when there are passages")
    shots: int = Field(4, ge=1, description="solved examples that few-shot shows")


class AnswerConfig(Section):
    """What happens to sentences that the passages don't support. `mark` is for readers: measured answers are not marked."""

    unsupported: Literal["mark", "drop", "refuse", "keep"] = Field(
        "mark", description="mark them, drop them, refuse the answer, or keep it"
    )
    refusal: str = Field("The passages don't answer this.", min_length=1, description="said where an answer is refused or nothing is left")


class TuningConfig(Section):
    """The LoRA recipe."""

    rank: int = Field(16, ge=1, description="rank of the LoRA matrices")
    alpha: int = Field(32, ge=1, description="scale of the LoRA update, divided by the rank")
    epochs: int = Field(8, ge=1, description="passes over the examples")
    learning_rate: float = Field(2e-3, gt=0, description="peak learning rate")
    batch_rows: int = Field(16, ge=1, description="rows in a batch")
    gold_probability: float = Field(0.8, ge=0, le=1, description="raft: how often the gold passage is in the context")


class LimitsConfig(Section):
    """What the winner must also meet; unset means no limit."""

    seconds_p95: float | None = Field(None, gt=0, description="95th percentile of seconds per answer")
    cost_per_1000: float | None = Field(None, ge=0, description="cost of 1,000 answers")
    citation_recall: float | None = Field(None, ge=0, le=1, description="share of the evidence that is cited")
    private: bool = Field(False, description="refuse models that are not on this machine")


class PricesConfig(Section):
    """Prices in one currency: tokens per million, the machine per hour."""

    input: float = Field(0.0, ge=0, description="per million prompt tokens")
    cached_input: float = Field(0.0, ge=0, description="per million prompt tokens found in a cache")
    output: float = Field(0.0, ge=0, description="per million answer tokens")
    machine_hour: float = Field(0.0, ge=0, description="per hour of generation")


class Config(Section):
    """The whole of `rung.toml`."""

    project: ProjectConfig = ProjectConfig()
    model: ModelConfig = ModelConfig()
    knowledge: KnowledgeConfig = KnowledgeConfig()
    access: AccessConfig = AccessConfig()
    prompt: PromptConfig = PromptConfig()
    answer: AnswerConfig = AnswerConfig()
    tuning: TuningConfig = TuningConfig()
    limits: LimitsConfig = LimitsConfig()
    prices: PricesConfig = PricesConfig()


def read_config(path: Path) -> Config:
    """The checked configuration. ConfigError with the key and the nearest known one."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no {path.name} in {path.parent}", "run `rung init` there, or name the project's folder") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", "mend that line") from None
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise _explain(path, error) from None


def _explain(path: Path, error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden":
        hint = "the reference of rung.toml is in docs/reference/config.md"
        return ConfigError(f"{path.name}: {'.'.join(where)}: {first['msg'].lower()}", hint)
    known = known_keys(where[:-1])
    near = difflib.get_close_matches(where[-1], known, 1, 0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
    return ConfigError(f"{path.name}: nobody reads the key '{'.'.join(where)}'", hint)


def known_keys(section: list[str]) -> list[str]:
    """The keys that a section of `rung.toml` takes."""
    fields = Config.model_fields
    if not section:
        return list(fields)
    annotation = fields[section[0]].annotation
    return list(annotation.model_fields) if isinstance(annotation, type) and issubclass(annotation, Section) else []
