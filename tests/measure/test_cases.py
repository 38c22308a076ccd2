from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.approach.question import question_key
from rung.errors import ConfigError, DataError
from rung.measure.cases import check_form, check_labels, check_overlap, read_cases
from rung.types import Case, Evidence

DATA = Path(__file__).parents[2].parent / "shared" / "data"
FULL = Case(
    id="c1",
    question="What does a crate cost?",
    answer=["12 EUR", "twelve euros"],
    facts=(("12 EUR", "€12"), ("per crate",)),
    evidence=(Evidence("prices/crates.md", "A crate costs 12 EUR."), Evidence("prices/list.md")),
    tags=("price",),
    group="prices/crates.md",
    unanswerable=False,
)


def written(folder: Path, text: str, name: str = "cases.jsonl") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def fault_in(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_cases(path)
    assert caught.value.hint
    return caught.value


def test_a_case_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(asdict(FULL)) + "\n\n")
    assert read_cases(path) == [FULL]


def test_facts_may_be_texts_or_lists_of_spellings(tmp_path: Path) -> None:
    path = written(tmp_path, '{"id": 7, "question": "q", "answer": "a", "facts": ["x", ["y", "z"]]}')
    case = read_cases(path)[0]
    assert case.facts == (("x",), ("y", "z"))
    assert case.id == "7"


def test_missing_ids_come_from_the_question(tmp_path: Path) -> None:
    one = read_cases(written(tmp_path, '{"question": "q", "answer": "a"}\n{"question": "p", "answer": "a"}\n'))
    other = read_cases(written(tmp_path, '{"question": "p", "answer": "b"}\n'))
    assert one[0].id != one[1].id == other[0].id
    twice = read_cases(written(tmp_path, '{"question": "p", "answer": "a"}\n{"question": "p", "answer": "b"}\n'))
    assert [case.id for case in twice] == [other[0].id, f"{other[0].id}-2"]


def test_an_unanswerable_case_needs_no_answer(tmp_path: Path) -> None:
    case = read_cases(written(tmp_path, '{"question": "q", "unanswerable": true}'))[0]
    assert case.unanswerable
    assert case.answer == "I don't know."


def test_openai_chats(tmp_path: Path) -> None:
    turns = [("system", "s"), ("user", "hi"), ("assistant", "hello"), ("user", "price?"), ("assistant", "12 EUR")]
    row = {"messages": [{"role": role, "content": content} for role, content in turns]}
    case = read_cases(written(tmp_path, json.dumps(row)))[0]
    assert (case.question, case.answer) == ("price?", "12 EUR")


def test_alpaca_rows(tmp_path: Path) -> None:
    rows = [{"instruction": "Translate.", "input": "Boot", "output": "boat"}, {"instruction": "Say hi.", "input": "", "output": "hi"}]
    cases = read_cases(written(tmp_path, "\n".join(map(json.dumps, rows))))
    assert [case.question for case in cases] == ["Translate.\n\nBoot", "Say hi."]
    assert [case.answer for case in cases] == ["boat", "hi"]


def test_csv(tmp_path: Path) -> None:
    text = 'Question,answer,tags,group\n"One, two?",a,x; y,g\nThree?,"line\nbreak",,\n'
    cases = read_cases(written(tmp_path, "\ufeff" + text, "cases.csv"))
    assert [(case.question, case.answer, case.tags, case.group) for case in cases] == [
        ("One, two?", "a", ("x", "y"), "g"),
        ("Three?", "line\nbreak", (), ""),
    ]


@pytest.mark.skipif(not (DATA / "banking77").exists(), reason="shared/data/banking77 is not on this machine")
def test_labelled_csv_of_real_data() -> None:
    cases = read_cases(DATA / "banking77" / "test.csv")
    assert cases[0].question == "How do I locate my card?"
    labels = json.loads((DATA / "banking77" / "categories.json").read_text())
    assert len(labels) == 77
    check_labels(cases, labels)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no cases"),
        ("\n \n", "holds no cases"),
        ('{"question": "q", "answer": "a"}\n{"question": "q2", "answer"', "line 2: broken JSON"),
        ('{"question": "q", "answer": NaN}', "NaN is not JSON"),
        ('"text"', "line 1: a JSON object was expected"),
        ('[{"question": "q"}]', "line 1: the field 'answer' is missing"),
        ('[\n{"question": "q", "answer": "a"},\n{"question": "q"', "line 3: broken JSON"),
        ('[\n{"question": "q", "answer": "a"}\n', "line 3: the list does not end"),
        ('{"answer": "a"}', "the field 'question' is missing"),
        ('{"question": "q"}', "the field 'answer' is missing"),
        ('{"question": " ", "answer": "a"}', "the field 'question' is empty"),
        ('{"question": "q", "answer": ""}', "the field 'answer' is empty"),
        ('{"question": 3, "answer": "a"}', "the field 'question' must be text"),
        ('{"question": "q", "answer": "a", "facts": "x"}', "'facts' must be a list"),
        ('{"question": "q", "answer": "a", "facts": [[]]}', "each of the 'facts'"),
        ('{"question": "q", "answer": "a", "evidence": ["doc.md"]}', "'evidence' must be a list of objects"),
        ('{"question": "q", "answer": "a", "evidence": [{"quote": "x"}]}', "the field 'document' is missing"),
        ('{"question": "q", "answer": "a", "tags": "x"}', "'tags' must be a list"),
        ('{"question": "q", "answer": "a", "unanswerable": "yes"}', "'unanswerable' must be true or false"),
        ('{"messages": [{"role": "user", "content": "q"}]}', "no assistant turn"),
        ('{"messages": [{"role": "assistant", "content": "q"}]}', "no user turn"),
        ('{"messages": [{"role": "user"}]}', "needs a role and a content"),
        ('{"messages": "x"}', "'messages' must be a list"),
        (
            '{"id": "a", "question": "q", "answer": "a"}\n{"id": "a", "question": "p", "answer": "a"}',
            "line 2: the id 'a' is taken",
        ),
        ("[" * 100_000, "line 1: broken JSON"),
        ('{"a":' * 100_000, "line 1: broken JSON"),
    ],
)
def test_bad_jsonl_names_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    fault = fault_in(path)
    assert said in fault.message
    assert str(path) in fault.message


