"""Our decoding loop against transformers' own `generate`, on the same weights: tokens a second, up to each answer's end.

It refuses to let either side skip work: both answer greedily, with the same number of threads, in float32 on a CPU, and the
share of answers whose text is the same is printed beside the speed.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from rung.errors import ModelError
from rung.models import bundled
from rung.models.cores import free_cores
from rung.models.local import LocalModel, open_local
from rung.models.template import encode_prompt
from rung.types import Message, Reply, Settings

_PASSAGE = "The Skerry sensor costs 49 euros a month and is replaced within five working days. "
_TEMPLATE = (
    "<s>{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

Answers = list[tuple[str, int]]  # text and number of tokens up to its end


@dataclass(frozen=True)
class Workload:
    """Prompts answered at once: with an adapter or without, behind a common prefix worth keeping or with nothing kept."""

    name: str
    prompts: list[list[Message]]
    adapter: bool = False
    shared: bool = False


def run(small: bool) -> dict[str, float]:
    """Print a table and return its figures. `ratio` is ours over the best peer's, the lowest of all workloads and models."""
    figures: dict[str, float] = {"threads": free_cores()}
    _quiet()
    print(f"tokens/s with {figures['threads']} threads; peers: generate of transformers, of peft, after merging, and from a kept prefix")
    print(f"{'model':<9}{'workload':<15}{'ours':>8}{'generate':>10}{'peft':>8}{'merged':>8}{'prefix':>8}{'ratio':>8}{'equal':>7}")
    with tempfile.TemporaryDirectory() as scratch:
        for model, folder in _folders(Path(scratch)).items():
            adapter = _save_adapter(folder, Path(scratch) / f"adapter of {model}")
            for workload in _workloads(folder, small):
                found = _measure(folder, adapter if workload.adapter else None, workload, small, int(figures["threads"]))
                cells = "".join(f"{found.get(name, 0):>{8 + 2 * (name == 'generate')}.0f}" for name in ("ours", *_PEERS))
                print(f"{model:<9}{workload.name:<15}{cells}{found['ratio']:>8.2f}{found['equal']:>7.2f}", flush=True)
                figures |= {f"{model}_{workload.name}_{name}": round(value, 3) for name, value in found.items()}
    return figures | {"ratio": min(value for name, value in figures.items() if name.endswith("_ratio"))}


def _quiet() -> None:
    """Transformers' progress bars and peft's warnings of what will change are not about us."""
    import warnings

    from transformers.utils import logging

    logging.disable_progress_bar()
    warnings.simplefilter("ignore", FutureWarning)


_PEERS = ("generate", "peft", "merged", "prefix")


def _workloads(folder: Path, small: bool) -> list[Workload]:
    def asked(number: int, context: str) -> list[Message]:
        return [{"role": "user", "content": f"{context}Question {number + 10}: who approves what?"}]

    own = [asked(number, f"Passage {number}: " + _PASSAGE * (1 + number % 5)) for number in range(16)]
    long = _PASSAGE * (4 if small else 16)
    return [
        Workload("batch16", own),
        Workload("batch1", own[:1]),
        Workload("shared_prefix", [asked(n, long) for n in range(16)], shared=True),
        Workload("adapter16", own, adapter=True),
        Workload("passages", [asked(n, context) for n, context in enumerate(_contexts(folder))], adapter=True),
    ]


