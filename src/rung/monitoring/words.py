"""What the figures ask for, in words: add documents, retrain, climb again. Each sentence names the figures that it rests on.

It refuses to speak of what chance explains: shares are compared by Fisher's exact test, corrected over all of them (Holm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rung.approach.ladder import LADDER
from rung.measure.drift import Drift
from rung.monitoring.canary import Canary
from rung.monitoring.figures import Window
from rung.monitoring.gaps import Gap, Heard
from rung.workspace.feedback import Rated

GROUP = 3  # like questions without an answer that make a gap worth a document
LEARN = 10  # corrections that make a training worth its while
ALPHA = 0.05
What = Literal["documents", "retrain", "climb", "take", "engine", "search", "speed"]


@dataclass(frozen=True)
class Saying:
    """Something to do, and why."""

    what: What
    sentence: str


@dataclass(frozen=True)
class Seen:
    """All that is looked at."""

    now: Window
    before: Window
    heard: Heard
    waiting: Sequence[Rated]  # corrected or well rated, of which no row was made
    learnable: int  # examples from feedback that no adapter was trained on yet
    canary: Canary | None
    slowest: float | None  # seconds that [limits] allows at the 95th percentile
    trained: bool  # whether an adapter is served


def sayings(seen: Seen) -> tuple[Saying, ...]:
    """What to do, the most pressing first; nothing where nothing is to be done."""
    worse = _worse(seen)
    found = [*_canary(seen), *_engine(worse), *_documents(seen.heard), *_retrain(seen, worse), *_climb(seen, worse), *_rest(seen)]
    return tuple(found)


def _canary(seen: Seen) -> list[Saying]:
    if not (seen.canary and seen.canary.change.worse):
        return []
    return [Saying("climb", f"Climb again: at the last canary {seen.canary.words}.")]


def _worse(seen: Seen) -> dict[str, str]:
    """Shares that rose beyond chance since the span before, with the sentence's middle."""
    from rung.measure.rates import rates_differ
    from rung.measure.stats import holm

    now, before = seen.now, seen.before
    pairs = {
        "failed": (now.failed, now.questions, before.failed, before.questions, "of the questions failed"),
        "abstained": (now.abstained, now.answered, before.abstained, before.answered, "of the answers said that they don't know"),
        "unsupported": (now.unsupported, now.checked, before.unsupported, before.checked, "of the answers held an unsupported sentence"),
        "down": (now.down, now.up + now.down, before.down, before.up + before.down, "of the thumbs were down"),
    }
    ps = holm([rates_differ(*one[:4]) for one in pairs.values()])
    found = {}
    for (name, (a, n, b, m, what)), p in zip(pairs.items(), ps, strict=True):
        if p < ALPHA and a / n > b / m:
            found[name] = f"{a / n:.0%} {what}, {b / m:.0%} in the span before (p {p:.2g})"
    return found


def _engine(worse: dict[str, str]) -> list[Saying]:
    return [Saying("engine", f"Look at the engine and the server's log: {worse['failed']}.")] if "failed" in worse else []


def _documents(heard: Heard) -> list[Saying]:
    """Gaps of several like questions: those that nothing comes near want documents, the others another search."""
    large = [gap for gap in heard.gaps if gap.count >= GROUP]
    said = []
    for near, what, how in ((False, "documents", "Add documents"), (True, "search", "Look at the search, the model or the access lists")):
        gaps = [gap for gap in large if gap.near == near]
        if gaps:
            count = sum(gap.count for gap in gaps)
            which = "; ".join(f"“{gap.name}” ({gap.count} like it{_near(gap)})" for gap in gaps[:3])
            share = f"{count} of {heard.questions} questions ({count / heard.questions:.0%})"
            why = "found nothing" if not near else "got no answer, although a passage comes near"
            said.append(Saying("documents" if what == "documents" else "search", f"{how}: {share} {why}: {which}."))
    return said


def _near(gap: Gap) -> str:
    return f", nearest {gap.nearest}" if gap.near and gap.nearest else ""


def _retrain(seen: Seen, worse: dict[str, str]) -> list[Saying]:
    corrected = sum(bool(one.said.correction) for one in seen.waiting)
    reasons = [f"{seen.learnable} examples from feedback are in no adapter yet"] if seen.learnable >= LEARN else []
    reasons += [f"{corrected} corrected answers wait to be taken as examples"] if corrected >= LEARN else []
    reasons += [worse["down"]] if seen.trained and "down" in worse else []
    return [Saying("retrain", f"Retrain, and promote what is better: {'; '.join(reasons)}.")] if reasons else []


def _climb(seen: Seen, worse: dict[str, str]) -> list[Saying]:
    reasons = [worse[name] for name in ("abstained", "unsupported") if name in worse]
    reasons += [worse["down"]] if not seen.trained and "down" in worse else []
    if (moved := seen.heard.since_before) and moved.told:
        reasons.append(f"what is asked has moved since the span before ({_moved(moved)})")
    if (moved := seen.heard.since_cases) and moved.told:
        more = f"; add cases such as “{seen.heard.novel[0].name}”" if seen.heard.novel else ""
        reasons.append(f"what is asked is not what the cases ask ({_moved(moved)}){more}")
    return [Saying("climb", f"Climb again: {'; '.join(reasons)}.")] if reasons else []


def _moved(drift: Drift) -> str:
    return f"MMD² {drift.mmd:.3f}, p {drift.p:.3f}, {drift.now} questions against {drift.before}"


def _rest(seen: Seen) -> list[Saying]:
    said = []
    if seen.slowest is not None and seen.now.seconds_p95 is not None and seen.now.seconds_p95 > seen.slowest:
        sentence = f"The 95th percentile of the answers took {seen.now.seconds_p95:.1f} s, and [limits] allows {seen.slowest:g} s."
        said.append(Saying("speed", sentence))
    if seen.waiting:
        count = len(seen.waiting)
        sentence = f"{count} corrected or well-rated answers can be taken: `rung watch --take ID --as case`, or `--as example`."
        said.append(Saying("take", sentence if count != 1 else sentence.replace("1 corrected or well-rated answers", "1 answer")))
    return said


def served_adapter(models: Sequence[str]) -> bool:
    """Whether one of the models that were asked stands on an adapter."""
    return any(name not in LADDER or LADDER[name].trained_on for name in models)
