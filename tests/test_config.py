"""`rung.toml`: every mistake is one sentence that shows what was written, and a hint that says what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from rung.config import read_config
from rung.errors import ConfigError

MISTAKES = {
    "[project\n": ("not valid TOML", "mend that line"),
    'name = "x"\n': ("'name'", "under [project]"),
    "[project]\nmax_tokens = 3\n": ("'project.max_tokens'", "under [model]"),
    "[model]\nmax_token = 3\n": ("'model.max_token'", "'max_tokens'"),
    "[modell]\n": ("'modell'", "'model'"),
    "[zzz]\n": ("'zzz'", "known here: project, model"),
    'project = "x"\n': ("project must be a table", "[project]"),
    "[[knowledge]]\n": ("knowledge must be a table", "[knowledge]"),
    "[project]\nbar = 80\n": ("project.bar is 80", "share of cases"),
    '[project]\ntask = "sumarize"\n': ("project.task is 'sumarize'", "text, JSON or a label"),
    '[project]\nrungs = "rag"\n': ("should be a list", "rungs to climb"),
    '[limits]\nseconds_p95 = "fast"\n': ("limits.seconds_p95 is 'fast'", "95th percentile"),
}


@pytest.mark.parametrize("written", MISTAKES)
def test_a_mistake_is_named_with_its_remedy(tmp_path: Path, written: str) -> None:
    (tmp_path / "rung.toml").write_text(written)
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path / "rung.toml")
    message, hint = MISTAKES[written]
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    (tmp_path / "rung.toml").write_bytes(b'\xef\xbb\xbf[project]\r\nname = "caf\xc3\xa9"\r\n')
    assert read_config(tmp_path / "rung.toml").project.name == "café"


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no rung\.toml in"):
        read_config(tmp_path / "rung.toml")
    (tmp_path / "rung.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"not UTF-8 \(byte 0\)"):
        read_config(tmp_path / "rung.toml")
    with pytest.raises(ConfigError, match="can't be read: Not a directory"):
        read_config(tmp_path / "rung.toml" / "rung.toml")
    (tmp_path / "folder" / "rung.toml").mkdir(parents=True)
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        read_config(tmp_path / "folder" / "rung.toml")
