"""The figures of a span of time: traffic, times, tokens, cost, abstentions, unsupported sentences and feedback. It reads no text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rung.workspace.feedback import Feedback
from rung.workspace.traffic import Traffic

HOUR, DAY = 3600.0, 86400.0
LENGTHS = (HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY)  # of a window
MOST = 31  # windows


@dataclass(frozen=True)
class Window:
    """[since, until). Times are of answers that came whole; None where there were none."""

    since: float
    until: float
    questions: int
    failed: int  # that ended otherwise than with an answer; who left is not counted
    left: int  # of which the client left before the end
    seconds_p50: float | None
    seconds_p95: float | None
    seconds_p99: float | None
    retrieval_p50: float | None
    prompt: int  # tokens
    completion: int
    cached: int
    money: float
    abstained: int
    checked: int  # answers whose sentences were checked
    unsupported: int  # of them with a sentence that no passage supports
    up: int
    down: int
    corrected: int
    model: str = ""  # "" for all of them

    @property
    def answered(self) -> int:
        """Answers that came whole."""
        return self.questions - self.failed - self.left


def window(rows: Sequence[Traffic], said: Sequence[Feedback], since: float, until: float, model: str = "") -> Window:
    """Of the answers that began in [since, until), by one model or all; feedback counts with the answer that it is about."""
    held = [row for row in rows if since <= row.at < until and model in ("", row.model)]
    whole = [row for row in held if row.ended == "answered"]
    left = sum(row.ended == "client_closed_request" for row in held)
    ids = {row.id for row in held}
    about = [one for one in said if one.answer in ids]
    times = [_quantile([row.seconds for row in whole], share) for share in (0.5, 0.95, 0.99)]
    checked = [row for row in whole if row.sentences]
    return Window(
        since, until, len(held), len(held) - len(whole) - left, left, times[0], times[1], times[2],
        _quantile([row.retrieval for row in whole], 0.5), sum(row.prompt for row in held), sum(row.completion for row in held),
        sum(row.cached for row in held), sum(row.money for row in held), sum(row.abstained for row in whole), len(checked),
        sum(row.unsupported > 0 for row in checked), sum(one.thumb == "up" for one in about), sum(one.thumb == "down" for one in about),
        sum(bool(one.correction) for one in about), model,
    )  # fmt: skip


def windows(rows: Sequence[Traffic], said: Sequence[Feedback], since: float, until: float) -> tuple[Window, ...]:
    """The span cut into hours, days or weeks, whatever makes at most 31; the last may be shorter."""
    length = next((one for one in LENGTHS if (until - since) / one <= MOST), LENGTHS[-1])
    starts = [since]
    while starts[-1] + length < until:
        starts.append(starts[-1] + length)
    return tuple(window(rows, said, start, min(until, start + length)) for start in starts)


def _quantile(values: Sequence[float], share: float) -> float | None:
    """Linear between the two nearest."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
