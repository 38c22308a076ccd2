"""Any sentence-transformers model through transformers. It refuses remote code, pickled weights and poolings it can't do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import KnowledgeError

if TYPE_CHECKING:
    from rung.types import Vectors

POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}
QUERY_PROMPTS, PASSAGE_PROMPTS = ("query", "search_query"), ("passage", "document", "search_document")


@dataclass(frozen=True)
class Forward:
    """Rows of token ids to unit vectors, one row at a time, so that no vector depends on its company."""

    folder: Path
    pooling: str

    def __call__(self, rows: Sequence[Sequence[int]]) -> Vectors:
        """float32, shape (len(rows), hidden)."""
        import torch

        found = []
        with torch.inference_mode():
            for row in rows:
                hidden = self._model(input_ids=torch.tensor([list(row)], device=self._model.device)).last_hidden_state[0].float()
                pooled = hidden.mean(0) if self.pooling == "mean" else hidden[0 if self.pooling == "cls" else -1]
                found.append(torch.nn.functional.normalize(pooled, dim=0).cpu())
        vectors: Vectors = torch.stack(found).numpy()
        return vectors

    @cached_property
    def _model(self) -> Any:
        import torch
        from transformers import AutoModel
        from transformers.utils import logging as transformers_logging

        logging: Any = transformers_logging
        bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        model = AutoModel.from_pretrained(
            self.folder, use_safetensors=True, trust_remote_code=False, local_files_only=True, dtype=torch.float32
        )
        if bars:
            logging.enable_progress_bar()
        return model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Transformer:
    """A sentence-transformers folder: its pooling, its limit and its prompts. Weights load with the first text."""

    folder: Path
    id: str
    limit: int
    forward: Forward
    prompts: Mapping[str, str] = field(default_factory=dict)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """float32, shape (len(texts), dimensions), rows of length 1; the model's own prompt is put before each text."""
        import numpy as np

        names = QUERY_PROMPTS if query else PASSAGE_PROMPTS
        prompt = next((self.prompts[name] for name in names if self.prompts.get(name)), "")
        rows = [self._tokenizer(prompt + text, truncation=True, max_length=self.limit)["input_ids"] for text in texts or [""]]
        vectors = self.forward(rows)
        return vectors if texts else np.zeros((0, vectors.shape[1]), np.float32)

    def count(self, text: str) -> int:
        """The tokens of one text, special tokens not counted."""
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.folder, trust_remote_code=False, local_files_only=True)


def open_embedder(name: str) -> Transformer:
    """`hf:<folder or hub name>`. KnowledgeError where it is out of reach, not safetensors, or needs layers we lack."""
    folder = located(name)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise KnowledgeError(f"{folder} holds no safetensors", "only safetensors are loaded; convert the weights first")
    _refuse_other_layers(folder)
    pooling = _pooling(_json(folder / "1_Pooling" / "config.json"), name)
    config = _json(folder / "config.json")
    limit = _json(folder / "sentence_bert_config.json").get("max_seq_length") or config.get("max_position_embeddings") or 512
    prompts = _json(folder / "config_sentence_transformers.json").get("prompts") or {}
    told = hashlib.sha256(json.dumps([pooling, limit, prompts], sort_keys=True).encode())
    for file in weights:
        with file.open("rb") as opened:
            told.update(hashlib.file_digest(opened, "sha256").digest())
    return Transformer(folder, f"hf-{told.hexdigest()[:16]}", int(limit), Forward(folder, pooling), prompts)


def located(name: str) -> Path:
    """The folder of that name, or the hub's files of it. KnowledgeError where it is neither."""
    folder = Path(name).expanduser()
    return folder if folder.is_dir() else _downloaded(name)


def _refuse_other_layers(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8")) if (folder / "modules.json").is_file() else []
    for module in modules:
        kind = str(module.get("type", "")).rsplit(".", 1)[-1]
        if kind not in ("Transformer", "Pooling", "Normalize"):
            message = f"{folder.name} ends in a layer '{kind}', which is not supported"
            raise KnowledgeError(message, "choose a model of transformer and pooling")


def _pooling(config: dict[str, Any], name: str) -> str:
    asked = [key for key, value in config.items() if key.startswith("pooling_mode_") and value] or ["pooling_mode_mean_tokens"]
    if len(asked) > 1 or asked[0] not in POOLINGS:
        message = f"'{name}' pools by {' and '.join(asked)}, which is not supported"
        raise KnowledgeError(message, "choose a model of mean, cls or last pooling")
    return POOLINGS[asked[0]]


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _downloaded(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"]))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError):
        hint = "download it where there is a network and name its folder"
        raise KnowledgeError(f"the model '{name}' is neither a folder nor in reach", hint) from None
