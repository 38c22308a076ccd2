"""The remote tuner against a real server over loopback: what is sent, told, kept, resumed, cancelled and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tuning_server import Tuner, tuning_server

from rung.errors import EndpointError, TuningError
from rung.tuning.recipe import Recipe
from rung.tuning.remote import Remote, cancel, tune
from rung.tuning.rows import Row

RECIPE = Recipe(epochs=3, batch_rows=4)


def row(n: int) -> Row:
    return Row(f"r{n}", ({"role": "user", "content": f"what is {n}?"}, {"role": "assistant", "content": f"it is {n} é"}), (), f"g{n}")


TRAINING, HELD = [row(n) for n in range(5)], [row(9)]


@pytest.fixture
def tuner() -> Tuner:
    with tuning_server() as served:
        yield served  # type: ignore[misc]


def at(tuner: Tuner, **options: object) -> Remote:
    return Remote(tuner.url, "small", **({"poll": 0.01, "retries": 2} | options))  # type: ignore[arg-type]


def tuned(tuner: Tuner, adapters: Path, say: object = print, **options: object) -> Path:
    return tune(at(tuner, **options), TRAINING, HELD, RECIPE, adapters, {}, "base", say)  # type: ignore[arg-type]


def test_rows_go_up_and_a_model_comes_back_once(tuner: Tuner, tmp_path: Path) -> None:
    said: list[str] = []
    folder = tuned(tuner, tmp_path, said.append)
    assert json.loads((folder / "remote.json").read_text()) == {
        "model": "ft:small:ftjob-0",
        "url": tuner.url,
        "key_env": "",
        "job": "ftjob-0",
    }
    assert [line["messages"][1]["content"] for line in tuner.files["file-0"]] == [f"it is {n} é" for n in range(5)]
    assert len(tuner.files["file-1"]) == 1
    job = tuner.jobs["ftjob-0"]
    assert job["training_file"] == "file-0"
    assert job["validation_file"] == "file-1"
    assert job["method"]["supervised"]["hyperparameters"] == {"n_epochs": 3, "batch_size": 4}
    assert said[1:] == [f"ftjob-0: step {n}" for n in (1, 2, 3)]
    assert set(json.loads((folder / "rows.json").read_text())["training"]) == {one.id for one in TRAINING}
    assert tuned(tuner, tmp_path) == folder
    assert len(tuner.jobs) == 1


def test_interrupted_it_waits_for_the_same_job_again(tuner: Tuner, tmp_path: Path) -> None:
    def stop(sentence: str) -> None:
        if sentence.endswith("step 1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuned(tuner, tmp_path, stop)
    said: list[str] = []
    assert (tuned(tuner, tmp_path, said.append) / "remote.json").exists()
    assert said[0] == "waiting for job ftjob-0 again"
    assert len(tuner.jobs) == 1
    assert len(tuner.files) == 2


def test_a_lost_answer_starts_no_second_job(tuner: Tuner, tmp_path: Path) -> None:
    tuner.trouble = [("/files", 503, False), ("/jobs", 500, True), ("/events", 429, False)]
    tuned(tuner, tmp_path)
    assert list(tuner.jobs) == ["ftjob-0"]


@pytest.mark.parametrize("ends", ["failed", "cancelled"])
def test_a_job_that_fails_says_why_and_the_next_command_starts_anew(tuner: Tuner, tmp_path: Path, ends: str) -> None:
    tuner.ends = ends
    with pytest.raises(TuningError, match="the data is bad" if ends == "failed" else "cancelled"):
        tuned(tuner, tmp_path)
    tuner.ends = "succeeded"
    tuned(tuner, tmp_path)
    assert len(tuner.jobs) == 2


def test_cancel_ends_what_waits(tuner: Tuner, tmp_path: Path) -> None:
    def stop(sentence: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuned(tuner, tmp_path, stop)
    said: list[str] = []
    assert cancel(at(tuner), tmp_path, said.append) == 1
    assert said == ["job ftjob-0: cancelled"]
    assert tuner.jobs["ftjob-0"]["status"] == "cancelled"
    assert cancel(at(tuner), tmp_path, said.append) == 0


def test_keys_are_sent_and_never_shown(tuner: Tuner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tuner.key = "right"
    with pytest.raises(EndpointError, match="A_KEY is not set"):
        tuned(tuner, tmp_path, key_env="A_KEY")
    monkeypatch.setenv("A_KEY", "secret-and-wrong")
    with pytest.raises(EndpointError, match="refused the API key") as caught:
        tuned(tuner, tmp_path, key_env="A_KEY")
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("A_KEY", "right")
    folder = tuned(tuner, tmp_path, key_env="A_KEY")
    assert "right" not in (folder / "remote.json").read_text()


def test_nobody_there_and_nonsense(tuner: Tuner, tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match="nothing answers"):
        tune(Remote("http://127.0.0.1:1/v1", "small", retries=0), TRAINING, HELD, RECIPE, tmp_path, {}, "base", print)
    tuner.trouble = [("/files", 400, False)]
    with pytest.raises(EndpointError, match=r"refused \(400\): .*told to say 400"):
        tuned(tuner, tmp_path)
