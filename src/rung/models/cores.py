"""Counts the cores that are really free, since more threads than those make a model many times slower, not faster.

It refuses to trust the load average, which counts this process's own work of a minute ago.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_STAT = Path("/proc/stat")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def free_cores(seconds: float = 0.1) -> int:
    """Cores this process may use that stood idle for most of a short look at them; at least 1."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    if not _STAT.is_file():
        return max(1, len(allowed))
    before = _idle()
    time.sleep(seconds)
    after = _idle()
    ticks = seconds * os.sysconf("SC_CLK_TCK")
    free = sum(1 for core in allowed if after.get(core, 0) - before.get(core, 0) >= ticks / 2)
    return max(1, min(free, _quota() or free))


def _idle() -> dict[int, int]:
    """Clock ticks that each core has spent idle or waiting for a disk since boot."""
    rows = [line.split() for line in _STAT.read_text().splitlines() if line.startswith("cpu") and line[3:4].isdigit()]
    return {int(row[0][3:]): int(row[4]) + int(row[5]) for row in rows}


def _quota() -> int:
    """Whole cores that the container's quota allows, 0 where there is none."""
    if not _QUOTA.is_file():
        return 0
    limit, period, *_ = [*_QUOTA.read_text().split(), "0", "0"]
    return max(1, int(limit) // int(period)) if limit.isdigit() and int(period) else 0
