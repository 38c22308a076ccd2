"""The verbs `judge score`, `judge agree` and `judge pair`: an optional judge model on recorded answers. It answers no question itself.

A judged number never stands alone: beside it is how far this judge agreed with people, or that nobody measured it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import ConfigError, DataError, near_or_known
from rung.measure.agree import JUDGED, Agreement, Judged, Preference, agreement, preference, read_judged
from rung.measure.judge import CRITERIA, Judge, judge_folder, of_answer, of_pair, record_of, schema, verdicts
from rung.measure.recorded import json_lines
from rung.types import Case, Json, Settings
from rung.workspace.workspace import Progress, Workspace, cases, open_workspace, silent

if TYPE_CHECKING:
    from rung.climb import Measured

YES, NO = ("right", "faithful", "true", "yes", "1"), ("wrong", "unfaithful", "false", "no", "0")


@dataclass(frozen=True)
class Labelled:
    """An answer that a person labelled."""

    id: str
    material: Mapping[str, Json]
    label: str
    cluster: str


def open_judge(ws: Workspace, criterion: str) -> Judge:
    """The judge that the configuration names. ConfigError without one, for an unknown criterion, and where privacy forbids it."""
    from rung.models import load
    from rung.workspace.privacy import remote

    told = ws.config.judge
    if criterion not in CRITERIA:
        raise ConfigError(f"there is no criterion '{criterion}'", near_or_known(criterion, CRITERIA))
    if not told.model:
        raise ConfigError("the project names no judge", 'set model = "endpoint:<model>@<url>" under [judge] in rung.toml')
    if ws.config.limits.private and remote(told.model):
        raise ConfigError(
            f"the project is private, and the judge '{told.model}' would be sent its answers", "choose a judge on this machine"
        )
    options = dict(told.options)
    if told.model.startswith("endpoint:") and told.structured:
        form = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema(criterion)}}
        options["extra"] = {**options.get("extra", {}), "response_format": form}
    kind, _, name = told.model.partition(":")
    spec = f"{kind}:{ws.folder / name}" if kind == "local" and not Path(name).is_absolute() else told.model
    settings = Settings(told.max_tokens, told.temperature, ws.config.project.seed)
    return Judge(load(spec, None, **options), criterion, record_of(ws.home), settings, told.votes)


def score(
    ws: Workspace, run: str = "last", rungs: Sequence[str] = (), criterion: str = "right", progress: Progress = silent
) -> list[Judged]:
    """Judge the answers of a climb; what is judged is kept beside its report. Ctrl-C keeps every verdict."""
    from rung.measure.bootstrap import clusters_of, interval
    from rung.measure.record import write_whole
    from rung.runs import climb_of

    judge, done = open_judge(ws, criterion), climb_of(ws, run)
    clusters, agreed, found = clusters_of(done.cases), agreement_of(ws, judge), []
    for one in _of(done.rungs, rungs):
        able = [(c, a) for c, a in zip(done.cases, one.answers, strict=True) if a.hits or criterion != "faithful"]
        materials = [of_answer(criterion, c.question, c.text, a.text, [hit.passage.text for hit in a.hits]) for c, a in able]
        said = verdicts(judge, materials, partial(progress, f"judge {one.summary.name}"))
        good = CRITERIA[criterion][0][0]
        values = {c.id: float(word == good) for (c, _), word in zip(able, said, strict=True) if word}
        share = interval(values, clusters, seed=ws.config.project.seed) if values else None
        found.append(Judged(one.summary.name, criterion, share, len(able) - len(values), agreed))
    kept = [row for row in read_judged(done.folder) if (row.criterion, row.rung) not in {(criterion, one.rung) for one in found}]
    write_whole(done.folder / JUDGED, json.dumps([asdict(one) for one in (*kept, *found)], indent=1).encode())
    return found


def _of(measured: Sequence[Measured], names: Sequence[str]) -> list[Measured]:
    ran = {one.summary.name: one for one in measured if one.summary.ran}
    for name in names:
        if name not in ran:
            raise DataError(f"the climb has no answers of '{name}'", near_or_known(name, ran))
    return [ran[name] for name in names or ran]


def agree(ws: Workspace, path: Path, criterion: str = "right", progress: Progress = silent) -> Agreement:
    """Judge what people labelled and keep how far the two agree; every number of this judge then shows it."""
    from rung.measure.record import write_whole

    judge, rows = open_judge(ws, criterion), labelled(path, cases(ws), criterion)
    said = verdicts(judge, [row.material for row in rows], partial(progress, "judge"))
    people = {row.id: row.label for row in rows}
    judged = {row.id: word for row, word in zip(rows, said, strict=True)}
    found = agreement(people, judged, {row.id: row.cluster for row in rows}, ws.config.project.seed)
    kept = _agreements(ws) | {judge.id: asdict(found)}
    write_whole(judge_folder(ws.home) / "agreements.json", json.dumps(kept, indent=1).encode())
    return found


def labelled(path: Path, held: Sequence[Case], criterion: str) -> list[Labelled]:
    """Lines of `id`, `label` and `answer` (for `better`: `first` and `second`); where the id is no case's, `question` and `ideal`, too.

    `faithful` needs `passages`, a list of texts. DataError names the line that is wrong.
    """
    from rung.measure.bootstrap import clusters_of

    by_id, clusters, found = {case.id: case for case in held}, clusters_of(held), []
    for number, row in json_lines(path):
        where = f"{path}, line {number}"
        texts = ("id", "first", "second") if criterion == "better" else ("id", "answer")
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in texts):
            raise DataError(f"{where}: {', '.join(texts)} must be texts", 'for example {"id": "c1", "answer": "27 days", "label": "right"}')
        case = by_id.get(row["id"]) or Case(row["id"], str(row.get("question", "")), str(row.get("ideal", "")))
        label = _label(row.get("label"), criterion, where)
        material = _material(row, case, criterion, where)
        found.append(Labelled(f"{number}/{case.id}", material, label, clusters.get(case.id, f"case {case.id}")))
    if not found:
        raise DataError(f"{path} holds no labelled answer", 'each line needs {"id": "...", "answer": "...", "label": "right" or "wrong"}')
    return found


def _material(row: Mapping[str, Json], case: Case, criterion: str, where: str) -> Mapping[str, Json]:
    if not case.question or (criterion != "faithful" and not case.text):
        raise DataError(f"{where}: '{case.id}' is no case of the project", "add question and ideal to the line, or mend the id")
    if criterion == "better":
        return of_pair(case, row["first"], row["second"])
    passages = row.get("passages", [])
    if criterion == "faithful" and not (isinstance(passages, list) and passages and all(isinstance(one, str) for one in passages)):
        raise DataError(f"{where}: passages are missing", 'faithful to what? Add "passages": ["...", "..."]')
    return of_answer(criterion, case.question, case.text, row["answer"], passages)


def _label(told: object, criterion: str, where: str) -> str:
    words, said = CRITERIA[criterion][0], str(told).strip().casefold()
    if said in words:
        return said
    if criterion == "better" or said not in (*YES, *NO):
        raise DataError(f"{where}: the label is {told!r}", f"write one of {', '.join(words)}")
    return words[0] if said in YES else words[1]


def _agreements(ws: Workspace) -> dict[str, Json]:
    path = judge_folder(ws.home) / "agreements.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def agreement_of(ws: Workspace, judge: Judge) -> Agreement | None:
    """What was measured of this very judge; None where nothing was."""
    told = _agreements(ws).get(judge.id)
    return Agreement(**told) if told else None


def pair(ws: Workspace, first: str, second: str, run: str = "last", progress: Progress = silent) -> tuple[Preference, Agreement | None]:
    """Which of two rungs' answers the judge prefers, each pair in both orders, and how far this judge agrees with people on pairs.

    Equal answers are the same without asking.
    """
    from rung.measure.bootstrap import clusters_of
    from rung.runs import climb_of

    judge, done = open_judge(ws, "better"), climb_of(ws, run)
    one, other = _of(done.rungs, (first, second))
    pairs = [(c, a.text, b.text) for c, a, b in zip(done.cases, one.answers, other.answers, strict=True)]
    asked = [row for row in pairs if row[1] != row[2]]
    said = verdicts(
        judge, [m for c, a, b in asked for m in (of_pair(c, a, b), of_pair(c, b, a))], partial(progress, f"judge {first}, {second}")
    )
    same = {c.id: "same" for c, a, b in pairs if a == b}
    forward = same | {row[0].id: word for row, word in zip(asked, said[::2], strict=True)}
    backward = same | {row[0].id: word for row, word in zip(asked, said[1::2], strict=True)}
    found = preference((first, second), forward, backward, clusters_of(done.cases), ws.config.project.seed)
    return found, agreement_of(ws, judge)


def score_and_show(folder: Path, run: str, rungs: Sequence[str], criterion: str, as_json: bool) -> None:
    """A line for each rung."""
    from rung.report.judged import line
    from rung.show import print_json, progress

    with progress(quiet=as_json) as bar:
        found = score(open_workspace(folder), run, rungs, criterion, bar)
    print_json([asdict(one) for one in found]) if as_json else print("\n".join(map(line, found)))


def agree_and_show(folder: Path, path: Path, criterion: str, as_json: bool) -> None:
    """Kappa with its interval."""
    from rung.report.judged import agreed
    from rung.show import print_json, progress

    with progress(quiet=as_json) as bar:
        found = agree(open_workspace(folder), path, criterion, bar)
    print_json(found) if as_json else print(agreed(found))


def pair_and_show(folder: Path, first: str, second: str, run: str, as_json: bool) -> None:
    """Wins, ties, and how far the order decided."""
    from rung.report.judged import preferred
    from rung.show import print_json, progress

    with progress(quiet=as_json) as bar:
        found, agreed = pair(open_workspace(folder), first, second, run, bar)
    print_json(asdict(found) | {"agreement": asdict(agreed) if agreed else None}) if as_json else print(preferred(found, agreed))
