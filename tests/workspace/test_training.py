"""`rung train` by every method and option on a small project, through the real command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shop_project import refused, rung, write_toml
from tuning_server import tuning_server

from rung.errors import ConfigError
from rung.types import Case
from rung.workspace import workspace as w
from rung.workspace.training import planned, train_adapter


@pytest.fixture
def shop(project: Path) -> Path:
    rows = [{"id": f"e{n}", "question": f"What is part {n}?", "answer": f"{n % 7}0 euros", "group": f"g{n}"} for n in range(10, 30)]
    (project / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return project


def tuned(shop: Path, tuning: str) -> w.Workspace:
    write_toml(shop, more=tuning)
    return w.open_workspace(shop)


def test_a_full_model_answers_in_place_of_the_base(shop: Path) -> None:
    ws = tuned(shop, 'method = "full"')
    folder, losses = train_adapter(ws, w.examples(ws), None, w.silent)
    assert (folder / "config.json").exists()
    assert losses
    assert w.base_model(ws, folder).id != w.base_model(ws).id
    assert rung("ask", "What is part 3?", str(shop), "--rung", "tuned").returncode == 0


def test_pretraining_learns_documents_and_examples_and_validates_on_examples(shop: Path) -> None:
    ws = tuned(shop, 'method = "pretrain"')
    synced = w.sync_knowledge(ws)
    assert synced
    plan = planned(ws, w.examples(ws), synced[0])
    assert {row.id for row in plan.training if row.text} == {f"text/d{n}.md" for n in range(6)}
    assert not [row for row in plan.validation if row.text]
    assert len([row for row in plan.training if not row.text]) + len(plan.validation) == 20
    done = rung("train", str(shop), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads((Path(json.loads(done.stdout)["adapter"]) / "rows.json").read_text())
    assert set(told["documents"]) >= {f"d{n}.md" for n in range(6)}


def test_pretraining_needs_no_examples(shop: Path) -> None:
    ws = tuned(shop, 'method = "pretrain"')
    synced = w.sync_knowledge(ws)
    assert synced
    plan = planned(ws, list[Case](), synced[0])
    assert all(row.text for row in (*plan.training, *plan.validation))
    assert len(plan.training) + len(plan.validation) == 6


def test_what_it_tells(shop: Path) -> None:
    done = rung("train", str(shop))
    assert done.returncode == 0, done.stderr
    assert "method lora: rank 2, alpha 4," in done.stderr
    assert "of memory" in done.stderr
    assert "tokens/s" in done.stderr
    assert "loss on its own rows" in done.stdout


def test_a_range_of_learning_rates_is_shown_and_kept(shop: Path) -> None:
    done = rung("train", str(shop), "--lr-range", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["suggestion"] in told["rates"]
    assert json.loads(Path(told["file"]).read_text())["losses"] == told["losses"]
    assert not list((shop / ".rung" / "adapters").glob("*/adapter_config.json"))


def test_a_search_names_lines_that_find_its_adapter(shop: Path) -> None:
    done = rung("train", str(shop), "--budget", "4s", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["tried"]
    (folder,) = (shop / ".rung" / "adapters").glob("*/adapter_config.json")
    text = (shop / "rung.toml").read_text().replace("rank = 2\nepochs = 2\n", "")
    (shop / "rung.toml").write_text(text + "\n".join(found["lines"]) + "\n")
    assert Path(json.loads(rung("train", str(shop), "--json").stdout)["adapter"]) == folder.parent


@pytest.mark.slow
def test_a_sweep_of_raft_compares_all_cells_on_the_same_rows(shop: Path) -> None:
    done = rung("train", str(shop), "--raft-sweep", "--json")
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)
    assert len({(cell["gold_probability"], cell["distractors"]) for cell in cells}) == 8  # k is 2: one other and three
    assert cells == sorted(cells, key=lambda cell: cell["loss"])


def test_a_remote_model_becomes_the_tuned_rung(shop: Path) -> None:
    with tuning_server() as tuner:
        ws = tuned(shop, f'remote = "{tuner.url}"\nremote_model = "small"')
        folder, losses = train_adapter(ws, w.examples(ws), None, w.silent)
        assert losses == ()
        model = w.base_model(ws, folder)
        assert (model.name, model.url) == ("ft:small:ftjob-0", tuner.url)  # type: ignore[attr-defined]
        assert "no job waits" in rung("train", str(shop), "--cancel").stdout


def test_what_does_not_fit_together_is_refused(shop: Path) -> None:
    refused(rung("train", str(shop), "--lr-range", "--budget", "3m"), "don't go together")
    refused(rung("train", str(shop), "--budget", "soon"), "'soon' is no time")
    refused(rung("train", str(shop), "--cancel"), "no remote tuner")
    write_toml(shop, more='method = "lora2"')
    refused(rung("train", str(shop)), "tuning.method")
    ws = tuned(shop, 'remote = "https://example.com/v1"\nremote_model = "m"\n[limits]\nprivate = true')
    with pytest.raises(ConfigError, match="private"):
        train_adapter(ws, w.examples(ws), None, w.silent)
    ws = tuned(shop, 'remote = "https://example.com/v1"')
    with pytest.raises(ConfigError, match="which model"):
        train_adapter(ws, w.examples(ws), None, w.silent)


def test_an_estimate_trains_nothing_and_says_what_the_training_would(shop: Path) -> None:
    tuned(shop, "batch_rows = 4")
    done = rung("train", str(shop), "--estimate", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["training"] + told["validation"] == 20
    assert told["steps"] > 0
    assert told["seconds"] > 0
    assert told["memory"] > 0
    assert "rows a batch 4" in told["recipe"]
    assert not list((shop / ".rung").glob("adapters/*/"))
    done = rung("train", str(shop), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scores"]["estimate"]["steps"] == told["steps"]
    again = json.loads(rung("train", str(shop), "--estimate", "--json").stdout)
    assert (shop / ".rung" / "adapters" / again["trained"]).is_dir()
    refused(rung("train", str(shop), "--estimate", "--lr-range"), "--estimate", "--lr-range")
