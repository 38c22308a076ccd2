"""Takes rows of any known form into a project's examples or cases, all or none. It refuses rows of what is held out.

What is there already is left alone, so the same import twice adds nothing; an id that another question holds is made new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path

from rung.approach.question import question_key
from rung.errors import ConfigError, DataError
from rung.measure.cases import numbered_cases
from rung.measure.files import rows_of
from rung.measure.record import to_line, write_whole
from rung.measure.rows import NotRated, RowError, form_of
from rung.types import Case, Json
from rung.workspace import workspace as w
from rung.workspace.holding_out import Side, sides
from rung.workspace.workspace import Workspace

FIELDS = ("id", "question", "answer", "facts", "evidence", "tags", "group", "unanswerable", "origin")
INSIDE = ("messages", "conversations", "instruction", "input", "output", "feedback", "correction", "by")
NAMED = 5
SIDES: tuple[Side, ...] = ("cases", "examples")  # in this order: lots are drawn again for what a kill kept from being written
TIED = ("it hangs together with rows of both sides", "leave it out, or move those rows to one side")


@dataclass(frozen=True)
class Skipped:
    """A row that can't be used, and why."""

    line: int
    reason: str
    hint: str


@dataclass(frozen=True)
class Imported:
    """What a file held and what became of it."""

    file: str
    form: str
    to: str
    read: int
    added: int  # to examples or cases, whichever `to` says
    held_out: int  # added to the cases of a file that was parted
    known: int  # there already
    not_rated: int  # logged answers neither rated well nor corrected
    earlier_turns: int  # rows of whose conversation only the last exchange was taken
    skipped: tuple[Skipped, ...]
    preview: tuple[Case, ...]
    written: bool


def import_rows(
    ws: Workspace,
    file: Path,
    to: Side = "examples",
    columns: Mapping[str, str] | None = None,
    *,
    held_out: float = 0.0,
    skip: bool = False,
    dry: bool = False,
) -> Imported:
    """Append the file's rows to the examples or the cases. `columns`: field → column of the file.

    With a share `held_out`, rows are parted by lot, so that about this share of all rows are cases, and what hangs together
    stays on one side. DataError where a row can't be used, unless they are to be skipped; nothing is written then, or in a
    dry run.
    """
    if not 0 <= held_out < 1:
        raise ConfigError(f"{held_out} is no share of the rows that could be held out", "write a number from 0 to below 1, such as 0.3")
    if held_out and to == "cases":
        raise ConfigError("all rows go to the cases, so no share of them can", "leave --to out, or --held-out")
    target, both = target_of(ws, to), {side: held(ws, side) for side in SIDES}
    here, there = ([*both["cases"], *both["examples"]], []) if held_out else (both[to], both["cases" if to == "examples" else "examples"])
    form, earlier = _looked_at(file, columns)
    taken, skipped, not_rated, known, read = _sorted(ws, file, columns, here, there)
    on = sides(taken, both, held_out, ws.config.project.seed) if held_out else dict.fromkeys((case.id for case in taken), to)
    skipped += [Skipped(_line(case), *TIED) for case in taken if case.id not in on]
    if skipped and not skip:
        raise _unusable(file, skipped, to)
    if not read:
        raise DataError(f"{file} holds no rows", "is it the right file?")
    rows = {side: [case for case in taken if on.get(case.id) == side] for side in SIDES}
    for side in SIDES:
        if rows[side] and not dry:
            append(target_of(ws, side), rows[side])
    parted, written = len(rows["cases"]) if held_out else 0, bool(on) and not dry
    counts = (read, len(rows[to]), parted, known, not_rated, earlier)
    return Imported(str(file), form, str(target), *counts, tuple(skipped), tuple(taken[:3]), written)


def _line(case: Case) -> int:
    """The line of its file, as its origin says it."""
    return int(case.origin.partition(";")[0].rpartition(":")[2])


def target_of(ws: Workspace, to: Side) -> Path:
    """The file that rows are appended to. ConfigError where rung.toml names none, or one that is not JSON Lines."""
    name = ws.config.project.examples if to == "examples" else ws.config.project.cases
    if not name:
        raise ConfigError("the project has no file of examples yet", 'add examples = "examples.jsonl" under [project]')
    if Path(name).suffix.lower() not in (".jsonl", ".json", ".ndjson"):
        raise ConfigError(f"{name} is not JSON Lines, so nothing can be appended to it", f"name a .jsonl file as {to} under [project]")
    return ws.folder / name


def held(ws: Workspace, side: Side) -> list[Case]:
    """The cases of one side as they stand; none where there is no file yet."""
    name = ws.config.project.examples if side == "examples" else ws.config.project.cases
    if not name or not (ws.folder / name).exists() or not (ws.folder / name).read_bytes().strip():
        return []
    return [found for _, found in numbered_cases(ws.folder / name) if isinstance(found, Case)]


