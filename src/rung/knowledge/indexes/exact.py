"""An exact index in memory, kept as one file a state; for tests, small corpora, and to check the others against."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.types import Hit, Passage

if TYPE_CHECKING:
    from rung.types import Vectors

K1, B = 1.2, 0.75


@dataclass
class Exact:
    """Brute-force cosine and BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75)."""

    folder: Path
    dimensions: int
    held: list[Passage] = field(default_factory=list)
    vectors: Any = None
    counts: list[Counter[str]] = field(default_factory=list)

    def commit(self, remove: Sequence[str], add: Sequence[Passage], vectors: Vectors) -> str:
        """Remove the documents, add the passages; the new state's name. The old state's file stays until the next."""
        import numpy as np

        gone = set(remove)
        keep = [i for i, passage in enumerate(self.held) if passage.document not in gone]
        rows = [(self.held[i], self.vectors[i]) for i in keep] + list(zip(add, vectors, strict=True))
        rows.sort(key=lambda row: (row[0].document, row[0].start))
        self.held = [passage for passage, _ in rows]
        self.vectors = np.array([vector for _, vector in rows], np.float32).reshape(-1, self.dimensions)
        self.counts = [Counter(words(searched(passage))) for passage in self.held]
        return self._save()

    def _save(self) -> str:
        import numpy as np

        told = json.dumps([asdict(passage) for passage in self.held], ensure_ascii=False)
        name = hashlib.sha256(told.encode()).hexdigest()[:16]
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f"{name}.tmp"
        with temporary.open("wb") as file:
            np.savez(file, vectors=self.vectors, passages=np.frombuffer(told.encode(), np.uint8))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.folder / f"{name}.npz")
        return name

    def dense(self, vector: Vectors, k: int) -> list[Hit]:
        """The k nearest by cosine."""
        import numpy as np

        if not self.held:
            return []
        scores = self.vectors @ np.asarray(vector, np.float32)
        return [Hit(self.held[i], float(scores[i])) for i in np.argsort(-scores, kind="stable")[:k]]

    def words(self, text: str, k: int) -> list[Hit]:
        """The k best by BM25; passages that share no word are left out."""
        total = len(self.held)
        mean = sum(sum(counts.values()) for counts in self.counts) / total if total else 1.0
        scores: dict[int, float] = {}
        for word in dict.fromkeys(words(text)):
            having = [i for i, counts in enumerate(self.counts) if word in counts]
            weight = math.log(1 + (total - len(having) + 0.5) / (len(having) + 0.5))
            for i in having:
                n = self.counts[i][word]
                length = sum(self.counts[i].values()) / mean
                scores[i] = scores.get(i, 0.0) + weight * n * (K1 + 1) / (n + K1 * (1 - B + B * length))
        best = sorted(scores, key=lambda i: (-scores[i], i))[:k]
        return [Hit(self.held[i], scores[i]) for i in best]

    def passages(self) -> Iterator[Passage]:
        """All passages in order of document and start."""
        return iter(self.held)


def searched(passage: Passage) -> str:
    """The text that both legs see: headings above the words."""
    return " > ".join(passage.headings) + "\n" + passage.text


def words(text: str) -> list[str]:
    """Lower-case words and numbers, with a plural s taken off."""
    found = re.findall(r"\w+", text.lower())
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in found]


def open_exact(folder: Path, dimensions: int, state: str) -> Exact:
    """The state's file, or an empty index."""
    import numpy as np

    index = Exact(folder, dimensions)
    if state:
        with np.load(folder / f"{state}.npz") as stored:
            index.vectors = stored["vectors"]
            rows = json.loads(stored["passages"].tobytes().decode())
        index.held = [Passage(**{**row, "headings": tuple(row["headings"])}) for row in rows]
        index.counts = [Counter(words(searched(passage))) for passage in index.held]
    return index
