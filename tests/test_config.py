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


def test_a_slip_within_an_access_rule_has_a_hint(tmp_path: Path) -> None:
    (tmp_path / "rung.toml").write_text('[[access.rules]]\ndocument = "hr/"\nreaders = ["anna"]\n')
    with pytest.raises(ConfigError) as error:
        read_config(tmp_path / "rung.toml")
    assert error.value.message.endswith("nobody reads the key 'access.rules[1].document'")
    assert error.value.hint == "did you mean 'documents'?"
    (tmp_path / "rung.toml").write_text('[[access.rules]]\ndocuments = "hr/"\n')
    with pytest.raises(ConfigError, match=r"access\.rules\[1\]\.readers is missing"):
        read_config(tmp_path / "rung.toml")
    (tmp_path / "rung.toml").write_text('[[access.rules]]\ndocuments = "hr/"\nreader = ["anna"]\nreaders = []\n')
    with pytest.raises(ConfigError, match=r"nobody reads the key 'access\.rules\[1\]\.reader'") as error:
        read_config(tmp_path / "rung.toml")
    assert error.value.hint == "did you mean 'readers'?"


@pytest.mark.parametrize(("ocr", "languages"), [("true", "eng"), ("false", ""), ('"deu+eng"', "deu+eng")])
def test_the_languages_of_scanned_pages(tmp_path: Path, ocr: str, languages: str) -> None:
    (tmp_path / "rung.toml").write_text(f"[knowledge]\nocr = {ocr}\n")
    assert read_config(tmp_path / "rung.toml").knowledge.ocr_languages == languages


@pytest.mark.parametrize("line", ["ocr = 3", 'ocr = "-l eng"', 'chunker = "words"', 'expand = "page"', 'expand = "neighbours:0"'])
def test_values_of_the_knowledge_that_are_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "rung.toml").write_text(f"[knowledge]\n{line}\n")
    with pytest.raises(ConfigError, match=line.split()[0]):
        read_config(tmp_path / "rung.toml")