@pytest.mark.parametrize(
    ("row", "nearest"),
    [
        ('{"question": "q", "answr": "a"}', "answer"),
        ('{"question": "q", "answer": "a", "fact": ["x"]}', "facts"),
        ('{"question": "q", "answer": "a", "evidence": [{"document": "d", "quot": "x"}]}', "quote"),
        ('{"instruction": "q", "output": "a", "inptu": "x"}', "input"),
        ('{"messages": [], "grup": "x"}', "group"),
    ],
)
def test_an_unknown_field_names_the_nearest(tmp_path: Path, row: str, nearest: str) -> None:
    assert fault_in(written(tmp_path, row)).hint == f"did you mean {nearest!r}?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no cases"),
        ("question,answer\n", "holds no cases"),
        ("question,reply\nq,a\n", "nobody reads the column 'reply'"),
        ("question,id\nq,1\n", "no column answer"),
        ("question,text,answer\nq,t,a\n", "more than one column question"),
        ("question,answer\nq,a\nq2,a,b\n", "line 3: 3 cells under 2 columns"),
        ("question,answer\nq,\n", "line 2: the field 'answer' is empty"),
        ('question,answer\n"q,a\n', "broken CSV"),
    ],
)
def test_bad_csv_names_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in fault_in(written(tmp_path, text, "cases.csv")).message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "is not there" in fault_in(tmp_path / "none.jsonl").message
    assert "can't be read" in fault_in(tmp_path).message
    (tmp_path / "latin.jsonl").write_bytes('{"question": "Größe"}'.encode("latin-1"))
    assert "is not UTF-8 (byte 16)" in fault_in(tmp_path / "latin.jsonl").message


def test_training_rows_equal_to_held_out_ones_are_named() -> None:
    cases = [Case("c1", "What does a crate cost?", "12"), Case("c2", "Who runs the dock?", "Ada")]
    check_overlap(cases, [Case("e1", "Who ran the dock?", "Ada")])
    with pytest.raises(DataError, match=r"1 training row equals a held-out case: 'e2' is case 'c1'"):
        check_overlap(cases, [Case("e2", " what does  a crate COST ", "13")])
    with pytest.raises(DataError, match="'c2' is case 'c2'"):
        check_overlap(cases, [Case("c2", "Something else?", "x")])
    many = [Case(f"e{n}", "Who runs the dock?", "Ada") for n in range(8)]
    with pytest.raises(DataError, match=r"8 training rows .* and 3 more"):
        check_overlap(cases, many)


def test_labels_outside_the_list_name_the_nearest() -> None:
    check_labels([Case("c", "q", "card_arrival")], ["card_arrival"])
    with pytest.raises(DataError, match="'c' has 'card_arival'") as caught:
        check_labels([Case("c", "q", "card_arival")], ["card_arrival", "lost_card"])
    assert "did you mean 'card_arrival'" in caught.value.hint


def test_ideal_answers_must_have_the_form() -> None:
    check_form([Case("c", "q", "Desk: 12"), Case("u", "q", "no idea", unanswerable=True)], r"Desk: .+")
    with pytest.raises(DataError, match="1 ideal answer does not have the required form: 'c'"):
        check_form([Case("c", "q", "12")], r"Desk: .+")
    with pytest.raises(ConfigError, match="not a regular expression"):
        check_form([Case("c", "q", "12")], r"(")


@given(st.text(min_size=1))
def test_question_keys_ignore_case_and_spacing(question: str) -> None:
    key = question_key(question)
    assert question_key(f"  {question}\n") == key
    assert question_key(key) == key


def test_half_a_character_is_refused_and_a_whole_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('{"question": "\\ud83d\\ude00?", "answer": "a"}\n')
    assert read_cases(path)[0].question == "\U0001f600?"
    path.write_text('{"question": "a", "answer": "a"}\n{"question": "\\ud83d?", "answer": "a"}\n')
    with pytest.raises(DataError, match=r"line 2: a .u escape names half a character"):
        read_cases(path)
