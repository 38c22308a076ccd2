"""A cross-encoder (Nogueira and Cho 2019) through transformers. It refuses remote code, pickled weights and more than one score."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rung.errors import KnowledgeError

LIMIT = 512  # tokens of question and passage together, where the weights don't say less


@dataclass(frozen=True)
class CrossEncoder:
    """A folder of weights with one output. Each pair runs by itself, so no score depends on its company."""

    folder: Path
    id: str
    limit: int
    share: float = 1.0

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """The output's logit for each text; what is over the limit is cut off the text's end."""
        return [self.logits(question, text)[0] for text in texts]

    def logits(self, first: str, second: str) -> list[float]:
        """All outputs for a pair; what is over the limit is cut off the end of the longer one."""
        import torch

        with torch.inference_mode():
            pair = self._tokenizer(first, second, truncation="longest_first", max_length=self.limit, return_tensors="pt")
            return [float(logit) for logit in self._model(**pair.to(self._model.device)).logits[0]]

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.folder, trust_remote_code=False, local_files_only=True)

    @cached_property
    def _model(self) -> Any:
        import torch
        from transformers import AutoModelForSequenceClassification
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        model = AutoModelForSequenceClassification.from_pretrained(
            self.folder, use_safetensors=True, trust_remote_code=False, local_files_only=True, dtype=torch.float32
        )
        return model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


def open_reranker(name: str) -> CrossEncoder:
    """`hf:<folder or hub name>`. KnowledgeError where it is out of reach, not safetensors, or gives more than one score."""
    encoder, labels = opened(name)
    if len(labels) != 1:
        raise KnowledgeError(f"{encoder.folder.name} gives {len(labels)} scores a pair", "choose a cross-encoder with one output")
    return encoder


def opened(name: str) -> tuple[CrossEncoder, list[str]]:
    """A cross-encoder and the names of its outputs. KnowledgeError where it is out of reach or not safetensors."""
    from rung.knowledge.embedders.transformer import located

    folder = located(name)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise KnowledgeError(f"{folder} holds no safetensors", "only safetensors are loaded; convert the weights first")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    named = {int(number): str(label) for number, label in (config.get("id2label") or {}).items()}
    labels = [named[number] for number in sorted(named)] or [""] * config.get("num_labels", 2)
    told = hashlib.sha256()
    for file in weights:
        with file.open("rb") as opened:
            told.update(hashlib.file_digest(opened, "sha256").digest())
    return CrossEncoder(folder, f"hf-{told.hexdigest()[:16]}", min(LIMIT, int(config.get("max_position_embeddings") or LIMIT))), labels
