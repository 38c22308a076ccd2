"""Labels move, promotion is refused or granted by numbers, rollback leads back, and lineage tells where all of it came from."""

from __future__ import annotations

import json
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from adapters_project import learnable, stored
from shop_project import refused, rung, write_toml

from rung.errors import ConfigError, DataError, ModelError, RungError
from rung.tuning.adapters import block, told
from rung.workspace import labels
from rung.workspace.catalogue import FILE, Move, exported, move, moves, redact, standing
from rung.workspace.lineage import difference, lineage
from rung.workspace.training import train_adapter
from rung.workspace.workspace import examples, open_workspace, silent


def put(home: Path, label: str, adapter: str, kind: str = "promote") -> Move:
    return move(home, standing(home, label), label, adapter, kind, "tuned", "me")


def test_a_label_stands_where_its_last_move_put_it_and_all_moves_stay(tmp_path: Path) -> None:
    assert standing(tmp_path, "a/b") is None
    assert moves(tmp_path) == []
    for adapter in ("one", "two", "three"):
        put(tmp_path, "a/b", adapter)
    put(tmp_path, "c", "one")
    stood = standing(tmp_path, "a/b")
    assert stood
    assert stood.adapter == "three"
    assert [one.adapter for one in moves(tmp_path, "a/b")] == ["one", "two", "three"]
    assert len(moves(tmp_path)) == 4


def test_of_two_who_decided_on_the_same_state_one_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "prod", "one")
    seen = standing(tmp_path, "prod")

    def attempt(adapter: str) -> str:
        try:
            return move(tmp_path, seen, "prod", adapter, "promote", "tuned", "me").adapter
        except RungError as error:
            return "" if "meanwhile" in error.message else error.message

    with ThreadPoolExecutor(8) as pool:
        won = [adapter for adapter in pool.map(attempt, map(str, range(8))) if adapter]
    assert len(won) == 1
    assert [one.adapter for one in moves(tmp_path, "prod")] == ["one", *won]


def test_a_damaged_catalogue_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database, by no means" * 100)
    with pytest.raises(RungError, match="can't be used"):
        moves(tmp_path)


def test_what_must_be_forgotten_leaves_the_file_itself(tmp_path: Path) -> None:
    put(tmp_path, "prod", "one")
    move(tmp_path, standing(tmp_path, "prod"), "prod", "two", "promote", "tuned", "me", "Jane Doe asked for it")
    exported(tmp_path, "two", "/exports/jane doe", "gguf", {}, {})
    assert redact(tmp_path, lambda text: "jane doe" in text.lower(), "gone") == 2
    assert b"jane doe" not in (tmp_path / FILE).read_bytes().lower()
    assert sqlite3.connect(tmp_path / FILE).execute("SELECT count(*) FROM moves").fetchone() == (2,)


def test_rolling_back_twice_leads_two_back(tmp_path: Path) -> None:
    done = [put(tmp_path, "p", one) for one in ("one", "two", "three")]
    assert [one.adapter for one in labels.stack(done)] == ["one", "two", "three"]
    done.append(put(tmp_path, "p", "two", "rollback"))
    assert [one.adapter for one in labels.stack(done)] == ["one", "two"]
    done.append(put(tmp_path, "p", "four"))
    assert [one.adapter for one in labels.stack(done)] == ["one", "two", "four"]
    done += [put(tmp_path, "p", "two", "rollback"), put(tmp_path, "p", "one", "rollback")]
    assert [one.adapter for one in labels.stack(done)] == ["one"]


def test_names_that_mean_nothing_or_too_much_are_refused(project: Path) -> None:
    ws = open_workspace(project)
    first, second = stored(ws, 1), stored(ws, 2)
    assert labels.folder_of(ws, first.name[:8]) == first
    labels.give(ws, first.name, "trials/a")
    assert labels.folder_of(ws, "trials/a") == first
    labels.give(ws, second.name, "trials/a")
    assert labels.servable(ws, "trials/a") == second
    for name in ("nobody", "0000000", ""):
        with pytest.raises(DataError, match="no adapter or label"):
            labels.folder_of(ws, name)
    for label in ("abcd12", "a b", "/a", "a/", "../x"):
        with pytest.raises(ConfigError, match="can't be a label"):
            labels.give(ws, first.name, label)


