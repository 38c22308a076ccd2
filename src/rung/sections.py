"""The tables of `rung.toml`: each key with its default, its bounds and what it is for. They read no file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from rung.sources import Also, Sources


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
    other: str = Field("", description="the label of what fits no other, for `classify`: specialists say it where they are unsure")
    json_schema: str = Field("", description="JSON Schema file, for `extract`")
    rungs: tuple[str, ...] = Field((), description="rungs to climb; empty means all that apply")
    seed: int = Field(0, description="seed of every random choice")
    margin: float = Field(
        0.05, ge=0, le=1, description="a lower rung that is worse by less, with 95 % confidence, is as good as a higher one; 0 asks nothing"
    )
    stop_early: bool = Field(False, description="ask the cases in four parts, and stop when it is certain which rung is chosen")
    repeat: int = Field(1, ge=1, le=100, description="how often each rung is asked, each time with another seed; scores are averaged")


class ModelConfig(Section):
    """The base model of every rung."""

    name: str = Field(
        "bundled:tiny",
        description="bundled:tiny, bundled:reader, extractor:<folder>, local:<folder>, hf:<owner>/<name> or endpoint:<model>@<url>",
    )
    adapter: str = Field("", description="label or hash of an adapter that every untrained rung answers with; empty for none")
    max_tokens: int = Field(64, ge=1, description="longest answer in tokens")
    temperature: float = Field(0.0, ge=0, description="0 is greedy")
    options: dict[str, Any] = Field({}, description="keywords of the model's kind, such as window or key_env")


class KnowledgeConfig(Section):
    """The documents and how they are searched."""

    folder: str = Field("docs", description="folder of documents; empty for none; unset, it is read only where there are no sources")
    sources: Sources = Field((), description="more places that documents come from: `[[knowledge.sources]]` tables, see below")
    also: Also = Field((), description="what else is asked with each question: `[[knowledge.also]]` tables, see below")
    embedder: str = Field("minilm", description="minilm, tuned:<hash or folder>, hashing, hf:<name or folder> or endpoint:<model>@<url>")
    index: str = Field(
        "lance",
        pattern="^(exact|(lance|postgres)(:.+)?)$",
        description="where vectors and full text live: lance, lance:s3://BUCKET/FOLDER, postgres:URL or exact",
    )
    share: str = Field(
        "", description="with an index in PostgreSQL: a name under which copies of this project on other machines share that index"
    )
    keep_days: float = Field(30, ge=0, description="how long earlier states can be opened again; 0 keeps none")
    ocr: bool | Annotated[str, Field(pattern=r"^[A-Za-z_]+(\+[A-Za-z_]+)*$")] = Field(
        False,
        description='read scanned pages of PDFs with tesseract: true for English, or its names of languages such as "deu+eng"',
    )
    chunker: Literal["structure", "recursive", "markdown"] = Field(
        "structure",
        description="how documents are cut: along their structure, or by semantic-text-splitter, as plain text or as Markdown",
    )
    passage_tokens: int = Field(200, ge=16, description="longest passage, in the embedder's tokens")
    k: int = Field(5, ge=1, le=100, description="passages put before the model")
    mode: str = Field(
        "hybrid",
        pattern=r"^(hybrid|dense|words|auto|(min-max|z-score):(0|1|0?\.\d+|1\.0+)|rank:[1-9]\d*)$",
        description="how passages are ranked: hybrid, dense, words, auto (measured, the choice is kept beside the index), "
        "or one way such as z-score:0.4",
    )
    reranker: str = Field("", description="ranks the best passages again: late, or hf:<name or folder> of a cross-encoder; empty for none")
    expand: str = Field(
        "none",
        pattern=r"^(none|section|document|neighbours:[1-9]\d*)$",
        description="what is shown around a passage that was found, as far as the model's window holds it: "
        "none, neighbours:N on each side, its section, or its document",
    )
    rerank: int = Field(30, ge=1, le=100, description="passages that the reranker reads")

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: Sources) -> Sources:
        names = [source.name for source in sources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two sources have the name '{twice[0]}'")
        return sources

    @field_validator("also")
    @classmethod
    def _also_differ(cls, also: Also, info: ValidationInfo) -> Also:
        names = [one.name for one in (*info.data.get("sources", ()), *also)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two sources have the name '{twice[0]}'")
        return also

    @property
    def ocr_languages(self) -> str:
        """The languages of scanned pages; "" where they are not read."""
        return self.ocr if isinstance(self.ocr, str) else "eng" if self.ocr else ""

    @property
    def default_folder(self) -> str:
        """The folder to read beside the sources; "" where there is none."""
        return self.folder if "folder" in self.model_fields_set or not self.sources else ""


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
    rewrite: bool = Field(True, description="in a chat, let the model make a question stand alone before it is searched for")
    shots: int = Field(4, ge=1, description="solved examples that few-shot shows")
    optimise: bool | Literal["gepa"] = Field(
        False,
        description="choose the instructions of prompt, few-shot and rag, and what few-shot shows, on part of the solved examples; "
        '"gepa" tries one more, which GEPA (extra `optimise`) evolves with the model',
    )


class AnswerConfig(Section):
    """What happens to sentences that the passages don't support. `mark` is for readers: measured answers are not marked."""

    unsupported: Literal["mark", "drop", "refuse", "keep"] = Field(
        "mark", description="mark them, drop them, refuse the answer, or keep it"
    )
    entailment: str = Field(
        "",
        description="hf:<name or folder> of a model of natural language inference, which judges what words alone can't; empty for none",
    )
    refusal: str = Field("The passages don't answer this.", min_length=1, description="said where an answer is refused or nothing is left")


