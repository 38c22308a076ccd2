"""A chat model in a folder on this machine, alone or with a LoRA adapter, behind the `ChatModel` protocol.

It refuses prompts that don't fit the window, rather than cutting them.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from rung.errors import MissingExtra, ModelError
from rung.models.folder import check_model, model_hash
from rung.models.options import chosen
from rung.models.template import encode_prompt
from rung.types import Messages, Reply, Settings

if TYPE_CHECKING:
    from rung.models.engine import Call, Engine, Event, Options

_engines: dict[tuple[str, Options], Engine] = {}
_loading = threading.Lock()


@dataclass(frozen=True)
class LocalModel:
    """Many of these may share one engine: each is the base with one adapter, or with none ("")."""

    engine: Engine
    adapter: str = ""

    @property
    def id(self) -> str:
        return hashlib.sha256(f"{self.engine.hash}/{self.adapter}".encode()).hexdigest()

    @property
    def window(self) -> int:
        return self.engine.window

    def count(self, messages: Messages) -> int:
        """Tokens of the rendered prompt, exactly."""
        return len(encode_prompt(self.engine.tokenizer, messages))

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        """See the protocol. A call of many prompts is a batch by itself, calls of single prompts share one."""
        _check_settings(settings)
        events: SimpleQueue[Event] = SimpleQueue()
        call = _call(self, [encode_prompt(self.engine.tokenizer, prompt) for prompt in prompts], settings, events)
        return _answers(self.engine, call)


def open_local(folder: Path, adapter: Path | None = None, **options: object) -> LocalModel:
    """A model on the process's engine for this folder. Options: see `engine.Options`. Raises ModelError.

    An adapter that holds all weights, as full fine-tuning makes it, is loaded in place of the folder.
    """
    if adapter and (adapter / "config.json").is_file():
        folder, adapter = adapter, None
    check_model(folder)
    if any(find_spec(name) is None for name in ("torch", "transformers", "safetensors")):
        raise MissingExtra("a model on this machine", "local")
    from rung.models.engine import Engine, Options

    key = (model_hash(folder), chosen(Options, options))
    with _loading:
        if key not in _engines:
            _engines[key] = Engine(folder, key[1])
    engine = _engines[key]
    return LocalModel(engine, engine.load_adapter(adapter) if adapter else "")


def _call(model: LocalModel, prompts: list[list[int]], settings: Settings, events: SimpleQueue[Event]) -> Call:
    from rung.models.decode import Row
    from rung.models.engine import Call
    from rung.models.pieces import Pieces

    engine = model.engine
    call = Call(model.adapter, [], events)
    decode = partial(engine.tokenizer.decode, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    for number, ids in enumerate(prompts):
        _check_window(len(ids), settings.max_tokens, engine.window)
        pieces = Pieces(decode, settings.stop)
        call.rows.append(Row(ids, settings, pieces, partial(_put, events, number), lambda: call.gone))
    return call


def _put(events: SimpleQueue[Event], number: int, item: str | Reply | Exception) -> None:
    events.put((number, item))


def _answers(engine: Engine, call: Call) -> Iterator[tuple[int, str | Reply]]:
    waiting = len(call.rows)
    if waiting:
        engine.submit(call)
    try:
        while waiting:
            number, item = call.events.get()
            if isinstance(item, Exception):
                raise _mended(item)
            waiting -= isinstance(item, Reply)
            yield number, item
    finally:
        call.gone = True


def _mended(error: Exception) -> Exception:
    """Out of memory as an error a user can mend; anything else as it is."""
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "can't allocate memory" in str(error):
        return ModelError(
            "the machine has no memory left for this batch", "set a smaller batch, batch_mib, prefix_mib or packed_mib in [model]"
        )
    return error


def _check_settings(settings: Settings) -> None:
    if settings.max_tokens < 1:
        raise ModelError(f"max_tokens is {settings.max_tokens}", "ask for at least one token")
    if settings.temperature < 0:
        raise ModelError(f"the temperature is {settings.temperature}", "0 is greedy, 1 is the model's own distribution")


def _check_window(prompt: int, most: int, window: int) -> None:
    if prompt + most > window:
        raise ModelError(
            f"the prompt has {prompt} tokens and {most} more may be generated, the model's window is {window}",
            "shorten the prompt (fewer passages, smaller k) or lower max_tokens",
        )
