"""Makes a random Llama of two layers with a byte-level BPE tokenizer and the bundled model's chat template."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL = ["<s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
TEMPLATE = (
    "<s>{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_TEXT = (
    "The Skerry sensor costs 49 euros a month and is replaced within five working days.",
    "Annual leave in Ostrand is twenty-eight days; what is left over on 31 March is lost.",
    "Who approves a purchase above 5,000 euros? The head of finance does, in writing.",
    "Größe, café, naïve, 東京, 🙂 and – dashes – are text as well.",
)


def save_random_model(
    folder: Path, seed: int = 0, window: int = 2048, *, ascii_only: bool = True, layers: int = 2, key_heads: int = 2
) -> Path:
    """Write config.json, model.safetensors, tokenizer.json and the chat template; the folder.

    It babbles, and ends its turn now and then. With `ascii_only` it never says half a UTF-8 character.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer(window)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=key_heads, max_position_embeddings=window, initializer_range=0.3, tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    if ascii_only:
        kept = [index for token, index in tokenizer.get_vocab().items() if _is_ascii(tokenizer.decode([index])) or token == "<|end|>"]
        silent = torch.ones(len(tokenizer), dtype=torch.bool)
        silent[kept] = False
        model.lm_head.weight.data[silent] = 0.0  # among so many others, a logit of 0 is never the largest
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_random_adapter(model: Path, folder: Path, seed: int = 0) -> Path:
    """Write a LoRA adapter that changes what the random model says; the folder."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft reads a name that transformers will drop
        get_peft_model(LlamaForCausalLM.from_pretrained(model), config).save_pretrained(str(folder))
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(settings | {"base_model_name_or_path": None}))
    return folder


def _is_ascii(text: str) -> bool:
    return text.isascii() and text.isprintable() and not text.startswith("<")


def _tokenizer(window: int) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    inner.train_from_iterator(_TEXT, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="<|end|>", pad_token="<|end|>", chat_template=TEMPLATE,
        additional_special_tokens=SPECIAL[1:4], model_max_length=window, clean_up_tokenization_spaces=False,
    )  # fmt: skip
