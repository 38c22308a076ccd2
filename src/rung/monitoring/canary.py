"""Canary cases: a few held-out cases asked of the server that runs, and their scores compared with those of the last climb.

The cases are the same each time and asked as any client asks. It refuses to call chance a loss, and what is not this machine
where the project is private.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rung.approach.policy import MARK
from rung.climb import Climb, Measured
from rung.errors import ConfigError, DataError, EndpointError
from rung.measure.against import Change, compared
from rung.measure.bootstrap import clusters_of
from rung.measure.score import score
from rung.runs import climb_of
from rung.types import Answer, Case, Interval
from rung.workspace import trail
from rung.workspace import workspace as w
from rung.workspace.labels import who
from rung.workspace.privacy import asked_away
from rung.workspace.store import Store
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from urllib3 import PoolManager

PARTS = {"model": "the model", "source": "the documents or the search", "prompt": "the instructions"}


@dataclass(frozen=True)
class Canary:
    """What became of the cases. `failed` of them got no answer, which scores 0."""

    at: float
    model: str
    run: str  # the climb that they are compared with
    change: Change
    failed: tuple[str, ...]
    altered: tuple[str, ...]  # what of the served rung is not what was measured: model, source, prompt
    answers: tuple[str, ...]  # ids of the answers, which are no traffic

    @property
    def words(self) -> str:
        """The outcome in a sentence."""
        one = self.change
        sides = f"{one.before:.0%} then, {one.now:.0%} now on {one.difference.n} cases (p {one.p_adjusted:.2g})"
        why = f"; since then {' and '.join(PARTS[part] for part in self.altered)} changed" if self.altered else ""
        said = f"{self.model} became worse" if one.worse else f"{self.model} became better" if one.better else f"{self.model} holds"
        lost = f"; lost: {', '.join(one.lost)}" if one.lost else ""
        failed = f"; without an answer: {', '.join(self.failed)}" if self.failed else ""
        return f"{said}: {sides}{why}{lost}{failed}"


def replay(
    ws: Workspace, store: Store, url: str, key: str = "", model: str = "", number: int = 20, run: str = "last", progress: Progress = silent
) -> Canary:
    """Ask them at `url` (a server's /v1) and note the outcome in the audit log. `model`: by default the climb's choice.

    EndpointError where nobody answers there, DataError without a climb that measured the rung.
    """
    if ws.config.limits.private and asked_away(url):
        raise ConfigError(f"the project is private, and {url} is not this machine", "ask a server here, or take private out of [limits]")
    done = climb_of(ws, run)
    name, known = _recorded(ws, done, model)
    chosen = sorted(Random(f"{ws.config.project.seed}/canary").sample(done.cases, min(number, len(done.cases))), key=lambda case: case.id)
    now, failed, answers, made = _asked(ws, done, chosen, url, key, name, progress)
    ids = set(now)
    before = {one.case: one.primary for one in known.scores if one.case in ids}
    clusters = clusters_of(chosen)
    (change,) = compared({name: before}, {name: now}, clusters, seed=ws.config.project.seed)
    told = known.answers[0].made_by if known.answers else {}
    altered = tuple(part for part in PARTS if made and told.get(part) != made.get(part))
    found = Canary(time.time(), name, done.folder.name, change, tuple(failed), altered, tuple(answers))
    trail.note(store, "canary", who(), {**asdict(found), "scores": now})
    return found


def last_canary(store: Store) -> Canary | None:
    """The one that was replayed last."""
    rows = store.read("SELECT told FROM trail WHERE kind = ? ORDER BY number DESC LIMIT 1", ("canary",))
    return _canary(json.loads(rows[0][0])) if rows else None


def asked_by_canaries(store: Store) -> set[str]:
    """Ids of all answers that canaries were given."""
    rows = store.read("SELECT told FROM trail WHERE kind = ?", ("canary",))
    return {answer for (told,) in rows for answer in json.loads(told)["answers"]}


def _canary(told: Mapping[str, Any]) -> Canary:
    one = told["change"]
    change = Change(**{**one, "difference": Interval(**one["difference"]), "lost": tuple(one["lost"]), "won": tuple(one["won"])})
    return Canary(
        told["at"], told["model"], told["run"], change, tuple(told["failed"]), tuple(told["altered"]), tuple(told["answers"])
    )  # fmt: skip


def _recorded(ws: Workspace, done: Climb, model: str) -> tuple[str, Measured]:
    """The model that is asked, and the rung of the climb that it is compared with."""
    from rung.workspace.catalogue import catalogue, standing

    of = {one.summary.name: one for one in done.rungs if one.summary.ran}
    name = model or done.verdict.chosen or next(iter(done.verdict.best), "")
    stood = standing(catalogue(ws), name) if name and name not in of else None
    found = of.get(stood.rung if stood else name)
    if found is None:
        hint = f"it measured {', '.join(of) or 'nothing'}: name one as --model"
        raise DataError(f"the climb {done.folder.name} did not measure '{name}'", hint)
    return name, found


def _asked(
    ws: Workspace, done: Climb, chosen: list[Case], url: str, key: str, model: str, progress: Progress
) -> tuple[dict[str, float], list[str], list[str], dict[str, str]]:
    """Case → score, cases without an answer, the answers' ids, and what made them."""
    from rung.asking import client

    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigError(f"'{url}' is no address of a server", "write http://127.0.0.1:8321/v1")
    task = w.task(ws, list(done.cases))
    now: dict[str, float] = {}
    failed: list[str] = []
    answers: list[str] = []
    made: dict[str, str] = {}
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with client(url, ws.config.serve.deadline + 5) as server:
        for number, case in enumerate(chosen, 1):
            told = _one(server, f"{url.rstrip('/')}/chat/completions", headers, model, case.question)
            progress("ask", number, len(chosen))
            if told is None:
                failed.append(case.id)
                now[case.id] = 0.0
                continue
            text = (told["choices"][0]["message"]["content"] or "").replace(f" {MARK}", "")
            now[case.id] = score(task, case, Answer(case.question, text)).primary
            answers.append(told["id"])
            made = told.get("rung", {}).get("made_by", {})
    return now, failed, answers, made


def _one(server: PoolManager, url: str, headers: Mapping[str, str], model: str, question: str) -> dict[str, Any] | None:
    """The reply; None where the server could not answer this one. EndpointError where it answers none."""
    from urllib3.exceptions import HTTPError

    from rung.asking import why

    try:
        body = {"model": model, "messages": [{"role": "user", "content": question}]}
        said = server.request("POST", url, json=body, headers={**server.headers, **headers})
    except HTTPError as error:
        raise EndpointError(f"{url} does not answer: {why(error)}", "start `rung serve`, or name its address with --url") from None
    if said.status in (401, 403, 404):
        raise EndpointError(f"{url} refuses: {said.data.decode(errors='replace')[:300]}", "set RUNG_KEY to a key that may ask this model")
    return said.json() if said.status == 200 else None
