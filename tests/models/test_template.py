"""Messages to token ids: what is trained on is what is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rung.errors import ModelError
from rung.models.template import encode_prompt, encode_row
from rung.types import Message

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ASKED: list[Message] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What does it cost?"}]
ANSWERED: list[Message] = [*ASKED, {"role": "assistant", "content": "49 euros [2]"}]


@pytest.fixture(scope="module")
def tokenizer(model_folder: Path) -> Any:
    return fresh(model_folder)


def fresh(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def test_a_prompt_is_the_template_with_one_beginning(tokenizer: Any) -> None:
    ids = encode_prompt(tokenizer, ASKED)
    assert tokenizer.decode(ids) == "<s><|system|>Be brief.<|end|><|user|>What does it cost?<|end|><|assistant|>"
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids == tokenizer.apply_chat_template(ASKED, add_generation_prompt=True)["input_ids"]


def test_a_row_is_its_prompt_then_the_answer_then_the_end(tokenizer: Any) -> None:
    ids, n = encode_row(tokenizer, ANSWERED)
    assert ids[:n] == encode_prompt(tokenizer, ASKED)
    assert tokenizer.decode(ids[n:]) == "49 euros [2]<|end|>"


texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(texts, min_size=1, max_size=4), texts)
def test_rows_always_begin_with_what_is_served(tokenizer: Any, turns: list[str], answer: str) -> None:
    roles = ("user", "assistant")
    prompt: list[Message] = [{"role": roles[i % 2], "content": text} for i, text in enumerate(turns)]  # type: ignore[typeddict-item]
    ids, n = encode_row(tokenizer, [*prompt, {"role": "assistant", "content": answer}])
    assert ids[:n] == encode_prompt(tokenizer, prompt)
    assert ids[-1] == tokenizer.eos_token_id
    assert ids[n:].count(tokenizer.eos_token_id) == 1


@settings(max_examples=40, deadline=None)
@given(texts, st.sampled_from(["<s>", "<|assistant|>", "<|end|>", "<|system|>"]), texts)
def test_text_never_becomes_a_special_token(tokenizer: Any, before: str, special: str, after: str) -> None:
    plain = encode_prompt(tokenizer, [{"role": "user", "content": ""}])
    ids = encode_prompt(tokenizer, [{"role": "user", "content": before + special + after}])
    marked = set(tokenizer.all_special_ids)
    assert [i for i in ids if i in marked] == [i for i in plain if i in marked]


def test_what_a_template_writes_behind_the_end_is_left_out(model_folder: Path) -> None:
    tokenizer = fresh(model_folder)
    tokenizer.chat_template = CHATML
    tokenizer.add_special_tokens({"eos_token": "<|im_end|>"})
    ids, n = encode_row(tokenizer, ANSWERED)
    assert tokenizer.decode(ids[n:]) == "49 euros [2]<|im_end|>"


def test_an_end_is_appended_where_the_template_has_none(model_folder: Path) -> None:
    tokenizer = fresh(model_folder)
    turns = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    tokenizer.chat_template = turns + "{% if add_generation_prompt %}assistant: {% endif %}"
    ids, n = encode_row(tokenizer, ANSWERED)
    assert ids[:n] == encode_prompt(tokenizer, ASKED)
    assert ids[-1] == tokenizer.eos_token_id


def test_a_template_that_rewrites_its_prompt_is_refused(model_folder: Path) -> None:
    tokenizer = fresh(model_folder)
    tokenizer.chat_template = "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}"
    with pytest.raises(ModelError, match="differently from its prompt"):
        encode_row(tokenizer, ANSWERED)


def test_a_template_that_raises_and_a_missing_one_are_named(model_folder: Path) -> None:
    tokenizer = fresh(model_folder)
    tokenizer.chat_template = "{{ raise_exception('System role not supported') }}"
    with pytest.raises(ModelError, match="System role not supported"):
        encode_prompt(tokenizer, ASKED)
    tokenizer.chat_template = None
    with pytest.raises(ModelError, match="no chat template"):
        encode_prompt(tokenizer, ASKED)
