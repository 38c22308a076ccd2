"""What adapters cost when they are served: none, one merged, one beside the base, several in one queue; peft runs beside us.

Every side answers the same prompts greedily with the same number of threads, in float32 on a CPU. peft is measured twice,
one adapter after the other and all in one batch (`adapter_names`), and the faster one counts. It refuses to hide what is
slower: each mode's overhead against the bare base is printed, whatever it is.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from rung.models import bundled
from rung.models.cores import free_cores
from rung.models.local import LocalModel, open_local
from rung.models.merge import write_merged
from rung.models.template import encode_prompt
from rung.types import Message, Reply, Settings

SEVERAL = 4
TOKENS = 24
Answers = dict[int, tuple[str, int]]  # prompt → text and tokens


def run(small: bool) -> dict[str, float]:
    """Print a table and return its figures. `ratio` is ours with several adapters over peft's best, tokens a second."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    warnings.simplefilter("ignore")
    torch.set_num_threads(free_cores())
    base, count, repeats = bundled.folder("tiny"), 32 if small else 128, 2 if small else 5
    prompts = [_prompt(number) for number in range(count)]
    with tempfile.TemporaryDirectory() as scratch:
        adapters = [_adapter(base, Path(scratch) / f"a{seed}", seed) for seed in range(SEVERAL)]
        merged = write_merged(base, adapters[0], Path(scratch) / "merged", "f32")
        sides = _sides(base, adapters, merged, prompts)
        print(f"{count} single prompts at once, {TOKENS} tokens each, {free_cores()} threads; {SEVERAL} adapters where several")
        print(f"{'mode':<34}{'tokens/s':>10}{'overhead':>10}")
        rates, said = _rates(sides, repeats)
        figures: dict[str, float] = {"threads": free_cores()}
        for name, rate in rates.items():
            print(f"{name:<34}{rate:>10.0f}{rates['base'] / rate - 1:>+10.1%}")
            figures[name.replace(" ", "_").replace(",", "")] = round(rate, 1)
        figures |= _loading(base, adapters)
    equal = [said["several in one queue"][n][0] == said["peft, several in one batch"][n][0] for n in range(count)]
    peers = max(rates["peft, one after the other"], rates["peft, several in one batch"])
    figures["equal_to_peft"] = round(sum(equal) / count, 3)
    figures["ratio_one"] = round(rates["one merged"] / rates["peft, one"], 2)
    figures["ratio"] = round(rates["several in one queue"] / peers, 2)
    print(f"load and answer {figures['load_ms']:.0f} ms, unload {figures['unload_ms']:.2f} ms; answers as peft's: {sum(equal)}/{count}")
    print(f"several adapters against peft's best: {figures['ratio']:.2f}; one: {figures['ratio_one']:.2f}")
    return figures


def _sides(base: Path, adapters: list[Path], merged: Path, prompts: list[list[Message]]) -> dict[str, Callable[[], Answers]]:
    plain: dict[str, object] = {"prefix_mib": 0}
    beside: dict[str, object] = {"prefix_mib": 0, "packed_mib": 0}  # adapters as additions to each layer, weights shared
    one, hooked = open_local(base, adapters[0], **plain), open_local(base, adapters[0], **beside)
    several, several_hooked = ([open_local(base, folder, **options) for folder in adapters] for options in (plain, beside))
    tokenizer, model = _peft(base, adapters)
    return {
        "base": lambda: _ours([open_local(base, **plain)], prompts),
        "base, weights shared": lambda: _ours([open_local(base, **beside)], prompts),
        "one merged": lambda: _ours([one], prompts),
        "one merged into a folder": lambda: _ours([open_local(merged, **plain)], prompts),
        "one beside the base": lambda: _ours([hooked], prompts),
        "several in one queue": lambda: _ours(several, prompts),
        "several beside the base": lambda: _ours(several_hooked, prompts),
        "peft, one": lambda: _theirs(tokenizer, model, prompts, lambda n: 0, mixed=False),
        "peft, one after the other": lambda: _theirs(tokenizer, model, prompts, lambda n: n % SEVERAL, mixed=False),
        "peft, several in one batch": lambda: _theirs(tokenizer, model, prompts, lambda n: n % SEVERAL, mixed=True),
    }


