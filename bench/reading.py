"""What the bundled reader answers from passages it never saw, beside `bundled:tiny` and the best sentence by BM25.

It refuses to count a question that anything was tuned on: documents of the training file are out, but for articles held apart.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from bundled.reader.data import Row, part, read
from rung import models
from rung.approach.prompt import PromptStyle, fit
from rung.approach.sentences import sentences
from rung.knowledge import embedders
from rung.knowledge.knowledge import open_knowledge, search, sync
from rung.knowledge.read import read_folder
from rung.measure.abstention import abstains
from rung.measure.bootstrap import clusters_of, interval
from rung.measure.cases import read_cases
from rung.measure.metrics import contains, exact, token_f1, without_markers
from rung.types import Case, Hit, Passage, Reply, Settings

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
SETTINGS = Settings(max_tokens=48)
UNKNOWN = "I don't know."
THRESHOLDS = [n / 2 for n in range(41)]  # of a sentence's BM25 score


@dataclass(frozen=True)
class Asked:
    """A question on passages; no accepted answers where they don't answer it. Facts: each group must be contained."""

    question: str
    hits: tuple[Hit, ...]
    answers: tuple[str, ...]
    group: str
    facts: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Said:
    """What was answered, and how long it took."""

    text: str
    seconds: float


Answerer = Callable[[Sequence[Asked]], list[Said]]


def run(small: bool = False) -> dict[str, object]:
    """`exact`, `f1` (0 for an answerable question not answered), `abstention_f1` and `p50_ms` of the reader on SQuAD's articles."""
    if not DATA.is_dir():
        print(f"skipped: the development data is not at {DATA}")
        return {"skipped": True}
    sets, answerers = _sets(40 if small else 200), _answerers(60 if small else 200)
    figures: dict[str, object] = {}
    print(f"{'set':<11} {'by':<14} {'asked':>5} {'no answer':>9} {'exact':>6} {'F1':>6}", end=" ")
    print(f"{'95 % interval':>15} {'contains':>8} {'abst. F1':>8} {'p50 ms':>7}")
    for name, asked in sets.items():
        for by, answerer in answerers.items():
            found = _measured(name, by, asked, answerer(asked))
            figures |= {
                "_".join(filter(None, (name if name != "squad" else "", by if by != "reader" else "", key))): value
                for key, value in found.items()
            }
    best = max(float(str(figures[f"{by}_f1"])) for by in answerers if by != "reader")
    return figures | {"ratio": round(float(str(figures["f1"])) / max(best, 1e-4), 2)}


def _sets(most: int) -> dict[str, list[Asked]]:
    dev, train = read(DATA / "rc_mix" / "dev.jsonl.gz"), read(DATA / "rc_mix" / "train.jsonl.gz")
    held = [row for row in train if part(row) == "test"]
    return {
        "squad": _searched([row for row in dev if row.source == "squad_v1dev_13art"], most, absent=3),
        "trick": _searched(held, most, absent=0),  # unanswerable ones were written to look answerable (Rajpurkar et al. 2018)
        "tales": _searched([row for row in dev if row.source == "fairytaleqa"], most, absent=3),
        "sentences": [
            Asked(row.question, (_hit(row.context, 0),), row.answers, row.doc)
            for row in _some([r for r in dev if r.source == "qamr"], most)
        ],
        "harbor": _harbor(most),
    }


def _searched(rows: Sequence[Row], most: int, absent: int) -> list[Asked]:
    """Each question with the five passages of its document that share most words with it; every `absent`-th without the right ones."""
    import bm25s

    by_doc: dict[str, list[str]] = {}
    for row in rows:
        by_doc.setdefault(row.doc, [])
        by_doc[row.doc] += [row.context] if row.context not in by_doc[row.doc] else []
    made = []
    for n, row in enumerate(_some(rows, most)):
        missing = bool(row.answers and absent and n % absent == 0)
        held = [p for p in by_doc[row.doc] if not (missing and any(a.lower() in p.lower() for a in row.answers))]
        if not held:
            continue
        index = bm25s.BM25()
        index.index(bm25s.tokenize(held, show_progress=False), show_progress=False)
        numbers, _ = index.retrieve(bm25s.tokenize(row.question, show_progress=False), k=min(5, len(held)), show_progress=False)
        found = [held[int(number)] for number in numbers[0]]
        if not missing and row.context not in found:
            found[-1] = row.context
        made.append(Asked(row.question, tuple(_hit(p, i) for i, p in enumerate(found)), () if missing else row.answers, row.doc))
    return made


def _some(rows: Sequence[Row], most: int) -> list[Row]:
    return Random("reading").sample(list(rows), min(most, len(rows)))


def _hit(text: str, number: int) -> Hit:
    return Hit(Passage(str(number), str(number), 0, len(text), text), 0.0)


