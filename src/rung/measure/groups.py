"""Texts, as vectors, in groups of like ones, each named by its most central member. It makes no group of what is unlike.

Average linkage (Sokal and Michener, 1958) on cosine: the two groups whose members are most alike on average are joined, until no
two are alike enough. Groups don't depend on the order of the texts, as long as no two pairs are equally alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rung.types import Vectors

MOST = 1000  # texts that are grouped; memory and time grow with their square and cube


def groups(vectors: Vectors, alike: float) -> list[list[int]]:
    """Members' numbers, the largest group first, in each the most central first; unit vectors of shape (n, d), n up to 1,000."""
    n = len(vectors)
    cosines = (vectors @ vectors.T).astype(np.float64)
    members = [[number] for number in range(n)]
    links = cosines.copy()
    np.fill_diagonal(links, -np.inf)
    sizes = np.ones(n)
    while n > 1:
        one, other = divmod(int(links.argmax()), n)
        if links[one, other] < alike:
            break
        links[one] = (sizes[one] * links[one] + sizes[other] * links[other]) / (sizes[one] + sizes[other])
        links[:, one] = links[one]
        links[one, one] = -np.inf
        links[other], links[:, other] = -np.inf, -np.inf
        sizes[one] += sizes[other]
        members[one] += members[other]
        members[other] = []
    found = [sorted(group, key=lambda number: (-float(cosines[number, group].sum()), number)) for group in members if group]
    return sorted(found, key=lambda group: (-len(group), min(group)))
