"""Tiny public data sets of our own, in the formats that the real ones were published in: one function per scenario writes its files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

GENES = ("ABCA4", "BRCA1", "CFTR", "DMD1", "EYS", "FBN1", "GBA", "HBB", "IDS", "JAK2", "KRT5", "LDLR")
THINGS = ("amber", "birch", "cobalt", "denim", "ember", "fjord", "glade", "heron", "inlet", "jetty", "kelp", "larch")


def packed(path: Path, value: object) -> None:
    """JSON, gzipped."""
    path.write_bytes(gzip.compress(json.dumps(value).encode()))


def packed_lines(path: Path, rows: Iterable[object]) -> None:
    """A JSON object a line, gzipped."""
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


def banking77(folder: Path) -> None:
    """Two labels, the second with a capital and a question mark as one of the real ones; one row stands in both splits."""
    rows = [("How do I get the {} card?", "card_arrival"), ("Where is my {} money?", "Refund_not_showing_up?")]
    for part, things in (("train", THINGS[4:]), ("test", THINGS[:5])):
        said = [f'"{question.format(thing)}",{label}' for thing in things for question, label in rows]
        (folder / f"{part}.csv").write_text("\n".join(["text,category", *said]), encoding="utf-8")
    (folder / "categories.json").write_text(json.dumps([label for _, label in rows]))


def clinc150(folder: Path) -> None:
    """Two labels, and questions that fit neither."""
    ask = {"freeze_account": "please freeze the {} account now", "pay_bill": "could you settle a {} bill"}
    parts: dict[str, list[list[str]]] = {}
    for part, things in (("train", THINGS[6:]), ("val", THINGS[:1]), ("test", THINGS[2:6])):
        parts[part] = [[question.format(thing), label] for thing in things for label, question in ask.items()]
        parts[f"oos_{part}"] = [[f"who painted {thing} {part} first", "oos"] for thing in things]
    packed(folder / "data_full.json.gz", parts)


def cuad(folder: Path) -> None:
    """Contracts of a few lines, with the clauses of the real ones."""
    from examples.scenarios.cuad import CLAUSES, VALUES

    rows = []
    for number, thing in enumerate(THINGS, 1):
        text = f"{thing.upper()} AGREEMENT\nThis agreement is made on {number} May 2014 under the laws of Delaware with {thing} works."
        said = {"Document Name": f"{thing.upper()} AGREEMENT", "Agreement Date": f"5/{number}/14", "Governing Law": "Delaware, USA"}
        said |= {"Insurance": "Yes" if number % 2 else "No", "Renewal Term": "perpetual" if number == 1 else ""}
        clauses = {name: {"spans": [], "answer": said.get(name, "")} for name in (*VALUES, *CLAUSES)}
        rows.append({"contract": f"{thing}_2014", "chars": len(text), "clauses": clauses, "text": text})
    packed_lines(folder / "contracts.jsonl.gz", rows)


def changing(folder: Path, root: str) -> None:
    """Documents, their FAQ, an edit of a name in each, and an edit of spelling that must not be asked about."""
    docs, faq, edits = [], [], []
    for number, thing in enumerate(THINGS):
        path, line = f"{root}{thing}/index.md", f"- For questions on {thing} please write to the #ask-{thing} channel in Slack."
        prose = f"The {thing} service was written by Ada Lovelace in 18{number:02} for all of us."
        prose += f" It needs {number + 3} GB of memory to run well."
        answer = f"You can order one {thing} kit each year."
        docs.append({"path": path, "text": f"# The {thing} page\n\n{prose}\n\n{line}\n\n{answer}\n"})
        faq.append({"id": f"faq-{number}", "question": f"How many {thing} kits can I order?", "gold_path": path, "answer_text": answer})
        old = f"- For questions on {thing} please write to the #old-desk-{number} channel in Slack."
        common = {"path": path, "commit": "c", "date": "2024-01-01", "subject": "s", "numeric": False}
        edits.append(common | {"old_line": old, "new_line": line, "changes": [[f"#old-desk-{number}", f"#ask-{thing}"]]})
        edits.append(common | {"old_line": prose.replace("written", "writen"), "new_line": prose, "changes": [["writen", "written"]]})
    packed_lines(folder / "docs_head_masked.jsonl.gz", docs)
    packed_lines(folder / "faq_gold.jsonl.gz", faq)
    packed_lines(folder / "freshness_pairs.jsonl.gz", edits)


def medquad(folder: Path) -> None:
    """Pages on conditions: one pattern, one gene, and a frequency that says two things."""
    rows = []
    for number, gene in enumerate(GENES):
        name = f"{THINGS[number]} syndrome"
        told = {
            "inheritance": (f"Is {name} inherited ?", f"It runs in families. {name} is inherited in an autosomal recessive pattern."),
            "genetic changes": (f"What are the genetic changes related to {name} ?", f"Mutations in the {gene} gene cause {name}."),
            "frequency": (f"How many people are affected by {name} ?", "It affects 1 in 5,000 people here and 1 in 9,000 there."),
        }
        for part, (qtype, (question, answer)) in enumerate(told.items()):
            ids = {"doc_id": f"{number}", "qid": f"{number}-{part}", "source": "GHR", "url": "https://example.org", "focus": name}
            rows.append(ids | {"qtype": qtype, "question": question, "answer": answer})
    packed_lines(folder / "medquad.jsonl.gz", [*rows, rows[0] | {"source": "CDC", "qid": "other"}])


def tatqa(folder: Path) -> None:
    """Reports of one table and two paragraphs, the paragraphs out of order; one question has an empty answer."""
    reports = []
    for number, thing in enumerate(THINGS):
        table = [["", "2019", "2018"], [f"{thing} | sales", f"$  1,{number:03}.4", "(12)"]]
        paragraphs = [
            {"uid": f"p2-{number}", "order": 2, "text": "Second."},
            {"uid": f"p1-{number}", "order": 1, "text": f"About {thing}."},
        ]
        kinds = (("span", [f"$  1,{number:03}.4"]), ("arithmetic", -1.5), ("multi-span", ["2019", ""]))
        questions = [
            {"uid": f"q{number}-{kind}", "question": f"What was the {kind} of {thing}?", "answer": answer}
            | {"answer_type": kind, "answer_from": "table"}
            for kind, answer in kinds
        ]
        reports.append({"table": {"uid": f"t{number}", "table": table}, "paragraphs": paragraphs, "questions": questions})
    packed(folder / "tatqa_dataset_dev.json.gz", reports)


def torchhub(folder: Path) -> None:
    """Calls and instructions in both of the published writings, and a row that holds none."""

    def call(thing: str) -> str:
        return f"torch.hub.load(repo_or_dir='{thing}/hub', model='{thing}_small', pretrained=True)"

    about = {"domain": "Vision", "functionality": "Sorting", "api_name": "x", "example_code": ["import torch"], "description": "Sorts."}
    packed_lines(folder / "torchhub_api.jsonl.gz", [about | {"api_call": call(thing)} for thing in THINGS])
    for part, form in (("eval", "###Instruction: {}\n###Output: {{}}"), ("train", "{{'Instruction': {}, 'Output': {{}}}}")):
        rows = [{"code": form.format(f"Which API of {part} sorts {thing}?"), "api_call": call(thing)} for thing in THINGS]
        packed_lines(folder / f"torchhub_{part}.json.gz", [*rows, {"code": "none", "api_call": call("amber")}])


def handbook(folder: Path) -> None:
    """The handbook's paths."""
    changing(folder, "content/")


def fastapi(folder: Path) -> None:
    """The documentation's paths."""
    changing(folder, "docs/en/docs/")


SETS: Mapping[str, Callable[[Path], None]] = {
    "banking77": banking77, "clinc150": clinc150, "cuad": cuad, "fastapi": fastapi,
    "handbook": handbook, "medquad": medquad, "tatqa": tatqa, "torchhub": torchhub,
}  # fmt: skip
