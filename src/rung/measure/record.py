"""Answers, scores and verdicts to JSON and back without loss, and files that are whole or not there; it writes nothing else.

A line that a crash tore is left out when reading, never guessed at.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from rung.errors import RungError
from rung.types import (
    Answer,
    Case,
    Citation,
    Comparison,
    Evidence,
    Hit,
    Interval,
    Json,
    Passage,
    Score,
    Sentence,
    Summary,
    Usage,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import NoReturn

ENCODING = ("utf-8", "surrogatepass")  # a document may hold half a surrogate pair, and must come back as it was


def answer_to_json(answer: Answer) -> dict[str, Json]:
    """All fields of the answer as JSON values."""
    return asdict(answer)


def answer_from_json(value: Mapping[str, Json]) -> Answer:
    """The answer that was written. KeyError or TypeError where it is none."""
    return Answer(
        **{
            **value,
            "citations": tuple(_citation(one) for one in value["citations"]),
            "sentences": tuple(_sentence(one) for one in value.get("sentences", ())),
            "hits": tuple(_hit(one) for one in value["hits"]),
            "usage": Usage(**value["usage"]),
            "calls": tuple(value.get("calls", ())),
        }
    )


def _hit(value: Mapping[str, Json]) -> Hit:
    return Hit(_passage(value["passage"]), value["score"], value["legs"], tuple(value.get("folded", ())), tuple(value.get("won", ())))


def _citation(value: Mapping[str, Json]) -> Citation:
    quote = value.get("quote")
    return Citation(**{**value, "quote": (quote[0], quote[1]) if quote else None})


def _sentence(value: Mapping[str, Json]) -> Sentence:
    quotes = tuple((document, start, end) for document, start, end in value["quotes"])
    return Sentence(**{**value, "missing": tuple(value["missing"]), "quotes": quotes})


def _passage(value: Mapping[str, Json]) -> Passage:
    return Passage(**{**value, "headings": tuple(value["headings"])})


def score_to_json(score: Score) -> dict[str, Json]:
    """All fields of the score as JSON values."""
    return {"case": score.case, "primary": score.primary, "parts": dict(score.parts)}


def score_from_json(value: Mapping[str, Json]) -> Score:
    """The score that was written. KeyError or TypeError where it is none."""
    return Score(value["case"], value["primary"], dict(value["parts"]))


def summary_to_json(summary: Summary) -> dict[str, Json]:
    """All fields of the summary as JSON values."""
    return asdict(summary)


def summary_from_json(value: Mapping[str, Json]) -> Summary:
    """The summary that was written. KeyError or TypeError where it is none."""
    return Summary(**{**value, "primary": Interval(**value["primary"]), "usage": Usage(**value["usage"])})


def verdict_from_json(value: Mapping[str, Json]) -> Verdict:
    """The verdict that was written. KeyError or TypeError where it is none."""
    compared = tuple(Comparison(**{**one, "difference": Interval(**one["difference"])}) for one in value["comparisons"])
    return Verdict(**{**value, "best": tuple(value["best"]), "comparisons": compared})


def case_from_json(value: Mapping[str, Json]) -> Case:
    """The case that was written with all its fields. KeyError or TypeError where it is none."""
    facts, evidence = tuple(tuple(group) for group in value["facts"]), tuple(Evidence(**one) for one in value["evidence"])
    return Case(**{**value, "facts": facts, "evidence": evidence, "tags": tuple(value["tags"])})


def to_line(value: Json) -> bytes:
    """One line of JSONL, its newline included. ValueError for NaN and infinities."""
    return (json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n").encode(*ENCODING)


def lines_of(path: Path) -> Iterator[Json]:
    """The JSON values of a JSONL file; a torn line, and a last one without newline, is left out. Nothing where no file is."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return
    for line in raw.split(b"\n")[:-1]:
        try:
            yield json.loads(line.decode(*ENCODING))
        except ValueError:
            continue


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, also after a power cut. RungError where it can't."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as fault:
        with suppress(OSError):
            beside.unlink()
        refuse_write(path, fault)


def write_lines(path: Path, values: Sequence[Json]) -> None:
    """Write a JSONL file whole."""
    write_whole(path, b"".join(map(to_line, values)))


def refuse_write(path: Path, fault: OSError) -> NoReturn:
    """RungError that names the file, what the system said, and that what was done before is kept."""
    raise RungError(
        f"{path} can't be written: {fault.strerror or fault}",
        "make room or mend the folder, then run again: what is recorded is not asked again",
    ) from fault
