"""What people say of answers: a thumb, a correction, a reason; and a corrected answer made a case or a training row.

The words stand in the audit log, where `rung forget` reaches them. It refuses feedback on answers of others, words where the log
keeps none, and a row that the other side holds already: what is trained on is never measured on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rung.approach.policy import MARK
from rung.approach.question import question_key
from rung.errors import DataError
from rung.measure.metrics import without_markers
from rung.types import Case, Evidence
from rung.workspace import trail
from rung.workspace import workspace as w
from rung.workspace.importing import append, held, target_of
from rung.workspace.labels import who as operator
from rung.workspace.store import Run, Store
from rung.workspace.traffic import Asked, answered
from rung.workspace.workspace import Workspace

Thumb = Literal["up", "down", ""]
As = Literal["case", "example"]
SIDES: dict[As, Literal["cases", "examples"]] = {"case": "cases", "example": "examples"}
SAID = "feedback on the answer "  # in a row's origin, before the answer's id
_COLUMNS = "f.entry, f.answer, f.at, f.who, f.thumb, t.content"


@dataclass(frozen=True)
class Feedback:
    """What one person said of one answer; texts are "" where nothing was said, or the audit log holds it no more."""

    entry: int  # the audit log's number
    answer: str  # the answer's id
    at: float
    who: str
    thumb: Thumb
    correction: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Rated:
    """An answer with what was said of it, and the row that was made of it: "cases", "examples" or ""."""

    said: Feedback
    about: Asked
    taken: str = ""

    @property
    def ideal(self) -> str:
        """The answer as it ought to be: the correction, or what was rated well; "" where neither is known."""
        return self.said.correction or (without_markers(self.about.answer.replace(MARK, "")) if self.said.thumb == "up" else "")


def give(
    store: Store,
    answer: str,
    who: str,
    thumb: Thumb = "",
    correction: str = "",
    reason: str = "",
    *,
    words: bool = True,
    anybodys: bool = False,
) -> Feedback:
    """Keep it. `words`: whether the audit log keeps people's texts. `anybodys`: of anybody's answer, else of one's own alone.

    DataError for an answer that there is not, or is not one's own, for nothing said, and for words that can't be kept.
    """
    about, correction, reason = answered(store, answer), correction.strip(), reason.strip()
    if about is None or not (anybodys or about.figures.who == who):
        raise DataError(f"there is no answer '{answer[:100]}'", "send the id that came with the answer")
    if not (thumb or correction or reason):
        raise DataError("the feedback says nothing", "send a thumb (up or down), a correction or a reason")
    if (correction or reason) and not words:
        raise DataError('this project keeps no text of people\'s (audit = "hashes")', "send a thumb alone")
    told = {"answer": answer, "thumb": thumb, "corrected": bool(correction), "model": about.figures.model}
    texts = {name: text for name, text in (("correction", correction), ("reason", reason)) if text}
    content = {**texts, "documents": list(about.documents)} if texts else None

    def work(run: Run) -> Feedback:
        made = trail.append(run, "feedback", who, told, content)
        run("INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?)", (made.number, answer, made.at, who, thumb, int(bool(correction))))
        return Feedback(made.number, answer, made.at, who, thumb, correction, reason)

    return store.write(work)


def feedback(store: Store, since: float = 0.0, until: float = 1e18) -> list[Feedback]:
    """What was said in [since, until), oldest first; of what one person said of one answer the last."""
    rows = store.read(
        f"SELECT {_COLUMNS} FROM feedback f LEFT JOIN trail t ON t.number = f.entry WHERE f.at >= ? AND f.at < ? ORDER BY f.entry",
        (since, until),
    )
    last = {(one.answer, one.who): one for one in map(_feedback, rows)}
    return sorted(last.values(), key=lambda one: one.entry)


def rated(
    ws: Workspace, store: Store, since: float = 0.0, sees: Callable[[str], bool] | None = None, after: int = 0, most: int | None = None
) -> list[Rated]:
    """Answers with what was said of them, newest first, and what became of it.

    `sees` tells which documents may be seen: what was made of others is left out. None is the operator, who may read the store.
    """
    of = {name: side for side in SIDES.values() for row in held(ws, side) if (name := _answer_in(row.origin))}
    found: list[Rated] = []
    for said in reversed(feedback(store, since)):
        if len(found) == most:
            break
        if after and said.entry >= after:
            continue
        about = answered(store, said.answer)
        if about and (sees is None or all(sees(document) for document in about.documents)):
            found.append(Rated(said, about, of.get(said.answer, "")))
    return found


def take(
    ws: Workspace, store: Store, answer: str, to: As, who: str = "", sees: Callable[[str], bool] | None = None, question: str = ""
) -> Case:
    """Make a corrected or well-rated answer (by its id, or the beginning of one) a case or an example, with its origin.

    Rows about one document stay together: they share a group, which stands on one side alone. `question` replaces the one that
    was asked, for one that stood in a chat. DataError where nothing is to be taken, or the other side holds the like.
    """
    one = _named(rated(ws, store, sees=sees), answer)
    if one.taken:
        raise DataError(f"the answer {one.said.answer} is among the {one.taken} already", "take another; `rung watch` lists them")
    asked = question.strip() or one.about.question
    if not asked or not one.ideal:
        what = "question is not in the audit log any more" if not asked else "answer was neither corrected nor rated well"
        raise DataError(f"the {what}, so no row can be made of it", 'give a correction, and keep audit = "text" under [serve]')
    made = _case(ws, one, asked)
    _check_sides(ws, made, SIDES[to])
    append(target_of(ws, SIDES[to]), [made])
    told = {"answer": one.said.answer, "feedback": one.said.entry, "as": to, "row": made.id}
    trail.note(store, "feedback taken", who or operator(), told)
    return made


def _named(known: Sequence[Rated], name: str) -> Rated:
    found = [one for one in known if one.said.answer.startswith(name)] if name else []
    answers = {one.said.answer for one in found}
    if len(answers) != 1:
        what = f"{len(answers)} answers begin with '{name[:100]}'" if answers else f"there is no feedback on an answer '{name[:100]}'"
        raise DataError(what, "name it by its id: `rung watch` lists what waits")
    return next((one for one in found if one.said.correction), found[0])


def _case(ws: Workspace, one: Rated, question: str) -> Case:
    """The row. Its documents are its evidence where lists keep documents apart: then it is shown only to those who may read them."""
    documents = one.about.documents
    how = "a person's correction" if one.said.correction else "an answer rated well"
    evidence = tuple(Evidence(document) for document in documents) if ws.config.access.on else ()
    group = documents[0] if documents else f"question {question_key(question)}"
    name = f"feedback-{one.said.answer.rpartition('-')[2].rpartition('_')[2][:12]}"
    return Case(name, question, one.ideal, (), evidence, ("feedback",), group, origin=f"{how}, {SAID}{one.said.answer}")


def _check_sides(ws: Workspace, made: Case, side: Literal["cases", "examples"]) -> None:
    """Neither the question nor its group may stand on the other side, and labels are of the list."""
    from rung.measure.cases import check_labels

    other: Literal["cases", "examples"] = "examples" if side == "cases" else "cases"
    for row in (*held(ws, other), *held(ws, side)):
        if question_key(row.question) == question_key(made.question):
            where = side if row in held(ws, side) else other
            hint = "a question is trained on or measured on, and once: mend that row instead"
            raise DataError(f"'{row.id}' of the {where} asks the same", hint)
    if near := next((row for row in held(ws, other) if row.group and row.group == made.group), None):
        hint = f"take it as {'an example' if other == 'examples' else 'a case'} instead"
        raise DataError(f"'{near.id}' of the {other} is about '{made.group}', too, and a group stands on one side alone", hint)
    if ws.config.project.task == "classify":
        check_labels([made], w.labels(ws))


def _answer_in(origin: str) -> str:
    return origin.partition(SAID)[2].split(";")[0].strip()


def _feedback(row: Sequence[Any]) -> Feedback:
    entry, answer, at, who, thumb, content = row
    told = json.loads(content) if content is not None else {}
    return Feedback(entry, answer, at, who, thumb, told.get("correction", ""), told.get("reason", ""))
