from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.errors import ConfigError, DataError
from rung.measure.cost import Prices, cost, cost_per_1000, cost_per_correct
from rung.measure.score import Task, make_task, predicted_label, score
from rung.types import Answer, Case, Citation, Evidence, Hit, Passage, Score, Usage

FORM = r"Desk \| [^|]+ \| (Sales|People)( ?\[\d+\])*"
PRICE = Case(
    "c1", "What does a crate cost?", "Desk | EUR 1,240 | Sales", facts=(("EUR 1,240", "€1,240"),), evidence=(Evidence("a.md", "1,240"),)
)
UNKNOWN = Case("c2", "Who paints it?", "Desk | not on file | Sales", facts=(("not on file",),), unanswerable=True)


def said(text: str, case: Case = PRICE, task: Task | None = None) -> Score:
    return score(task or make_task("answer", [PRICE, UNKNOWN], FORM), case, Answer(case.question, text))


@pytest.mark.parametrize(
    ("text", "primary", "facts", "form"),
    [
        ("Desk | EUR 1240 | Sales [2]", 1, 1, 1),
        ("EUR 1,240", 0, 1, 0),
        ("Desk | EUR 1,250 | Sales", 0, 0, 1),
        ("It's free.", 0, 0, 0),
    ],
)
def test_right_facts_and_required_form(text: str, primary: float, facts: float, form: float) -> None:
    found = said(text)
    assert (found.primary, found.parts["facts"], found.parts["form"]) == (primary, facts, form)
    assert "false_answer" not in found.parts


def test_an_unanswerable_case_wants_abstention() -> None:
    right, wrong = said("Desk | not on file | Sales", UNKNOWN), said("Desk | Ada | Sales", UNKNOWN)
    assert (right.primary, right.parts["abstained"], right.parts["false_answer"]) == (1, 1, 0)
    assert (wrong.primary, wrong.parts["abstained"], wrong.parts["false_answer"]) == (0, 0, 1)
    assert said("I don't know.", UNKNOWN).primary == 0  # the ideal answer shows that the form is wanted here, too
    loose = Case("c3", "Who?", "I don't know.", unanswerable=True)
    assert said("I don't know.", loose).primary == 1
    assert "facts" not in right.parts
    assert said("Desk | not on file | Sales").parts["abstained"] == 1


def test_without_facts_an_accepted_text_must_be_met() -> None:
    case = Case("c", "q", ["the blue crane number nine", "crane nine"])
    task = make_task("answer", [case])
    assert said("Crane nine!", case, task).primary == 1
    near = said("blue crane number nine please", case, task)
    assert near.parts["f1"] == pytest.approx(8 / 9)
    assert (near.primary, near.parts["exact"]) == (1, 0)
    assert said("blue boat", case, task).primary == 0
    assert "form" not in near.parts


def test_sources_are_scored_where_there_is_evidence() -> None:
    hit = Hit(Passage("p1", "a.md", 0, 9, "EUR 1,240"), 1.0)
    answer = Answer("q", "Desk | EUR 1,240 | Sales [1]", (Citation(1, "p1", "a.md", 0, 9),), (hit,))
    parts = score(make_task("answer", [PRICE]), PRICE, answer).parts
    assert [parts[name] for name in ("citation_precision", "citation_recall", "recall@k", "precision@k", "mrr", "ndcg@10")] == [1] * 6
    assert "recall@k" not in said("x").parts
    assert said("x").parts["citation_recall"] == 0
    assert "citation_precision" not in said("x").parts
    searched = score(make_task("answer", [PRICE]), PRICE, Answer("q", "x", made_by={"source": "search/v/5/hybrid"}))
    assert searched.parts["recall@k"] == 0
    few_shot = Answer("q", "x", retrieval_seconds=0.1, made_by={"source": "nearest/v"})
    assert "recall@k" not in score(make_task("answer", [PRICE]), PRICE, few_shot).parts