def test_a_changed_or_blocked_adapter_is_served_by_nobody(project: Path) -> None:
    ws = open_workspace(project)
    first, second = stored(ws, 1), stored(ws, 2)
    for folder in (first, second):
        put(ws.home, "prod", folder.name)
    current = labels.following(ws, "prod")
    assert getattr(current(), "adapter", "").startswith(second.name)
    block(second, "it learned from what was forgotten")
    with pytest.raises(ModelError, match="blocked: it learned"):
        current()
    assert labels.roll_back(ws, "prod").adapter == first.name
    assert getattr(current(), "adapter", "").startswith(first.name)
    (first / "recipe.json").write_text("{}")
    with pytest.raises(DataError, match="was changed"):
        labels.servable(ws, "prod")
    with pytest.raises(DataError, match="no earlier adapter"):
        labels.roll_back(ws, "prod")


def test_promotion_wants_better_answers_and_nothing_forgotten(project: Path) -> None:
    """The whole way on the command line: refused for what it forgot, promoted, compared, labelled, asked, rolled back."""
    ws = learnable(project)
    adapter, _ = train_adapter(ws, examples(ws), None, silent)
    weak = stored(ws, 5)
    done = rung("adapters", "promote", weak.name, "desk/prod", str(project), "--json")
    gate = json.loads(done.stdout)["gate"]
    assert done.returncode == 1
    assert gate["scores"] == [0.0, 0.0]
    assert "does not beat the bare base model" in gate["refused"][0]
    learnable(project, "[limits]\nprivate = true\n")
    text = (project / "rung.toml").read_text()
    (project / "rung.toml").write_text(text.replace("rank = 8", "forgetting = 0.0\nrank = 8"))
    strict = rung("adapters", "promote", adapter.name, "desk/prod", str(project))
    assert strict.returncode == 1
    assert "its loss on the general set rose by" in strict.stdout
    assert "does not beat" not in strict.stdout
    assert not moves(ws.home)
    (project / "rung.toml").write_text(text.replace("rank = 8", "forgetting = 100.0\nrank = 8"))
    assert rung("adapters", "promote", adapter.name, "desk/prod", str(project)).returncode == 0
    forced = rung("adapters", "promote", weak.name, "desk/prod", str(project), "--force", "to see it fail", "--json")
    assert json.loads(forced.stdout)["move"]["why"] == "to see it fail"
    assert json.loads(forced.stdout)["gate"]["held_out"]["difference"]["estimate"] < 0
    refused(rung("adapters", "label", adapter.name, "desk/prod", str(project)), "was promoted to")
    asked = json.loads(rung("ask", "Is c 3 done?", str(project), "--rung", "tuned", "--adapter", "desk/prod", "--json").stdout)
    assert asked["made_by"]["adapter"] == weak.name
    assert json.loads(rung("adapters", "rollback", "desk/prod", str(project), "--json").stdout)["adapter"] == adapter.name
    asked = json.loads(rung("ask", "Is c 3 done?", str(project), "--rung", "tuned", "--adapter", "desk/prod", "--json").stdout)
    assert (asked["made_by"]["adapter"], asked["text"]) == (adapter.name, "ok")
    shown = rung("adapters", "show", "desk/prod", str(project)).stdout
    assert [word for word in ("promote", "rollback", "to see it fail") if word not in shown] == []
    refused(rung("adapters", "rollback", "desk/prod", str(project)), "no earlier adapter")


def test_an_adapter_of_another_base_is_refused(project: Path, tmp_path: Path) -> None:
    from tiny_model import save_random_model

    ws = learnable(project)
    adapter, _ = train_adapter(ws, examples(ws), None, silent)
    assert labels.servable(ws, adapter.name) == adapter
    (project / "model").unlink()
    save_random_model(project / "model", seed=9)
    with pytest.raises(ModelError, match="trained on another model"):
        labels.servable(ws, adapter.name)


