"""What `rung diagnose` prints: whole ids, since they are what one looks up."""

from __future__ import annotations

import pytest

from rung.measure.diagnose import Replays, diagnosis
from rung.report.diagnosed import show
from rung.types import Case, Evidence, Score


def test_ids_are_folded_and_not_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    long = "handbook-annual-leave-calder-quay-" + "0123456789" * 3
    case = Case(long, "How long?", "two years", evidence=(Evidence("a.md", "two years"),))
    wrong = Score(long, 0.0, {"facts": 0.0, "form": 1.0})
    show(diagnosis([case], {long: 0.0}, {long: Replays(wrong, gold=wrong, known=True, found=True)}), "rag")
    shown = capsys.readouterr().out
    assert "…" not in shown
    last = "".join(line.split()[-1] for line in shown.splitlines()[2:5])
    assert len(last) > 10
    assert last in long
