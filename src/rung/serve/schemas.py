"""What clients send, checked: the fields of OpenAI's API that mean something here. It ignores fields nobody here reads."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(max_length=200_000)]
Model = Annotated[str, Field(min_length=1, max_length=200)]
Positive = Annotated[int, Field(ge=1, le=1_000_000)]
Temperature = Annotated[float, Field(ge=0, le=2)]
Seed = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Stop = (
    Annotated[str, Field(min_length=1, max_length=200)]
    | Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=4)]
)


class Form(BaseModel):
    """A part of a request."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Part(Form):
    """A piece of a message's content."""

    type: Annotated[str, Field(max_length=50)]
    text: Text | None = None


class Turn(Form):
    """One message of a chat."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | Annotated[list[Part], Field(max_length=100)] | None = None
    name: Annotated[str, Field(max_length=200)] | None = None
    tool_call_id: Annotated[str, Field(max_length=200)] | None = None
    tool_calls: Annotated[list[dict[str, Any]], Field(max_length=128)] | None = None


class Function(Form):
    """A tool's name and what it takes."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
    description: Text | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Form):
    """A function that the model may call."""

    type: Literal["function"]
    function: Function


class NamedFunction(Form):
    """A function by its name."""

    name: Annotated[str, Field(max_length=64)]


class NamedTool(Form):
    """The tool that must be called."""

    type: Literal["function"]
    function: NamedFunction


class JsonSchema(Form):
    """A schema under a name."""

    name: Annotated[str, Field(max_length=64)] = "answer"
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class Format(Form):
    """The form of an answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Form):
    """What a stream brings beside text."""

    include_usage: bool | None = None


class ChatRequest(Form):
    """POST /v1/chat/completions."""

    model: Model
    messages: Annotated[list[Turn], Field(min_length=1, max_length=1000)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    temperature: Temperature | None = None
    seed: Seed | None = None
    stop: Stop | None = None
    n: Literal[1] | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    response_format: Format | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None


class Item(Form):
    """One item of a response's input: a message, a call of a tool, or what it gave."""

    type: Annotated[str, Field(max_length=50)] | None = None
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: Text | Annotated[list[Part], Field(max_length=100)] | None = None
    call_id: Annotated[str, Field(max_length=200)] | None = None
    name: Annotated[str, Field(max_length=64)] | None = None
    arguments: Text | None = None
    output: Text | None = None


class ResponseFormat(Form):
    """The form of a response's text."""

    type: Literal["text", "json_object", "json_schema"]
    name: Annotated[str, Field(max_length=64)] = "answer"
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class ResponseText(Form):
    """The text of a response."""

    format: ResponseFormat | None = None


class ResponseTool(Function):
    """A function that a response may call."""

    type: Literal["function"]


class NamedResponseTool(Form):
    """The tool that a response must call."""

    type: Literal["function"]
    name: Annotated[str, Field(max_length=64)]


class ResponseRequest(Form):
    """POST /v1/responses."""

    model: Model
    input: Text | Annotated[list[Item], Field(min_length=1, max_length=1000)]
    instructions: Text | None = None
    stream: bool | None = None
    max_output_tokens: Positive | None = None
    temperature: Temperature | None = None
    text: ResponseText | None = None
    tools: Annotated[list[ResponseTool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedResponseTool | None = None
    previous_response_id: Annotated[str, Field(max_length=200)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None


class EmbeddingRequest(Form):
    """POST /v1/embeddings."""

    model: Model | None = None
    input: (
        Annotated[Text, Field(min_length=1)] | Annotated[list[Annotated[Text, Field(min_length=1)]], Field(min_length=1, max_length=2048)]
    )
    encoding_format: Literal["float", "base64"] | None = None
    input_type: Literal["query", "document"] | None = None


class RerankDocument(Form):
    """A text to be ranked."""

    text: Text


class RerankRequest(Form):
    """POST /v1/rerank."""

    model: Model | None = None
    query: Annotated[Text, Field(min_length=1)]
    documents: Annotated[list[Text | RerankDocument], Field(min_length=1, max_length=1000)]
    top_n: Positive | None = None
    return_documents: bool | None = None


class SearchRequest(Form):
    """POST /v1/search."""

    query: Annotated[Text, Field(min_length=1)]
    max_num_results: Annotated[int, Field(ge=1, le=100)] | None = None
    where: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=20)] = []


class FeedbackRequest(Form):
    """POST /v1/feedback."""

    answer: Annotated[str, Field(min_length=1, max_length=200, description="the id that came with the answer")]
    thumb: Literal["up", "down"] | None = None
    correction: Text | None = None
    reason: Text | None = None


class TakeRequest(Form):
    """POST /v1/feedback/take."""

    answer: Annotated[str, Field(min_length=1, max_length=200)]
    to: Annotated[Literal["case", "example"], Field(alias="as")]
    question: Text | None = None
