"""Tuning by any OpenAI-compatible fine-tuning API: files go up, a job runs there, its events are told, a model's name comes back.

It refuses to start a second job for the same rows: the job's id is kept, and the same command waits for it again.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import HTTPError

from rung.asking import client
from rung.errors import EndpointError, TuningError
from rung.tuning.adapters import adapter_name, find, lineage, store
from rung.tuning.recipe import Recipe
from rung.tuning.rows import Row
from rung.types import Json

Say = Callable[[str], None]
_ENDED = ("succeeded", "failed", "cancelled")
_AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Remote:
    """`url` is the API's base, such as https://api.openai.com/v1; the key is read from the environment at each call."""

    url: str
    model: str
    key_env: str = ""
    poll: float = 5.0  # seconds between looks at the job
    retries: int = 5
    timeout: float = 120.0


def tune(
    remote: Remote,
    training: Sequence[Row],
    validation: Sequence[Row],
    recipe: Recipe,
    adapters: Path,
    documents: dict[str, str],
    base_id: str,
    say: Say,
) -> Path:
    """An adapter's folder that names the tuned model in `remote.json`. Interrupted or killed, it waits for the same job again.

    EndpointError where the server can't be reached or refuses, TuningError where the job fails or was cancelled.
    """
    name = adapter_name(recipe, base_id, training, validation)
    ready = find(adapters, name)
    if ready:
        return ready
    work = adapters / f"{name}.partial"
    work.mkdir(parents=True, exist_ok=True)
    with client(remote.url, remote.timeout) as asked:
        job = _job(asked, remote, work, training, validation, recipe, say)
        try:
            done = _waited(asked, remote, job, say)
        except KeyboardInterrupt:
            say(f"job {job} goes on at {remote.url}; the same command waits for it, rung train --cancel ends it")
            raise
    if done["status"] != "succeeded":
        shutil.rmtree(work)  # the next command starts a job of its own
        why = (done.get("error") or {}).get("message") or done["status"]
        raise TuningError(f"the tuning job {job} at {remote.url} ended as {done['status']}: {why}", "mend what it says and run again")
    return _kept(remote, work, done, {"rows.json": lineage(training, validation, documents, base_id), "recipe.json": asdict(recipe)})


def cancel(remote: Remote, adapters: Path, say: Say) -> int:
    """End the jobs that this project waits for; how many."""
    jobs = sorted(adapters.glob("*.partial/job.json"))
    with client(remote.url, remote.timeout) as asked:
        for path in jobs:
            job = json.loads(path.read_text(encoding="utf-8"))["id"]
            status = _asked(asked, remote, "POST", f"/fine_tuning/jobs/{job}/cancel")["status"]
            say(f"job {job}: {status}")
            shutil.rmtree(path.parent)
    return len(jobs)


def _job(
    asked: PoolManager, remote: Remote, work: Path, training: Sequence[Row], validation: Sequence[Row], recipe: Recipe, say: Say
) -> str:
    """The id of the job, begun unless it was before; it is written down before anything else happens."""
    path = work / "job.json"
    if path.exists():
        job = str(json.loads(path.read_text(encoding="utf-8"))["id"])
        say(f"waiting for job {job} again")
        return job
    file = _sent(asked, remote, "training.jsonl", training)
    body = {
        "model": remote.model,
        "training_file": file,
        "validation_file": _sent(asked, remote, "validation.jsonl", validation),
        "seed": recipe.seed,
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": recipe.epochs, "batch_size": recipe.batch_rows}}},
    }
    job = _begun(asked, remote, file, body)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"id": job["id"], "url": remote.url}), encoding="utf-8")
    os.replace(temporary, path)
    say(f"job {job['id']} at {remote.url}: {len(training)} rows to learn, {len(validation)} to validate on")
    return str(job["id"])


def _begun(asked: PoolManager, remote: Remote, file: str, body: Json) -> Json:
    """The new job. It is not asked for twice: where the answer was lost, the job that reads our file is looked for."""
    try:
        return _asked(asked, replace(remote, retries=0), "POST", "/fine_tuning/jobs", json=body)
    except EndpointError:
        for job in _asked(asked, remote, "GET", "/fine_tuning/jobs", fields={"limit": "20"})["data"]:
            if job["training_file"] == file:
                return job
        raise


def _sent(asked: PoolManager, remote: Remote, name: str, rows: Sequence[Row]) -> str:
    """The id of an uploaded file of chats."""
    lines = "".join(json.dumps({"messages": row.messages}, ensure_ascii=False) + "\n" for row in rows)
    fields = {"purpose": "fine-tune", "file": (name, lines.encode(), "application/jsonl")}
    return str(_asked(asked, remote, "POST", "/files", fields=fields)["id"])


def _waited(asked: PoolManager, remote: Remote, job: str, say: Say) -> Json:
    """The job once it has ended; each event is said once."""
    told: set[str] = set()
    while True:
        found = _asked(asked, remote, "GET", f"/fine_tuning/jobs/{job}")  # before the events, so that none is missed at the end
        events = _asked(asked, remote, "GET", f"/fine_tuning/jobs/{job}/events", fields={"limit": "100"})["data"]
        for event in sorted(events, key=lambda event: event["created_at"]):
            if event["id"] not in told:
                told.add(event["id"])
                say(f"{job}: {event['message']}")
        if found["status"] in _ENDED:
            return found
        time.sleep(remote.poll)


def _kept(remote: Remote, work: Path, done: Json, told: dict[str, Json]) -> Path:
    name = work.name.removesuffix(".partial")
    temporary = work.parent / f"{name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    model = {"model": done["fine_tuned_model"], "url": remote.url, "key_env": remote.key_env, "job": done["id"]}
    path = store(temporary, work.parent, name, {"remote.json": model, **told})
    shutil.rmtree(work)
    return path


def _asked(asked: PoolManager, remote: Remote, method: str, path: str, **body: Json) -> Json:
    """The server's JSON. What may be asked again is, with longer and longer waits. EndpointError otherwise."""
    key = os.environ.get(remote.key_env, "") if remote.key_env else ""
    if remote.key_env and not key:
        raise EndpointError(f"the environment variable {remote.key_env} is not set", f"put the API key of {remote.url} into it")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    for attempt in range(remote.retries + 1):
        last = attempt == remote.retries
        try:
            response = asked.request(method, remote.url + path, headers={**asked.headers, **headers}, **body)
        except HTTPError as error:
            if last:
                raise EndpointError(f"nothing answers at {remote.url} ({type(error).__name__})", "mend remote under [tuning]") from error
        else:
            if response.status < 300:
                return _json(remote, response)
            if last or response.status not in _AGAIN:
                raise _refused(remote, response, key)
        time.sleep(min(0.5 * 2.0**attempt, 30.0))
    raise AssertionError("the last attempt returns or raises")


def _json(remote: Remote, response: BaseHTTPResponse) -> Json:
    try:
        return response.json()
    except ValueError:
        raise EndpointError(f"{remote.url} did not answer in JSON", "the base url usually ends in /v1") from None


def _refused(remote: Remote, response: BaseHTTPResponse, key: str) -> EndpointError:
    said = " ".join(response.data.decode(errors="replace").split())[:200]
    said = said.replace(key, "***") if key else said
    if response.status in (401, 403):
        hint = "name the variable that holds the key: key_env under [tuning]"
        return EndpointError(f"{remote.url} refused the API key ({response.status})", hint)
    return EndpointError(f"{remote.url} refused ({response.status}): {said}", "does the server offer fine-tuning for this model?")