def _contexts(folder: Path) -> list[str]:
    """Sixteen texts that begin differently, of 100 to 900 tokens, longest first."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    random, words, texts = Random(0), _PASSAGE.split(), list[str]()
    for size in range(900, 99, -50):
        ids = tokenizer(" ".join(random.choices(words, k=size)), add_special_tokens=False)["input_ids"]
        texts.append(tokenizer.decode(ids[:size]) + ". ")
    return texts[:16]


def _measure(folder: Path, adapter: Path | None, workload: Workload, small: bool, threads: int) -> dict[str, float]:
    """Tokens a second of each contestant, the best of several rounds in which they take turns; `ratio` and `equal`."""
    import torch

    torch.set_num_threads(threads)
    settings = Settings(max_tokens=16 if small else 48)
    # Each round of ours starts without kept blocks, but in `shared_prefix`, where finding them again is the point.
    ours = open_local(folder, adapter, threads=threads, device="cpu", prefix_mib=512 if workload.shared else 0)
    contestants: dict[str, Callable[[], Answers]] = {"ours": lambda: _ours(ours, workload, settings)}
    contestants |= _peers(folder, adapter, workload, settings)
    best, answers = dict.fromkeys(contestants, 0.0), dict[str, Answers]()
    for _ in range(3):  # the first round warms up, and can hardly win
        for name, answer in contestants.items():
            begun = time.perf_counter()
            answers[name] = answer()
            best[name] = max(best[name], sum(tokens for _, tokens in answers[name]) / (time.perf_counter() - begun))
    others = [name for name in contestants if name != "ours"]
    equal = sum(one == two for one, two in zip(answers["ours"], answers[others[0]], strict=True)) / len(workload.prompts)
    return best | {"ratio": best["ours"] / max(best[name] for name in others), "equal": equal}


def _ours(model: LocalModel, workload: Workload, settings: Settings) -> Answers:
    replies = {number: item for number, item in model.stream(workload.prompts, settings) if isinstance(item, Reply)}
    return [(replies[number].text, replies[number].usage.completion) for number in range(len(replies))]


def _peers(folder: Path, adapter: Path | None, workload: Workload, settings: Settings) -> dict[str, Callable[[], Answers]]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    def model() -> Any:
        return AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    rows = [encode_prompt(tokenizer, prompt) for prompt in workload.prompts]
    if adapter:
        from peft import PeftModel

        tuned, merged = (
            PeftModel.from_pretrained(model(), str(adapter)),
            PeftModel.from_pretrained(model(), str(adapter)).merge_and_unload(),
        )
        return {"peft": lambda: _generate(tuned, tokenizer, rows, settings), "merged": lambda: _generate(merged, tokenizer, rows, settings)}
    plain = model()
    peers: dict[str, Callable[[], Answers]] = {"generate": lambda: _generate(plain, tokenizer, rows, settings)}
    if workload.shared:
        kept = _kept(plain, rows)
        peers["prefix"] = lambda: _generate(plain, tokenizer, rows, settings, kept)
    return peers


def _kept(model: Any, rows: list[list[int]]) -> Any:
    """What all prompts have in common, computed once, as transformers documents it for its caches; nobody is charged."""
    import torch
    from transformers import DynamicCache

    length = next(i for i, column in enumerate(zip(*rows, strict=False)) if len(set(column)) > 1)
    kept = DynamicCache(config=model.config)
    with torch.inference_mode():
        model(torch.tensor([rows[0][:length]]), past_key_values=kept, use_cache=True, logits_to_keep=1)
    return kept


def _generate(model: Any, tokenizer: Any, rows: list[list[int]], settings: Settings, kept: Any = None) -> Answers:
    """Answers of `generate` in batches of 16, padded on the left, each up to its end."""
    import torch

    answers: Answers = []
    for batch in (rows[start : start + 16] for start in range(0, len(rows), 16)):
        cache = copy.deepcopy(kept)
        if cache is not None:
            cache.batch_repeat_interleave(len(batch))
        width, end = max(map(len, batch)), tokenizer.eos_token_id
        ids = torch.tensor([[end] * (width - len(row)) + row for row in batch])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch])
        out = model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=settings.max_tokens, do_sample=False, pad_token_id=end, past_key_values=cache
        )
        new = [answer[: answer.index(end)] if end in answer else answer for answer in out[:, width:].tolist()]
        answers += [(tokenizer.decode(answer, skip_special_tokens=True), len(answer)) for answer in new]
    return answers


def _folders(scratch: Path) -> dict[str, Path]:
    """The bundled model where one is shipped, whose answers are short, and random weights, which babble to the limit."""
    found = {"random": _save_random(scratch / "random")}
    try:
        return {"tiny": bundled.folder("tiny"), **found}
    except ModelError:
        return found


def _save_random(folder: Path) -> Path:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<s>", "<|user|>", "<|assistant|>", "<|end|>"]
    inner = Tokenizer(models.BPE({byte: i for i, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    inner.add_special_tokens(special)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=8192, hidden_size=320, intermediate_size=864, num_hidden_layers=8, num_attention_heads=10, num_key_value_heads=5,
        max_position_embeddings=4096, tie_word_embeddings=True, bos_token_id=256, eos_token_id=259, pad_token_id=259,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="<|end|>", chat_template=_TEMPLATE)
    tokenizer.save_pretrained(folder)
    return folder


def _save_adapter(model: Path, folder: Path) -> Path:
    """LoRA of rank 16 on all linear layers, too faint to keep the model from ending its answers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(model, dtype="float32"), config)
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            parameter.data.mul_(0.1)
    tuned.save_pretrained(str(folder))
    return folder
