"""Speed of the default embedder against plain transformers in fp32 on torch, on the same texts and the same cores.

It refuses to compare unlike vectors: it prints how far both agree, on the vectors and on the ten nearest texts of each.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rung.knowledge import embedders
from rung.knowledge.embedders.minilm import MiniLM

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "scifact" / "corpus.jsonl.gz"


def run(small: bool = False) -> dict[str, object]:
    """Texts a second of both, the agreement of their vectors, and ours over the peer's speed as `ratio`."""
    if not DATA.is_file():
        print(f"skipped: the development data is not at {DATA}")
        return {"skipped": True}
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        texts = [f"{row['title']}\n{row['text']}" for row in map(json.loads, file)][: 64 if small else 256]
    ours = embedders.load("minilm")
    assert isinstance(ours, MiniLM)
    (vectors, speed), (theirs, peer) = _raced([ours.embed, transformers(ours.folder)], texts)
    nearest = _overlap(vectors, theirs)
    cosine = float((vectors * theirs).sum(1).min())
    print(f"{'system':<32} {'texts/s':>8} {'lowest cosine':>14} {'top-10 overlap':>15}")
    print(f"{ours.id:<32} {speed:>8.1f} {cosine:>14.5f} {nearest:>15.4f}")
    print(f"{'transformers f32, batches of 32':<32} {peer:>8.1f} {1:>14.5f} {1:>15.4f}")
    figures = {"texts_per_second": speed, "peer_texts_per_second": peer, "ratio": speed / peer}
    return {name: round(figure, 3) for name, figure in figures.items()} | {
        "top10_overlap": round(nearest, 4), "lowest_cosine": round(cosine, 5), "texts": len(texts), "cores": ours.threads, "id": ours.id,
    }  # fmt: skip


def transformers(folder: Path) -> Callable[[Sequence[str]], Any]:
    """all-MiniLM-L6-v2 as its model card runs it with transformers, in batches of 32 sorted by length."""
    import numpy as np
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def embed(texts: Sequence[str]) -> Any:
        order = sorted(range(len(texts)), key=lambda number: -len(texts[number]))
        found = np.zeros((len(texts), model.config.hidden_size), np.float32)
        for at in range(0, len(order), 32):
            part = order[at : at + 32]
            batch = tokenizer([texts[number] for number in part], padding=True, truncation=True, max_length=256, return_tensors="pt")
            with torch.inference_mode():
                hidden = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            pooled = (hidden * mask).sum(1) / mask.sum(1)
            found[part] = torch.nn.functional.normalize(pooled, dim=1).numpy()
        return found

    return embed


def _raced(systems: Sequence[Callable[[Sequence[str]], Any]], texts: Sequence[str]) -> list[tuple[Any, float]]:
    """Of each system the vectors, and texts a second in the best of three rounds, taken in turns after one that warms up."""
    best = [float("inf")] * len(systems)
    found = [embed(texts[:32]) for embed in systems]
    for _ in range(3):
        for number, embed in enumerate(systems):
            started = time.perf_counter()
            found[number] = embed(texts)
            best[number] = min(best[number], time.perf_counter() - started)
    return [(vectors, len(texts) / seconds) for vectors, seconds in zip(found, best, strict=True)]


def _overlap(first: Any, second: Any, k: int = 10) -> float:
    """Mean share of each text's k nearest that both agree on."""
    import numpy as np

    nearest = [np.argsort(-(vectors @ vectors.T - 2 * np.eye(len(vectors))), axis=1)[:, :k] for vectors in (first, second)]
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(*nearest, strict=True)]))
