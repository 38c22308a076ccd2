"""How values are shown on pages: times, numbers, states, intervals and losses as pictures. It makes text and numbers, no markup."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

STATES = {"waiting": "waiting", "running": "running", "done": "done", "failed": "failed", "cancelled": "stopped"}
PAGES = (
    ("/", "Overview"), ("/documents", "Documents"), ("/cases", "Cases"), ("/climb", "Climb"), ("/chat", "Chat"), ("/compare", "Compare"),
    ("/train", "Train"), ("/adapters", "Adapters"), ("/monitor", "Monitor"), ("/diagnose", "Diagnose"), ("/cost", "Cost"),
    ("/advise", "Advise"), ("/jobs", "Jobs"), ("/settings", "Settings"),
)  # fmt: skip


def when(seconds: float | None) -> str:
    """A moment as people write it, in the server's time zone."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""


def lasting(seconds: float | None) -> str:
    """A length of time in its two greatest units."""
    if seconds is None:
        return ""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def share(value: float | None) -> str:
    """A share of 1 in per cent."""
    return "–" if value is None else f"{100 * value:.0f} %"


def number(value: Any, digits: int = 3) -> str:
    """A number with so many significant digits, written out: a power of ten only below a millionth."""
    if not isinstance(value, float):
        return "–" if value is None else f"{value:,}"
    if round(abs(value)) >= 10**digits:
        return f"{value:,.0f}"
    short = f"{value:.{digits}g}"
    return f"{value:.{digits - 1 - int(short.partition('e')[2])}f}" if "e-" in short and abs(value) >= 1e-6 else short


def counted(number: int, what: str) -> str:
    """A number with what it counts."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def curve(lines: Sequence[Mapping[str, float]], name: str = "loss", width: int = 600, height: int = 160) -> dict[str, Any] | None:
    """The points of a line through losses, in a picture of that size, with the first and last value; None for fewer than two."""
    found = [(float(line["step"]), float(line[name])) for line in lines if name in line]
    if len(found) < 2:
        return None
    low, high = min(loss for _, loss in found), max(loss for _, loss in found)
    left, right = found[0][0], found[-1][0]
    across, up = (right - left) or 1.0, (high - low) or 1.0
    points = " ".join(f"{(step - left) / across * width:.1f},{height - (loss - low) / up * height:.1f}" for step, loss in found)
    told = {"first": found[0][1], "last": found[-1][1], "low": low, "high": high, "steps": int(right)}
    return {"points": points, "width": width, "height": height, **told}


def flow(sources: Sequence[tuple[str, int]], ends: Sequence[str], most: int = 16) -> dict[str, Any]:
    """Where to draw what an adapter was made of, with the rows of each, and what was made of it: the most rows first, the rest as one.

    Nodes are (y, words, rows); lines are cubic curves from the right of a source to the adapter, as wide as their share of rows.
    """
    ordered = sorted(sources, key=lambda one: (-one[1], one[0]))
    kept, rest = (ordered, []) if len(ordered) <= most else (ordered[: most - 1], ordered[most - 1 :])
    if rest:
        kept = [*kept, (f"{len(rest)} more documents", sum(rows for _, rows in rest))]
    height = 30 * max(len(kept), len(ends), 2)
    middle, whole = height / 2, max((rows for _, rows in kept), default=1) or 1

    def column(count: int) -> list[float]:
        return [middle + 30 * (n - (count - 1) / 2) for n in range(count)]

    left = [(y, words if len(words) <= 38 else f"…{words[-37:]}", rows) for y, (words, rows) in zip(column(len(kept)), kept, strict=True)]
    lines = [{"path": f"M310 {y} C370 {y} 370 {middle} 430 {middle}", "width": f"{1 + 5 * rows / whole:.1f}"} for y, _, rows in left]
    right = [(y, words if len(words) <= 30 else f"{words[:29]}…") for y, words in zip(column(len(ends)), ends, strict=True)]
    lines += [{"path": f"M590 {middle} C640 {middle} 640 {y} 690 {y}", "width": "1.5"} for y, _ in right]
    return {"left": left, "right": right, "lines": lines, "height": height, "middle": middle}


def size(value: float) -> str:
    """Bytes in gibibytes."""
    return f"{value / (1 << 30):.1f} GiB"


FILTERS = {"bytes": size, "when": when, "lasting": lasting, "share": share, "number": number, "counted": counted}
GLOBALS = {"PAGES": PAGES, "STATES": STATES, "curve": curve, "flow": flow}
