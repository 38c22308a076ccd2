"""Every kind of bad row, a real file each, through the command line: one clear message, the right rows, and a fix."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shop_project import refused, rung
from tiny_model import TEMPLATE, save_random_model
from typer.testing import CliRunner

from rung.cli import app
from rung.errors import ConfigError, RungError, TuningError
from rung.tuning.audit.finding import FIRM, KINDS
from rung.workspace.training import prepare
from rung.workspace.workspace import examples, open_workspace

Row = dict[str, Any]
TOPICS = ["returns", "deliveries", "invoices", "vouchers", "batteries", "chargers", "helmets", "tyres", "brakes", "lights"]
TOPICS += ["pedals", "saddles"]
PLACES = "the workshop in Bremholt", "the branch at the harbour"


def good() -> list[Row]:
    """24 rows in which nothing is wrong but their number."""
    return [
        {"id": f"e{n}", "question": f"Who looks after the {topic} that customers bring to {place}?", "answer": f"Desk {chr(65 + n)} does."}
        for n, (topic, place) in enumerate((topic, place) for topic in TOPICS for place in PLACES)
    ]


CASES: list[Row] = [
    {"id": f"c{n}", "question": f"When does the {topic} counter open its doors on a holiday?", "answer": "At noon."}
    for n, topic in enumerate(TOPICS)
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_model(tmp_path_factory.mktemp("weights") / "model", window=800)


@pytest.fixture
def shop(tmp_path: Path, weights: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "model").mkdir(parents=True)
    for file in weights.iterdir():
        os.link(file, folder / "model" / file.name)
    write(folder, good())
    settings(folder)
    return folder


def write(folder: Path, rows: list[Row | str], name: str = "examples.jsonl") -> None:
    (folder / name).write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in CASES))


def settings(folder: Path, project: str = "", tuning: str = "") -> None:
    (folder / "rung.toml").write_text(
        f'[project]\nexamples = "examples.jsonl"\n{project}\n[model]\nname = "local:model"\n[knowledge]\nfolder = ""\n[tuning]\n{tuning}\n'
    )


def template(folder: Path, text: str) -> None:
    (folder / "model" / "chat_template.jinja").unlink()
    (folder / "model" / "chat_template.jinja").write_text(text)


def labels(folder: Path, rows: list[Row], names: tuple[str, ...] = ("red", "blue")) -> None:
    (folder / "labels.json").write_text(json.dumps(names))
    write(folder, rows)
    global_cases = [row | {"answer": "red"} for row in CASES]
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in global_cases))
    settings(folder, 'task = "classify"\nlabels = "labels.json"')


def labelled(n: int = 24) -> list[Row]:
    return [row | {"answer": ("red", "blue")[i % 2]} for i, row in enumerate(good())][:n]


def checked(folder: Path, *options: str) -> tuple[dict[str, Any], RungError | None]:
    """The audit as JSON, and what the command refused with."""
    done = CliRunner().invoke(app, ["check", str(folder), "--json", *options])
    assert done.exception is None or isinstance(done.exception, RungError), done.exception
    return json.loads(done.stdout)["audit"], done.exception


def unreadable(folder: Path) -> list[int]:
    write(folder, [*good(), '{"question": "What', {"question": "Where?"}, {"id": "e0", "question": "Again?", "answer": "Yes."}])
    return [25, 26, 27]


def held_out(folder: Path) -> list[int]:
    write(folder, [{"question": "when does the TYRES counter open its doors on a holiday", "answer": "At one."}, *good()])
    return [1]


def outside(folder: Path) -> list[int]:
    labels(folder, [*labelled(), {"question": "Which colour has the oldest bench out there?", "answer": "blu"}])
    return [25]


def broken_template(folder: Path) -> list[int]:
    template(folder, "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}")
    return list(range(1, 25))


def empty_mask(folder: Path) -> list[int]:
    write(folder, [*good(), {"question": "What is written on the empty sign by the door?", "answer": [" "]}])
    return [25]


def prompt_trained(folder: Path) -> list[int]:
    template(folder, "{% if messages[-1].role == 'assistant' %}{% for m in messages %}<s>{{ m.content }} {% endfor %}<|end|>{% endif %}")
    return list(range(1, 25))


def frame_trained(folder: Path) -> list[int]:
    template(folder, TEMPLATE.replace("{% if add_generation_prompt %}<|assistant|>{% endif %}", ""))
    return list(range(1, 25))


def answer_changed(folder: Path) -> list[int]:
    template(folder, TEMPLATE.replace("message['content']", "message['content'].split('</think>')[-1]"))
    write(folder, [*good(), {"question": "How is the oldest bench in the yard called?", "answer": "<think>An old bench</think>Berta"}])
    return [25]


def too_long(folder: Path) -> list[int]:
    write(folder, [*good(), {"question": f"What does this letter ask us for? {'We write to you again. ' * 200}", "answer": "Money."}])
    return [25]


def contradiction(folder: Path) -> list[int]:
    rows = labelled()
    labels(folder, [*rows, rows[3] | {"id": "other", "answer": "red"}])
    return [4, 25]


def near_contradiction(folder: Path) -> list[int]:
    rows = labelled()
    labels(folder, [*rows, {"question": rows[3]["question"].replace("Who looks", "Who now looks"), "answer": "red"}])
    return [25]


def duplicate(folder: Path) -> list[int]:
    write(folder, [*good(), good()[5] | {"id": "again"}])
    return [25]


def near_duplicate(folder: Path) -> list[int]:
    write(folder, [*good(), good()[5] | {"id": "again", "question": good()[5]["question"].replace("customers", "a customer")}])
    return [25]


def near_held_out(folder: Path) -> list[int]:
    write(folder, [*good(), {"question": "When does the tyres counter open the doors on a holiday?", "answer": "At one."}])
    return [25]


def shared_document(folder: Path) -> list[int]:
    write(folder, [row | {"evidence": [{"document": f"d{n}.md"}]} for n, row in enumerate(good())])
    rows = [CASES[0] | {"evidence": [{"document": "d7.md"}]}, *CASES[1:]]
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [8]


def no_validation(folder: Path) -> list[int]:
    write(folder, [row | {"group": "all"} for row in good()])
    return []


def validation_leak(folder: Path) -> list[int]:
    write(folder, [row | {"evidence": [{"document": "rules.md"}]} for row in good()])
    ws = open_workspace(folder)
    return sorted(int(row.id[1:]) + 1 for row in prepare(ws, examples(ws), None, raft=False).validation)


def missing_label(folder: Path) -> list[int]:
    labels(folder, labelled(), ("red", "blue", "green"))
    return []


def rare_label(folder: Path) -> list[int]:
    labels(folder, [*labelled()[:-1], labelled()[-1] | {"answer": "green"}], ("red", "blue", "green"))
    return [24]


def imbalance(folder: Path) -> list[int]:
    labels(folder, [*({**row, "answer": "red"} for row in good()[:22]), *({**row, "answer": "blue"} for row in good()[22:])])
    return []


def form(folder: Path) -> list[int]:
    write(folder, [*good(), {"question": "How is the oldest bench in the yard called?", "answer": "berta"}])
    settings(folder, "form = '[A-Z].*\\.'")
    return [25]


def length(folder: Path) -> list[int]:
    write(folder, [*good(), {"question": "What is the house rule on noise?", "answer": "Quiet, please, as long as guests sleep. " * 12}])
    return [25]


def other_language(folder: Path) -> list[int]:
    german = "Wie lange muss ich warten, bis meine Bestellung endlich bei mir zu Hause ankommt?"
    write(folder, [*good(), {"question": german, "answer": "Höchstens zwei Wochen, meistens geht es schneller."}])
    return [25]


def personal(folder: Path) -> list[int]:
    write(folder, [*good(), {"question": "Whom do I ask about the bench in the yard?", "answer": "Berta, berta.holm@example.org."}])
    return [25]


def garbled(folder: Path) -> list[int]:
    write(folder, [*good(), {"question": "Who sells the pastries in the yard?", "answer": "The cafÃ© does."}])
    return [25]


def few(folder: Path) -> list[int]:
    return []


MADE: dict[str, tuple[str, Callable[[Path], list[int]]]] = {
    "unreadable": ("stop", unreadable), "held-out": ("stop", held_out), "label": ("stop", outside), "template": ("stop", broken_template),
    "empty-mask": ("stop", empty_mask), "prompt-trained": ("stop", prompt_trained), "frame-trained": ("note", frame_trained),
    "answer-changed": ("warn", answer_changed), "too-long": ("warn", too_long), "contradiction": ("stop", contradiction),
    "near-contradiction": ("warn", near_contradiction), "duplicate": ("warn", duplicate), "near-duplicate": ("note", near_duplicate),
    "near-held-out": ("warn", near_held_out), "shared-document": ("warn", shared_document), "missing-label": ("warn", missing_label),
    "rare-label": ("warn", rare_label), "imbalance": ("note", imbalance), "form": ("warn", form), "length": ("note", length),
    "language": ("note", other_language), "personal": ("warn", personal), "garbled": ("warn", garbled),
    "no-validation": ("stop", no_validation), "validation-leak": ("note", validation_leak), "few": ("warn", few),
}  # fmt: skip


def test_there_is_a_bad_row_of_every_kind() -> None:
    assert set(MADE) == set(KINDS)


def test_every_kind_is_documented_with_its_severity() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "training-data.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `([a-z-]+)` \| (.*?) \|", page, re.M))
    assert set(told) == set(KINDS)
    for kind, (severity, _) in MADE.items():
        assert severity in told[kind]
        assert ("always" in told[kind]) == (kind in FIRM)


def test_a_model_that_is_not_here_is_said(shop: Path) -> None:
    toml = (shop / "rung.toml").read_text()
    (shop / "rung.toml").write_text(toml.replace("local:model", "endpoint:x@http://127.0.0.1:9/v1"))
    done = CliRunner().invoke(app, ["check", str(shop)])
    assert done.exception is None
    assert "no mask was checked" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_row(kind: str, shop: Path) -> None:
    severity, make = MADE[kind]
    lines = make(shop)
    audit, refusal = checked(shop)
    found = [one for one in audit["findings"] if one["kind"] == kind]
    assert found, audit["findings"]
    assert {one["severity"] for one in found} == {severity}
    assert sorted(place["line"] for one in found for place in one["rows"]) == lines
    assert {place["file"] for one in found for place in one["rows"]} <= {"examples.jsonl"}
    assert all(one["message"] and one["fix"] and "\n" not in one["message"] for one in found)
    others = {one["kind"] for one in audit["findings"]} - {kind, "few"}
    beside = {"too-long": {"length"}, "rare-label": {"imbalance"}, "imbalance": {"rare-label"}, "frame-trained": {"template"}}
    assert others <= beside.get(kind, set()), audit["findings"]
    assert isinstance(refusal, TuningError) == (severity == "stop")
    if refusal:
        assert found[0]["message"] in refusal.message


def test_nothing_is_wrong_with_good_rows(shop: Path) -> None:
    audit, refusal = checked(shop)
    assert [one["kind"] for one in audit["findings"]] == ["few"]
    assert refusal is None
    assert audit["shown"]["pieces"][1] == ["Desk A does.<|end|>", True]
    assert audit["shown"]["pieces"][0][0].endswith(
        "Question: Who looks after the returns that customers bring to the workshop in Bremholt?<|end|><|assistant|>"
    )


def test_another_row_can_be_shown(shop: Path) -> None:
    assert checked(shop, "--row", "e7")[0]["shown"]["pieces"][1] == ["Desk H does.<|end|>", True]
    done = CliRunner().invoke(app, ["check", str(shop), "--row", "e99"])
    assert isinstance(done.exception, TuningError)
    assert "e99" in done.exception.message


def test_the_command_shows_a_table_and_exits_with_2(shop: Path) -> None:
    empty_mask(shop)
    done = rung("check", str(shop), "--row", "e0")
    refused(done, "no answer left to train on", "examples.jsonl:25")
    assert "⟦Desk A does.<|end|>⟧" in done.stdout
    assert "stop empty-mask: 1 row has no answer left to train on once rendered\n     fix: write an answer" in done.stdout
    assert "     rows: examples.jsonl:25\n" in done.stdout


def test_a_training_is_stopped_unless_the_finding_is_allowed(shop: Path) -> None:
    contradiction(shop)
    refused(rung("train", str(shop)), "1 question has different answers", "examples.jsonl:4", "rung check")
    settings(shop, 'task = "classify"\nlabels = "labels.json"', "epochs = 1\nrank = 2")
    done = rung("train", str(shop), "--allow", "contradiction", "--json")
    assert done.returncode == 0, done.stderr
    adapter = Path(json.loads(done.stdout)["adapter"])
    told = json.loads(adapter.with_name(f"{adapter.name}.audit.json").read_text())
    assert told["allowed"] == ["contradiction"]
    assert [one["kind"] for one in told["findings"] if one["severity"] == "stop"] == ["contradiction"]


@pytest.mark.parametrize("kind", FIRM)
def test_some_findings_can_t_be_allowed(kind: str, shop: Path) -> None:
    settings(shop, tuning=f'allow = ["{kind}"]')
    done = CliRunner().invoke(app, ["check", str(shop)])
    assert isinstance(done.exception, ConfigError)
    assert "can't be allowed" in done.exception.message


def test_an_unknown_finding_names_the_nearest(shop: Path) -> None:
    settings(shop, tuning='allow = ["contradictions"]')
    done = CliRunner().invoke(app, ["check", str(shop)])
    assert isinstance(done.exception, ConfigError)
    assert done.exception.hint == "did you mean 'contradiction'?"


@pytest.mark.parametrize(("how", "rows"), [("redact", 25), ("drop", 24)])
def test_personal_data_is_redacted_or_dropped_from_what_is_trained_on(how: str, rows: int, shop: Path, tmp_path: Path) -> None:
    personal(shop)
    settings(shop, tuning=f'personal_data = "{how}"')
    audit, _ = checked(shop)
    assert {one["kind"]: one["severity"] for one in audit["findings"]}["personal"] == "note"
    done = CliRunner().invoke(app, ["rows", "trl", str(tmp_path / "out"), str(shop)])
    assert done.exception is None, done.exception
    text = "".join((tmp_path / "out" / name).read_text() for name in ("train.jsonl", "validation.jsonl"))
    assert len(text.splitlines()) == rows
    assert "berta.holm@example.org" not in text
    assert ("Berta, [e-mail]." in text) == (how == "redact")


@pytest.mark.slow
def test_the_run_folder_holds_the_audit(shop: Path) -> None:
    settings(shop, 'rungs = ["prompt", "tuned"]', "epochs = 1\nrank = 2")
    done = rung("climb", str(shop), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads((Path(json.loads(done.stdout)["folder"]) / "tuned" / "audit.json").read_text())
    assert [one["kind"] for one in told["findings"]] == ["few"]
    assert told["rows"] == 24