def test_the_configuration_names_an_adapter_for_the_untrained_rungs(project: Path) -> None:
    ws = open_workspace(project)
    first, second = stored(ws, 1), stored(ws, 2)
    put(ws.home, "prod", first.name)
    write_toml(project, model='adapter = "prod"')
    named = [json.loads(rung("ask", "What is the price of part 3?", str(project), "--rung", "rag", "--json").stdout) for _ in range(2)]
    assert [one["made_by"]["adapter"] for one in named] == [first.name] * 2
    put(ws.home, "prod", second.name)
    moved = json.loads(rung("ask", "What is the price of part 3?", str(project), "--json").stdout)
    assert moved["made_by"]["adapter"] == second.name
    assert moved["made_by"]["approach"] != named[0]["made_by"]["approach"], "another model, another approach"
    write_toml(project, model='adapter = "nobody"')
    refused(rung("ask", "What?", str(project)), "no adapter or label 'nobody'", "rung adapters list")


def test_a_general_set_of_ones_own_is_read_and_kept_apart_from_the_examples(project: Path) -> None:
    from rung.workspace.promoting import general_set

    assert len(general_set(open_workspace(project))) == 40
    (project / "general.jsonl").write_text('{"id": "g", "question": "What is 1 + 1?", "answer": "2"}\n')
    text = (project / "rung.toml").read_text()
    (project / "rung.toml").write_text(text.replace("rank = 2", 'general = "general.jsonl"\nrank = 2'))
    assert [case.id for case in general_set(open_workspace(project))] == ["g"]
    (project / "general.jsonl").write_text((project / "examples.jsonl").read_text())
    with pytest.raises(DataError):
        general_set(open_workspace(project))


def test_the_tree_of_a_lineage_shows_which_branch_is_the_last(project: Path) -> None:
    made = stored(open_workspace(project), 8, ("x.md",), ("x.md:0-20", "x.md:30-40"))
    tree = rung("adapters", "lineage", made.name, str(project)).stdout
    assert re.sub(r"r8 \(\w+\)", "r8", tree).startswith("x.md\n├─ :0-20\n│  └─ row r8\n└─ :30-40\n   └─ row r8\n")


def test_lineage_and_difference_name_documents_rows_and_settings(project: Path) -> None:
    ws = open_workspace(project)
    trained, _ = train_adapter(ws, examples(ws), None, silent)
    found = lineage(ws, trained.name)
    assert set(found.documents) == {"d3.md", "d4.md", "d5.md"}
    ((passage, rows),) = found.documents["d4.md"].items()
    assert passage.startswith("d4.md#")
    assert rows == ("c4",)
    assert found.rows["c4"] == told(trained, "rows.json")["training"].get("c4", told(trained, "rows.json")["validation"].get("c4"))
    assert found.alone == ()
    other = stored(ws, 7, ("d4.md", "x.md"), ("x.md:0-20",))
    exported(ws.home, other.name, "/somewhere", "vllm", {}, {})
    assert [one.folder for one in lineage(ws, other.name).exports] == ["/somewhere"]
    apart = difference(ws, trained.name, other.name)
    assert apart.documents_only_second == ("x.md",)
    assert "r7" in apart.rows_only_second
    assert apart.settings["rank"] == (2, 4)
    assert labels.trained_rung(other) == "raft"
    assert labels.trained_rung(trained) == "tuned"
    tree = rung("adapters", "lineage", other.name, str(project)).stdout
    assert "x.md\n└─ :0-20\n   └─ row r7" in tree
    assert "→ vllm in /somewhere" in tree
    assert "the same adapter" in rung("adapters", "diff", other.name, other.name, str(project)).stdout
    assert "settings: rank 2 → 4" in rung("adapters", "diff", trained.name, other.name, str(project)).stdout


def test_the_same_weights_from_other_makings_are_one_adapter_that_tells_of_both(project: Path) -> None:
    from tiny_model import save_random_adapter

    from rung.tuning.adapters import find, lineage, store
    from rung.tuning.rows import Row

    ws = open_workspace(project)
    first = stored(ws, 1, ("d1.md",))
    work = ws.home / "adapters" / "again.tmp"
    save_random_adapter(ws.folder / "model", work, 1)
    (work / "README.md").unlink(missing_ok=True)
    row = Row("other", ({"role": "user", "content": "q"},), ("d2.md",), "g")
    second = store(work, ws.home / "adapters", "elsewhere", {"rows.json": lineage([row], [], {}), "recipe.json": {"rank": 4}})
    assert second == first
    assert find(ws.home / "adapters", "makings1") == find(ws.home / "adapters", "elsewhere") == first
    assert set(told(first, "rows.json")["documents"]) == {"d1.md", "d2.md"}
    assert set(told(first, "rows.json")["training"]) == {"r1", "other"}
