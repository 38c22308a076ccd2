"""Shared by all tests: the development data where it is at hand, and no network."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
settings.register_profile("rung", deadline=None)  # a busy machine is no failure
settings.load_profile("rung")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background: what tests start must hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development data; the test is skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the development data is not on this machine")
    return folder