def append(target: Path, cases: Sequence[Case]) -> None:
    """Add rows at the end of a JSON Lines file: a reader sees the old file or the new one. DataError for a JSON list."""
    before = target.read_bytes() if target.exists() else b""
    if before.lstrip().startswith(b"["):
        raise DataError(f"{target} is one JSON list, so no row can be appended to it", "write one JSON object a line there")
    between = b"" if not before or before.endswith(b"\n") else b"\n"
    write_whole(target, before + between + b"".join(to_line(as_row(case)) for case in cases))


def as_row(case: Case) -> dict[str, Json]:
    """A case as a line of a file holds it: fields that say nothing are left out."""
    told = asdict(case)
    told["evidence"] = [{key: value for key, value in one.items() if value} for one in told["evidence"]]
    return {name: told[name] for name in FIELDS if told[name] not in ("", (), [], False) or name in ("question", "answer")}


def _looked_at(file: Path, columns: Mapping[str, str] | None) -> tuple[str, int]:
    """The form of the first row, and how many rows have turns before the last exchange."""
    form, earlier = "", 0
    for _, row in rows_of(file, columns):
        if not isinstance(row, RowError):
            form = form or form_of(row)
            turns = row.get("messages", row.get("conversations"))
            earlier += isinstance(turns, list) and len(turns) > 2
    return form, earlier


def _sorted(
    ws: Workspace, file: Path, columns: Mapping[str, str] | None, here: Sequence[Case], there: Sequence[Case]
) -> tuple[list[Case], list[Skipped], int, int, int]:
    """Rows to take, rows that can't be used, how many were not rated, how many are known, and how many were read."""
    labels = set(w.labels(ws)) if ws.config.project.task == "classify" else set()
    known = {(question_key(case.question), case.text) for case in here}
    other = {question_key(case.question): case.id for case in there}
    ids = {case.id for case in (*here, *there)}
    taken: list[Case] = []
    skipped: list[Skipped] = []
    not_rated = same = read = 0
    for line, found in numbered_cases(file, columns):
        read += 1
        if isinstance(found, NotRated):
            not_rated += 1
        elif isinstance(found, RowError):
            skipped.append(Skipped(line, found.message, found.hint))
        elif question_key(found.question) in other:
            skipped.append(Skipped(line, *_elsewhere(other[question_key(found.question)])))
        elif labels and found.text not in labels:
            skipped.append(Skipped(line, f"{found.text!r} is not one of the {len(labels)} labels", "mend the label or add it to the list"))
        elif (question_key(found.question), found.text) in known:
            same += 1
        else:
            known.add((question_key(found.question), found.text))
            taken.append(replace(found, id=_free(found.id, file, ids), origin=_origin(found, file, line)))
            ids.add(taken[-1].id)
    return taken, skipped, not_rated, same, read


def _elsewhere(id: str) -> tuple[str, str]:
    return f"it asks what {id!r} asks on the other side", "a question is trained on or measured on, never both: leave the row out"


def _free(id: str, file: Path, taken: set[str]) -> str:
    stem = file.name.split(".")[0]
    names: Iterable[str] = (id, f"{stem}-{id}", *())
    return next((name for name in names if name not in taken), "") or next(
        name for n in count(2) if (name := f"{stem}-{id}-{n}") not in taken
    )


def _origin(case: Case, file: Path, line: int) -> str:
    """File and line, and what the row itself says of where it comes from, with the id of the logged answer."""
    said = f"; {case.origin} ({case.id})" if case.origin else ""
    return f"{file.name}:{line}{said}"


def _unusable(file: Path, skipped: Sequence[Skipped], to: str) -> DataError:
    first = skipped[0]
    named = ", ".join(str(one.line) for one in skipped[:NAMED]) + (f" and {len(skipped) - NAMED} more" if len(skipped) > NAMED else "")
    rows = "1 row" if len(skipped) == 1 else f"{len(skipped)} rows"
    said = f"{rows} of {file} can't be taken (line {named}); line {first.line}: {first.reason}"
    hint = first.hint
    if first.reason.startswith(("nobody reads the field", "the field", "there is no column")):
        hint += "; --map question=COLUMN,answer=COLUMN says which columns to take"
    return DataError(said, f"{hint}; --skip leaves such rows out")


def columns_from(text: str) -> dict[str, str] | None:
    """ "question=Frage,answer=Antwort" as field → column; None for "". ConfigError for a field that no row has."""
    if not text:
        return None
    pairs = dict(part.partition("=")[::2] for part in text.split(","))
    columns = {field.strip(): column.strip() for field, column in pairs.items()}
    for field, column in columns.items():
        if field not in (*FIELDS, *INSIDE) or not column:
            raise ConfigError(f"--map: '{field}={column}' is no mapping", f"write FIELD=COLUMN; fields are {', '.join((*FIELDS, *INSIDE))}")
    return columns