def _harbor(most: int) -> list[Asked]:
    """Harbor's cases with what its index finds; an answer is right when it contains the facts."""
    cases = read_cases(ROOT / "examples" / "harbor" / "cases.jsonl")[:most]
    with tempfile.TemporaryDirectory() as folder:
        knowledge = open_knowledge(Path(folder), embedders.load("minilm"), "exact", 96)
        sync(knowledge, read_folder(ROOT / "examples" / "harbor" / "docs")[0])
        return [
            Asked(
                case.question,
                tuple(search(knowledge, case.question, 5)),
                () if case.unanswerable else tuple(g[0] for g in case.facts),
                case.group,
                case.facts,
            )
            for case in cases
        ]


def _answerers(validation: int) -> dict[str, Answerer]:
    rows = [row for row in read(DATA / "rc_mix" / "train.jsonl.gz") if part(row) == "validation" and row.source.startswith("squad")]
    least = _tuned(_searched(rows, validation, absent=3))
    return {"reader": partial(_chat, "bundled:reader"), "tiny": partial(_chat, "bundled:tiny"), "sentence": partial(_sentence, least)}


def _chat(spec: str, asked: Sequence[Asked]) -> list[Said]:
    """One by one, as somebody who asks waits for it."""
    model, said = models.load(spec), []
    for one in asked:
        started = time.perf_counter()
        messages, *_ = fit(model, PromptStyle(), one.question, one.hits, (), SETTINGS.max_tokens, whole=False)
        text = next(piece.text for _, piece in model.stream([messages], SETTINGS) if isinstance(piece, Reply))
        said.append(Said(without_markers(text), time.perf_counter() - started))
    return said


def _sentence(least: float, asked: Sequence[Asked]) -> list[Said]:
    """The sentence of the passages with the best BM25 score; nothing below `least`."""
    said = []
    for one in asked:
        started = time.perf_counter()
        score, text = _best_sentence(one)
        said.append(Said(text if score >= least else UNKNOWN, time.perf_counter() - started))
    return said


def _best_sentence(asked: Asked) -> tuple[float, str]:
    import bm25s

    texts = [hit.passage.text[start:end].strip() for hit in asked.hits for start, end in sentences(hit.passage.text)]
    texts = [text for text in texts if re.search(r"\w", text)] or ["-"]
    index = bm25s.BM25()
    index.index(bm25s.tokenize([*texts, "-"], stopwords=None, show_progress=False), show_progress=False)
    numbers, scores = index.retrieve(bm25s.tokenize(asked.question, stopwords=None, show_progress=False), k=1, show_progress=False)
    return float(scores[0][0]), [*texts, "-"][int(numbers[0][0])]


def _tuned(asked: Sequence[Asked]) -> float:
    """The threshold of the peer, chosen as the reader's was: on the validation articles, both kinds of question weighing the same.

    A sentence is right here when it holds the answer: by F1 the best threshold is to say nothing at all.
    """
    found = [(one, *_best_sentence(one)) for one in asked]

    def worth(least: float) -> float:
        kinds: dict[bool, list[float]] = {True: [], False: []}
        for one, score, text in found:
            said = text if score >= least else ""
            kinds[bool(one.answers)].append(_contained(said, one) if one.answers else float(not said))
        return sum(statistics.mean(scores) for scores in kinds.values() if scores)

    return max(THRESHOLDS, key=worth)


def _measured(name: str, by: str, asked: Sequence[Asked], said: Sequence[Said]) -> dict[str, object]:
    """Exact and F1 over the questions with an answer; F1 of abstaining over all."""
    silent = [abstains(one.text) for one in said]
    answerable = [(one, "" if quiet else s.text) for one, s, quiet in zip(asked, said, silent, strict=True) if one.answers]
    cases = [Case(str(n), one.question, "", group=one.group) for n, (one, _) in enumerate(answerable)]
    f1 = interval({case.id: token_f1(text, one.answers) for case, (one, text) in zip(cases, answerable, strict=True)}, clusters_of(cases))
    held = statistics.mean(_contained(text, one) for one, text in answerable)
    both = sum(quiet and not one.answers for one, quiet in zip(asked, silent, strict=True))
    no = sum(not one.answers for one in asked)
    found: dict[str, object] = {
        "exact": round(statistics.mean(exact(text, one.answers) for one, text in answerable), 4),
        "f1": round(f1.estimate, 4),
        "contains": round(held, 4),
        "abstention_f1": round(2 * both / max(sum(silent) + no, 1), 4) if no else None,
        "p50_ms": round(1000 * statistics.median(one.seconds for one in said), 1),
    }
    shown = f"{found['abstention_f1']:>8}" if no else f"{'-':>8}"
    print(
        f"{name:<11} {by:<14} {len(asked):>5} {no:>9} {found['exact']:>6} {found['f1']:>6} {f1.low:>6.3f} to {f1.high:.3f}",
        f"{found['contains']:>8} {shown} {found['p50_ms']:>7}",
    )
    return found


def _contained(text: str, one: Asked) -> float:
    groups = one.facts or (one.answers,)
    return float(bool(text) and all(any(contains(text, spelling) for spelling in group) for group in groups))
