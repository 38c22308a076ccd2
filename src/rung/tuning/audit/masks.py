"""Renders every row as it will be trained on: is the answer trained, all of it, nothing but it, and does the row fit?

It uses the function that training uses, so what it shows is what is learned.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from rung.errors import ModelError
from rung.models.template import encode_row
from rung.tuning.audit.finding import Finding, Place, Rendered, Severity, counted, finding
from rung.tuning.audit.material import Material
from rung.tuning.rows import Row

OUTLIER = 3.0  # interquartile ranges above the upper quartile


@dataclass(frozen=True)
class Mask:
    """A row's tokens, how many of them are trained on, and what is wrong with them ("" where nothing is)."""

    id: str
    tokens: int
    trained: int
    fault: str = ""
    said: str = ""


def masks(material: Material, progress: Callable[[int, int], None] | None = None) -> list[Mask]:
    """One for each row, in their order."""
    made = []
    for number, row in enumerate(material.rows, 1):
        made.append(mask(material.tokenizer, row))
        if progress and (number % 50 == 0 or number == len(material.rows)):
            progress(number, len(material.rows))
    return made


def mask(tokenizer: Any, row: Row) -> Mask:
    """What of a row is trained on, and whether that is its answer."""
    try:
        ids, prompt = encode_row(tokenizer, row.messages)
    except ModelError as error:
        return Mask(row.id, 0, 0, "template", f"{error.message}; {error.hint}")
    trained = ids[prompt:-1] if ids[-1] == tokenizer.eos_token_id else ids[prompt:]
    text = tokenizer.decode(trained)
    told, wanted = _folded(text), _folded(row.messages[-1]["content"])
    fault, said = "", ""
    if not text.strip():
        fault = "empty-mask"
    elif told != wanted:
        before = told.removesuffix(wanted) if wanted and told.endswith(wanted) else ""
        asked = [_folded(message["content"]) for message in row.messages[:-1]]
        fault = "prompt-trained" if any(one and one in told for one in asked) else "frame-trained" if before else "answer-changed"
        said = before
    return Mask(row.id, len(ids), len(ids) - prompt, fault, said)


def check_masks(material: Material, made: list[Mask]) -> Iterator[Finding]:
    """Rows whose mask is empty, covers the prompt, or is not the answer; rows too long for the window."""
    by_fault: dict[str, list[Mask]] = {}
    for one in made:
        by_fault.setdefault(one.fault, []).append(one)
    for message, number in Counter(one.said for one in by_fault.get("template", ())).most_common():
        said, _, hint = message.partition("; ")
        rows = [one for one in by_fault["template"] if one.said == message]
        yield finding("template", "stop", f"{said} ({counted(number, 'row', 'rows')})", hint, _places(material, rows))
    if empty := by_fault.get("empty-mask"):
        said = f"{counted(len(empty), 'row has', 'rows have')} no answer left to train on once rendered"
        yield finding("empty-mask", "stop", said, "write an answer, or mend the model's chat template", _places(material, empty))
    if covered := by_fault.get("prompt-trained"):
        said = f"in {counted(len(covered), 'row', 'rows')} the question would be trained on, not only the answer"
        fix = "mend the chat template: with add_generation_prompt it must render the conversation up to the answer"
        yield finding("prompt-trained", "stop", said, fix, _places(material, covered))
    if framed := by_fault.get("frame-trained"):
        said = f"in {counted(len(framed), 'row', 'rows')} the template trains {framed[0].said!r} in front of the answer"
        yield finding(
            "frame-trained", "note", said, "harmless where the model is meant to say it; see the row shown", _places(material, framed)
        )
    if changed := by_fault.get("answer-changed"):
        said = f"in {counted(len(changed), 'row', 'rows')} the template trains something else than the answer"
        yield finding(
            "answer-changed", "warn", said, "look at the row with --row; some templates cut thoughts or tags", _places(material, changed)
        )
    yield from _too_long(material, made)


def _too_long(material: Material, made: list[Mask]) -> Iterator[Finding]:
    cut = [one for one in made if one.tokens > material.window > 0]
    if cut:
        longest = max(one.tokens for one in cut)
        said = (
            f"{len(cut):,} of {counted(len(made), 'row', 'rows')} {'exceeds' if len(cut) == 1 else 'exceed'} the model's window "
            f"of {material.window:,} tokens (the longest has {longest:,}) and will be left out"
        )
        severity: Severity = "stop" if 2 * len(cut) >= len(made) else "warn"
        yield finding("too-long", severity, said, "shorten them, or choose a model with a longer window", _places(material, cut))


def check_lengths(material: Material, made: list[Mask]) -> Iterator[Finding]:
    """Rows far longer than the others (beyond the upper quartile by three interquartile ranges; Tukey's far out)."""
    sized = [(one.id, one.tokens, "tokens") for one in made if one.tokens]
    if not sized:
        sized = [(row.id, sum(len(message["content"]) for message in row.messages), "letters") for row in material.rows]
    if len(sized) < 20:
        return
    low, middle, high = quantiles([size for _, size, _ in sized], n=4)
    bound = max(high + OUTLIER * (high - low), 2 * middle)
    far = [(id, size) for id, size, _ in sized if size > bound]
    if far:
        said = (
            f"{counted(len(far), 'row is', 'rows are')} far longer than the others: up to {max(size for _, size in far):,} {sized[0][2]}, "
        )
        said += f"half of all rows have {middle:,.0f} or fewer"
        fix = "see whether several answers ran together; long rows also make batches small"
        yield finding("length", "note", said, fix, [material.place(id) for id, _ in far])


def rendered(tokenizer: Any, row: Row) -> Rendered:
    """The row as the model sees it, with what is trained on marked. ModelError where the template refuses it."""
    ids, prompt = encode_row(tokenizer, row.messages)
    return Rendered(row.id, ((tokenizer.decode(ids[:prompt]), False), (tokenizer.decode(ids[prompt:]), True)))


def garbled(material: Material) -> Iterator[Finding]:
    """Texts with replacement characters, control characters, or UTF-8 that was read as Latin-1."""
    lost = re.compile("\ufffd|[\x00-\x08\x0b\x0c\x0e-\x1f]|[ÃÂ][\x80-\xbf]|â€[™œ\x9d“”¦]|â\x80[\x93\x94\x98\x99]")
    found = [(case, match) for case in material.examples if (match := lost.search(f"{case.question}\n{case.text}"))]
    if found:
        match = found[0][1]
        around = match.string[max(0, match.start() - 12) : match.end() + 12]
        said = f"{counted(len(found), 'row lost its', 'rows lost their')} encoding, such as {around!r}"
        yield finding("garbled", "warn", said, "export the data again as UTF-8", [material.place(case.id) for case, _ in found])


def _places(material: Material, found: list[Mask]) -> list[Place]:
    return [material.place(one.id) for one in found]


def _folded(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
