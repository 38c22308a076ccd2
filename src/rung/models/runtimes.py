"""Models as those who get an export run them: llama.cpp for a GGUF file, transformers and peft for a folder.

Nothing of our own engine is in them: they render, tokenize and decode by what the files say. They are for checking, not for
speed, and refuse to load what their library refuses. Each keeps what it read of every prompt and what it would say first.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import MissingExtra, ModelError
from rung.models.local import LocalModel
from rung.models.template import encode_prompt
from rung.types import Messages, Reply, Settings, Usage

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class First:
    """A prompt as the runtime read it, and the logits of what comes next, shape (vocabulary,), float32."""

    ids: tuple[int, ...]
    logits: NDArray[Any]


@dataclass(frozen=True)
class Traced:
    """The adapter on our engine, with what comes first after every prompt it was given."""

    model: LocalModel
    firsts: dict[str, First] = field(default_factory=dict)  # by the prompt's name

    @property
    def id(self) -> str:
        return self.model.id

    @property
    def adapter(self) -> str:
        return self.model.adapter

    @property
    def window(self) -> int:
        return self.model.window

    def count(self, messages: Messages) -> int:
        return self.model.count(messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        """Answers, after each prompt was read once more for its logits."""
        engine = self.model.engine
        for messages in prompts:
            ids = encode_prompt(engine.tokenizer, messages)
            self.firsts[prompt_name(messages)] = First(tuple(ids), engine.logits(self.model.adapter, ids)[-1].cpu().numpy())
        yield from self.model.stream(prompts, settings)


@dataclass(frozen=True)
class Alongside:
    """An exported model that is given the very prompts that ours is given: ours decides what fits."""

    ours: LocalModel
    theirs: LlamaCpp | Transformers

    @property
    def id(self) -> str:
        return self.theirs.id

    @property
    def firsts(self) -> dict[str, First]:
        """What it read and would say first, by prompt."""
        return self.theirs.firsts

    @property
    def window(self) -> int:
        return self.ours.window

    def count(self, messages: Messages) -> int:
        return self.ours.count(messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        """The exported model's answers."""
        return self.theirs.stream(prompts, settings)


@dataclass(frozen=True)
class LlamaCpp:
    """A GGUF file in llama.cpp, with an adapter's file on it or without; keys and values in float32."""

    file: Path
    llama: Any  # llama_cpp.Llama
    firsts: dict[str, First] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return hashlib.sha256(f"{self.file} {self.file.stat().st_mtime_ns}".encode()).hexdigest()

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        """Greedy answers, one after the other, by the file's own template."""
        for number, messages in enumerate(prompts):
            started, seen = time.perf_counter(), list[First]()

            def look(ids: Any, scores: Any, seen: list[First] = seen) -> Any:
                if not seen:
                    seen.append(First(tuple(int(one) for one in ids), scores.copy()))
                return scores

            try:
                said = self.llama.create_chat_completion(
                    messages=list(messages), temperature=0.0, repeat_penalty=1.0, max_tokens=settings.max_tokens, logits_processor=[look]
                )
            except (ValueError, RuntimeError, KeyError) as error:
                raise ModelError(f"llama.cpp can't answer with {self.file.name}: {error}", "the file is not whole") from error
            self.firsts[prompt_name(messages)] = seen[0]
            choice, usage = said["choices"][0], said["usage"]
            used = Usage(usage["prompt_tokens"], usage["completion_tokens"])
            yield number, Reply(choice["message"]["content"] or "", used, time.perf_counter() - started, choice["finish_reason"])


@dataclass(frozen=True)
class Transformers:
    """A folder in transformers, with an adapter by peft on it or without, answering greedily in float32."""

    folder: Path
    tokenizer: Any
    model: Any
    firsts: dict[str, First] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return hashlib.sha256(f"{self.folder}".encode()).hexdigest()

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        """Greedy answers, one after the other."""
        import torch

        for number, messages in enumerate(prompts):
            started, ids = time.perf_counter(), self._ids(messages)
            with torch.inference_mode():
                given = torch.tensor([ids])
                logits = self.model(input_ids=given).logits[0, -1].float().numpy()
                made = self.model.generate(
                    input_ids=given, attention_mask=torch.ones_like(given), do_sample=False, max_new_tokens=settings.max_tokens
                )[0, len(ids) :].tolist()
            self.firsts[prompt_name(messages)] = First(tuple(ids), logits)
            text = self.tokenizer.decode(made, skip_special_tokens=True)
            yield number, Reply(text, Usage(len(ids), len(made)), time.perf_counter() - started)

    def _ids(self, messages: Messages) -> list[int]:
        text = self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def open_llama_cpp(file: Path, adapter: Path | None = None, threads: int = 0) -> LlamaCpp:
    """A GGUF file in llama.cpp. ModelError where it does not load, MissingExtra without llama-cpp-python."""
    try:
        from llama_cpp import Llama
    except ImportError as error:
        raise MissingExtra("running GGUF", "gguf") from error
    logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)
    threads = threads or int(os.environ.get("OMP_NUM_THREADS") or 0) or len(os.sched_getaffinity(0))
    lora = str(adapter) if adapter else None
    try:
        llama = Llama(str(file), n_ctx=0, n_threads=threads, n_threads_batch=threads, lora_path=lora, type_k=0, type_v=0, verbose=False)
    except (ValueError, RuntimeError, AssertionError) as error:
        what = f"{file.name}{f' with {adapter.name}' if adapter else ''}"
        raise ModelError(f"llama.cpp can't load {what}: {error}", "the file is not whole, or not for this base") from error
    return LlamaCpp(file, llama)


def open_transformers(folder: Path, adapter: Path | None = None) -> Transformers:
    """A model folder in transformers, in float32 on the CPU, with an adapter by peft, whose tokenizer counts if it brings one.

    ModelError where it does not load.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as told

    told.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        own = adapter if adapter and (adapter / "tokenizer.json").exists() else folder
        tokenizer = AutoTokenizer.from_pretrained(str(own))
        model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32, use_safetensors=True)
        if adapter:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(adapter))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"transformers can't load {folder.name}: {str(error).splitlines()[0]}", "the files are not whole") from error
    return Transformers(folder, tokenizer, model.eval())


def prompt_name(messages: Messages) -> str:
    """The hash of what is asked, by which two runtimes' readings are compared."""
    return hashlib.sha256(repr([(one["role"], one["content"]) for one in messages]).encode()).hexdigest()
