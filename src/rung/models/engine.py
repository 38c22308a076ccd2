"""One loaded base model in the process, with the one thread that generates: calls queue, single prompts are batched.

It refuses to load anything but safetensors whose architecture transformers knows, and never runs code from a folder.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rung.errors import ModelError
from rung.models.adapters import Adapters
from rung.models.attention import register
from rung.models.cores import free_cores
from rung.models.decode import Batch, Decoder, Row
from rung.models.folder import check_model, model_hash
from rung.models.forward import Forward, PlainForward
from rung.models.keyvalues import Prefixes, Shape
from rung.types import Reply

if TYPE_CHECKING:
    import torch

MIB = 1 << 20
_ACTIVE = 8  # batches that take turns; more calls wait

Event = tuple[int, str | Reply | Exception]


@dataclass(frozen=True)
class Options:
    """`device` "" takes CUDA or MPS where there is one; `threads` 0 takes the free cores; sizes are in MiB."""

    device: str = ""
    threads: int = 0
    batch: int = 16
    prefix_mib: int = 512  # kept blocks of prompts
    batch_mib: int = 2048  # keys and values of one batch
    packed_mib: int = 2048  # weights laid out for this CPU, one set an adapter; 0 keeps to transformers' own forward pass


@dataclass
class Call:
    """What one caller waits for."""

    adapter: str
    rows: list[Row]
    events: SimpleQueue[Event]
    gone: bool = False


class Engine:
    """Holds model, tokenizer and adapters. `submit` may be called from any thread."""

    def __init__(self, folder: Path, options: Options) -> None:
        check_model(folder)
        self.hash, self.options = model_hash(folder), options
        self.tokenizer, model = _load(folder, _device(options.device))
        self._model = model
        self.window = _window(model.config, self.tokenizer)
        self.lock = threading.Lock()  # held for each step, and by whoever changes the model
        self.adapters = Adapters(model)
        forward = _forward(model, self.adapters, self.window, options.packed_mib * MIB)
        self.decoder = Decoder(forward, _shape(model), _ends(model, self.tokenizer), Prefixes(options.prefix_mib * MIB))
        self._inbox: SimpleQueue[Call | None] = SimpleQueue()
        self._shared: dict[str, Batch] = {}  # by adapter, of single prompts
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"generation of {folder.name}", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def load_adapter(self, folder: Path) -> str:
        """The name under which calls can ask for the adapter."""
        with self.lock:
            return self.adapters.load(folder)

    def unload_adapter(self, name: str) -> None:
        """Free what an adapter holds. An answer that is being made with it goes on: it is read again."""
        with self.lock:
            self.adapters.unload(name)
            self.decoder.forward.drop(name)

    def logits(self, adapter: str, ids: Sequence[int]) -> torch.Tensor:
        """What follows each token, as transformers computes it: (tokens, vocabulary). For measuring, not for answering."""
        import torch

        with self.lock, torch.inference_mode():
            self.adapters.use(adapter)
            tokens = torch.tensor([list(ids)], device=self.decoder.shape.device)
            past = torch.ones(1, 1, tokens.shape[1], tokens.shape[1], dtype=torch.bool, device=tokens.device).tril()
            found: torch.Tensor = self._model(input_ids=tokens, attention_mask=past, use_cache=False).logits[0]
            return found.float()

    def submit(self, call: Call) -> None:
        """Queue a call; its events arrive on its queue."""
        self._inbox.put(call)

    def close(self) -> None:
        """End the generation thread at its next step. Calls that wait are not answered."""
        self._closing = True
        self._inbox.put(None)
        self._thread.join(timeout=10)
        atexit.unregister(self.close)

    def _run(self) -> None:
        import torch

        if self.decoder.shape.device.type == "cpu":
            torch.set_num_threads(self.options.threads or free_cores())
        batches: list[Batch] = []
        with torch.inference_mode():
            while not self._closing:
                self._admit(batches)
                for batch in batches[:_ACTIVE]:
                    if not self._advance(batch):
                        batches.remove(batch)

    def _admit(self, batches: list[Batch]) -> None:
        """Take in what has arrived: a call of many prompts is a batch by itself, single prompts of one adapter share one."""
        while not batches or not self._inbox.empty():
            call = self._inbox.get()
            if call is None:
                return
            joined = self._shared.get(call.adapter) if len(call.rows) == 1 else None
            if joined not in batches or joined is None:
                joined = Batch(self.decoder, call.adapter, self.options.batch, self.options.batch_mib * MIB)
                batches.append(joined)
            if len(call.rows) == 1:
                self._shared[call.adapter] = joined
            # Longest first: neighbours are of about equal length, and the buffers have their final size at once.
            joined.waiting.extend(sorted(call.rows, key=lambda row: -len(row.ids)))

    def _advance(self, batch: Batch) -> bool:
        """One step of one batch; False when it has ended, well or with an error, which those who wait are given."""
        with _Delivery(batch), self.lock:
            self.decoder.forward.use(batch.adapter)
            return batch.advance()
        return False  # the error has been handed over


@dataclass(frozen=True)
class _Delivery:
    """Gives an error to those who wait for answers, in whose threads it is raised, and lets the thread live on."""

    batch: Batch

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        for row in self.batch.everyone():
            row.send(error)
        return True


def _device(wanted: str) -> str:
    import torch

    if wanted:
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _load(folder: Path, device: str) -> tuple[Any, Any]:
    """Tokenizer and model: float32 on a CPU, where it is fast and exact, bfloat16 on CUDA, float16 on MPS."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    kinds = {"cpu": torch.float32, "mps": torch.float16}
    attention = register() if device == "cpu" else "sdpa"
    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(str(folder))
            model: Any = AutoModelForCausalLM.from_pretrained(
                str(folder), dtype=kinds.get(device, torch.bfloat16), use_safetensors=True, attn_implementation=attention
            )
            return tokenizer, model.to(device).eval()
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        hint = "it must be a causal language model that transformers knows, with all its files; the device must be there"
        raise ModelError(f"the model at {folder} can't be loaded: {str(error).splitlines()[0]}", hint) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars of transformers, which would be written between the lines of ours."""
    logging: Any = import_module("transformers.utils.logging")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _forward(model: Any, adapters: Adapters, window: int, limit: int) -> Forward:
    from rung.models.llama import LlamaForward, suits

    return LlamaForward(model, adapters, window, limit) if suits(model, limit) else PlainForward(model, adapters)


def _shape(model: Any) -> Shape:
    config = model.config.get_text_config()
    if not set(getattr(config, "layer_types", None) or ["full_attention"]) <= {"full_attention", "sliding_attention"}:
        raise ModelError(
            f"models of type {config.model_type} keep another state than keys and values",
            "serve it with any OpenAI-compatible server and name it as endpoint:<model>@<url>",
        )
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return Shape(config.num_hidden_layers, heads, size, model.dtype, model.device)


def _window(config: Any, tokenizer: Any) -> int:
    """Positions the model knows; within its sliding window, if it has one, all attention is full attention."""
    text = config.get_text_config()
    sliding = getattr(text, "sliding_window", None) if getattr(text, "use_sliding_window", True) else None
    return int(min(value for value in (text.max_position_embeddings, sliding, tokenizer.model_max_length) if value))


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    named = [model.config.eos_token_id, model.generation_config.eos_token_id, tokenizer.eos_token_id]
    return frozenset(token for ids in named for token in (ids if isinstance(ids, list) else [ids]) if token is not None)
