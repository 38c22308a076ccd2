"""When two questions are the same one. It refuses to understand: other words are another question."""

from __future__ import annotations

import re
import unicodedata


def question_key(question: str) -> str:
    """A question with case, accents' encoding, punctuation and spacing taken out: what makes two questions the same one."""
    text = unicodedata.normalize("NFKC", question).casefold()
    return " ".join(re.sub(r"[^\w\s]", " ", text).split()) or text.strip()
