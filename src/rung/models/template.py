"""Turns messages into token ids, the same way for training as for serving, so that the two can't drift apart.

It refuses models without a chat template. Text inside a message never becomes a special token: a document that holds
`<|assistant|>` can't open a turn of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rung.errors import ModelError

if TYPE_CHECKING:
    from rung.types import Message, Messages

Tokenizer = Any  # transformers.PreTrainedTokenizerBase, which is heavy to import for a name


def encode_prompt(tokenizer: Tokenizer, messages: Messages) -> list[int]:
    """Token ids of the prompt, up to where the assistant begins to speak. ModelError where the template refuses."""
    return _ids(tokenizer, _render(tokenizer, messages, open_turn=True))


def encode_row(tokenizer: Tokenizer, messages: Messages) -> tuple[list[int], int]:
    """Token ids of a training row and how many of them are prompt; the last message is the assistant's target.

    `ids[:n]` equals `encode_prompt(tokenizer, messages[:-1])`, and the row ends with the token that ends the turn.
    ModelError where the chat template does not continue a prompt with its answer.
    """
    prompt_text = _render(tokenizer, messages[:-1], open_turn=True)
    row_text = _render(tokenizer, messages, open_turn=False)
    prompt = _ids(tokenizer, prompt_text)
    if not row_text.startswith(prompt_text):
        raise ModelError(
            "the chat template of this model renders an answered conversation differently from its prompt",
            "training on it would not match serving: give the model folder a chat_template.jinja that only appends the answer",
        )
    ids = _ids(tokenizer, row_text)
    if ids[: len(prompt)] != prompt:  # a token spans the border, which can't happen when the model speaks by itself
        ids = prompt + _ids(tokenizer, row_text[len(prompt_text) :])
    return _ended(ids, len(prompt), tokenizer.eos_token_id), len(prompt)


def encode_text(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of raw text, in which nothing is a special token."""
    return _ids(tokenizer, _inert(tokenizer, text))


def _ended(ids: list[int], start: int, end: int | None) -> list[int]:
    """The row cut behind the last end-of-turn token of its answer, or with one appended where the template has none."""
    if end is None:
        raise ModelError("the tokenizer names no end-of-sequence token", "set eos_token in tokenizer_config.json")
    for last in range(len(ids) - 1, start - 1, -1):
        if ids[last] == end:
            return ids[: last + 1]
    return [*ids, end]


def _render(tokenizer: Tokenizer, messages: Messages, *, open_turn: bool) -> str:
    import jinja2

    if not tokenizer.chat_template:
        raise ModelError(
            "the model folder has no chat template",
            "use an instruction-tuned model, or put a chat_template.jinja beside its tokenizer.json",
        )
    plain: list[Message] = [{"role": message["role"], "content": _inert(tokenizer, message["content"])} for message in messages]
    try:
        return str(tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=open_turn))
    except jinja2.TemplateError as error:
        raise ModelError(
            f"the model's chat template refuses these messages: {error}",
            "some templates know no system message, or want user and assistant to take turns",
        ) from error


def _inert(tokenizer: Tokenizer, text: str) -> str:
    """The text with a space put into every spelling of a special token, so that it reads as plain text."""
    for token in (one.content for one in tokenizer.added_tokens_decoder.values() if one.special):
        if token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    # The template has written the beginning-of-sequence token itself: adding special tokens would double it.
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
