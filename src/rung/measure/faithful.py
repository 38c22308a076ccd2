"""Whether an answer says what its passages say, without a judge: sentences held to them by amounts, dates, names, quotes and words.

English, by words alone, as `rung.approach.support` does it. It refuses to measure an answer that cites nothing among more
passages than it can have been read from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rung.approach.claims import claims
from rung.approach.support import check
from rung.measure.abstention import abstains

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rung.types import Answer, Sentence

MANY = 50  # passages


def faithfulness(answer: Answer, given: Sequence[str] = (), house: Sequence[str] = ()) -> dict[str, float]:
    """`faithful`: supported sentences / sentences that claim something. `hallucinated`: 1 where one names an amount, a date, a name
    or a passage that is not there. {} without passages, for an answer that says it doesn't know, and where nothing is claimed.

    `given` words are not claims: the form brings them. Where the policy had the sentences checked already, a model of entailment
    included, that check counts for those it let through.
    """
    if not answer.hits or abstains(answer.text, house) or (len(answer.hits) > MANY and not any(one.passage for one in answer.citations)):
        return {}
    checked = [one for one in answer.sentences if one.text.strip() in answer.text]
    told = checked or check(answer.text, answer.question, answer.hits, given)
    claiming = [one for one in told if one.support != "plain"]
    if not claiming:
        return {}
    supported = sum(bool(one.support) for one in claiming)
    return {"faithful": supported / len(claiming), "hallucinated": float(any(map(_invented, claiming)))}


def _invented(sentence: Sentence) -> bool:
    """Whether what is missing is a thing that can be looked up; a capital at the head of the sentence makes no name."""
    if sentence.support:
        return False
    lost = [claims(f"It is {item}") for item in sentence.missing]
    first = sentence.text.lstrip(" -*•#>").partition(" ")[0].strip(".,;:").lower()
    return any(item.startswith("[") for item in sentence.missing) or any(one.atoms or set(one.names) - {first} for one in lost)
