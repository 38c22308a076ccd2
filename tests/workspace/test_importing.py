"""`rung import`: every format comes in, nothing held out gets through, and a second time adds nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from rung.cli import app
from rung.errors import ConfigError, DataError, RungError
from rung.measure.cases import read_cases

ROWS = [("How long is the warranty?", "two years"), ("Who pays the return?", "the shop, as a rule")]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "rung.toml").write_text('[project]\nexamples = "examples.jsonl"\n[knowledge]\nfolder = ""\n')
    (folder / "cases.jsonl").write_text('{"id": "c1", "question": "When do you open?", "answer": "at nine"}\n')
    return folder


def imported(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["import", *words, "--json"])
    if done.exception:
        raise done.exception
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def chats(folder: Path) -> tuple[Path, str]:
    rows = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in ROWS]
    return jsonl(folder / "x.jsonl", rows), "OpenAI chats"


def sharegpt(folder: Path) -> tuple[Path, str]:
    rows = [{"id": n, "conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": a}]} for n, (q, a) in enumerate(ROWS)]
    (folder / "x.json").write_text(json.dumps(rows, indent=1))
    return folder / "x.json", "ShareGPT"


def alpaca(folder: Path) -> tuple[Path, str]:
    (folder / "x.json").write_text(json.dumps([{"instruction": q, "input": "", "output": a} for q, a in ROWS]))
    return folder / "x.json", "Alpaca"


def own(folder: Path) -> tuple[Path, str]:
    (folder / "x.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in ROWS).encode()))
    return folder / "x.jsonl.gz", "cases"


def table(folder: Path) -> tuple[Path, str]:
    (folder / "x.csv").write_text("text,label\n" + "".join(f'{q},"{a}"\n' for q, a in ROWS))
    return folder / "x.csv", "cases"


def tabs(folder: Path) -> tuple[Path, str]:
    (folder / "x.tsv").write_text("question\tanswer\n" + "".join(f"{q}\t{a}\n" for q, a in ROWS))
    return folder / "x.tsv", "cases"


def columns(folder: Path) -> tuple[Path, str]:
    parquet.write_table(pa.table({"question": [q for q, _ in ROWS], "answer": [a for _, a in ROWS]}), folder / "x.parquet")
    return folder / "x.parquet", "cases"


def nested(folder: Path) -> tuple[Path, str]:
    turns = [[{"from": "human", "value": q}, {"from": "gpt", "value": a}] for q, a in ROWS]
    parquet.write_table(pa.table({"conversations": turns}), folder / "x.parquet")
    return folder / "x.parquet", "ShareGPT"


@pytest.mark.parametrize("make", [chats, sharegpt, alpaca, own, table, tabs, columns, nested])
def test_every_format_comes_in_once(make: Callable[[Path], tuple[Path, str]], shop: Path, tmp_path: Path) -> None:
    file, form = make(tmp_path)
    first = imported(str(file), str(shop))
    assert (first["form"], first["read"], first["added"], first["written"]) == (form, 2, 2, True)
    assert [(case.question, case.text) for case in read_cases(shop / "examples.jsonl")] == ROWS
    assert [case.origin.partition(":")[0] for case in read_cases(shop / "examples.jsonl")] == [file.name] * 2
    before = (shop / "examples.jsonl").read_bytes()
    again = imported(str(file), str(shop))
    assert (again["added"], again["known"]) == (0, 2)
    assert (shop / "examples.jsonl").read_bytes() == before


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_columns_of_other_names_are_mapped_and_the_rest_is_left(ending: str, shop: Path, tmp_path: Path) -> None:
    rows = [{"Frage": q, "Antwort": a, "Abteilung": "Lager"} for q, a in ROWS]
    file = tmp_path / f"faq.{ending}"
    if ending == "csv":
        file.write_text("Frage,Antwort,Abteilung\n" + "".join(f'{r["Frage"]},"{r["Antwort"]}",Lager\n' for r in rows))
    elif ending == "jsonl":
        jsonl(file, rows)
    else:
        parquet.write_table(pa.Table.from_pylist(rows), file)
    assert imported(str(file), str(shop), "--map", "question=Frage, answer=Antwort")["added"] == 2
    assert [(case.question, case.text) for case in read_cases(shop / "examples.jsonl")] == ROWS
    with pytest.raises(DataError) as caught:
        imported(str(file), str(shop), "--map", "question=Fragen,answer=Antwort")
    assert "'Fragen'" in caught.value.message
    assert "did you mean 'Frage'?" in caught.value.hint


def test_of_logged_answers_only_those_rated_well_or_corrected_are_learned(shop: Path, tmp_path: Path) -> None:
    logged = [
        {"id": "a1", "question": "How long?", "answer": "two years", "feedback": "up", "by": "raft 91ab"},
        {"id": "a2", "question": "How far?", "answer": "ten miles", "feedback": "down"},
        {"id": "a3", "question": "How much?", "answer": "ten", "feedback": "down", "correction": "twelve euros", "by": "rag 02cd"},
        {"id": "a4", "question": "How late?", "answer": "at nine", "feedback": ""},
    ]
    done = imported(str(jsonl(tmp_path / "traffic.jsonl", logged)), str(shop))
    assert (done["form"], done["added"], done["not_rated"]) == ("logged answers", 2, 2)
    told = [(case.id, case.text, case.origin) for case in read_cases(shop / "examples.jsonl")]
    assert told == [
        ("a1", "two years", "traffic.jsonl:1; an answer rated well of raft 91ab (a1)"),
        ("a3", "twelve euros", "traffic.jsonl:3; a person's correction of an answer of rag 02cd (a3)"),
    ]


def test_what_is_held_out_is_refused_and_nothing_is_written(shop: Path, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "x.jsonl", [{"question": q, "answer": a} for q, a in [*ROWS, ("when do you OPEN", "at ten")]])
    with pytest.raises(DataError) as caught:
        imported(str(file), str(shop))
    assert "line 3: it asks what 'c1' asks" in caught.value.message
    assert not (shop / "examples.jsonl").exists()
    done = imported(str(file), str(shop), "--skip")
    assert (done["added"], [one["line"] for one in done["skipped"]]) == (2, [3])


def test_cases_come_in_too_and_not_what_is_trained_on(shop: Path, tmp_path: Path) -> None:
    imported(str(chats(tmp_path)[0]), str(shop))
    rows = [{"question": ROWS[0][0], "answer": "x"}, {"id": "c1", "question": "Where are you?", "answer": "here"}]
    done = imported(str(jsonl(tmp_path / "more.jsonl", rows)), str(shop), "--to", "cases", "--skip")
    assert done["added"] == 1
    assert [case.id for case in read_cases(shop / "cases.jsonl")] == ["c1", "more-c1"]


def test_a_dry_run_writes_nothing(shop: Path, tmp_path: Path) -> None:
    done = imported(str(alpaca(tmp_path)[0]), str(shop), "--dry-run")
    assert (done["added"], done["written"], len(done["preview"])) == (2, False, 2)
    assert not (shop / "examples.jsonl").exists()


def test_what_was_in_the_file_stays_byte_by_byte(shop: Path, tmp_path: Path) -> None:
    (shop / "examples.jsonl").write_text('{"question":  "Odd   spacing?", "answer": "yes"}')
    imported(str(alpaca(tmp_path)[0]), str(shop))
    assert (shop / "examples.jsonl").read_text().startswith('{"question":  "Odd   spacing?", "answer": "yes"}\n{"id":')


def test_broken_rows_are_all_named(shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"question": "q"}\n{"question": "Is it?", "answer": "yes"}\n{"question": \n')
    with pytest.raises(DataError) as caught:
        imported(str(file), str(shop))
    assert "2 rows of" in caught.value.message
    assert "(line 1, 3); line 1: the field 'answer' is missing" in caught.value.message
    assert "--map" in caught.value.hint
    assert "--skip" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"not parquet", "x.parquet", "can't be read as Parquet"),
        (b"\x1f\x8bcut", "x.jsonl.gz", "can't be unpacked"),
        (b"", "x.jsonl", "holds no rows"),
        (b'{"question": "q", "answer": "a", "feedback": "great"}', "x.jsonl", "'feedback' is 'great'"),
        (b'{"conversations": [{"from": "narrator", "value": "x"}]}', "x.jsonl", "no assistant turn"),
    ],
)
def test_files_that_can_t_be_used(content: bytes, name: str, said: str, shop: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        imported(str(tmp_path / name), str(shop))
    assert said in caught.value.message
    assert caught.value.hint


def test_a_project_without_a_file_for_them(shop: Path, tmp_path: Path) -> None:
    (shop / "rung.toml").write_text('[knowledge]\nfolder = ""\n')
    with pytest.raises(ConfigError) as caught:
        imported(str(alpaca(tmp_path)[0]), str(shop))
    assert 'examples = "examples.jsonl"' in caught.value.hint
    for words in (["--to", "docs"], ["--map", "question"], ["--map", "frage=question"]):
        with pytest.raises(RungError):
            imported(str(tmp_path / "x.json"), str(shop), *words)
