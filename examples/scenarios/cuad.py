"""Contracts to JSON: CUAD (Hendrycks et al. 2021, CC BY 4.0), 16 fields out of whole contracts.

The expiration date is no field: nearly all of its answers are reckoned from another date and a term, and stand nowhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from examples.scenarios.parts import Scenario, Sizes, rows_of, split
from rung.models.values import mentions
from rung.types import Case, Json

SIZES = (200, 120)
DATE, DURATION = {"type": ["string", "null"], "format": "date"}, {"type": ["string", "null"], "format": "duration"}
VALUES: dict[str, dict[str, Json]] = {
    "Document Name": {"type": ["string", "null"], "description": "What is the name of the contract?"},
    "Agreement Date": DATE | {"description": "What is the date of the agreement?"},
    "Effective Date": DATE | {"description": "On what date does the agreement become effective?"},
    "Renewal Term": DURATION | {"description": "How long is the renewal term after the initial term expires?"},
    "Notice Period To Terminate Renewal": DURATION | {"description": "How much notice is needed to terminate renewal?"},
    "Governing Law": {"description": "Which state or country's law governs the contract?"},
}
CLAUSES = {
    "Anti-Assignment": "Is consent or notice needed to assign the contract?",
    "Cap On Liability": "Is there a cap on liability?",
    "License Grant": "Does one party grant a license to the other?",
    "Audit Rights": "Does a party have the right to audit the books and records of the other?",
    "Termination For Convenience": "Can a party terminate without cause?",
    "Exclusivity": "Is there an exclusive dealing commitment?",
    "Insurance": "Must a party keep insurance?",
    "Revenue/Profit Sharing": "Must a party share revenue or profit with the other?",
    "Minimum Commitment": "Is there a minimum order or minimum amount?",
    "Non-Compete": "Is a party restricted from competing?",
}
TOML = """[project]
name = "cuad"
task = "extract"
cases = "cases.jsonl"
examples = "examples.jsonl"
json_schema = "schema.json"
bar = 0.8
rungs = ["extractor", "prompt"]

[model]
name = "bundled:reader"
max_tokens = 400

[knowledge]
folder = ""

[prompt]
system = "Fill in the fields of the contract as JSON."
"""


def make(data: Path, sizes: Sizes) -> Scenario:
    """DATA holds contracts.jsonl.gz. Governing laws are those of the examples; an unknown one of a held-out contract is null there."""
    rows = sorted(rows_of(data / "contracts.jsonl.gz"), key=lambda row: str(row["contract"]))
    held, examples = split([Case(row["contract"], row["text"], "", group=row["contract"]) for row in rows], sizes)
    clauses = {row["contract"]: row["clauses"] for row in rows}
    fields = schema([clauses[case.id] for case in examples])
    cases, solved = ([_solved(case, clauses[case.id], fields) for case in part] for part in (held, examples))
    return Scenario(TOML, cases, "CC BY 4.0", solved, files={"schema.json": json.dumps(fields, indent=1)})


def schema(known: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON Schema of the sixteen fields; its laws are those of the known contracts."""
    laws = sorted({said for clauses in known if (said := law(clauses["Governing Law"]["answer"]))})
    properties = {key(name): dict(one) for name, one in VALUES.items()}
    properties["governing_law"]["enum"] = [*laws, None]
    properties |= {key(name): {"type": "boolean", "description": question} for name, question in CLAUSES.items()}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def key(clause: str) -> str:
    """The field's name."""
    return re.sub(r"\W+", "_", clause.lower())


def law(answer: str) -> str:
    """The first of the states or countries, without the country that a province lies in."""
    return re.split(r"[;,(]", answer)[0].strip()


def value(clause: str, clauses: Mapping[str, Any], fields: Mapping[str, Any]) -> Json:
    """CUAD's answer as the schema writes it; None where there is none, or it can't be written so (a term that is "perpetual")."""
    name, answer = key(clause), clauses[clause]["answer"].strip()
    if clause in CLAUSES:
        return bool(answer == "Yes")
    if clause == "Document Name" or not answer:
        return answer or None
    said = law(answer) if name == "governing_law" else answer
    return next((found for _, _, found in mentions(fields["properties"][name], said)), None)


def _solved(case: Case, clauses: Mapping[str, Any], fields: Mapping[str, Any]) -> Case:
    answer = {key(clause): value(clause, clauses, fields) for clause in (*VALUES, *CLAUSES)}
    return Case(case.id, case.question, answer, group=case.group)
