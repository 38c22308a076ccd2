"""The real command on projects that work and projects that do not; a real server that answers, refuses, or is not there."""

from __future__ import annotations

import json
import socket
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from shop_project import rung, write_toml

from rung.doctor import GIVES, examine
from rung.workspace.init import init_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    init_project(tmp_path)
    return tmp_path


def free() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def told(folder: Path) -> dict[str, tuple[str, str]]:
    return {one.what: (one.state, one.told + one.fix) for one in examine(folder)}


def test_a_new_project_has_nothing_wrong(project: Path) -> None:
    done = rung("doctor", str(project), "--json", "--port", free())
    assert done.returncode == 0, done.stdout + done.stderr
    found = {one["what"]: one for one in json.loads(done.stdout)["findings"]}
    assert found["cases"]["told"].startswith("2 cases")
    assert found["model"]["state"] == "ok"
    assert found["knowledge"]["state"] == "absent"  # not indexed yet
    assert found["knowledge"]["fix"].startswith("rung index ")


def test_after_indexing_the_documents_are_counted(project: Path) -> None:
    (project / "rung.toml").write_text(
        (project / "rung.toml").read_text().replace("[knowledge]", '[knowledge]\nembedder = "hashing"\nindex = "exact"')
    )
    assert rung("index", str(project)).returncode == 0
    assert told(project)["knowledge"][0] == "ok"
    assert told(project)["knowledge"][1].startswith("1 documents")


def test_every_extra_for_users_has_its_sentence() -> None:
    named = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(GIVES) == set(named) - {"all", "dev", "bench"}


def test_every_extra_is_told_and_what_is_installed_is_ok(project: Path) -> None:
    found = told(project)
    extras = {what.removeprefix("extra ") for what in found if what.startswith("extra ")}
    assert extras == set(GIVES)
    assert found["extra local"][0] == "ok"  # the tests run on it


def test_a_folder_without_a_project_is_no_fault(tmp_path: Path) -> None:
    done = rung("doctor", str(tmp_path), "--port", free())
    assert done.returncode == 0
    assert "holds no rung.toml" in done.stdout
    assert "rung init" in done.stdout


@pytest.mark.parametrize(
    ("toml", "what", "said"),
    [
        ("[modle]\n", "rung.toml", "modle"),
        ('[knowledge]\nfolder = "gone"\n', "knowledge", "there is no folder gone"),
        ('[model]\nname = "local:nowhere"\n', "model", "nowhere"),
        ('[project]\ncases = "none.jsonl"\n', "cases", "none.jsonl"),
    ],
)
def test_what_is_wrong_is_named_and_exits_with_one(project: Path, toml: str, what: str, said: str) -> None:
    (project / "rung.toml").write_text(toml)
    done = rung("doctor", str(project), "--port", free())
    assert done.returncode == 1, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("wrong")]
    assert len(lines) == 1
    assert what in lines[0]
    assert said in lines[0]
    assert "Traceback" not in done.stderr


@pytest.fixture
def server() -> Iterator[tuple[str, list[int]]]:
    """A server of the models list, and the status that it answers with."""
    status = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0])
            self.end_headers()
            self.wfile.write(b'{"data": []}')

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}/v1", status
        http.shutdown()
        thread.join()


@pytest.mark.parametrize(("answered", "state", "said"), [(200, "ok", "answers"), (401, "wrong", "key_env"), (503, "wrong", "503")])
def test_a_model_server_is_asked(project: Path, server: tuple[str, list[int]], answered: int, state: str, said: str) -> None:
    url, status = server
    status[0] = answered
    (project / "rung.toml").write_text(f'[model]\nname = "endpoint:some@{url}"\n')
    found = told(project)["model"]
    assert found[0] == state
    assert said in found[1]


def test_a_model_server_that_is_not_there(project: Path) -> None:
    (project / "rung.toml").write_text('[model]\nname = "endpoint:some@http://127.0.0.1:9/v1"\n')
    state, said = told(project)["model"]
    assert state == "wrong"
    assert "does not answer" in said


def test_a_changed_adapter_is_named(tmp_path: Path) -> None:
    write_toml(tmp_path)
    home = tmp_path / ".rung" / "adapters" / ("ab" * 8)
    home.mkdir(parents=True)
    assert not [one for one in examine(tmp_path) if one.what.startswith("adapter ")]  # it was never finished: nobody sees it


def test_a_port_that_is_taken_and_a_store_that_is_out_of_reach(project: Path) -> None:
    (project / "rung.toml").write_text('[serve]\nstore = "postgres:host=127.0.0.1 port=9 user=x"\n')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = {one.what: one for one in examine(project, taken.getsockname()[1])}
    assert (found["port"].state, found["store"].state) == ("wrong", "wrong")
    assert found["port"].fix
    assert found["store"].fix
