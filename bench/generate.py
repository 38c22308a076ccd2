"""Our decoding loop against transformers' own `generate`, on the same weights: tokens a second, up to each answer's end.

It refuses to let either side skip work: both answer greedily, with the same number of threads, in float32 on a CPU.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

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

Answers = list[list[int]]


@dataclass(frozen=True)
class Workload:
    """Prompts answered at once, and how many tokens of theirs all have in common in front (0: none worth keeping)."""

    name: str
    prompts: list[list[Message]]
    shared: int = 0


def run(small: bool) -> dict[str, float]:
    """Print a table and return its figures. `ratio` is ours over the best peer's, batches of 16 with prompts of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, threads = _folder(Path(scratch)), free_cores()
        settings = Settings(max_tokens=16 if small else 48)
        figures: dict[str, float] = {"threads": threads}
        print(f"{'workload':<16}{'ours':>10}{'generate':>10}{'+ prefix':>10}{'ratio':>8}   tokens/s, {threads} threads, {folder.name}")
        for workload in _workloads(small):
            speeds = _speeds(folder, workload, settings, threads, repeats=2 if small else 4)
            ratio = speeds["ours"] / max(speed for name, speed in speeds.items() if name != "ours")
            cells = "".join(f"{speeds.get(name, 0):>10.0f}" for name in ("ours", "generate", "generate_prefix"))
            print(f"{workload.name:<16}{cells}{ratio:>8.2f}")
            figures |= {f"{workload.name}_{name}": round(speed, 1) for name, speed in speeds.items()}
            figures[f"{workload.name}_ratio"] = round(ratio, 3)
    return figures | {"ratio": figures["batch16_ratio"]}


def _workloads(small: bool) -> list[Workload]:
    def asked(number: int, context: str) -> list[Message]:
        return [{"role": "user", "content": f"{context}Question {number + 10}: who approves what?"}]

    own = [asked(number, f"Passage {number}: " + _PASSAGE * (1 + number % 5)) for number in range(16)]
    long = _PASSAGE * (4 if small else 16)
    return [Workload("batch16", own), Workload("batch1", own[:1]), Workload("shared_prefix", [asked(n, long) for n in range(16)], 128)]


def _speeds(folder: Path, workload: Workload, settings: Settings, threads: int, repeats: int) -> dict[str, float]:
    """Tokens a second of each contestant: the best of several rounds, in which they take turns."""
    import torch

    torch.set_num_threads(threads)
    # Each round of ours starts without kept blocks, but in `shared_prefix`, where finding them again is the point.
    ours = open_local(folder, threads=threads, device="cpu", prefix_mib=512 if workload.shared else 0)
    peer = _Peer(ours.engine.decoder.model, ours.engine.tokenizer, settings)
    contestants: dict[str, Callable[[], int]] = {
        "ours": lambda: _ours(ours, workload, settings),
        "generate": lambda: peer.answer(workload.prompts),
    }
    if workload.shared:
        peer.keep(workload.prompts)
        contestants["generate_prefix"] = lambda: peer.answer_kept(workload.prompts)
    best = dict.fromkeys(contestants, 0.0)
    for _ in range(repeats + 1):  # the first round warms up, and can hardly win
        for name, answer in contestants.items():
            begun = time.perf_counter()
            tokens = answer()
            best[name] = max(best[name], tokens / (time.perf_counter() - begun))
    return best


def _ours(model: LocalModel, workload: Workload, settings: Settings) -> int:
    return sum(item.usage.completion for _, item in model.stream(workload.prompts, settings) if isinstance(item, Reply))


@dataclass
class _Peer:
    """`generate` of transformers, plain or continuing from a prefix that was computed once."""

    model: Any
    tokenizer: Any
    settings: Settings
    kept: Any = None
    length: int = 0

    def answer(self, prompts: Sequence[list[Message]]) -> int:
        return self._generate([encode_prompt(self.tokenizer, prompt) for prompt in prompts])

    def keep(self, prompts: Sequence[list[Message]]) -> None:
        """Compute what all prompts have in common, once, as transformers documents it for its caches."""
        import torch
        from transformers import DynamicCache

        rows = [encode_prompt(self.tokenizer, prompt) for prompt in prompts]
        self.length = next(i for i, column in enumerate(zip(*rows, strict=False)) if len(set(column)) > 1)
        self.kept = DynamicCache(config=self.model.config)
        with torch.inference_mode():
            self.model(torch.tensor([rows[0][: self.length]]), past_key_values=self.kept, use_cache=True, logits_to_keep=1)

    def answer_kept(self, prompts: Sequence[list[Message]]) -> int:
        import copy

        cache = copy.deepcopy(self.kept)
        cache.batch_repeat_interleave(len(prompts))
        return self._generate([encode_prompt(self.tokenizer, prompt) for prompt in prompts], past_key_values=cache)

    def _generate(self, rows: Answers, **options: Any) -> int:
        """Answer rows padded on the left; tokens up to each one's end."""
        import torch

        width, end = max(map(len, rows)), self.tokenizer.eos_token_id
        ids = torch.tensor([[end] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        out = self.model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=self.settings.max_tokens, do_sample=False, pad_token_id=end, **options
        )
        return sum(len(answer) if end not in answer else answer.index(end) for answer in cast(Answers, out[:, width:].tolist()))


def _folder(scratch: Path) -> Path:
    """The bundled model, or random weights of about its size where none is shipped."""
    try:
        return bundled.folder("tiny")
    except ModelError:
        return _save_random(scratch / "random")


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
