"""What a tuned extractor reads out of whole contracts (CUAD, Hendrycks et al. 2021), beside BM25 with rules.

It refuses to look at the held-out contracts before the end: extractor, rules and thresholds are settled on the others.
"""

from __future__ import annotations

import gzip
import json
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from examples.scenarios import cuad
from rung.measure.bootstrap import clusters_of, interval
from rung.measure.fields import schema_check
from rung.measure.stats import compare_all
from rung.models.extracting import Extracted, questions
from rung.models.values import absent, mentions
from rung.tuning.extractor import NEVER, Solved, same, train_extractor
from rung.tuning.spans import shown
from rung.types import Case, Json

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "cuad" / "contracts.jsonl.gz"
KEPT = Path(tempfile.gettempdir()) / "rung-bench" / "extraction"


def run(small: bool = False) -> dict[str, object]:
    """`schema_valid`, `field_f1` with its interval, `baseline_field_f1`, seconds a contract, and each field's F1."""
    if not DATA.is_file():
        print(f"skipped: the development data is not at {DATA}")
        return {"skipped": True}
    training, validation, held, schema = _contracts(1 / 8 if small else 1.0)
    print(f"{len(training)} contracts to learn from, {len(validation)} to settle thresholds, {len(held)} held out")
    started = time.perf_counter()
    extractor = train_extractor(training, validation, schema, KEPT / ("small" if small else "full"), progress=shown())
    print(f"trained and settled in {time.perf_counter() - started:.0f} s")
    baseline = _baseline([*training, *validation], schema)
    figures: dict[str, object] = {}
    f1: dict[str, dict[str, float]] = {}
    for name, answerer in (("", extractor.extract), ("baseline_", baseline)):
        found, f1[name or "extractor"] = _measured(name or "extractor", answerer, held, schema)
        figures |= {f"{name}{key}": value for key, value in found.items()}
    gap = compare_all(dict(reversed(f1.items())), clusters_of([Case(one.id, "", "") for one in held]))[0].difference
    print(f"extractor minus baseline, mean over contracts {gap.estimate:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})")
    figures |= {f"minus_baseline{part}": round(value, 4) for part, value in (("", gap.estimate), ("_low", gap.low), ("_high", gap.high))}
    return figures | {"ratio": round(float(str(figures["field_f1"])) / max(float(str(figures["baseline_field_f1"])), 1e-4), 2)}


def _contracts(share: float) -> tuple[list[Solved], list[Solved], list[Solved], dict[str, Any]]:
    """60, 15 and 25 % of the contracts, in an order drawn once, and the schema; its states and countries are those of the first part."""
    with gzip.open(DATA, "rt", encoding="utf-8") as lines:
        rows = sorted(map(json.loads, lines), key=lambda row: str(row["contract"]))
    rows = Random("cuad").sample(rows, round(len(rows) * share))
    learn, settle = round(0.6 * len(rows)), round(0.75 * len(rows))
    fields = cuad.schema([row["clauses"] for row in rows[:learn]])
    solved = [_solved(row, fields) for row in rows]
    return solved[:learn], solved[learn:settle], solved[settle:], fields


def _solved(row: Mapping[str, Any], fields: Mapping[str, Any]) -> Solved:
    """CUAD's answers as the schema writes them; what can't be written so (a term that is "perpetual") is not asked."""
    values: dict[str, Json] = {}
    spans: dict[str, tuple[tuple[int, int], ...]] = {}
    skipped = set()
    for clause in (*cuad.VALUES, *cuad.CLAUSES):
        name = cuad.key(clause)
        spans[name] = tuple((at, at + len(one)) for one in row["clauses"][clause]["spans"] if (at := row["text"].find(one)) >= 0)
        values[name] = cuad.value(clause, row["clauses"], fields)
        skipped |= {name} if values[name] is None and row["clauses"][clause]["answer"].strip() else set()
    return Solved(row["contract"], row["text"], values, spans, frozenset(skipped))


def _baseline(known: Sequence[Solved], schema: Mapping[str, Any]) -> Callable[[str], list[Extracted]]:
    """For each field the best of a text's pieces by BM25 and its first value; the least score that speaks is settled on known texts."""
    asked = questions(schema)
    found = [(solved, _ranked(asked, schema, solved.text)) for solved in known]
    least = {}
    for number, name in enumerate(asked):
        pairs = [(one[number], solved.values[name]) for solved, one in found if name not in solved.skipped]
        gold = sum(value != absent(schema["properties"][name]) for _, value in pairs)

        def f1(at: float, pairs: Any = pairs, gold: int = gold) -> float:
            spoken = [(said, value) for said, value in pairs if said.end and said.score >= at]
            return 2 * sum(same(said.value, value) for said, value in spoken) / max(len(spoken) + gold, 1)

        least[name] = max(sorted({said.score for said, _ in pairs}), key=f1, default=NEVER)

    def answer(text: str) -> list[Extracted]:
        ranked = _ranked(asked, schema, text)
        return [
            one
            if one.end and one.score >= least[one.field]
            else Extracted(one.field, absent(schema["properties"][one.field]), 0, 0, one.score)
            for one in ranked
        ]

    return answer


