"""Several LoRA adapters on one loaded base model, one of them or none in use at a time.

It refuses adapters that don't fit the base, and never merges one into it: adding and subtracting would leave traces, so
that answers came to depend on which adapters were loaded before.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from rung.errors import ModelError
from rung.models.folder import adapter_hash, check_adapter


class Adapters:
    """Callers hold the engine's lock: loading and switching change the model that the decoding loop runs."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._wrapped: Any = None  # peft's wrapper; its layers live inside the model, which is still run directly
        self._loaded: set[str] = set()
        self._current: str | None = ""  # None: unknown, since loading switches layers on

    def load(self, folder: Path) -> str:
        """The adapter's name, which is its hash; loading it twice costs nothing. ModelError where it does not fit."""
        check_adapter(folder)
        name = adapter_hash(folder)[:32]
        if name not in self._loaded:
            _check_kind(folder)
            self._attach(folder, name)
            self._loaded.add(name)
            self._current = None
        return name

    def use(self, name: str) -> None:
        """Answer with this adapter from now on; "" is the bare base model."""
        if name == self._current:
            return
        if name:
            self._wrapped.base_model.enable_adapter_layers()
            self._wrapped.set_adapter(name, inference_mode=True)
        elif self._wrapped is not None:
            self._wrapped.base_model.disable_adapter_layers()
        self._current = name

    def _attach(self, folder: Path, name: str) -> None:
        from peft import PeftModel

        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", category=FutureWarning)  # peft reads a name that transformers will drop
                warnings.filterwarnings("error", message=".*missing adapter keys.*")
                if self._wrapped is None:
                    self._wrapped = PeftModel.from_pretrained(self._model, str(folder), adapter_name=name).eval()
                else:
                    self._wrapped.load_adapter(str(folder), adapter_name=name)
        except (RuntimeError, ValueError, KeyError, UserWarning) as error:
            hint = "an adapter only fits the base model that it was trained on"
            raise ModelError(f"the adapter at {folder} does not fit the model: {str(error).splitlines()[0]}", hint) from error


def _check_kind(folder: Path) -> None:
    kind = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8")).get("peft_type")
    if kind != "LORA":
        raise ModelError(f"the adapter at {folder} is of kind {kind}, only LORA can be served", "train it as LoRA, or merge it into its base model")
