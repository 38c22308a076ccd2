"""The reader quotes what stands in a passage, cites it, or says that the passages don't answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung import models
from rung.approach.prompt import PromptStyle, render
from rung.errors import ModelError
from rung.measure.abstention import abstains
from rung.models.reading import HOME, UNKNOWN, Reader, changed, heading, open_reader, said, trimmed
from rung.types import Hit, Passage, Reply, Settings

PASSAGES = (
    "The lighthouse at Calder Quay was built in 1864 by the engineer Ada Holm. It is 31 metres tall.",
    "The library opens at nine in the morning and closes at six. On Sundays it stays closed.",
    "The ferry to the island leaves every two hours from pier four. A ticket costs 12 euros.",
)
ASKED = {
    "Who built the lighthouse at Calder Quay?": (0, "Ada Holm"),
    "What time does the library open?": (1, "nine in the morning"),
    "How much does a ticket for the ferry cost?": (2, "12 euros"),
}


@pytest.fixture(scope="module")
def reader() -> Reader:
    model = models.load("bundled:reader", threads=1)
    assert isinstance(model, Reader)
    return model


def hits() -> list[Hit]:
    return [Hit(Passage(str(n), f"{n}.md", 0, len(text), text, ("Guide",)), 0.0) for n, text in enumerate(PASSAGES)]


@pytest.mark.parametrize("question", ASKED)
def test_a_question_is_answered_with_the_words_of_its_passage(reader: Reader, question: str) -> None:
    number, words = ASKED[question]
    found = reader.answer(question, PASSAGES)
    assert found is not None
    assert found.passage == number
    assert words in PASSAGES[number][found.start : found.end]


def test_what_no_passage_answers_is_not_answered(reader: Reader) -> None:
    assert reader.answer("What is the boiling point of tungsten?", PASSAGES) is None
    assert reader.answer("Who built the lighthouse?", []) is None


def test_of_two_like_passages_the_one_that_says_the_questions_words_is_quoted(reader: Reader) -> None:
    passages = ["Opening hours of the library\nIt opens at nine.", "Opening hours of the museum\nIt opens at ten."]
    for number, house in enumerate(("library", "museum")):
        found = reader.found(f"What time does the {house} open?", passages)
        assert found is not None
        assert found.passage == number


@given(st.text(), st.text())
def test_what_is_said_is_a_share(question: str, text: str) -> None:
    assert 0 <= said(question, text) <= 1
    assert said(question, f"{text} {question}") in (0.5, 1)


def test_words_are_compared_by_their_beginnings() -> None:
    assert said("When does the library close?", "Libraries are closed on Sundays.") == 0.5  # not "when" and "does"
    assert said("Who is it?", "It is Ada.") == 0.5


def test_answers_stream_whole_with_their_marker(reader: Reader) -> None:
    questions = [*ASKED, "What is the boiling point of tungsten?"]
    prompts = [render(PromptStyle(), question, hits()) for question in questions]
    found = list(reader.stream(prompts, Settings()))
    assert [number for number, _ in found] == [0, 0, 1, 1, 2, 2, 3, 3]
    replies = [piece for _, piece in found if isinstance(piece, Reply)]
    assert [piece for _, piece in found if isinstance(piece, str)] == [reply.text for reply in replies]
    for reply, (number, words) in zip(replies, ASKED.values(), strict=False):
        assert reply.text.endswith(f" [{number + 1}]")
        assert words in reply.text
        assert reply.usage.prompt > reply.usage.completion > 0
    assert replies[-1].text == UNKNOWN
    assert abstains(UNKNOWN)


def test_an_answer_deep_in_a_long_passage_is_found(reader: Reader) -> None:
    text = "The harbour office keeps a list of every boat and its owner. " * 120 + PASSAGES[2]
    found = reader.answer("How much does a ticket for the ferry cost?", [text])
    assert found is not None
    assert "12 euros" in text[found.start : found.end]


def test_the_threshold_decides_when_to_speak(reader: Reader) -> None:
    question = "Who built the lighthouse at Calder Quay?"
    shy = open_reader(threads=1, threshold=0.9999999)
    assert shy.answer(question, PASSAGES) is None
    assert shy.id != reader.id
    found = reader.found(question, PASSAGES)
    assert found is not None
    assert 0 < found.probability < 1


def test_a_first_line_without_a_full_stop_is_a_heading() -> None:
    assert heading("Guide > Opening\nThe library opens at nine.") == 16
    assert heading("The library opens at nine.\nIt closes at six.") == 0
    assert heading("One line") == 0


@given(st.text("ab ,.()*", max_size=20), st.data())
def test_trimming_only_shortens_but_for_a_bracket(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    a, b = trimmed(text, start, end)
    assert start <= a <= b <= end
    assert b == a or text[a] not in " ,*"


def test_it_can_not_be_tuned_and_knows_its_options(tmp_path: Path) -> None:
    for call, message in (
        (lambda: models.load("bundled:reader", tmp_path), "can't be tuned"),
        (lambda: models.base_folder("bundled:reader"), "can't be tuned"),
        (lambda: models.load("bundled:reader", treshold=0.5), "no option 'treshold'"),
        (lambda: models.load("bundled:reader", threshold=1.5), "threshold"),
        (lambda: models.load("bundled:reader", precision="f16"), "f16"),
    ):
        with pytest.raises(ModelError) as caught:
            call()
        assert message in caught.value.message
        assert caught.value.hint


def test_a_change_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(HOME, tmp_path / "reader"))
    told = json.loads((folder / "reader.json").read_text())
    (folder / "reader.json").write_text(json.dumps(told | {"sha256": "0" * 64}))
    with pytest.raises(ModelError, match="not the one that was measured"):
        open_reader(None, folder)
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match="ships no reader"):
        open_reader(None, folder)


def test_the_change_is_small_and_touches_every_layer(reader: Reader) -> None:
    from safetensors.numpy import load_file

    assert (HOME / "change.safetensors").stat().st_size < 6e6
    base, now = load_file(reader.folder / "model.safetensors"), changed(reader.folder, HOME)
    same = {name for name in base if (base[name] == now[name]).all()}
    assert all(name.startswith(("embeddings.", "pooler.")) for name in same)
    assert now["head.weight"].shape == (2, 384)
