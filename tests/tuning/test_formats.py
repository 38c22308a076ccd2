"""Rows for other trainers: the files hold what would be trained on, and TRL's script runs as it was written."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from shop_project import TOML, refused, rung
from tiny_model import save_random_model
from typer.testing import CliRunner

from rung.cli import app
from rung.errors import ConfigError, DataError
from rung.models.template import encode_row


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats") / "shop"
    save_random_model(folder / "model", window=512)
    (folder / "docs").mkdir()
    names = [f"{a}{b}" for a in ("iron", "oak", "salt", "wind", "moss") for b in ("ford", "gate", "ley", "wick")]
    for name in names:
        (folder / "docs" / f"{name}.md").write_text(f"# {name.title()}\n\nThe ferry to {name.title()} costs {len(name)} euros.\n")
    rows = [
        {
            "id": n,
            "question": f"What does the ferry to {n.title()} cost?",
            "answer": f"{len(n)} euros",
            "evidence": [{"document": f"{n}.md"}],
        }
        for n in names
    ]
    (folder / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "cases.jsonl").write_text('{"id": "held", "question": "Who steers the ferry?", "answer": "the secret pilot"}\n')
    (folder / "rung.toml").write_text(TOML.format(model="", more="batch_rows = 4"))
    return folder


def written(shop: Path, form: str, out: Path, *words: str) -> Path:
    done = CliRunner().invoke(app, ["rows", form, str(out), str(shop), "--json", *words])
    if done.exception:
        raise done.exception
    told = json.loads(done.stdout)
    assert sorted(told["files"]) == sorted(path.name for path in out.iterdir())
    assert (told["training"], told["validation"]) == (18, 2)
    return out


def lines(path: Path) -> list[dict[str, list[dict[str, str]]]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("form", ["openai", "trl", "axolotl"])
@pytest.mark.parametrize("kind", ["tuned", "raft"])
def test_every_row_once_and_no_held_out_case(form: str, kind: str, shop: Path, tmp_path: Path) -> None:
    out = written(shop, form, tmp_path / "out", "--rung", kind)
    rows = [*lines(out / "train.jsonl"), *lines(out / "validation.jsonl")]
    chats = [row["messages"] if form != "trl" else [*row["prompt"], *row["completion"]] for row in rows]
    assert len({chat[-2]["content"].rpartition("Question: ")[2] for chat in chats}) == 20
    assert all([turn["role"] for turn in chat] == ["system", "user", "assistant"] for chat in chats)
    assert all(chat[-1]["content"].partition(" [")[0].endswith(" euros") for chat in chats)
    assert any("[1] " in chat[-2]["content"] for chat in chats) == (kind == "raft")
    assert "secret pilot" not in "".join(path.read_text() for path in out.iterdir())


def test_the_axolotl_file_says_what_the_recipe_says(shop: Path, tmp_path: Path) -> None:
    config = yaml.safe_load((written(shop, "axolotl", tmp_path / "out") / "config.yml").read_text())
    assert (config["lora_r"], config["num_epochs"], config["micro_batch_size"], config["sequence_len"]) == (2, 2, 4, 512)
    assert config["base_model"] == str((shop / "model").resolve())
    for one, file in zip((*config["datasets"], *config["test_datasets"]), ("train.jsonl", "validation.jsonl"), strict=True):
        assert (one["path"], one["type"], one["roles_to_train"]) == (file, "chat_template", ["assistant"])


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="trl is not installed (extra bench)")
def test_the_trl_script_runs_as_it_was_written_and_trains_the_tokens_we_train(shop: Path, tmp_path: Path) -> None:
    out = written(shop, "trl", tmp_path / "out")
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, out / "train.py"], capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (out / "adapter" / "adapter_model.safetensors").exists()
    code = (
        f"import sys, json; sys.path.insert(0, {str(out)!r}); import train\n"
        "from trl import SFTTrainer\nSFTTrainer.train = lambda self: print(json.dumps([self.train_dataset[n] for n in range(18)]))\n"
        "SFTTrainer.save_model = lambda self, path: None\ntrain.main()"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=300, check=True)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(shop / "model")
    rows = json.loads(told.stdout.splitlines()[-1])
    for row, made in zip(lines(out / "train.jsonl"), rows, strict=True):
        ids, prompt = encode_row(tokenizer, [*row["prompt"], *row["completion"]])
        assert made["input_ids"] == ids
        assert made["labels"] == [-100] * prompt + ids[prompt:]


def test_what_is_refused(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no format 'llamafactory'"):
        written(shop, "llamafactory", tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match=r"other files, such as letter\.txt"):
        written(shop, "trl", tmp_path / "mine")
    with pytest.raises(ConfigError, match="has no training rows"):
        written(shop, "trl", tmp_path / "out", "--rung", "rag")


def test_too_few_for_the_openai_api(tmp_path: Path, shop: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    (few / "model").symlink_to(shop / "model")
    (few / "cases.jsonl").write_text((shop / "cases.jsonl").read_text())
    (few / "examples.jsonl").write_text("\n".join((shop / "examples.jsonl").read_text().splitlines()[:5]) + "\n")
    (few / "rung.toml").write_text((shop / "rung.toml").read_text())
    (few / "docs").mkdir()
    refused(rung("rows", "openai", str(tmp_path / "out"), str(few)), "takes 10 examples", "these are 4")
