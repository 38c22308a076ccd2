"""A real `rung serve` on a small project, a client that logs in as a browser does, and a real Chromium, for the studio's tests."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[1]
AXE = Path(__file__).parent / "serve" / "vendor" / "axe-4.10.3.min.js"
PASSWORD = "correct horse battery"
TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


def leaflet(folder: Path, *documents: str) -> Path:
    """The example project with these documents (all, if none is named) and the quick embedder."""
    shutil.copytree(ROOT / "examples" / "leaflet", folder, ignore=shutil.ignore_patterns(".rung"))
    for path in (folder / "docs").iterdir():
        if documents and path.name not in documents:
            path.unlink()
    text = (folder / "rung.toml").read_text()
    text = text.replace('folder = "docs"', 'folder = "docs"\nembedder = "hashing"\nindex = "exact"')
    (folder / "rung.toml").write_text(text)
    return folder


@contextmanager
def serving(*folders: Path) -> Iterator[str]:
    """The address of a server on the project, or on several, until the block ends."""
    command = [sys.executable, "-m", "rung", "serve", *map(str, folders), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            line = server.stdout.readline()
            assert line.startswith("serving on http"), line
            yield line.split()[-1]
        finally:
            server.terminate()


@dataclass(frozen=True)
class Visitor:
    """Somebody with a session. `post` sends the token of the page that the form stands on."""

    web: httpx.Client

    def get(self, path: str) -> httpx.Response:
        return self.web.get(path)

    def post(self, page: str, path: str, /, files: Any = None, **fields: Any) -> httpx.Response:
        found = TOKEN.search(self.web.get(page).text)
        assert found, f"{page} has no form"
        return self.web.post(path, data={"csrf": found[1], **fields}, files=files)


def visitor(url: str) -> Visitor:
    """Somebody without a session."""
    return Visitor(httpx.Client(base_url=url, follow_redirects=True, timeout=60))


def set_up(url: str, folder: Path) -> Visitor:
    """The first admin."""
    made = visitor(url)
    code = (folder / ".rung" / "studio-setup").read_text()
    done = made.post("/setup", "/setup", code=code, name="admin", password=PASSWORD)
    assert done.status_code == 200
    assert done.url.path == "/"
    return made


def person(admin: Visitor, url: str, name: str, role: str) -> Visitor:
    """Somebody whom the admin adds, logged in."""
    admin.post("/settings", "/settings/add", name=name, role=role, password=PASSWORD)
    made = visitor(url)
    assert made.post("/login", "/login", name=name, password=PASSWORD).url.path == "/"
    return made


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


@contextmanager
def chromium(profile: Path, width: int = 1280, height: int = 900) -> Iterator[Any]:
    """A real browser; the test is skipped where there is none."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no chromium with chromium-driver on this machine")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = browser
    quiet = ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "disable-component-update")
    for one in (*quiet, "disable-sync", f"user-data-dir={profile}", f"window-size={width},{height}", "force-device-scale-factor=1"):
        options.add_argument(f"--{one}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    held = Chrome(options=options, service=ChromeService(driver))
    try:
        look(held, width, height)
        yield held
    finally:
        held.quit()


def look(browser: Any, width: int, height: int, *, dark: bool = False) -> None:
    """The size of the window, a phone's if it is narrow, and whether its owner likes it dark."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def serious(browser: Any) -> list[str]:
    """What axe finds serious or critical on the page; the page's policy has no say, as it comes through the driver."""
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found = browser.execute_async_script("const done = arguments[0]; axe.run(document).then(done, fault => done({fault: String(fault)}))")
    assert "fault" not in found, found
    bad = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:200]}" for one in bad for node in one["nodes"][:3]]
