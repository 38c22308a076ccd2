"""`rung synthesize` against a real server: only what a passage bears out is kept, documents stay on one side, nothing is asked twice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from chat_server import Chat, chat_server
from typer.testing import CliRunner

from rung.cli import app
from rung.errors import ConfigError, KnowledgeError, ModelError
from rung.measure.cases import read_cases
from rung.types import Messages, Reply, Settings, Usage

WARDS = "north south east west upper lower inner outer old new red blue".split()  # noqa: SIM905


class Author:
    """Writes about a ward as a model might: well, with an invented quote, with a wrong answer, about "the passage", or no JSON."""

    id = "author"
    window = 4096

    def __init__(self, *, able: bool = True) -> None:
        self.able = able

    def count(self, messages: Messages) -> int:
        return sum(len(message["content"].split()) for message in messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        for number, prompt in enumerate(prompts):
            text = self.reply(prompt[-1]["content"])
            yield number, text
            yield number, Reply(text, Usage(1, 1), 0.0)

    def reply(self, text: str) -> str:
        told = re.search(r"The (\w+) ward is open for (\d+) days", text)
        if not told or not self.able:
            return "What a nice text."
        ward, days = told[1], int(told[2])
        row = {
            "question": f"For how many days is the {ward} ward open?",
            "answer": f"{days} days",
            "quote": f"The {ward} ward is open for {days} days a year,\nand its keeper signs the book.",
        }
        if days % 5 == 1:
            row["quote"] = f"The {ward} ward closes on Sundays."
        elif days % 5 == 2:
            row["answer"] = f"{days + 100} days"
        elif days % 5 == 3:
            row["question"] = "For how many days is it open according to the passage?"
        return f"Here you are:\n```json\n{json.dumps(row)}\n```"


@pytest.fixture
def wards(tmp_path: Path) -> Path:
    folder = tmp_path / "wards"
    (folder / "docs").mkdir(parents=True)
    for n, ward in enumerate(WARDS):
        said = f"The {ward} ward is open for {200 + 5 * n + n % 4} days a year, and its keeper signs the book.\n"
        more = "Visitors bring their own lamp and a warm coat, because nobody lights the stairs or heats the hall in winter at all."
        (folder / "docs" / f"{ward}.md").write_text(f"# The {ward} ward\n\n{said}\n{more}\n")
    (folder / "rung.toml").write_text(
        '[project]\nexamples = "examples.jsonl"\n[knowledge]\nembedder = "hashing"\nindex = "exact"\n[model.options]\nretries = 0\n'
    )
    return folder


@pytest.fixture(scope="module")
def author() -> Iterator[Chat]:
    with chat_server(Author()) as chat:
        yield chat


def made(folder: Path, chat: Chat | None, *words: str) -> dict[str, Any]:
    who = ["--model", f"endpoint:tiny@{chat.url}"] if chat else ["--cut"]
    done = CliRunner().invoke(app, ["synthesize", str(folder), "--json", *who, *words])
    if done.exception:
        raise done.exception
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_only_what_the_passage_bears_out_is_kept_and_documents_stay_on_one_side(wards: Path, author: Chat) -> None:
    told = made(wards, author, "--number", "40", "--share", "0.4")
    assert told["rejected"] == {
        "the quote is not in the passage": 3,
        "the quote does not support the answer": 3,
        "the question speaks of the text itself": 3,
    }
    cases, examples = (read_cases(wards / name) for name in ("cases.jsonl", "examples.jsonl"))
    assert (told["cases"], told["examples"]) == (len(cases), len(examples))
    assert len(cases) + len(examples) == 3
    documents = [{e.document for case in side for e in case.evidence} for side in (cases, examples)]
    assert not documents[0] & documents[1]
    for case in (*cases, *examples):
        text = (wards / "docs" / case.evidence[0].document).read_text()
        assert case.evidence[0].quote in text
        assert case.text in case.evidence[0].quote
        assert case.tags == ("synthetic",)
        assert case.group == case.evidence[0].document
        assert case.origin.startswith(f"written by endpoint:tiny@{author.url} from {case.group}:")


def test_the_same_call_again_asks_and_adds_nothing(wards: Path, author: Chat) -> None:
    made(wards, author, "--number", "40")
    asked, before = len(author.asked), (wards / "examples.jsonl").read_bytes()
    told = made(wards, author, "--number", "40")
    assert (told["cases"], told["examples"]) == (0, 0)
    assert len(author.asked) == asked
    assert (wards / "examples.jsonl").read_bytes() == before


def test_an_interrupted_run_goes_on_where_it_was(wards: Path, tmp_path: Path, author: Chat) -> None:
    author.trouble = [503]  # one request is refused, and there are no retries
    with pytest.raises(ModelError):
        made(wards, author, "--number", "40", "--share", "0.4")
    author.trouble = []
    record = next((wards / ".rung" / "synthetic").glob("*.jsonl"))
    known = {json.loads(line)["passage"] for line in record.read_text().splitlines()}
    with record.open("a") as file:
        file.write('{"passage": "torn')
    made(wards, author, "--number", "40", "--share", "0.4")
    lines = [line for line in record.read_text().splitlines() if line.endswith("}")]
    recorded = [json.loads(line)["passage"] for line in lines]
    assert len(recorded) == len(set(recorded)) == 12
    assert known <= set(recorded)
    whole = tmp_path / "again"
    (whole / "docs").mkdir(parents=True)
    for path in (wards / "docs").iterdir():
        (whole / "docs" / path.name).write_text(path.read_text())
    (whole / "rung.toml").write_text((wards / "rung.toml").read_text())
    made(whole, author, "--number", "40", "--share", "0.4")
    for name in ("cases.jsonl", "examples.jsonl"):
        assert (whole / name).read_text() == (wards / name).read_text()


def test_a_document_stays_on_the_side_where_it_is(wards: Path, author: Chat) -> None:
    keeps = [ward for n, ward in enumerate(WARDS) if n % 4 == 0]  # those whose questions are kept
    rows = [{"id": f"own-{w}", "question": f"Who keeps the {w} ward?", "answer": "x", "evidence": [{"document": f"{w}.md"}]} for w in keeps]
    (wards / "cases.jsonl").write_text(json.dumps(rows[0]) + "\n" + json.dumps(rows[2]) + "\n")
    (wards / "examples.jsonl").write_text(
        json.dumps(rows[1]) + "\n" + json.dumps(rows[2] | {"id": "z", "question": "And who else?"}) + "\n"
    )
    told = made(wards, author, "--number", "40")
    assert told["both"] == [f"{keeps[2]}.md"]
    sides = {case.group: "cases" for case in read_cases(wards / "cases.jsonl") if "synthetic" in case.tags}
    sides |= {case.group: "examples" for case in read_cases(wards / "examples.jsonl") if "synthetic" in case.tags}
    assert sides == {f"{keeps[0]}.md": "cases", f"{keeps[1]}.md": "examples"}


def test_copies_of_a_document_are_one_document(wards: Path) -> None:
    for n in range(4):
        (wards / "docs" / f"copy-{n}.md").write_bytes((wards / "docs" / "north.md").read_bytes())
    made(wards, None, "--number", "40")
    groups = [case.group for name in ("cases.jsonl", "examples.jsonl") for case in read_cases(wards / name)]
    assert len([group for group in groups if group in ("north.md", *(f"copy-{n}.md" for n in range(4)))]) <= 1


def test_gaps_need_no_model(wards: Path) -> None:
    told = made(wards, None, "--number", "5", "--share", "0.4")
    assert (told["cases"], told["examples"]) == (2, 3)
    for name in ("cases.jsonl", "examples.jsonl"):
        for case in read_cases(wards / name):
            assert case.question.startswith("What is missing here? ")
            assert case.question.removeprefix("What is missing here? ").replace("____", case.text) == case.evidence[0].quote
            assert case.tags == ("synthetic", "cut-out")


def test_a_model_that_can_t_is_given_up(wards: Path) -> None:
    for n in range(20):
        (wards / "docs" / f"more-{n}.md").write_text(f"# More {n}\n\nThe book of year {n} lies in the hall and everybody may read in it.\n")
    with chat_server(Author(able=False)) as chat, pytest.raises(ModelError) as caught:
        made(wards, chat, "--number", "40")
    assert "wrote no usable question about" in caught.value.message
    assert "--cut" in caught.value.hint
    assert not (wards / "examples.jsonl").exists()


def test_projects_for_which_no_questions_can_be_made(wards: Path) -> None:
    toml = (wards / "rung.toml").read_text()
    for more, said in (('form = "x"', "form"), ('task = "extract"', "task")):
        (wards / "rung.toml").write_text(toml.replace("[project]\n", f"[project]\n{more}\n"))
        with pytest.raises(ConfigError) as caught:
            made(wards, None)
        assert said in caught.value.message
    (wards / "rung.toml").write_text(toml + "\n[limits]\nprivate = true\n")
    done = CliRunner().invoke(app, ["synthesize", str(wards), "--model", "endpoint:x@http://192.0.2.1/v1"])
    assert isinstance(done.exception, ConfigError)
    assert "private" in done.exception.message
    (wards / "rung.toml").write_text(toml)
    for path in list((wards / "docs").iterdir())[1:]:
        path.unlink()
    with pytest.raises(KnowledgeError) as caught_one:
        made(wards, None)
    assert "one document" in caught_one.value.message
