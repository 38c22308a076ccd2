"""Recognises an answer that says it doesn't know, by common English wordings and by the project's own house texts.

It does not judge whether saying so was right; that is the score's work.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rung.measure.metrics import canonical, contains, without_markers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rung.types import Case

SOURCE = r"(documents?|passages?|context|sources?|texts?|excerpts?|handbook|information|material|files?|records?|knowledge base)"
STATED = r"(stated|mentioned|specified|documented|known|on file|on record)"  # said of knowledge alone
GIVEN = r"(given|provided|listed|covered|described|recorded|included|contained|found|available)"  # said of goods and fees, too
NOT_KNOWING = re.compile(
    r"\b(i|we) (do not|don't|did not|didn't|cannot|can't|could not|couldn't) (\w+ )?(know|find|answer|tell|say|determine)\b"
    r"|\b(i am|i'm|we are|we're) (not (sure|certain|aware)|unsure|unable to)\b"
    r"|\b(i|we|there is|there's|there was|contains?|holds?|ha(s|ve)|found) no (information|answer|record|mention|data)\b"
    rf"|\b(not|isn't|aren't|wasn't|weren't) {STATED}\b"
    rf"|\b(not|isn't|aren't|wasn't|weren't) ({GIVEN} )?(in|by) (the|these|any|our) (given |provided )?{SOURCE}\b"
    rf"|\b{SOURCE} (do not|don't|does not|doesn't) (say|state|mention|specify|contain|include|cover|answer|provide|give|tell)\b"
    r"|\b(cannot|can't|can not|could not|couldn't) be (determined|answered|found)\b"
    r"|\b(information|answer) (is |was )?(not|isn't) (available|found|known)\b"
    r"|\bno (such )?(information|answer|record|entry|data) (is |was )?(available|found|given)\b"
)
WHOLE_TEXTS = {"unknown", "not known", "none", "no answer", "no information", "no record", "no entry", "not found", "not available"}
WHOLE_TEXTS |= {"n/a", "na", "null", "nothing found", "no idea", "unanswerable"}


def abstains(text: str, house: Sequence[str] = ()) -> bool:
    """Whether the text says that the answer isn't known; `house` holds the project's own wordings for it.

    A house wording counts where the text contains it whole. "Unknown", "n/a" and the like count only as the whole text.
    """
    said = canonical(without_markers(text))
    if said.strip(" .!-*\"'") in WHOLE_TEXTS or NOT_KNOWING.search(said):
        return True
    return any(contains(said, wording) for wording in house)


def house_wordings(cases: Sequence[Case]) -> tuple[str, ...]:
    """What unanswerable cases give as their ideal answers and facts: how this project says that it doesn't know."""
    found: set[str] = set()
    for case in cases:
        if case.unanswerable:
            answers = case.answer if isinstance(case.answer, list) else [case.answer]
            found.update(one for one in answers if isinstance(one, str))
            found.update(spelling for group in case.facts for spelling in group)
    return tuple(sorted(found))