def _ranked(asked: Mapping[str, str], schema: Mapping[str, Any], text: str) -> list[Extracted]:
    import bm25s

    pieces = [match.span() for match in re.finditer(r"\S(?:.{0,500}?(?=\n\n)|.{0,500}\S)", text, re.S)] or [(0, len(text))]
    index = bm25s.BM25()
    index.index(bm25s.tokenize([text[start:end] for start, end in pieces], show_progress=False), show_progress=False)
    found = []
    for name, question in asked.items():
        said = f"{name.replace('_', ' ')} {question}"
        numbers, scores = index.retrieve(bm25s.tokenize(said, show_progress=False), k=min(5, len(pieces)), show_progress=False)
        found.append(
            _first(name, schema["properties"][name], text, [(pieces[int(n)], float(s)) for n, s in zip(numbers[0], scores[0], strict=True)])
        )
    return found


def _first(name: str, schema: Mapping[str, Json], text: str, ranked: Sequence[tuple[tuple[int, int], float]]) -> Extracted:
    """The first value that one of the pieces says, best piece first; a name is the first line in capitals."""
    title = re.search(r"(?m)^\s*([A-Z][A-Z &/,-]*AGREEMENT[A-Z ]*)\s*$", text) if name == "document_name" else None
    if title:
        return Extracted(name, " ".join(title[1].split()), *title.span(1), 100.0)
    for (start, end), score in ranked:
        for a, b, value in mentions(schema, text[start:end]):
            return Extracted(name, value, start + a, start + b, score)
    return Extracted(name, None, 0, 0, 0.0)


def _measured(
    name: str, answerer: Callable[[str], list[Extracted]], held: Sequence[Solved], schema: Mapping[str, Any]
) -> tuple[dict[str, object], dict[str, float]]:
    """Micro F1 over all fields and contracts, where saying no, null or nothing is silence; and each contract's own."""
    accepts, valid, seconds, quoted = schema_check(schema), [], [], []
    counts: dict[str, list[int]] = {field: [0, 0, 0] for field in schema["properties"]}  # right, said, true
    by_contract: dict[str, float] = {}
    for solved in held:
        started = time.perf_counter()
        found = answerer(solved.text)
        seconds.append(time.perf_counter() - started)
        valid.append(accepts({one.field: one.value for one in found}))
        own = [0, 0, 0]
        for one in found:
            silent = absent(schema["properties"][one.field])
            quoted += (
                [any(a < one.end and one.start < b for a, b in solved.spans[one.field])]
                if one.value != silent and solved.spans[one.field]
                else []
            )
            if one.field not in solved.skipped:
                said, true = one.value != silent, solved.values[one.field] != silent
                right = said and same(one.value, solved.values[one.field])
                for number, add in enumerate((right, said, true)):
                    counts[one.field][number] += add
                    own[number] += add
        by_contract[solved.id] = 2 * own[0] / max(own[1] + own[2], 1)
    right, said, true = (sum(one[number] for one in counts.values()) for number in range(3))
    told = interval(by_contract, clusters_of([Case(one, "", "") for one in by_contract]))
    for field, (r, s, t) in counts.items():
        print(f"{name:<10} {field:<36} right {r:>4}, said {s:>4}, true {t:>4}, F1 {2 * r / max(s + t, 1):.3f}")
    f1 = round(2 * right / max(said + true, 1), 4)
    print(
        f"{name:<10} schema valid {statistics.mean(valid):.1%}, F1 {f1},",
        f"mean over contracts {told.estimate:.3f} ({told.low:.3f} to {told.high:.3f})",
    )
    figures: dict[str, object] = {
        "schema_valid": round(statistics.mean(valid), 4),
        "field_f1": f1,
        "f1_by_contract": round(told.estimate, 4),
    }
    figures |= {"f1_low": round(told.low, 4), "f1_high": round(told.high, 4), "p50_seconds": round(statistics.median(seconds), 3)}
    figures["precision"], figures["recall"] = round(right / max(said, 1), 4), round(right / max(true, 1), 4)
    figures["quote_on_clause"] = round(statistics.mean(quoted), 4) if quoted else None
    return figures | {f"f1_{field}": round(2 * r / max(s + t, 1), 4) for field, (r, s, t) in counts.items()}, by_contract