def _rates(sides: dict[str, Callable[[], Answers]], repeats: int) -> tuple[dict[str, float], dict[str, Answers]]:
    """Median tokens a second of each side, measured in turns; the first round, which loads, is not counted."""
    said = {name: side() for name, side in sides.items()}
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            started = time.perf_counter()
            answers = side()
            rates[name].append(sum(tokens for _, tokens in answers.values()) / (time.perf_counter() - started))
    return {name: median(held) for name, held in rates.items()}, said


def _ours(models: list[LocalModel], prompts: list[list[Message]]) -> Answers:
    """One call a prompt, as they come to a server, each for its own adapter."""

    def ask(number: int) -> tuple[str, int]:
        replies = [one for _, one in models[number % len(models)].stream([prompts[number]], Settings(TOKENS)) if isinstance(one, Reply)]
        return replies[0].text, replies[0].usage.completion

    with ThreadPoolExecutor(len(prompts)) as pool:
        return dict(enumerate(pool.map(ask, range(len(prompts)))))


def _theirs(tokenizer: Any, model: Any, prompts: list[list[Message]], adapter: Callable[[int], int], *, mixed: bool) -> Answers:
    """Batches of 16, padded on the left; by adapter, or mixed."""
    import torch

    order = sorted(range(len(prompts)), key=lambda n: (0 if mixed else adapter(n), n))
    answers: Answers = {}
    while order:
        first = adapter(order[0])
        batch = [n for n in order[:16] if mixed or adapter(n) == first]
        order = order[len(batch) :]
        ids = [encode_prompt(tokenizer, prompts[n]) for n in batch]
        longest = max(map(len, ids))
        given = torch.tensor([[tokenizer.pad_token_id] * (longest - len(one)) + one for one in ids])
        mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in ids])
        named: dict[str, Any] = {"adapter_names": [f"a{adapter(n)}" for n in batch]} if mixed else {}
        if not mixed:
            model.set_adapter(f"a{first}")
        with torch.inference_mode():
            made = model.generate(input_ids=given, attention_mask=mask, do_sample=False, max_new_tokens=TOKENS, **named)[:, longest:]
        for n, row in zip(batch, made.tolist(), strict=True):
            end = row.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in row else len(row)
            answers[n] = tokenizer.decode(row[:end], skip_special_tokens=True), end
    return answers


def _loading(base: Path, adapters: list[Path]) -> dict[str, float]:
    """Milliseconds until an adapter that is not there has answered its first token, and to unload it; medians."""
    loads, unloads = [], []
    for folder in adapters:
        model = open_local(base, folder, prefix_mib=0)
        started = time.perf_counter()
        model.engine.unload_adapter(model.adapter)
        unloads.append(time.perf_counter() - started)
        started = time.perf_counter()
        list(model.stream([_prompt(0)], Settings(1)))
        loads.append(time.perf_counter() - started)
    return {"load_ms": round(1000 * median(loads), 2), "unload_ms": round(1000 * median(unloads), 3)}


def _prompt(number: int) -> list[Message]:
    random = Random(f"adapters/{number}")
    text = " ".join(f"Part {random.randrange(1000)} costs {random.randrange(1000)} euros." for _ in range(random.randrange(2, 8)))
    return [{"role": "user", "content": f"[1] {text}\n\nQuestion: What does part {number} cost?"}]


def _adapter(base: Path, folder: Path, seed: int) -> Path:
    """LoRA of rank 16 on all linear layers, too faint to keep the model from ending its answers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype="float32"), config)
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            parameter.data.mul_(0.1)
    tuned.save_pretrained(str(folder))
    return folder


def _peft(base: Path, adapters: list[Path]) -> tuple[Any, Any]:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype="float32"), str(adapters[0]), adapter_name="a0")
    for number, folder in enumerate(adapters[1:], 1):
        model.load_adapter(str(folder), adapter_name=f"a{number}")
    return AutoTokenizer.from_pretrained(str(base)), model.eval()