class JudgeConfig(Section):
    """An optional judge model of recorded answers (`rung judge`). No verdict of a climb rests on it."""

    model: str = Field("", description="named as in [model], best an endpoint: model; empty for none")
    votes: int = Field(1, ge=1, le=9, description="how often each answer is judged, with one seed after another; the majority counts")
    temperature: float = Field(0.0, ge=0, description="0 is greedy, where more votes say the same")
    max_tokens: int = Field(256, ge=16, description="longest reply in tokens, the reason included")
    structured: bool = Field(True, description="send the JSON Schema of a verdict as response_format; false where a server refuses it")
    options: dict[str, Any] = Field({}, description="keywords of the model's kind, such as window or key_env")


class TuningConfig(Section):
    """How adapters are trained. What is unset is derived from the data and the model, said before a training, and kept with it."""

    method: Literal["lora", "rslora", "dora", "qlora", "qlora8", "full", "pretrain"] = Field(
        "lora",
        description="lora, rslora (scaled for high ranks), dora, qlora (on a base in 4 bits), qlora8 (in 8), full (all weights), "
        "or pretrain (LoRA on the documents' text and the examples)",
    )
    rank: int | None = Field(None, ge=1, description="rank of the LoRA matrices")
    alpha: int | None = Field(None, ge=1, description="scale of the LoRA update, divided by the rank")
    epochs: int | None = Field(None, ge=1, description="passes over the examples; few examples are passed over half as often")
    learning_rate: float | None = Field(None, gt=0, description="peak learning rate")
    batch_rows: int | None = Field(None, ge=1, description="rows in a batch")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "fp32", description="arithmetic of training; auto times both once and keeps to it, but may choose otherwise elsewhere"
    )
    checkpointing: bool = Field(False, description="compute layers again in the backward pass: less memory, more time")
    compile: bool = Field(False, description="torch.compile, for GPUs; it needs a C++ compiler")
    personal_data: Literal["keep", "redact", "drop"] = Field(
        "keep",
        description="in training rows: keep it, put its kind in its place, or leave out rows that hold any; see docs/training-data.md",
    )
    allow: tuple[str, ...] = Field((), description="kinds of findings that may not stop a training, such as contradiction")
    gold_probability: float = Field(0.8, ge=0, le=1, description="raft: how often the gold passage is in the context")
    general: str = Field("", description="cases that show what an adapter forgets; empty for a small set of our own")
    forgetting: float = Field(0.5, ge=0, description="how much the loss on the general set may rise, in nats a token, to be promoted")
    distractors: int | None = Field(None, ge=0, description="raft: other passages beside the gold one; unset, k - 1 of [knowledge]")
    bases: tuple[str, ...] = Field((), description="rung train --budget: base models to choose among, named as in [model]")
    remote: str = Field("", description="base URL of an OpenAI-compatible fine-tuning API that trains instead of this machine")
    remote_model: str = Field("", description="the base model's name there; unset, that of an endpoint: model")
    key_env: str = Field("", description="environment variable that holds the API key of `remote`")


class SpecialistConfig(Section):
    """The rungs `knn` and `encoder` of a `classify` project; an extractor has no settings."""

    encoder: str = Field(
        "minilm", description="what turns questions into vectors: minilm, or hf:<name or folder> of a BERT with mean pooling"
    )
    members: int = Field(
        1, ge=1, le=10, description="encoders tuned on different folds, whose scores are averaged; each costs its own time"
    )
    epochs: int = Field(10, ge=1, description="passes over the examples")
    learning_rate: float = Field(2e-4, gt=0, description="peak learning rate of the highest layer; a quarter of it where examples are few")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="arithmetic of training; auto is bf16 where the processor has it"
    )
    threshold: float | None = Field(
        None, ge=0, le=1, description="confidence below which no label is named; unset, examples with the label `other` decide it"
    )
    k: int = Field(10, ge=1, description="knn: the nearest examples that vote")