def test_extract_is_valid_times_field_f1() -> None:
    case = Case("c", "q", {"name": "Ada", "amount": 3})
    schema = {"type": "object", "required": ["name"]}
    task = make_task("extract", [case], schema=schema)
    assert said('{"name": "ada", "amount": 3}', case, task).primary == 1
    half = said('So: {"name": "Ada", "amount": 4}', case, task)
    assert (half.primary, half.parts["valid"], half.parts["exact"]) == (0.5, 1, 0)
    invalid = said('{"amount": 3}', case, task)
    assert (invalid.primary, invalid.parts["valid"]) == (0, 0)
    assert invalid.parts["field_f1"] == pytest.approx(2 / 3)
    assert said("none", case, task).primary == 0
    text = Case("c", "q", '{"name": "Ada"}')
    assert said('{"name": "Ada"}', text, make_task("extract", [text])).primary == 1


def test_classify_wants_the_label_itself() -> None:
    cases = [Case("1", "q", "card_arrival"), Case("2", "q", "card"), Case("3", "q", "refund")]
    task = make_task("classify", cases)
    assert task.labels == ("card", "card_arrival", "refund")
    assert said("card_arrival", cases[0], task).primary == 1
    assert said(' "Card_Arrival". ', cases[0], task).primary == 1
    wrapped = said("The label is card arrival", cases[0], task)
    assert (wrapped.primary, wrapped.parts["contains"], wrapped.parts["in_labels"]) == (0, 1, 0)
    assert said("refund", cases[0], task).parts["in_labels"] == 1


def test_classify_with_a_form_takes_the_only_label_named() -> None:
    task = Task("classify", "Label: .+", ("card", "card_arrival", "refund"))
    assert predicted_label(task, "Label: card arrival") == "card_arrival"
    assert predicted_label(task, "Label: card or refund") == ""
    assert said("Label: card", Case("1", "q", "card"), task).primary == 1
    assert said("It is card", Case("1", "q", "card"), task).primary == 0


def test_tasks_are_checked_when_made() -> None:
    with pytest.raises(ConfigError, match="no task 'clasify'") as caught:
        make_task("clasify", [])
    assert "'classify'" in caught.value.hint
    with pytest.raises(DataError, match="outside the list"):
        make_task("classify", [PRICE], labels=["a"])
    with pytest.raises(ConfigError, match="regular expression"):
        make_task("answer", [PRICE], "(")
    with pytest.raises(ConfigError, match="JSON Schema"):
        make_task("extract", [PRICE], schema={"type": "objekt"})


@given(st.text(), st.sampled_from(["answer", "extract", "classify"]), st.booleans())
def test_any_text_gets_scores_between_0_and_1(text: str, kind: str, formed: bool) -> None:
    case = Case("c", "q", "card", facts=(("card",),), evidence=(Evidence("a.md"),))
    found = score(Task(kind, ".*" if formed else None, ("card",)), case, Answer("q", text))  # type: ignore[arg-type]
    assert all(0 <= value <= 1 for value in [found.primary, *found.parts.values()])


def test_cost_of_a_worked_example() -> None:
    prices = Prices(input=2.0, cached_input=0.5, output=10.0, machine_hour=3.6)
    usage = Usage(prompt=1000, completion=100, cached=400)
    # 600 × 2 + 400 × .5 + 100 × 10 = 2400 per million = .0024; 10 s of 3.6 an hour = .01
    assert cost(usage, 10, prices) == pytest.approx(0.0124)
    answers = [Answer("q", "a", usage=usage, retrieval_seconds=4, generation_seconds=6)] * 4
    assert cost_per_1000(answers, prices) == pytest.approx(12.4)
    scores = [Score("1", 1.0), Score("2", 0.9), Score("3", 0.0), Score("4", 1.0)]
    assert cost_per_correct(answers, scores, prices) == pytest.approx(0.0248)
    assert cost_per_correct(answers, [Score("1", 0.5)], prices) is None
    assert cost_per_1000([], prices) == 0
    with pytest.raises(ConfigError, match="'output'"):
        Prices(output=-1)


@given(st.lists(st.builds(Usage, st.integers(0, 9999), st.integers(0, 9999)), min_size=1), st.floats(0, 100))
def test_cost_is_linear_in_usage(usages: list[Usage], price: float) -> None:
    prices = Prices(input=price, cached_input=price, output=2 * price)
    assert cost(sum(usages, Usage()), 0, prices) == pytest.approx(sum(cost(one, 0, prices) for one in usages))
