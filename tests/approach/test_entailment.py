"""A model of inference takes and gives support, never against amounts, names or markers; tried on random weights of known leaning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from cross_encoder import cross_encoder

from rung.approach.approach import Approach, answer_stream
from rung.approach.entailment import CrossEntailment, judged, load
from rung.approach.policy import MARK, Policy
from rung.approach.source import Context
from rung.approach.support import check_sentence
from rung.errors import ConfigError, KnowledgeError
from rung.types import Answer, Hit, Messages, Passage, Reply, Settings, Usage

TEXT = "Full-time staff at Ostrand receive 25 days of annual leave. The crane is inspected in spring by the smith."
HITS = [Hit(Passage("p1", "leave.md", 0, len(TEXT), TEXT, ("Leave",)), 1.0)]
QUOTED = "The crane is inspected in spring by the smith [1]."
WORDS = "By the smith in spring the inspected crane is [1]."
OWN = "Blacksmiths look over lifting gear once winter ends [1]."


def leaning(folder: Path, label: str) -> CrossEntailment:
    """Random weights whose last bias decides: this label, whatever is said."""
    import torch
    from safetensors.torch import load_file, save_file

    labels = ["contradiction", "entailment", "neutral"]
    cross_encoder(folder, 3)
    config = json.loads((folder / "config.json").read_text())
    named = {"id2label": {str(n): one for n, one in enumerate(labels)}, "label2id": {one: n for n, one in enumerate(labels)}}
    (folder / "config.json").write_text(json.dumps(config | named))
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] = torch.tensor([50.0 if one == label else 0.0 for one in labels])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return load(f"hf:{folder}")


@pytest.fixture(scope="module")
def entails(tmp_path_factory: pytest.TempPathFactory) -> CrossEntailment:
    return leaning(tmp_path_factory.mktemp("entails"), "entailment")


@pytest.fixture(scope="module")
def denies(tmp_path_factory: pytest.TempPathFactory) -> CrossEntailment:
    return leaning(tmp_path_factory.mktemp("denies"), "contradiction")


@dataclass(frozen=True)
class Speaks:
    """A model that always says the same, in two pieces."""

    text: str
    window: int = 1000
    id: str = "speaks"

    def count(self, messages: Messages) -> int:
        return 10

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        yield 0, self.text[:9]
        yield 0, self.text[9:]
        yield 0, Reply(self.text, Usage(), 0.0)


@dataclass(frozen=True)
class Fixed:
    """A source that always brings the same."""

    id: str = "fixed"
    whole: bool = False

    def find(self, question: str) -> Context:
        return Context(tuple(HITS))


def support(model: CrossEntailment, text: str) -> str:
    return judged(model, check_sentence(text, "", HITS), HITS).support


def test_probabilities_are_the_outputs_softmax(entails: CrossEntailment, denies: CrossEntailment) -> None:
    assert entails.entails(TEXT, "x") > 0.99
    assert denies.entails(TEXT, "x") < 0.01
    assert entails.id != denies.id


def test_it_takes_support_and_gives_it(entails: CrossEntailment, denies: CrossEntailment) -> None:
    assert check_sentence(WORDS, "", HITS).support == "words"
    assert support(entails, WORDS) == "words"
    taken = judged(denies, check_sentence(WORDS, "", HITS), HITS)
    assert (taken.support, taken.missing) == ("", ("no passage entails it",))
    assert check_sentence(OWN, "", HITS).support == ""
    given = judged(entails, check_sentence(OWN, "", HITS), HITS)
    assert (given.support, given.missing, given.quotes) == ("entailed", (), (("leave.md", 0, len(TEXT)),))
    assert support(denies, OWN) == ""


def test_quotations_stand_and_amounts_names_markers_and_denials_stay_wrong(entails: CrossEntailment, denies: CrossEntailment) -> None:
    assert support(denies, QUOTED) == "exact"
    assert support(denies, "I don't know.") == "plain"
    for wrong in (
        "Ostrand staff receive 30 days of leave [1].",
        "All Bergen staff receive 25 days of leave [1].",
        "The crane is inspected [4].",
    ):
        assert check_sentence(wrong, "", HITS).support == ""
        assert support(entails, wrong) == ""
    assert support(entails, "The crane is not inspected in spring by the smith [1].") == ""


def test_an_approach_holds_to_it_streamed_or_not(denies: CrossEntailment) -> None:
    plain = Approach("rag", Speaks(f"{WORDS} I don't know."), Fixed(), policy=Policy("mark"))
    held = Approach("rag", Speaks(f"{WORDS} I don't know."), Fixed(), policy=Policy("mark"), entailment=denies)
    assert plain.id != held.id
    *pieces, answer = answer_stream(held, "Who inspects it?")
    assert isinstance(answer, Answer)
    assert "".join(str(piece) for piece in pieces).strip() == answer.text
    assert MARK in str(pieces[0])


@pytest.mark.parametrize("spec", ["minilm", "hf:", "endpoint:x"])
def test_names_that_are_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="names no model of entailment"):
        load(spec)


def test_a_model_without_the_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="has no output for entailment"):
        load(f"hf:{cross_encoder(tmp_path, 3)}")
