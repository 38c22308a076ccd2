"""`rung doctor` tells what works, what is missing and how to get it, by trying."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from serving_project import write_project
from shop_project import rung


def found(folder: Path, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = rung("doctor", str(folder), "--json", *words)
    told = json.loads(done.stdout)
    assert (done.returncode == 1) == (told["wrong"] > 0), done.stderr
    return done.returncode, {one["what"]: one for one in told["found"]}


def free() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def test_a_project_that_is_well(tmp_path: Path) -> None:
    write_project(tmp_path)
    code, told = found(tmp_path, "--port", free())
    assert (code, told["index"]["state"], told["index"]["hint"]) == (1, "wrong", f"run `rung index {tmp_path}`")
    assert rung("index", str(tmp_path)).returncode == 0
    code, told = found(tmp_path, "--port", free())
    assert code == 0, told
    assert told["index"]["said"] == "3 documents"
    assert told["extra serve"]["state"] == "ok"
    assert "all well" in rung("doctor", str(tmp_path), "--port", free()).stdout


def test_what_is_wrong_is_named_with_what_to_do(tmp_path: Path) -> None:
    write_project(tmp_path, "endpoint:llama@http://127.0.0.1:9/v1", '[serve]\nstore = "postgres:host=127.0.0.1 port=9 user=x"\n')
    (tmp_path / "cases.jsonl").unlink()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, told = found(tmp_path, "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert {what for what, one in told.items() if one["state"] == "wrong"} == {"port", "cases", "model", "index", "store"}
    assert all(one["hint"] for one in told.values() if one["state"] == "wrong")


def test_without_a_project_the_installation_alone(tmp_path: Path) -> None:
    code, told = found(tmp_path, "--port", free())
    assert (code, told["project"]["state"]) == (0, "off")
    (tmp_path / "rung.toml").write_text("[serv]\n")
    assert found(tmp_path, "--port", free())[1]["project"]["state"] == "wrong"
