"""Every scenario makes a sound project out of its set as published, with nothing that is trained on among what is measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scenario_files import SETS

from examples.scenarios.__main__ import NAMES, main
from rung.approach.question import question_key
from rung.measure.cases import read_cases
from rung.types import Case
from rung.workspace.check import check_project

PUBLISHED = {"fastapi": "fastapi_docs", "handbook": "sourcegraph_handbook", "tatqa": "tatqa_dev"}


def made(name: str, data: Path, folder: Path, held: int = 4, train: int = 20) -> tuple[list[Case], list[Case]]:
    main([name, str(data), str(folder), "--held", str(held), "--train", str(train)])
    return read_cases(folder / "cases.jsonl"), read_cases(folder / "examples.jsonl")


@pytest.fixture
def tiny(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[str, Path]:
    data = tmp_path / "data"
    data.mkdir()
    SETS[request.param](data)
    return request.param, data


def sound(folder: Path, cases: list[Case], examples: list[Case]) -> None:
    """What holds for every scenario, whatever its size."""
    assert not {question_key(case.question) for case in cases} & {question_key(one.question) for one in examples}
    for case in (*cases, *examples):
        for evidence in case.evidence:
            assert evidence.quote in (folder / "docs" / evidence.document).read_text(encoding="utf-8")
    checked = check_project(folder)
    assert checked.audit is not None
    assert not [one for one in checked.audit.findings if one.severity == "stop" or one.kind in ("held-out", "near-held-out")]
    assert not [one for one in checked.warnings if "evidence" in one]


def test_every_scenario_has_a_set() -> None:
    assert sorted(SETS) == sorted(NAMES)


@pytest.mark.parametrize("tiny", NAMES, indirect=True)
def test_a_tiny_set_becomes_a_project(tiny: tuple[str, Path], tmp_path: Path) -> None:
    name, data = tiny
    folder = tmp_path / "project"
    cases, examples = made(name, data, folder)
    sound(folder, cases, examples)
    assert len(cases) == 4
    assert examples
    if name != "torchhub":  # its published split has every call on both sides
        assert not {case.group for case in cases if case.group} & {one.group for one in examples}
    again = made(name, data, tmp_path / "again")
    assert again == (cases, examples)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name == "cuad" else ()) for name in NAMES])
def test_the_published_set_becomes_a_project(name: str, tmp_path: Path, shared_data: Path) -> None:
    data = shared_data / PUBLISHED.get(name, name)
    if not data.is_dir():
        pytest.skip(f"the published set is not at {data}")
    if name == "cuad":
        cases, examples = made(name, data, tmp_path / "project", 10, 10)
    else:
        cases, examples = made(name, data, tmp_path / "project", 60, 100)
    sound(tmp_path / "project", cases, examples)
    assert len(cases) == (10 if name == "cuad" else 60)


@pytest.mark.parametrize("tiny", ["banking77"], indirect=True)
def test_a_training_row_that_is_held_out_is_left_out(tiny: tuple[str, Path], tmp_path: Path) -> None:
    cases, examples = made(*tiny, tmp_path / "project", held=10)
    assert sum("ember" in case.question for case in cases) == 2
    assert len(examples) == 14
    assert json.loads((tmp_path / "project" / "labels.json").read_text()) == ["card arrival", "refund not showing up"]


@pytest.mark.parametrize("tiny", ["handbook"], indirect=True)
def test_an_edit_is_asked_before_and_after(tiny: tuple[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "project"
    cases, _ = made(*tiny, folder)
    now = {case.id: case for case in cases if "changed" in case.tags}
    then = {case.id: case for case in read_cases(folder / "history-cases.jsonl")}
    assert now
    assert now.keys() == then.keys()
    for id, old in then.items():
        new = now[id]
        assert old.question == new.question
        assert old.text.startswith("#old-desk-")
        assert new.text.startswith("#ask-")
        assert new.text not in new.question
        before, after = (folder / place / new.group for place in ("history", "docs"))
        assert old.evidence[0].quote in before.read_text()
        assert old.evidence[0].quote not in after.read_text()
    assert not any("written" in case.text for case in cases)


@pytest.mark.parametrize("tiny", ["cuad"], indirect=True)
def test_contracts_are_written_as_the_schema_asks(tiny: tuple[str, Path], tmp_path: Path) -> None:
    cases, examples = made(*tiny, tmp_path / "project")
    by_id = {case.id: case.answer for case in (*cases, *examples)}
    assert by_id["birch_2014"]["agreement_date"] == "2014-05-02"
    assert by_id["birch_2014"]["governing_law"] == "Delaware"
    assert by_id["birch_2014"]["insurance"] is False
    assert by_id["amber_2014"]["insurance"] is True
    assert by_id["amber_2014"]["renewal_term"] is None
    assert json.loads((tmp_path / "project" / "schema.json").read_text())["properties"]["governing_law"]["enum"] == ["Delaware", None]


@pytest.mark.parametrize("tiny", ["tatqa"], indirect=True)
def test_reports_keep_table_and_order(tiny: tuple[str, Path], tmp_path: Path) -> None:
    cases, examples = made(*tiny, tmp_path / "project")
    told = {case.id: case for case in (*cases, *examples)}
    assert told["q3-span"].facts == (("$ 1,003.4", "1,003.4"),)
    assert told["q3-arithmetic"].facts == (("-1.5", "1.5"),)
    assert "q3-multi-span" not in told
    page = (tmp_path / "project" / "docs" / "t3.md").read_text()
    assert page.startswith("|  | 2019 | 2018 |\n| --- | --- | --- |\n| denim / sales |")
    assert page.index("About denim.") < page.index("Second.")


@pytest.mark.parametrize("tiny", ["medquad"], indirect=True)
def test_only_answers_that_say_one_thing_are_asked(tiny: tuple[str, Path], tmp_path: Path) -> None:
    cases, examples = made(*tiny, tmp_path / "project")
    tags = {tag for case in (*cases, *examples) for tag in case.tags}
    assert tags == {"inheritance", "genetic changes"}
    assert {case.text for case in (*cases, *examples) if "inheritance" in case.tags} == {"autosomal recessive"}


def test_what_is_missing_or_taken_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tatqa", str(tmp_path), str(tmp_path / "project")])
    assert ended.value.code == 2
    assert "tatqa_dataset_dev.json.gz is missing" in capsys.readouterr().err
    assert not (tmp_path / "project").exists()
    SETS["tatqa"](tmp_path)
    main(["tatqa", str(tmp_path), str(tmp_path / "project"), "--model", "hf:Qwen/Qwen3-0.6B"])
    assert 'name = "hf:Qwen/Qwen3-0.6B"' in (tmp_path / "project" / "rung.toml").read_text()
    with pytest.raises(SystemExit):
        main(["tatqa", str(tmp_path), str(tmp_path / "project")])
    assert "holds a project already" in capsys.readouterr().err
