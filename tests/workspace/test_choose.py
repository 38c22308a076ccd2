"""The way to rank is measured on solved examples or made-up questions, kept beside the index, and part of what names an answer."""

from __future__ import annotations

from pathlib import Path

from rung.approach.source import Search
from rung.knowledge.choice import read_choice
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.knowledge import Knowledge, open_knowledge, sync
from rung.knowledge.read import read_document
from rung.types import ALL, Case, Document, Evidence, Hit, Passage
from rung.workspace.choose import CANDIDATES, choose, decided, keep_choice, made_up

WORDS = """oak ash elm fir yew box bay fig pea rye oat hop gum tea kiwi sage mint dill rose iris lily pine palm reed fern moss vine lime
    plum pear"""
PLANTS = WORDS.split()


def page(number: int, plant: str) -> Document:
    text = f"# Plot {number}\n\nThe {plant} was planted in year {1900 + number}. It needs water on {number + 2} days a month. "
    return read_document(f"{text}Its keeper is paid {number * 7 + 100} euros for pruning the {plant} in spring.\n".encode(), f"{number}.md")


def opened(folder: Path, count: int = 30) -> Knowledge:
    knowledge = open_knowledge(folder, Hashing(64), "exact", 100)
    sync(knowledge, [page(number, plant) for number, plant in enumerate(PLANTS[:count])])
    return knowledge


def examples(count: int = 30) -> list[Case]:
    return [
        Case(f"q{number}", f"When was the {plant} planted?", str(1900 + number), evidence=(Evidence(f"{number}.md"),))
        for number, plant in enumerate(PLANTS[:count])
    ]


def test_every_candidate_is_measured_on_the_examples(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    choice = choose(opened(tmp_path), examples(), "name", lambda done, total: steps.append((done, total)))
    assert {row.mode for row in choice.candidates} == set(CANDIDATES)
    assert choice.questions == "30 solved examples"
    assert all(0 <= row.low <= row.ndcg <= row.high <= 1 for row in choice.candidates)
    assert steps[-1] == (30, 30)
    again = choose(opened(tmp_path / "again"), examples()[::-1], "name")
    assert again == choice


def test_hybrid_stands_unless_another_is_well_ahead() -> None:
    def asked(number: int, dense_right: bool) -> tuple[Case, dict[str, list[Hit]]]:
        right, wrong = (Hit(Passage(name, name, 0, 1, name), 1.0) for name in ("z right", "a wrong"))
        legs = {"dense": [right, wrong] if dense_right else [wrong, right], "words": [wrong, right]}
        legs = {name: [Hit(hit.passage, 1.0 - at) for at, hit in enumerate(hits)] for name, hits in legs.items()}
        return Case(str(number), "?", "", evidence=(Evidence("z right"),)), legs

    mode, why, rows = decided([asked(number, True) for number in range(40)])
    assert fusion_is_dense(mode)
    assert "ahead of min-max:0.5" in why
    assert rows[0].ndcg == 1.0
    mode, why, _ = decided([asked(number, False) for number in range(40)])
    assert mode == "min-max:0.5"
    assert "within the standard error" in why
    assert decided([])[0] == "hybrid"


def fusion_is_dense(mode: str) -> bool:
    return mode == "dense" or float(mode.partition(":")[2]) > 0.5


def test_without_examples_sentences_are_cut_out_of_passages(tmp_path: Path) -> None:
    knowledge = opened(tmp_path)
    searched, cases = made_up(knowledge)
    held = {passage.id: passage for passage in searched.index.passages()}
    whole = {passage.id: passage for passage in knowledge.passages()}
    assert len(cases) > 10
    for case in cases:
        assert case.question in whole[case.id].text
        assert case.question not in held[case.id].text
    choice = choose(knowledge, [])
    assert "cut out of passages" in choice.questions
    assert max(row.ndcg for row in choice.candidates) > 0.3
    assert list(knowledge.passages()) == list(whole.values())  # what was cut is cut in memory alone
    assert searched.only == ALL


def test_nothing_to_ask_is_no_error(tmp_path: Path) -> None:
    assert choose(open_knowledge(tmp_path, Hashing(64), "exact"), []).mode == "hybrid"


def test_a_choice_stands_until_questions_or_documents_change(tmp_path: Path) -> None:
    knowledge = opened(tmp_path)
    first = keep_choice(knowledge, examples())
    assert read_choice(knowledge.choice) == first
    steps: list[int] = []
    assert keep_choice(knowledge, examples(), lambda done, total: steps.append(done)) == first
    assert steps == []
    assert keep_choice(knowledge, examples()[:29], lambda done, total: steps.append(done)).questions != first.questions
    assert steps
    few = [page(number, plant) for number, plant in enumerate(PLANTS[:15])]
    sync(knowledge, few)
    assert keep_choice(knowledge, examples()).documents == 15


def test_what_names_an_answer_names_the_ranking(tmp_path: Path) -> None:
    knowledge = opened(tmp_path)
    assert Search(knowledge, 5, "words").id != Search(knowledge, 5, "z-score:0.4").id
