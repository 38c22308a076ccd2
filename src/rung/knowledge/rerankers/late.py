"""Late interaction (Khattab and Zaharia 2020, ColBERT) with MiniLM's token vectors as they are: no download, no training.

Each token of the question takes the cosine of the most similar token of the passage, and rare tokens count more. BERT's
vocabulary stands in order of frequency, so by Zipf's law the logarithm of a token's place is its inverse document frequency.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import TYPE_CHECKING, Any

from rung.knowledge.embedders import minilm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SHARE = 0.7  # chosen on SciFact's train claims, where .5 to .8 differ by less than .002
FIRST_WORD = 1996  # the place of "the"; before it stand special tokens, letters and signs
SPECIAL = (101, 102)  # [CLS] and [SEP]


@dataclass(frozen=True)
class Late:
    """Passages are read anew for each question: about as long as embedding them."""

    encoder: minilm.MiniLM
    share: float = SHARE

    @property
    def id(self) -> str:
        """The encoder and the share."""
        return f"late-{self.encoder.id}-{self.share}"

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Weighted means of the question tokens' best cosines, in [-1, 1]. Texts beyond the encoder's limit are cut."""
        rows = [self._ids(text) for text in (question, *texts)]
        asked, *read = self._run(rows)
        weights = [0.0 if token in SPECIAL else weight(token) for token in rows[0]]
        whole = sum(weights)
        if not whole:
            return [0.0] * len(texts)
        return [float((asked @ passage.T).max(1) @ weights) / whole for passage in read]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids if len(ids) <= self.encoder.limit else [*ids[: self.encoder.limit - 1], ids[-1]]

    @cached_property
    def _tokenizer(self) -> Any:
        return minilm.tokenizer(self.encoder.folder)

    @cached_property
    def _run(self) -> Callable[[Sequence[Sequence[int]]], list[Floats]]:
        minilm.verified(self.encoder.folder / "model.safetensors", self.encoder.sha256)
        if self.encoder.runtime == "torch":
            return _with_torch(self.encoder)
        from rung.knowledge.embedders.openvino import running, tokens

        run: Callable[[Sequence[Sequence[int]]], list[Floats]]
        run = running(tokens(self.encoder.folder), self.encoder.precision, self.encoder.threads, lambda row: row)
        return lambda rows: [vectors[: len(row)] for row, vectors in zip(rows, run(rows), strict=True)]


def weight(token: int) -> float:
    """log(1 + place among the words): rare tokens count more."""
    return log(1 + max(1, token - FIRST_WORD + 1))


def _with_torch(encoder: minilm.MiniLM) -> Callable[[Sequence[Sequence[int]]], list[Floats]]:
    import torch
    from transformers import AutoModel

    model: Any = AutoModel.from_pretrained(encoder.folder, use_safetensors=True, local_files_only=True, dtype=torch.float32).eval()

    def run(rows: Sequence[Sequence[int]]) -> list[Floats]:
        with torch.inference_mode():
            hidden = [model(input_ids=torch.tensor([list(row)])).last_hidden_state[0] for row in rows]
            return [torch.nn.functional.normalize(one, dim=1).numpy() for one in hidden]

    return run


def open_reranker(name: str, runtime: str = "", precision: str = "") -> Late:
    """`late`, with MiniLM's options. MissingExtra without the package or a runtime."""
    return Late(minilm.open_embedder(name, runtime, precision))