class LimitsConfig(Section):
    """What the winner must also meet; unset means no limit."""

    seconds_p95: float | None = Field(None, gt=0, description="95th percentile of seconds per answer")
    cost_per_1000: float | None = Field(None, ge=0, description="cost of 1,000 answers")
    citation_recall: float | None = Field(None, ge=0, le=1, description="share of the evidence that is cited")
    private: bool = Field(False, description="refuse models, embedders and indexes that are not on this machine")


class PricesConfig(Section):
    """Prices in one currency, tokens per million and the machine per hour, and how much is asked."""

    input: float = Field(0.0, ge=0, description="per million prompt tokens")
    cached_input: float = Field(0.0, ge=0, description="per million prompt tokens found in a cache")
    output: float = Field(0.0, ge=0, description="per million answer tokens")
    machine_hour: float = Field(0.0, ge=0, description="per hour of generation")
    questions_day: float = Field(
        0.0, ge=0, description="questions a day, for `rung cost` and the warning below the break-even; 0 for unknown"
    )


class OtherModel(Section):
    """One more base model: every rung is climbed with it, too. As many `[[models]]` tables as you like, the smallest first."""

    name: str = Field(description="the model, named as in [model]")
    options: dict[str, Any] = Field({}, description="keywords of the model's kind, such as window or key_env")
    prices: PricesConfig | None = Field(None, description="what it costs, as in [prices]; unset, what [prices] says")


class OidcConfig(Section):
    """Logging into the studio by an OpenID Connect provider, beside the people with a password there."""

    issuer: str = Field("", description="the provider's address, such as https://login.example.org/realms/shop; empty for none")
    client_id: str = Field("", description="what the provider calls the studio")
    secret_env: str = Field("", description="environment variable with the client's secret; empty for a client without one")
    name_claim: str = Field("preferred_username", description="claim with the name that access lists and the audit log know people by")
    roles_claim: str = Field("roles", description="claim with a role or a list of them; dots reach inside, as in realm_access.roles")
    roles: dict[str, Literal["reader", "editor", "admin"]] = Field(
        {}, description='what values of that claim may here, such as { "rung-admins" = "admin" }; the highest counts'
    )
    default_role: Literal["", "reader", "editor", "admin"] = Field("", description="role of those without such a value; empty lets none in")
    scopes: str = Field("openid profile email", description="what is asked of the provider")
    studio: str = Field("", description="the studio's address as browsers see it; empty for that of the request")


class ServeConfig(Section):
    """`rung serve`: where its keys and its audit log are kept, what answers, and how much of it at once."""

    store: str = Field(
        "sqlite",
        pattern="^(sqlite|postgres:.*)$",
        description="where keys, counts, the audit log and labels are kept: sqlite (files in .rung) or postgres:URL, which replicas share",
    )
    adapters: str = Field(
        "", pattern="^(s3://.+)?$", description="s3://BUCKET/FOLDER that replicas fetch adapters from; empty where they are in .rung alone"
    )
    at_once: int = Field(64, ge=1, description="questions answered side by side")
    queue: int = Field(128, ge=0, description="questions that may wait; more are refused with 429")
    deadline: float = Field(120, gt=0, description="seconds for an answer, waiting included, where a request names no fewer")
    drain: float = Field(30, ge=0, description="seconds in which answers may end after SIGTERM")
    audit: Literal["text", "hashes"] = Field("text", description="what the audit log keeps of questions and answers")
    engine: str = Field(
        "", description="endpoint:<model>@<url> of a vLLM that serves the base model and loads adapters; empty for the model of [model]"
    )
    engine_options: dict[str, Any] = Field({}, description="keywords of the engine, such as window or key_env")
    adapters_at: str = Field("", description="the folder .rung/adapters as the engine sees it; empty where it sees the same path")
    metrics: bool = Field(False, description="figures for Prometheus at /metrics, for keys with the role editor")
    traces: str = Field(
        "", pattern="^(|https?://.+)$", description="URL of an OTLP/HTTP collector that is sent a span for each question; empty for none"
    )
    traces_text: bool = Field(False, description="whether spans hold questions and answers")
    oidc: OidcConfig = Field(OidcConfig(), description="a table of its own, below")
