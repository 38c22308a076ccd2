"""A BERT encoder under a head of one direction for each label, while both are being trained. It keeps no file open.

With rows enough the two are tuned together. With `few` the encoder is tuned alone, by contrast of rows with rows, and the head
is fitted to what it then makes of them: together they would learn these rows by heart before the encoder had moved. The
products may run in bfloat16; weights, gradients and losses stay in float32.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from rung.errors import TuningError

if TYPE_CHECKING:
    from rung.tuning.specialist import SpecialistRecipe
    from rung.types import Vectors

COPIED = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "sentence_bert_config.json")
TABLE = "embeddings.word_embeddings.weight"
Tokens = Sequence[Sequence[int]]


class Encoder:
    """Weights, their running average, and the optimizer."""

    def __init__(self, base: Path, recipe: SpecialistRecipe, labels: int, seed: int, texts: Sequence[str], *, few: bool = False) -> None:
        import torch
        from tokenizers import Tokenizer
        from transformers import AutoModel
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.base, self.recipe, self.seed, self.few = base, recipe, seed, few
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        options = {"hidden_dropout_prob": recipe.dropout, "attention_probs_dropout_prob": recipe.dropout}
        model = AutoModel.from_pretrained(
            base, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32, **options
        )
        self.model: Any = model.to(self.device)
        self.head: Any = torch.nn.Parameter(torch.zeros(labels, model.config.hidden_size, device=self.device))
        self.tokenizer: Any = Tokenizer.from_file(str(base / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(recipe.tokens)
        self.words: Any = self._narrowed(texts)
        groups = [*self._layers(), {"params": [self.head], "peak": recipe.head_rate, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, fused=True)
        self.weights = [weight for group in groups for weight in group["params"]]
        self.averaged = [weight.detach().clone() for weight in self.weights]
        self.steps = 0

    def _narrowed(self, texts: Sequence[str]) -> list[int]:
        """Keep only the embeddings of words in `texts`: an optimizer that visits a table of 30,000 rows takes longer than the rest."""
        import torch

        words = sorted({0, *(word for text in texts for word in self.tokenizer.encode(text).ids)})
        self.table = self.model.embeddings.word_embeddings.weight.detach().clone()
        kept = torch.nn.Embedding(len(words), self.table.shape[1], _weight=self.table[words].clone())
        self.model.embeddings.word_embeddings = kept
        self.place = {word: number for number, word in enumerate(words)}
        return words

    def _layers(self) -> list[dict[str, Any]]:
        """Parameter groups: each layer slower than the one above it, the embeddings slowest."""
        depth, recipe = self.model.config.num_hidden_layers, self.recipe
        groups = []
        for name, weight in self.model.named_parameters():
            if not name.startswith("pooler."):
                layer = int(name.split(".")[2]) + 1 if name.startswith("encoder.layer.") else 0
                peak = recipe.learning_rate * (recipe.gentle if self.few else 1) * recipe.layer_decay ** (depth - layer)
                groups.append({"params": [weight], "peak": peak, "weight_decay": recipe.weight_decay if weight.ndim > 1 else 0.0})
        return groups

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The places of each text's words among those kept, special ones included, cut at the recipe's limit."""
        return [[self.place[word] for word in self.tokenizer.encode(text).ids] for text in texts]

    def vectors(self, rows: Tokens) -> Any:
        """Mean vectors of length 1, shape (rows, hidden)."""
        import torch

        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        mask = torch.zeros(ids.shape)
        for number, row in enumerate(rows):
            ids[number, : len(row)], mask[number, : len(row)] = torch.tensor(list(row)), 1
        ids, mask = ids.to(self.device), mask.to(self.device)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.precision == "bf16"):
            hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        return torch.nn.functional.normalize((hidden.float() * mask[..., None]).sum(1), dim=1)

    def start_head(self, rows: Tokens, gold: Sequence[int]) -> None:
        """Each label's row of the head becomes the direction of its mean vector."""
        import torch

        vectors = torch.from_numpy(self._apart(rows, lambda part: self.vectors(part)))
        labels = torch.tensor(gold)
        with torch.no_grad():
            for label in set(gold):  # a label whose rows are all set aside starts at 0
                self.head[label] = torch.nn.functional.normalize(vectors[labels == label].mean(0), dim=0)
            for kept, weight in zip(self.averaged, self.weights, strict=True):
                kept.copy_(weight)

    def fit_head(self, rows: Tokens, gold: Sequence[int]) -> None:
        """Multinomial logistic regression on the vectors, Σ losses + |head|² / (2 strength), which has one minimum."""
        import torch

        vectors, target = torch.from_numpy(self._apart(rows, lambda part: self.vectors(part))), torch.tensor(gold)
        head = torch.zeros(self.head.shape, requires_grad=True)
        search: Any = torch.optim.LBFGS([head], max_iter=200, line_search_fn="strong_wolfe")

        def loss() -> Any:
            search.zero_grad()
            decay = (head**2).sum() / (2 * self.recipe.strength)
            found: Any = torch.nn.functional.cross_entropy(vectors @ head.T, target, reduction="sum") + decay
            found.backward()
            return found

        search.step(loss)
        with torch.no_grad():
            self.head.copy_(head)

    def logits(self, rows: Tokens) -> Vectors:
        """Without dropout, shape (rows, labels)."""
        return self._apart(rows, lambda part: self.vectors(part) @ self.directions().T)

    def directions(self) -> Any:
        """Shape (labels, hidden): logits are their products with unit vectors. A head that was tuned has rows of the recipe's length."""
        import torch

        return self.head if self.few else self.recipe.scale * torch.nn.functional.normalize(self.head, dim=1)

    def _apart(self, rows: Tokens, work: Any) -> Vectors:
        import numpy as np
        import torch

        if not rows:
            return np.zeros((0, len(self.head)), np.float32)
        self.model.eval()
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        with torch.inference_mode():
            parts = [work([rows[n] for n in order[at : at + 64]]).cpu().numpy() for at in range(0, len(order), 64)]
        found: Vectors = np.concatenate(parts)[np.argsort(order)]
        return found

    def epoch(self, number: int, every: int, rows: Tokens, gold: Sequence[int]) -> float:
        """One pass of `every` over the rows; its mean loss. What it does depends on its number and not on the passes of another run."""
        import torch

        self.model.train()
        torch.manual_seed(self.seed * 1000 + number)
        drawn = Random(f"{self.seed}/epoch/{number}")
        batches = list(_pairs(gold, self.recipe.batch, drawn) if self.few else _batches(rows, self.recipe.batch, drawn))
        total, losses = len(batches) * every, []
        for batch in batches:
            losses.append(self._step([rows[n] for n in batch], [gold[n] for n in batch], total))
        return sum(losses) / len(losses)

    def _step(self, rows: Tokens, gold: Sequence[int], total: int) -> float:
        import torch

        recipe = self.recipe
        share = self.steps / total
        rate = min(1.0, (self.steps + 1) / max(1.0, recipe.warmup * total)) * (0.5 + 0.5 * math.cos(math.pi * share))
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        target = torch.tensor(gold, device=self.device)
        vectors = self.vectors(rows)
        loss: Any = (
            contrast(recipe.scale * vectors @ vectors.T, target)
            if self.few
            else torch.nn.functional.cross_entropy(vectors @ self.directions().T, target, label_smoothing=recipe.smoothing)
        )
        if not math.isfinite(float(loss.detach())):
            raise TuningError("the training loss is not a number", "lower the learning rate")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([weight for weight in self.weights if weight.grad is not None], recipe.clip)
        self.optimizer.step()
        self.steps += 1
        with torch.no_grad():  # early on the average reaches back a few steps only
            torch._foreach_lerp_(self.averaged, self.weights, 1 - min(recipe.average, self.steps / (self.steps + 9)))
        return float(loss.detach())

    def use_average(self) -> None:
        """Take the averaged weights; training is over."""
        import torch

        with torch.no_grad():
            for weight, kept in zip(self.weights, self.averaged, strict=True):
                weight.copy_(kept)

    def checkpoint(self, path: Path, done: int) -> None:
        """All that the next epoch needs, whole or not at all."""
        import torch

        state = {"model": self.model.state_dict(), "head": self.head.detach(), "optimizer": self.optimizer.state_dict()}
        torch.save(state | {"averaged": self.averaged, "steps": self.steps, "done": done}, path.with_suffix(".tmp"))
        os.replace(path.with_suffix(".tmp"), path)

    def resume(self, path: Path) -> int:
        """Epochs done, after the state of a checkpoint was taken; 0 where there is none."""
        import torch

        if not path.exists():
            return 0
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.head.data.copy_(state["head"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.averaged, self.steps = state["averaged"], state["steps"]
        return int(state["done"])

    def save(self, folder: Path) -> None:
        """Encoder, tokenizer and head, in the files that an embedder of its kind reads."""
        from safetensors.torch import save_file

        temporary = folder.with_name(f"{folder.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        table = self.table.clone()
        table[self.words] = self.model.embeddings.word_embeddings.weight.detach()
        weights = {key: value.detach().cpu().contiguous() for key, value in {**self.model.state_dict(), TABLE: table}.items()}
        save_file(weights, temporary / "model.safetensors")
        save_file({"weight": self.directions().detach().cpu().contiguous()}, temporary / "head.safetensors")
        for name in COPIED:
            if (self.base / name).is_file():
                shutil.copy(self.base / name, temporary / name)
        os.replace(temporary, folder)

    def load(self, folder: Path) -> None:
        """Take the weights of a member that was saved."""
        from safetensors.torch import load_file

        weights = load_file(folder / "model.safetensors")
        self.model.load_state_dict(weights | {TABLE: weights[TABLE][self.words]})
        self.head.data.copy_(load_file(folder / "head.safetensors")["weight"])


def contrast(likeness: Any, gold: Any) -> Any:
    """How unlikely a row finds the others of its label among all others of the batch (Khosla et al. 2020, eq. 2).

    `likeness` has shape (rows, rows). A row without another of its label says nothing; 0 where none has one.
    """
    import torch

    alone = torch.eye(len(gold), dtype=torch.bool, device=likeness.device)
    alike = (gold[:, None] == gold[None]) & ~alone
    likeness = likeness.masked_fill(alone, -1e9)
    shares = (likeness - torch.logsumexp(likeness, 1, keepdim=True)) * alike
    counts = alike.sum(1)
    return -(shares.sum(1) / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)


def _pairs(gold: Sequence[int], size: int, r: Random) -> Iterator[list[int]]:
    """Numbers of rows: so many pairs of a label in a batch; of an odd number of rows the last ones are a three."""
    by_label: dict[int, list[int]] = {}
    for number in r.sample(range(len(gold)), len(gold)):
        by_label.setdefault(gold[number], []).append(number)
    made = [of[start :: max(1, len(of) // 2)] for of in by_label.values() for start in range(max(1, len(of) // 2))]
    r.shuffle(made)
    for at in range(0, len(made), size):
        yield [number for pair in made[at : at + size] for number in pair]


def _batches(rows: Tokens, size: int, r: Random) -> Iterator[list[int]]:
    """Numbers of rows: drawn at random, of like length within a batch, in random order."""
    shuffled = list(range(len(rows)))
    r.shuffle(shuffled)
    made = []
    for at in range(0, len(shuffled), 20 * size):
        alike = sorted(shuffled[at : at + 20 * size], key=lambda number: len(rows[number]))
        made += [alike[start : start + size] for start in range(0, len(alike), size)]
    r.shuffle(made)
    yield from made
