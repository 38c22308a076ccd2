"""BM25 in numpy (Robertson and Zaragoza 2009, with Lucene's idf). It refuses every language's stemming but English."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rung.errors import MissingExtra

if TYPE_CHECKING:
    from numpy.typing import NDArray

K1, B = 1.2, 0.75  # Lucene's
_WORD = re.compile(r"\w+")
STOP = frozenset(  # Snowball's English list
    _WORD.findall(
        """
        i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its
        itself they them their theirs themselves what which who whom this that these those am is are was were be been being
        have has had having do does did doing would should could ought a an the and but if or because as until while of at by
        for with about against between into through during before after above below to from up down in out on off over under
        again further then once here there when where why how all any both each few more most other some such no nor not only
        own same so than too very
        """
    )
)


class BM25:
    """Texts with their words' weights laid out term by term; `best` ranks them."""

    def __init__(self, texts: Sequence[str]) -> None:
        import numpy as np

        counts = [Counter(tokens) for tokens in tokenized(texts)]
        lengths = np.array([sum(count.values()) for count in counts], np.float64)
        self.size = len(counts)
        self.norm: NDArray[Any] = K1 * (1 - B + B * lengths / max(lengths.mean() if self.size else 1.0, 1e-9))
        rows: dict[str, list[tuple[int, int]]] = {}
        for number, count in enumerate(counts):
            for word, times in count.items():
                rows.setdefault(word, []).append((number, times))
        self.postings = {word: np.array(pairs, np.int64).T for word, pairs in rows.items()}

    def best(self, text: str, k: int, only: NDArray[Any] | None = None) -> list[tuple[int, float]]:
        """Numbers and scores of the k best texts; ties in the order given. Texts without a word of it are left out.

        `only` is True for each text that may be found, shape (texts,). Rare words are rare among all texts.
        """
        import numpy as np

        scores = np.zeros(self.size)
        for word, times in Counter(next(iter(tokenized([text])))).items():
            if word in self.postings:
                numbers, found = self.postings[word]
                idf = math.log(1 + (self.size - len(numbers) + 0.5) / (len(numbers) + 0.5))
                scores[numbers] += times * idf * found / (found + self.norm[numbers])
        if only is not None:
            scores[~only] = 0.0
        order = np.argsort(-scores, kind="stable")[:k]
        return [(int(number), float(scores[number])) for number in order if scores[number] > 0]


def tokenized(texts: Sequence[str]) -> list[list[str]]:
    """Lower-case words without accents and stop words, stemmed by Snowball's English (Porter 2) algorithm."""
    try:
        stemmer = import_module("Stemmer").Stemmer("english")
    except ModuleNotFoundError:
        raise MissingExtra("searching by words", "knowledge") from None
    return [stemmer.stemWords([word for word in _WORD.findall(_folded(text)) if word not in STOP]) for text in texts]


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
