"""Judged numbers in words, each with how far its judge agrees with people; it computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rung.measure.agree import Agreement, Judged, Preference

UNMEASURED = "nobody measured how far this judge agrees with people (`rung judge agree FILE`)"


def line(one: Judged) -> str:
    """A rung's judged share, its unusable verdicts, and the judge's agreement."""
    if one.share is None:
        shown = "no verdict could be used"
    else:
        low, high = 100 * one.share.low, 100 * one.share.high
        shown = f"judged {one.criterion} {100 * one.share.estimate:.0f} % ({low:.0f}-{high:.0f}, n = {one.share.n})"
    lost = f"; {one.unusable} unusable, counted apart" if one.unusable else ""
    return f"{one.rung}: {shown}{lost}; {agreed(one.agreement) if one.agreement else UNMEASURED}"


def agreed(told: Agreement) -> str:
    """Kappa with its interval, or why there is none."""
    lost = f", {told.unusable} unusable" if told.unusable else ""
    if told.kappa is None:
        return f"agreement with people has no kappa: {told.why} (n = {told.n}{lost})"
    return (
        f"agreement with people: kappa {told.kappa:.2f} ({told.low:.2f} to {told.high:.2f}), "
        f"the same label for {100 * told.same:.0f} % (n = {told.n}{lost})"
    )


def preferred(told: Preference, agreement: Agreement | None = None) -> str:
    """Wins of each, what the order decided, and how often the answer in front was preferred."""
    usable = sum(told.wins) + told.ties
    first = f"{told.first} preferred {told.wins[0]} times, {told.second} {told.wins[1]} times, {told.ties} ties of {usable}"
    turned = f"; {told.turned} verdicts turned with the order and count for neither" if told.turned else ""
    lost = f"; {told.unusable} unusable, counted apart" if told.unusable else ""
    lines = [first + turned + lost]
    if told.ahead is not None and told.p is not None:
        ahead = told.ahead
        lines.append(
            f"{told.second} less {told.first}: {100 * ahead.estimate:+.0f} points ({100 * ahead.low:+.0f} to {100 * ahead.high:+.0f}), "
            f"p = {told.p:.2g}"
        )
    if told.front is not None:
        lines.append(f"the answer in front was preferred in {100 * told.front:.0f} % of {told.stated} preferences; without bias it is 50 %")
    return "\n".join([*lines, agreed(agreement) if agreement else UNMEASURED])
