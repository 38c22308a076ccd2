"""Tunes the embedder's side of the questions on solved examples; passages keep their vectors, so nothing is embedded again.

The question encoder alone is trained against fixed passages, as in RAG (Lewis et al. 2020): contrastive loss over all passages
at once, the hard negatives of our own searches among them. It refuses to keep weights that are no better on questions set aside.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from rung.errors import TuningError
from rung.tuning.adapters import find, store

if TYPE_CHECKING:
    from rung.types import Vectors

FILES = ("config.json", "tokenizer.json")  # of the base, kept beside the tuned weights
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class EmbedderRecipe:
    """Everything that decides what is learned, apart from the questions and the passages."""

    epochs: int = 8
    learning_rate: float = 5e-5
    batch: int = 32
    temperature: float = 0.05
    warmup: int = 10  # steps
    weight_decay: float = 0.01
    patience: int = 2  # epochs without a better rank on the questions set aside
    tokens: int = 256
    seed: int = 0


@dataclass(frozen=True)
class Asked:
    """A question and the numbers of the passages that answer it."""

    id: str
    question: str
    right: tuple[int, ...]


def embedder_name(recipe: EmbedderRecipe, base: str, vectors: Vectors, training: Sequence[Asked], validation: Sequence[Asked]) -> str:
    """The hash of recipe, base, passages and questions."""
    told = [[asdict(one) for one in part] for part in (training, validation)]
    named = hashlib.sha256(json.dumps([asdict(recipe), base, told], sort_keys=True).encode())
    named.update(vectors.tobytes())
    return named.hexdigest()[:16]


def train_embedder(
    base: Path,
    base_id: str,
    vectors: Vectors,
    training: Sequence[Asked],
    validation: Sequence[Asked],
    recipe: EmbedderRecipe,
    home: Path,
    progress: Progress | None = None,
) -> Path:
    """Train, or find what the same makings made; the folder under `home`. `vectors` are the passages', shape (passages, d).

    Mean pooling over a BERT of safetensors in `base`. TuningError where nothing better was learned.
    """
    if not training or not validation:
        raise TuningError("too few examples name their evidence", "give each example its evidence: a document and, if you can, a quote")
    name = embedder_name(recipe, base_id, vectors, training, validation)
    ready = find(home, name)
    if ready:
        return ready
    encoder = _Encoder(base, recipe, vectors)
    before = encoder.ranks(validation)
    best, kept, since = sum(before.values()), encoder.copied(), 0
    losses: list[float] = []
    for epoch, losses in enumerate(_epochs(encoder, training, recipe), 1):  # noqa: B007
        now = sum(encoder.ranks(validation).values())
        since = 0 if now > best else since + 1
        if now > best:
            best, kept = now, encoder.copied()
        if progress:
            progress(recipe.epochs if since >= recipe.patience else epoch, recipe.epochs)
        if since >= recipe.patience:
            break
    encoder.put_back(kept)
    after = encoder.ranks(validation)
    if sum(after.values()) <= sum(before.values()):
        raise TuningError("the tuned embedder is no better on the questions set aside", "keep the embedder you have, or add examples")
    scores = {one.id: [before[one.id], after[one.id]] for one in validation}
    told = {"recipe.json": asdict(recipe), "rows.json": [one.id for one in training], "scores.json": scores}
    return _finish(encoder, base, base_id, home, name, told, losses)


def _epochs(encoder: _Encoder, training: Sequence[Asked], recipe: EmbedderRecipe) -> Iterator[list[float]]:
    """The losses so far, after each epoch."""
    losses: list[float] = []
    ordered = sorted(training, key=lambda one: one.id)
    steps = recipe.epochs * math.ceil(len(ordered) / recipe.batch)
    for epoch in range(recipe.epochs):
        shuffled = Random(f"{recipe.seed}/epoch/{epoch}").sample(ordered, len(ordered))
        for at in range(0, len(shuffled), recipe.batch):
            rate = recipe.learning_rate * min(1, (len(losses) + 1) / recipe.warmup) * (1 - len(losses) / steps)
            losses.append(encoder.step(shuffled[at : at + recipe.batch], rate))
        yield losses


class _Encoder:
    """The question encoder being trained, and the passages it is trained against."""

    def __init__(self, base: Path, recipe: EmbedderRecipe, vectors: Vectors) -> None:
        import torch
        from tokenizers import Tokenizer
        from transformers import AutoModel
        from transformers.utils import logging

        torch.manual_seed(recipe.seed)
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.recipe = recipe
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        model = AutoModel.from_pretrained(base, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32)
        self.model: Any = model.eval().to(self.device)  # no dropout: the passages were embedded without it
        self.passages = torch.from_numpy(vectors).to(self.device)
        self.tokenizer: Any = Tokenizer.from_file(str(base / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(recipe.tokens)
        self.weights = [p for name, p in self.model.named_parameters() if not name.startswith(("embeddings.", "pooler."))]
        self.optimizer = torch.optim.AdamW(self.weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)

    def scores(self, asked: Sequence[Asked]) -> Any:
        """Cosines, shape (questions, passages)."""
        import torch

        rows = [self.tokenizer.encode(one.question).ids for one in asked]
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        mask = torch.zeros(ids.shape)
        for number, row in enumerate(rows):
            ids[number, : len(row)], mask[number, : len(row)] = torch.tensor(row), 1
        ids, mask = ids.to(self.device), mask.to(self.device)
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state * mask[..., None]
        vectors = torch.nn.functional.normalize(hidden.sum(1) / mask.sum(1, keepdim=True), dim=1)
        return vectors @ self.passages.T

    def step(self, asked: Sequence[Asked], rate: float) -> float:
        """One step down the loss -log Σ right exp(score / t) / Σ all exp(score / t), averaged over the questions."""
        import torch

        scores: Any = self.scores(asked) / self.recipe.temperature
        wrong = torch.full_like(scores, -1e9)
        for number, one in enumerate(asked):
            wrong[number, list(one.right)] = 0
        loss: Any = (torch.logsumexp(scores, 1) - torch.logsumexp(scores + wrong, 1)).mean()
        if not math.isfinite(float(loss.detach())):
            raise TuningError("the training loss is not a number", "lower the learning rate")
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def ranks(self, asked: Sequence[Asked]) -> dict[str, float]:
        """1 / rank of the best right passage, by question."""
        import torch

        found = {}
        with torch.inference_mode():
            for at in range(0, len(asked), self.recipe.batch):
                part = asked[at : at + self.recipe.batch]
                for one, scores in zip(part, self.scores(part), strict=True):
                    found[one.id] = 1 / (1 + int((scores > scores[list(one.right)].max()).sum()))
        return found

    def copied(self) -> list[Any]:
        """The weights as they are now."""
        return [weight.detach().clone() for weight in self.weights]

    def put_back(self, kept: Sequence[Any]) -> None:
        """The weights as they were."""
        import torch

        with torch.no_grad():
            for weight, old in zip(self.weights, kept, strict=True):
                weight.copy_(old)


def _finish(encoder: _Encoder, base: Path, base_id: str, home: Path, name: str, told: Mapping[str, Any], losses: Sequence[float]) -> Path:
    from safetensors.torch import save_file

    temporary = home / f"{name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    weights = {key: value.detach().cpu().contiguous() for key, value in encoder.model.state_dict().items()}
    save_file(weights, temporary / "model.safetensors")
    for kept in FILES:
        shutil.copy(base / kept, temporary / kept)
    with (temporary / "model.safetensors").open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    lines = "".join(json.dumps({"step": step, "loss": loss}) + "\n" for step, loss in enumerate(losses, 1))
    (temporary / "loss.jsonl").write_text(lines, encoding="utf-8")
    return store(temporary, home, name, {**told, "tuned.json": {"base": base_id, "sha256": sha256}})
