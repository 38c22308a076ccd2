"""How well unsupported sentences are told from supported ones: sentences of documents with one thing swapped, short answers, claims,
and what the bundled model says.

It refuses to tune on what it reports: thresholds and word lists were chosen on the Sourcegraph handbook and SciFact's train
claims (`python -m bench.support`), and the figures are of other documents.
"""

from __future__ import annotations

import gzip
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from rung import models
from rung.approach.approach import Approach, answer_all
from rung.approach.claims import MONTHS, claims
from rung.approach.sentences import sentences
from rung.approach.source import Search
from rung.approach.support import bare, check
from rung.knowledge import embedders
from rung.knowledge.chunk import chunk
from rung.knowledge.knowledge import open_knowledge, sync
from rung.knowledge.read import read_document, read_folder
from rung.measure.abstention import abstains
from rung.measure.cases import read_cases
from rung.measure.metrics import contains
from rung.tuning.rows import is_gold
from rung.types import Case, Document, Hit, Passage

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
NUMBER = re.compile(r"(?<![\w.,:-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w:-]|\.\d)")
UNIT = re.compile(r"(?<=\d )(minutes|hours|days|weeks|months|years|euros|dollars|metres|kilometres|tonnes|people)\b")
OTHER_UNIT = {"minutes": "hours", "hours": "days", "days": "weeks", "weeks": "days", "months": "years", "years": "months"}
AUXILIARY = re.compile(r"\b(is|are|was|were|may|must|can|will|should|would|could)\b(?! not\b|n't| no\b| never\b)")
DENIED = re.compile(r"\b(is|are|was|were|may|must|can|will|should|would|could|do|does) not\b|\b(is|are|do|does|was|were)n't\b")
REWORDED = (
    (r"\breceives?\b", "get"), (r"\bmust\b", "have to"), (r"\bdo not\b", "don't"), (r"\bare not\b", "aren't"), (r"\bis not\b", "isn't"),
    (r"\bhas to\b", "must"), (r"\bshould\b", "ought to"), (r"\brequests?\b", "asks"), (r"\bneeds?\b", "requires"), (r"\ballows?\b", "lets"),
    (r"\b2\b", "two"), (r"\b3\b", "three"), (r"\b5\b", "five"), (r"\b10\b", "ten"), (r"\btwo\b", "2"), (r"\bfive\b", "5"),
    (r"\b(\d{1,2}) (January|February|March|April|June|July|August|September|October|November|December)\b", r"\2 \1"),
    (r"\bannual\b", "yearly"), (r"\bthe\b ", ""), (r"\bemployees\b", "staff"), (r"\buses?\b", "employs"), (r"\byou\b", "people"),
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A sentence with the passages that stood before the model, and whether they support it."""

    kind: str
    text: str
    hits: Sequence[Hit]
    supported: bool
    question: str = ""


def run(small: bool = False) -> dict[str, object]:
    """Precision and recall of "unsupported", by set and kind; the first ones are of the swapped sentences of all documents."""
    sets = {"swapped": swapped(documents(("harbor", "fastapi")), 150 if small else 800), "answers": short_answers()}
    sets["spoken"] = spoken(15 if small else 200)
    if DATA.is_dir():
        sets["scifact"] = scifact("test")
    figures: dict[str, object] = {}
    print(f"{'set':<10} {'kind':<22} {'sentences':>9} {'flagged':>8}")
    for name, pairs in sets.items():
        found = measured(name, pairs)
        figures |= found if name == "swapped" else {f"{name}_{key}": value for key, value in found.items()}
    return figures


def measured(name: str, pairs: Sequence[Pair]) -> dict[str, object]:
    """Precision and recall where a flagged sentence is a positive, and the share flagged of each kind."""
    started = time.perf_counter()
    flagged = [not all(one.support for one in check(pair.text, pair.question, pair.hits)) for pair in pairs]
    seconds = time.perf_counter() - started
    true = sum(flag for flag, pair in zip(flagged, pairs, strict=True) if not pair.supported)
    figures: dict[str, object] = {
        "precision": round(true / max(sum(flagged), 1), 4),
        "recall": round(true / sum(not pair.supported for pair in pairs), 4),
        "sentences": len(pairs),
        "ms_per_sentence": round(1000 * seconds / len(pairs), 2),
    }
    for kind in dict.fromkeys(pair.kind for pair in pairs):
        flags = [flag for flag, pair in zip(flagged, pairs, strict=True) if pair.kind == kind]
        print(f"{name:<10} {kind:<22} {len(flags):>9} {sum(flags) / len(flags):>8.1%}")
        figures["flagged_" + kind.replace("'", "").replace(" ", "_")] = round(sum(flags) / len(flags), 4)
    print(f"{name:<10} precision {figures['precision']}, recall {figures['recall']}, {figures['ms_per_sentence']} ms a sentence")
    return figures


def swapped(documents: Sequence[Document], most: int) -> list[Pair]:
    """For each kind of slip at most `most` sentences: as they stand, reworded, and with one thing swapped; five passages each."""
    passages = [passage for document in documents for passage in chunk(document, lambda text: len(text.split()), 96)]
    r = Random("support")
    names = sorted({name for passage in passages for one in _said(passage) for name in claims(one).names.values() if name[0].isupper()})
    made: list[Pair] = []
    for passage in r.sample(passages, len(passages)):
        hits = _among(passage, passages, r)
        cited = f" [{[hit.passage for hit in hits].index(passage) + 1}]" if r.random() < 0.5 else ""
        for said in _said(passage):
            found = [("as it stands", said, True), ("reworded", reworded(said), True)]
            found += [(kind, swap(said, passage, names, r), False) for kind, swap in SWAPS.items()]
            made += [
                Pair(kind, text + cited, hits, right) for kind, text, right in found if text and (text != said or kind == "as it stands")
            ]
    wrong = [pair for kind in SWAPS for pair in [one for one in made if one.kind == kind][:most]]
    right = [pair for kind in ("as it stands", "reworded") for pair in [one for one in made if one.kind == kind][: len(wrong) // 2]]
    return [*right, *wrong]


def _among(passage: Passage, passages: Sequence[Passage], r: Random) -> list[Hit]:
    """The passage among four others, two of them of its own document where it has so many."""
    own = [other for other in passages if other.document == passage.document and other != passage]
    others = [other for other in r.sample(passages, 8) if other.document != passage.document]
    chosen = [passage, *r.sample(own, min(2, len(own))), *others][:5]
    return [Hit(one, 0.0) for one in r.sample(chosen, len(chosen))]


def _said(passage: Passage) -> Iterator[str]:
    """The passage's whole sentences of seven words or more, without Markdown."""
    for start, end in sentences(passage.text):
        raw = passage.text[start:end].strip()
        if len(raw.split()) >= 7 and raw.endswith(".") and raw[0].isalpha() and not re.search(r"[|`<\[{]|http", raw):
            yield bare(raw)


def reworded(said: str) -> str:
    """The same in other words, as far as a list of them goes."""
    for pattern, other in REWORDED:
        said = re.sub(pattern, other, said)
    return said


def _number(said: str, passage: Passage, names: Sequence[str], r: Random) -> str:
    """Another number of the passage, or one near it."""
    found = list(NUMBER.finditer(said))
    if not found:
        return ""
    one = r.choice(found)
    others = [n for n in NUMBER.findall(passage.text) if n not in said] or [str(int(float(one.group().replace(",", ""))) + r.randint(1, 9))]
    return said[: one.start()] + r.choice(others) + said[one.end() :]


def _unit(said: str, passage: Passage, names: Sequence[str], r: Random) -> str:
    return UNIT.sub(lambda m: OTHER_UNIT.get(m.group(), "litres"), said, count=1) if UNIT.search(said) else ""


def _name(said: str, passage: Passage, names: Sequence[str], r: Random) -> str:
    """A name of some other document in the place of one."""
    own = [name for name in claims(said).names.values() if name[0].isupper() and re.search(rf"\b{re.escape(name)}\b", said)]
    held = "\n".join((*passage.headings, passage.text)).lower()
    others = [name for name in r.sample(names, min(50, len(names))) if name.lower() not in held]
    return re.sub(rf"\b{re.escape(own[0])}\b", others[0], said, count=1) if own and others else ""


def _date(said: str, passage: Passage, names: Sequence[str], r: Random) -> str:
    months = [month.title() for month in MONTHS if month != "may"]
    found = re.search(rf"\b({'|'.join(months)})\b", said)
    others = [month for month in months if month not in passage.text]
    return said[: found.start()] + r.choice(others) + said[found.end() :] if found and others else ""


def _negation(said: str, passage: Passage, names: Sequence[str], r: Random) -> str:
    """The first auxiliary verb denied, or its denial taken back."""
    if DENIED.search(said):
        return DENIED.sub(lambda m: m.group(1) or m.group(2), said, count=1)
    return AUXILIARY.sub(r"\1 not", said, count=1) if AUXILIARY.search(said) and not claims(said).denials else ""


SWAPS: dict[str, Callable[[str, Passage, Sequence[str], Random], str]] = {
    "number swapped": _number, "unit swapped": _unit, "name swapped": _name, "date swapped": _date, "negation swapped": _negation,
}  # fmt: skip


def short_answers() -> list[Pair]:
    """The first accepted fact of each example case with the passages of its document, and the fact of a case with the same tag."""
    made: list[Pair] = []
    for project in ("harbor", "leaflet"):
        documents, _ = read_folder(ROOT / "examples" / project / "docs")
        passages = [passage for document in documents for passage in chunk(document, lambda text: len(text.split()), 96)]
        cases = [
            case
            for case in read_cases(ROOT / "examples" / project / "cases.jsonl")
            if case.facts and case.evidence and not case.unanswerable
        ]
        for case in cases:
            hits = [Hit(passage, 0.0) for passage in passages if passage.document == case.evidence[0].document]
            made.append(Pair("right answer", case.facts[0][0], hits, True, case.question))
            if other := _other(case, cases, hits):
                made.append(Pair("another's answer", other, hits, False, case.question))
    return made


def _other(case: Case, cases: Sequence[Case], hits: Sequence[Hit]) -> str:
    text = " ".join(hit.passage.text for hit in hits).lower()
    others = [one.facts[0][0] for one in cases if one.tags[:1] == case.tags[:1] and one.facts[0][0].lower() not in text]
    return Random(case.id).choice(others) if others else ""


def spoken(most: int) -> list[Pair]:
    """What the bundled model claims about the first cases of the examples: wrong is without the facts or citing another passage.

    A wrong answer may still be what some passage says of another thing, which no look at its words alone can tell.
    """
    made: list[Pair] = []
    for project in ("leaflet", "harbor"):
        cases = [case for case in read_cases(ROOT / "examples" / project / "cases.jsonl") if case.facts and not case.unanswerable][:most]
        with tempfile.TemporaryDirectory() as folder:
            knowledge = open_knowledge(Path(folder), embedders.load("minilm"), "exact", 96)
            sync(knowledge, read_folder(ROOT / "examples" / project / "docs")[0])
            ready = Approach("rag", models.load("bundled:tiny"), Search(knowledge))
            for number, answer in answer_all(ready, [case.question for case in cases]):
                right = all(any(contains(answer.text, fact) for fact in group) for group in cases[number].facts)
                cited = {citation.passage for citation in answer.citations}
                gold = any(is_gold(cases[number], hit.passage) for hit in answer.hits if hit.passage.id in cited or not cited)
                kind = "said right" if right and gold else "cited wrong" if right else "said wrong"
                if not abstains(answer.text):
                    made.append(Pair(kind, answer.text, answer.hits, right and gold, answer.question))
    return made


def scifact(split: str) -> list[Pair]:
    """Claims with an abstract that supports or contradicts them, in words of their own (Wadden et al. 2020)."""
    folder = DATA / "scifact"
    claimed = {row["_id"]: row["text"] for row in _rows(folder / f"queries.{split}.jsonl.gz")}
    labels = {(row["claim_id"], row["doc_id"]): row["label"] for row in _rows(folder / f"evidence.{split}.jsonl.gz")}
    abstracts = {row["_id"]: row for row in _rows(folder / "corpus.jsonl.gz")}
    made = []
    for (claim, document), label in sorted(labels.items()):
        row = abstracts[document]
        hit = Hit(Passage(document, document, 0, len(row["text"]), row["text"], (row["title"],)), 0.0)
        made.append(Pair(label.lower(), claimed[claim], [hit], label == "SUPPORT"))
    return made


def documents(sets: Sequence[str]) -> list[Document]:
    documents = read_folder(ROOT / "examples" / "harbor" / "docs")[0] if "harbor" in sets else []
    for name in ("fastapi_docs", "sourcegraph_handbook"):
        path = DATA / name / "docs_head.jsonl.gz"
        if name.split("_")[0] in sets and path.exists():
            documents += [read_document(row["text"].encode(), row["path"]) for row in _rows(path) if row["text"].strip()]
    return documents


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


if __name__ == "__main__":
    measured("handbook", swapped(documents(("sourcegraph",)), 400))
    measured("scifact", scifact("train"))
