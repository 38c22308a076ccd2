"""The files that put the server into production name verbs, options, extras and paths that exist, and run nothing as root."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from rung.cli import app

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
KUBERNETES: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text(encoding="utf-8")))
UNIT = (ROOT / "deploy" / "rung.service").read_text(encoding="utf-8")


def commands() -> Iterator[list[str]]:
    """Every command line of `rung` in these files."""
    entry = re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert entry
    yield yaml.safe_load(entry[1])
    yield COMPOSE["services"]["rung"]["command"]
    yield pod()["containers"][0]["args"]
    started = re.search(r"^ExecStart=\S+/rung (.*)$", UNIT, re.MULTILINE)
    assert started
    yield shlex.split(started[1])


def pod() -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in KUBERNETES if one["kind"] == "Deployment")["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("command", list(commands()))
def test_each_command_is_one_that_the_command_line_takes(command: list[str]) -> None:
    group = typer.main.get_command(app)
    verb = group.commands[command[0]]  # type: ignore[attr-defined]
    context = verb.make_context(command[0], command[1:])  # raises where an option is unknown or a value is of another kind
    assert context.params["port"] == 8000


def test_the_image_installs_extras_that_exist_and_pinned_versions() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = re.search(r"^ARG EXTRAS=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert named
    assert set(named[1].split(",")) <= extras.keys()
    assert "-c requirements.lock" in DOCKERFILE
    for copied in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split())


def test_nothing_runs_as_root_or_has_more_rights_than_it_needs() -> None:
    assert re.search(r"^USER rung$", DOCKERFILE, re.MULTILINE)
    assert COMPOSE["services"]["rung"]["cap_drop"] == ["ALL"]
    assert pod()["securityContext"]["runAsNonRoot"] is True
    container = pod()["containers"][0]["securityContext"]
    assert container["allowPrivilegeEscalation"] is False
    assert container["readOnlyRootFilesystem"] is True
    assert "NoNewPrivileges=yes" in UNIT


def test_no_password_stands_in_a_file() -> None:
    settings = COMPOSE["services"]["rung"]["environment"] | COMPOSE["services"]["db"]["environment"]
    assert all(value.startswith("${RUNG_DB_PASSWORD:?") for name, value in settings.items() if "PASSWORD" in name)
    assert [one["valueFrom"].keys() for one in pod()["containers"][0]["env"]] == [{"secretKeyRef"}]


def test_images_have_versions() -> None:
    images = [service["image"] for service in COMPOSE["services"].values() if "build" not in service]
    images += [container["image"] for container in pod()["containers"]]
    assert all(re.search(r":v?\d", image) for image in images), images


def test_selectors_meet_the_pods() -> None:
    labels = next(one for one in KUBERNETES if one["kind"] == "Deployment")["spec"]["template"]["metadata"]["labels"]
    for one in KUBERNETES:
        selector = one["spec"].get("selector", {})
        assert selector.get("matchLabels", selector).items() <= labels.items()


def test_volumes_that_are_mounted_are_there() -> None:
    known = {volume["name"] for volume in pod()["volumes"]}
    assert {mount["name"] for mount in pod()["containers"][0]["volumeMounts"]} == known
    claims = {one["metadata"]["name"] for one in KUBERNETES if one["kind"] == "PersistentVolumeClaim"}
    assert {volume["persistentVolumeClaim"]["claimName"] for volume in pod()["volumes"] if "persistentVolumeClaim" in volume} <= claims


def test_compose_takes_the_file() -> None:
    command = next((one for one in (["docker", "compose"], ["docker-compose"]) if composes(one)), None)
    if not command:
        pytest.skip("neither `docker compose` nor docker-compose is installed")
    words = [*command, "-f", str(ROOT / "compose.yaml"), "--profile", "vllm", "config"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUNG_")}
    refused = subprocess.run(words, capture_output=True, text=True, check=False, env=kept)
    assert refused.returncode != 0
    assert "set RUNG_DB_PASSWORD" in refused.stderr
    told = subprocess.run(words, capture_output=True, text=True, check=False, env=kept | {"RUNG_DB_PASSWORD": "x", "RUNG_USER": "1:2"})
    assert told.returncode == 0, told.stderr
    services = yaml.safe_load(told.stdout)["services"]
    assert services.keys() == {"rung", "db", "vllm"}
    assert services["rung"]["user"] == "1:2"


def composes(command: list[str]) -> bool:
    return bool(shutil.which(command[0])) and not subprocess.run([*command, "version"], capture_output=True, check=False).returncode


def test_kubernetes_takes_the_file(tmp_path: Path) -> None:
    program = Path(sys.prefix) / "clients" / "bin" / "kubernetes-validate"
    if not program.exists():
        pytest.skip("kubernetes-validate is not installed: make clients")
    file = ROOT / "deploy" / "kubernetes.yaml"
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(file.read_text(encoding="utf-8").replace("readinessProbe", "readyProbe"), encoding="utf-8")
    for path, refused in ((file, False), (wrong, True)):
        done = subprocess.run([str(program), "--strict", str(path)], capture_output=True, text=True, check=False)
        assert bool(done.returncode) == refused, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_one_that_systemd_reads(tmp_path: Path) -> None:
    unit = tmp_path / "rung.service"
    unit.write_text(UNIT.replace("/opt/rung/bin/rung", shutil.which("true") or "/bin/true"), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "rung.service:" not in done.stderr
