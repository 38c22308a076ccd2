"""The recipe of the bundled model: what its exercises promise, and that its fast forward pass is transformers' own."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bundled.compose import Level, exercise, natural_exercise, window
from bundled.encode import encode, join, prompt
from bundled.kinds.bank import TEST_KINDS, TRAIN_KINDS
from bundled.kinds.drill import drawn
from bundled.policy import policy_exercise
from bundled.prose import ask, fact, prose_exercise
from rung.models import base_folder

HARD = Level(passages=(1, 7), facts=(1, 5), look_alike=0.4, joint=0.3, again=0.3, drill=0.5, forms=0.5)
TEXT = (
    "The mill was built in 1907. It stands by the river Ardle. Two sisters, Ida and May, ran it until the flood. Nobody has used it since."
)
TEXTS = [
    (TEXT, [("When was the mill built?", "1907", 22), ("Who ran it?", "Ida and May", 71)]),
    ("The shop opens at nine. It closes at six.", [("When does the shop open?", "nine", 18)]),
    ("A heron lives on the roof. It is grey.", [("What colour is the heron?", "grey", 33)]),
]
seeds = st.integers(0, 10**9)


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_an_answer_stands_in_the_passage_it_cites(seed: int) -> None:
    made = exercise(Random(seed), TRAIN_KINDS, HARD)
    for branch in made.branches:
        if branch.kind == "fact":
            assert branch.value in made.passages[branch.passage - 1]
            assert branch.value.lower() in (
                branch.answer.lower() if not branch.answer.startswith('{"') else str(json.loads(branch.answer)).lower()
            )
        if branch.kind == "json":
            values = [v for v in json.loads(branch.answer).values() if v is not None]
            assert all(any(v in text for text in made.passages) for v in values)
        if branch.kind in ("absent", "private"):
            assert branch.passage == 0
            assert branch.value == ""


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_nothing_is_said_about_what_is_absent(seed: int) -> None:
    plain = replace(HARD, forms=0.0, labels=0.0, no_context=0.0, absent=1.0, joint=0.0)
    made = exercise(Random(seed), [drawn(Random(seed))], plain)
    assert made.branches
    assert all(b.kind == "absent" for b in made.branches)


def test_a_test_is_worded_as_no_training_exercise_is() -> None:
    for kind in (*TRAIN_KINDS, *TEST_KINDS):
        for attribute in kind.attributes:
            assert attribute.statements[-1] not in attribute.statements[:-1], (kind.name, attribute.name)
            assert attribute.questions[-1] not in attribute.questions[:-1], (kind.name, attribute.name)
    assert {k.name for k in TRAIN_KINDS}.isdisjoint(k.name for k in TEST_KINDS)
    assert TEST_KINDS


def test_exercises_are_seeded() -> None:
    assert exercise(Random("a"), TRAIN_KINDS, HARD) == exercise(Random("a"), TRAIN_KINDS, HARD)
    assert exercise(Random("a"), TRAIN_KINDS, HARD) != exercise(Random("b"), TRAIN_KINDS, HARD)


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_natural_questions_keep_their_answers_in_sight(seed: int) -> None:
    made = natural_exercise(Random(seed), TEXTS, Level(passages=(1, 2), absent=0.2))
    for branch in made.branches:
        if branch.kind == "natural":
            assert branch.value in made.passages[branch.passage - 1]


def test_a_window_ends_at_sentences() -> None:
    for seed in range(30):
        low, high = window(Random(seed), TEXT, 71, 82)
        assert low <= 71
        assert high >= 82
        assert low == 0 or TEXT[low - 2] == "."
        assert TEXT[low:high].rstrip().endswith(".")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(base_folder("bundled:tiny") / "tokenizer.json"))


def items(tokenizer: Tokenizer, count: int, share: float = 0.0) -> tuple[list, list]:
    r = Random(7)
    made = [exercise(r, TRAIN_KINDS, HARD) for _ in range(count)]
    return made, [encode(tokenizer, x, r, 1024, share) for x in made]


def test_a_branch_reads_as_a_chat_of_its_own(tokenizer: Tokenizer) -> None:
    for x, item in zip(*items(tokenizer, 12), strict=True):
        assert item
        for number, branch in enumerate(x.branches[: item[-1][2]], 1):
            alone = [t for t in item if t[2] in (0, number)]
            assert [t[1] for t in alone] == list(range(len(alone)))
            text = tokenizer.decode([t[0] for t in alone], skip_special_tokens=False)
            assert text == f"{prompt(x)}: {branch.question}<|end|><|assistant|> {branch.answer}<|end|>"
            learned = tokenizer.decode([t[0] for t in alone if t[3]], skip_special_tokens=False)
            assert learned == f" {branch.answer}<|end|>"


def test_prompt_tokens_join_the_loss_by_share(tokenizer: Tokenizer) -> None:
    _, encoded = items(tokenizer, 30, share=0.25)
    own = [t[3] for item in encoded for t in item if t[2] == 0]
    assert 0.2 < sum(own) / len(own) < 0.3
    assert all(item[0][3] == 0.0 for item in encoded)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_fast_forward_pass_gives_the_loss_and_gradients_of_transformers(tokenizer: Tokenizer, share: float) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from bundled.forward import loss_of

    model = AutoModelForCausalLM.from_pretrained(base_folder("bundled:tiny"), dtype=torch.float32)
    _, encoded = items(tokenizer, 5, share)
    fast = loss_of(model, join(encoded))
    fast.backward()
    probe = model.model.layers[1].self_attn.k_proj.weight
    ours, probe.grad = probe.grad.clone(), None
    total, count = torch.zeros(()), 0.0
    for item in encoded:
        for number in range(1, item[-1][2] + 1):
            alone = [t for t in item if t[2] in (0, number)]
            ids = torch.tensor([t[0] for t in alone])
            weight = torch.tensor([t[3] * (t[2] == number or number == 1) for t in alone])[1:]
            logits = model(input_ids=ids[None]).logits[0]
            total = total + (torch.nn.functional.cross_entropy(logits[:-1], ids[1:], reduction="none") * weight).sum()
            count += float(weight.sum())
    slow = total / count
    slow.backward()
    assert abs(fast.item() - slow.item()) < 0.01 * slow.item()
    assert torch.nn.functional.cosine_similarity(ours.flatten(), probe.grad.flatten(), dim=0) > 0.99


PROSE = [
    [
        "The ferry left the quay with three boats behind it.",
        "Nobody on the shore had seen the captain since the storm.",
        "A letter from the owner was waiting for Martha in the office.",
        "The clerk read it slowly and put it back into the drawer.",
    ]
]


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_a_fact_set_into_prose_is_there_to_be_found(seed: int) -> None:
    made = prose_exercise(Random(seed), PROSE, Level(passages=(1, 2), absent=0.2))
    for one in made.branches:
        if one.kind == "absent":
            assert not one.value
        else:
            assert one.value in made.passages[one.passage - 1]
            assert one.value in one.answer


@given(seeds, st.sampled_from(PROSE[0]))
@settings(max_examples=60, deadline=None)
def test_a_question_never_holds_its_answer(seed: int, sentence: str) -> None:
    r = Random(seed)
    said, answer, first = fact(r, sentence)
    assert said.count(answer) == 1
    assert answer not in ask(r, said, answer, first)


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_a_rule_is_stated_where_it_is_cited_and_asked_for_in_one_way(seed: int) -> None:
    made = policy_exercise(Random(seed), Level(passages=(1, 6), absent=0.2))
    assert len({one.question for one in made.branches}) == len(made.branches)
    for one in made.branches:
        assert one.passage or one.kind == "absent"
        if one.passage:
            assert one.value.lower() in made.passages[one.passage - 1].lower()
            assert one.value not in one.question
