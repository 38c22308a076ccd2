"""Tariffs: the packaged one, layers over it, and each wrong entry named."""

from __future__ import annotations

from pathlib import Path

import pytest

from rung.costs.tariff import changed, leaves, read_tariff
from rung.errors import ConfigError, DataError


def test_a_file_says_only_what_differs(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('version = "mine"\n[tokens]\ninput = 0.5\n')
    told = read_tariff(file, {"use": {"months": 3}})
    assert (told.version, told.tokens.input, told.use.months) == ("mine", 0.5, 3)
    assert told.tokens.output == read_tariff().tokens.output


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("[tokens]\ninptu = 1", "'tokens.inptu'", "'input'"),
        ("[token]\ninput = 1", "'token'", "'tokens'"),
        ("[tokens]\ninput = -1", "tokens.input is -1", "--write"),
        ('[use]\nmonths = "a year"', "use.months is 'a year'", "--write"),
        ("tokens = 5", "tokens is 5", "--write"),
    ],
)
def test_a_wrong_entry_is_named(text: str, words: str, hint: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_tariff(file)
    assert words in raised.value.message
    assert hint in raised.value.hint


def test_no_file_and_no_toml(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be read"):
        read_tariff(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("tokens = [")
    with pytest.raises(DataError, match="not valid TOML"):
        read_tariff(tmp_path / "bad.toml")


def test_every_number_can_be_changed() -> None:
    told = read_tariff()
    for name, value in leaves(told).items():
        assert leaves(changed(told, name, value + 1))[name] == value + 1
        assert {n: v for n, v in leaves(changed(told, name, value + 1)).items() if n != name} == {
            n: v for n, v in leaves(told).items() if n != name
        }
