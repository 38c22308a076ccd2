"""Retrieval metrics on ranked ids, and the same for one case from its hits and evidence; what wasn't judged is not relevant.

Sources: nDCG as in Järvelin & Kekäläinen (2002), gain / log2(rank + 1), which is what trec_eval and pytrec_eval compute.
"""

from __future__ import annotations

import re
from math import ceil, log2
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rung.types import Evidence, Hit

CUT = 10
SHARE = 0.5  # of a quote that a passage must hold, where the passage's edge cuts the quote


def recall_at(ranked: Sequence[str], relevant: Mapping[str, float], k: int) -> float:
    """Relevant ids among the first k / relevant ids; `relevant` maps an id to its grade, 0 is not relevant."""
    wanted = {one for one, grade in relevant.items() if grade > 0}
    return len(wanted & set(ranked[:k])) / len(wanted) if wanted else 0.0


def precision_at(ranked: Sequence[str], relevant: Mapping[str, float], k: int) -> float:
    """Relevant ids among the first k / k, also where fewer than k were found (as trec_eval does)."""
    return sum(relevant.get(one, 0) > 0 for one in ranked[:k]) / k if k > 0 else 0.0


def reciprocal_rank(ranked: Sequence[str], relevant: Mapping[str, float]) -> float:
    """1 / rank of the first relevant id, 0 where none was found; its mean over queries is MRR."""
    return next((1 / rank for rank, one in enumerate(ranked, start=1) if relevant.get(one, 0) > 0), 0.0)


def ndcg_at(ranked: Sequence[str], relevant: Mapping[str, float], k: int = CUT) -> float:
    """DCG of the first k / DCG of the best possible order; an id that is ranked twice gains once."""
    seen: set[str] = set()
    gains = []
    for one in ranked[:k]:
        gains.append(0.0 if one in seen else max(0.0, relevant.get(one, 0.0)))
        seen.add(one)
    best = _dcg(sorted((grade for grade in relevant.values() if grade > 0), reverse=True)[:k])
    return _dcg(gains) / best if best else 0.0


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def covers(passage: str, quote: str) -> bool:
    """Whether the passage holds the quote, or at least half of its words where the passage's edge cuts it.

    White space and case don't count. A passage that lies wholly within a longer quote is covering, too.
    """
    held, wanted = passage.casefold().split(), quote.casefold().split()
    if not wanted or not held:
        return not wanted
    if _within(wanted, held) or _within(held, wanted):
        return True
    least = max(1, ceil(len(wanted) * SHARE))
    longest = min(len(held), len(wanted) - 1)
    return any(held[-n:] == wanted[:n] or held[:n] == wanted[-n:] for n in range(longest, least - 1, -1))


def _within(short: Sequence[str], long: Sequence[str]) -> bool:
    """Whether one text stands in the other, not starting or ending inside a word."""
    text = " ".join(short)
    before = r"(?<!\w)" if text[0].isalnum() else ""
    after = r"(?!\w)" if text[-1].isalnum() else ""
    return re.search(before + re.escape(text) + after, " ".join(long)) is not None


def supports(hit: Hit, evidence: Evidence) -> bool:
    """Whether the hit is of the evidence's document and, where a quote is given, holds it."""
    return hit.passage.document == evidence.document and covers(hit.passage.text, evidence.quote)


def by_case(hits: Sequence[Hit], evidence: Sequence[Evidence]) -> dict[str, float]:
    """recall@k, precision@k, mrr and ndcg@10 of one case, k being the number of hits; {} without evidence.

    Each piece of evidence gains at the first hit that holds it, once: overlapping passages don't count twice, and the best
    order is the one that has the most evidence first.
    """
    if not evidence:
        return {}
    found: set[int] = set()
    gains, relevant = [], []
    for hit in hits:
        holds = {number for number, piece in enumerate(evidence) if supports(hit, piece)}
        gains.append(float(len(holds - found)))
        relevant.append(bool(holds))
        found |= holds
    best = _dcg(sorted([*gains, *[1.0] * (len(evidence) - len(found))], reverse=True)[:CUT])
    return {
        "recall@k": len(found) / len(evidence),
        "precision@k": sum(relevant) / len(hits) if hits else 0.0,
        "mrr": next((1 / rank for rank, one in enumerate(relevant, start=1) if one), 0.0),
        "ndcg@10": _dcg(gains[:CUT]) / best,
    }
