"""A real Chromium walks the story: log in, upload, import, climb, read the verdict, chat and open a citation, compare, train,
promote, roll back, delete, forget. axe looks at every page. The screenshots of docs/studio.md are taken on the way, where
RUNG_SCREENSHOTS names a folder for them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from studio_server import PASSWORD, ROOT, chromium, leaflet, look, serious, serving, until

from rung.workspace.catalogue import moves

PAGES = (
    "/", "/documents", "/documents/search?q=volunteers", "/documents/view?path=welcome.md&start=10&end=60", "/cases",
    "/cases?side=examples", "/cases/edit?side=cases&id=welcome-1", "/climb", "/chat", "/compare", "/train", "/adapters",
    "/forget", "/monitor", "/monitor/feedback", "/diagnose", "/cost", "/advise", "/jobs", "/settings",
)  # fmt: skip
ROWS = 8  # enough to train on; the story is about the pages, not about what the adapter knows


class Walk:
    """One browser on one server; every step looks for what a person would see."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser, self.url = browser, url
        self.moved = False  # whether a bar was seen that shows how far a job is

    def open(self, path: str) -> None:
        self.browser.get(self.url + path)

    def all(self, css: str) -> list[Any]:
        return list(self.browser.find_elements("css selector", css))

    def one(self, css: str) -> Any:
        found: list[Any] = []
        until(lambda: bool(found.extend(self.all(css)) or found))  # what was found, though the page may change by now
        return found[0]

    def fill(self, css: str, text: str) -> None:
        field = self.one(css)
        field.clear()
        field.send_keys(text)

    def press(self, words: str) -> None:
        button = next(one for one in self.all("button, a.button, summary") if one.text == words and one.is_displayed())
        button.click()

    def text(self, css: str = "main") -> str:
        """What stands there, also while the page is replaced by the next one."""
        self.one(css)
        found = self.browser.execute_script("const one = document.querySelector(arguments[0]); return one ? one.innerText : ''", css)
        return str(found).strip()

    def begin(self, words: str) -> None:
        """Press a button that starts a job, and wait until the page follows it."""
        self.follow(lambda: self.press(words))

    def follow(self, start: Callable[[], None]) -> None:
        """Start a job, and wait until the page follows it."""
        script = "const one = document.querySelector('section.job'); return one ? one.id : ''"
        before = self.browser.execute_script(script)
        start()
        until(lambda: self.browser.execute_script(script) not in ("", before))

    def done(self) -> None:
        """Wait for the end of the job that the page follows."""
        until(lambda: not self.moves() and self.over())
        assert self._state() == "done", self.text()

    def job(self, words: str) -> None:
        self.begin(words)
        self.done()

    def moves(self) -> bool:
        """Whether the page shows how far the job is. A quick job may end before."""
        seen = bool(self.all("section.job progress"))
        self.moved = self.moved or seen
        return seen

    def over(self) -> bool:
        return self._state() in ("done", "failed")

    def _state(self) -> str:
        found = self.browser.execute_script("const one = document.querySelector('section.job .state'); return one ? one.textContent : ''")
        return str(found)

    def shoot(self, name: str) -> None:
        if folder := os.environ.get("RUNG_SCREENSHOTS"):
            import base64

            told = self.browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": 80})
            (Path(folder) / f"{name}.webp").write_bytes(base64.b64decode(told["data"]))


def test_the_whole_story_in_a_browser(tmp_path: Path) -> None:
    folder = leaflet(tmp_path / "leaflet", "welcome.md")
    cases = (folder / "cases.jsonl").read_text().splitlines()
    (folder / "cases.jsonl").write_text("\n".join(cases[::2]) + "\n")  # half of them, from every document
    table = tmp_path / "solved.csv"
    table.write_text("Frage,Antwort\n" + "\n".join(f"Which shelf holds tool number {n}?,Shelf {n % 7}" for n in range(ROWS)) + "\n")
    with serving(folder) as url, chromium(tmp_path / "profile") as browser:
        walk = Walk(browser, url)
        first: list[Callable[[Walk, Path, Path], None]] = [log_in, upload, bring_examples, climb, talk, watched, compared]
        for step in (*first, train, move_labels, others, delete, forget):
            step(walk, folder, table)
        assert walk.moved
        assert [one for one in browser.get_log("browser") if one["level"] == "SEVERE"] == []


def log_in(walk: Walk, folder: Path, table: Path) -> None:
    walk.open("/")
    assert walk.browser.current_url.endswith("/setup")
    walk.fill("#code", (folder / ".rung" / "studio-setup").read_text())
    walk.fill("#password", PASSWORD)
    walk.press("Set it")
    until(lambda: walk.text("h1") == "Overview")
    assert not (folder / ".rung" / "studio-setup").exists()


def upload(walk: Walk, folder: Path, table: Path) -> None:
    walk.open("/documents")
    docs = [str(path) for path in sorted((ROOT / "examples" / "leaflet" / "docs").iterdir()) if path.name != "welcome.md"]
    walk.one("#files").send_keys("\n".join(docs))
    walk.job("Upload and read")
    assert f"{len(docs)} added" in walk.text()
    assert f"{len(docs) + 1} documents" in walk.text()
    walk.shoot("documents")


def bring_examples(walk: Walk, folder: Path, table: Path) -> None:
    walk.open("/cases?side=examples")
    walk.one("#file").send_keys(str(table))
    walk.press("Look at its columns")
    walk.one("#map-question").send_keys("Frage")
    walk.one("#map-answer").send_keys("Antwort")
    walk.job("Import")
    until(lambda: f"{ROWS} examples" in walk.text())
    walk.job("Audit the examples")
    until(lambda: "What the audit found" in walk.text())


def climb(walk: Walk, folder: Path, table: Path) -> None:
    walk.open("/climb")
    for box in walk.all("[name=rung]"):
        if box.is_selected() != (box.get_attribute("value") in ("prompt", "rag")):
            box.click()
    walk.begin("Climb")
    until(lambda: walk.moves() or walk.over())
    walk.shoot("climbing")
    walk.done()
    told = json.loads(next((folder / ".rung").glob("runs/*/climb.json")).read_text())
    until(lambda: told["verdict"]["sentence"][1:] in walk.text())  # its first letter is shown as a capital
    walk.shoot("verdict")
    walk.open(str(walk.one("a[href*='/climb/report']").get_attribute("href")).removeprefix(walk.url))
    until(lambda: bool(walk.all("canvas")))  # its own scripts run, in an origin of its own
    assert walk.browser.execute_script("try { return document.cookie } catch (fault) { return fault.name }") == "SecurityError"


def talk(walk: Walk, folder: Path, table: Path) -> None:
    walk.open("/chat")
    walk.one("#model").send_keys("rag")
    walk.fill("#question", "How many volunteers run the Shed?")
    walk.press("Ask")
    walk.one(".turns .fine")
    assert walk.text(".turns .said-text")
    walk.shoot("chat")
    cited = walk.one("a.cite").get_attribute("title")
    walk.one("a.cite").click()
    assert walk.text("#quote").splitlines()[0] in (folder / "docs" / cited).read_text()
    assert walk.browser.execute_script("const at = document.getElementById('quote').getBoundingClientRect(); return at.top < innerHeight")
    walk.shoot("citation")


def watched(walk: Walk, folder: Path, table: Path) -> None:
    walk.open("/chat")
    walk.fill("#question", "Who waters the plants of the Shed?")
    walk.press("Ask")
    walk.one(".turns form.rate")
    walk.press("Correct it")
    walk.fill("form.rate textarea", "The volunteers on duty")
    walk.press("Send")
    until(lambda: "Thank you" in walk.text(".turns"))
    walk.open("/monitor")
    assert "The volunteers on duty" in walk.text("#waiting")
    walk.shoot("monitor")
    walk.press("Measure on it")
    until(lambda: "is a case now" in walk.text())
    walk.job("Replay them now")
    until(lambda: "holds" in walk.text() or "became" in walk.text())
    assert "The volunteers on duty" in (folder / "cases.jsonl").read_text()


def compared(walk: Walk, folder: Path, table: Path) -> None:
    walk.open("/compare")
    walk.fill("#question", "How many volunteers run the Shed?")
    walk.one("[name=blind]").click()
    walk.press("Ask all")
    walk.one("#vote:not([hidden])")
    assert walk.text(".columns h2").startswith("Answer ")
    walk.shoot("compare")
    walk.all("#vote [name=choice]")[0].click()
    walk.one("#vote [name=good]").click()
    walk.press("Vote")
    until(lambda: "1 vote" in walk.text())
    walk.open("/monitor")
    assert "1 up" in walk.text()


def train(walk: Walk, folder: Path, table: Path) -> None:
    walk.open("/train")
    walk.fill("#rank", "2")
    walk.fill("#epochs", "2")
    walk.press("Keep the recipe")
    until(lambda: "rank = 2" in (folder / "rung.toml").read_text())
    walk.job("What would it take?")
    until(lambda: "rows to train on" in walk.text() and "of memory" in walk.text())
    walk.job("Train")
    walk.one("svg.curve")
    walk.shoot("train")


def move_labels(walk: Walk, folder: Path, table: Path) -> None:
    walk.open("/adapters")
    walk.press("Promote, label or export")
    walk.fill("[id^=label-]", "shed/prod")
    walk.fill("[id^=why-]", "the story needs it")
    walk.job("Measure and promote")
    until(lambda: "shed/prod" in walk.text(".label"))
    walk.open("/train")
    walk.fill("#epochs", "1")
    walk.press("Keep the recipe")
    until(lambda: "epochs = 1" in (folder / "rung.toml").read_text())
    next(one for one in walk.all("[name=rung]") if one.get_attribute("value") == "raft").click()
    walk.job("Train")
    walk.open("/adapters")
    card = next(one for one in walk.all(".card") if "shed/prod" not in one.text)
    card.find_element("css selector", "summary").click()
    card.find_element("css selector", "[id^=label-]").send_keys("shed/prod")
    card.find_element("css selector", "[id^=why-]").send_keys("again")
    walk.follow(card.find_element("css selector", "button").click)
    walk.done()
    walk.job("Roll back")
    until(lambda: "rollback" in walk.text())
    assert {one.who for one in moves(folder / ".rung")} == {"admin"}  # not whoever started the server
    walk.shoot("adapters")
    next(one for one in walk.all(".card") if "shed/prod" not in one.text).find_element("css selector", "a").click()
    drawn = walk.one("svg.flow").get_attribute("textContent")
    assert "welcome.md" in drawn  # raft learned from passages
    assert serious(walk.browser) == []
    walk.shoot("lineage")


def delete(walk: Walk, folder: Path, table: Path) -> None:
    walk.open("/documents/view?path=tool-library.md")
    walk.press("Delete it")
    walk.job("Delete the file")
    until(lambda: "tool-library.md" not in walk.text())
    assert not (folder / "docs" / "tool-library.md").exists()


def others(walk: Walk, folder: Path, table: Path) -> None:
    walk.open("/diagnose")
    walk.fill("#cases", "4")
    walk.job("Diagnose")
    until(lambda: "of 4 are right" in walk.text())
    assert "Why the others are wrong" in walk.text()
    walk.open("/cost")
    walk.job("Work it out")
    until(lambda: "heapest per correct answer" in walk.text())
    for path in PAGES:
        walk.open(path)
        assert serious(walk.browser) == [], path


def forget(walk: Walk, folder: Path, table: Path) -> None:
    walk.open("/documents/view?path=safety.md")
    path = walk.browser.current_url
    name = next(one for one in walk.all("a") if one.text == "Forget it") if "Forget it" in walk.text() else None
    assert name, path
    name.click()
    walk.one("[name=delete_source]").click()
    walk.one("[name=really]").click()
    walk.job("Forget")
    until(lambda: "Certificate" in walk.text())
    assert not (folder / "docs" / "safety.md").exists()


def test_every_page_is_clean_at_every_size_and_in_the_dark(tmp_path: Path) -> None:
    folder = leaflet(tmp_path / "leaflet")
    looks = [(390, False), (390, True), (1280, True)]
    with serving(folder) as url, chromium(tmp_path / "profile") as browser:
        walk = Walk(browser, url)
        for width, dark in looks:
            look(browser, width, 844, dark=dark)
            walk.open("/setup")
            assert serious(browser) == []
        log_in(walk, folder, tmp_path)
        for width, dark in looks:
            look(browser, width, 844, dark=dark)
            for path in PAGES:
                walk.open(path)
                assert serious(browser) == [], (path, width, dark)
                assert browser.execute_script("return document.documentElement.scrollWidth - innerWidth") <= 0, (path, width)
            walk.open("/")
            walk.shoot(f"overview-{'dark' if dark else 'light'}-{'phone' if width < 600 else 'desktop'}")
        assert [one for one in browser.get_log("browser") if one["level"] == "SEVERE"] == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desktop", "dark phone"])
def test_projects_are_listed_made_and_left(tmp_path: Path, width: int, dark: bool) -> None:
    home = tmp_path / "projects"
    home.mkdir()
    for name in ("leaflet", "second"):
        leaflet(home / name, "welcome.md")
    told = (home / "second" / "rung.toml").read_text()
    (home / "second" / "rung.toml").write_text(told.replace('name = "leaflet"', 'name = "Front desk"'))
    with serving(home) as url, chromium(tmp_path / "profile", width, 844, dark=dark) as browser:
        walk = Walk(browser, url)

        def clean() -> None:
            assert serious(browser) == [], browser.current_url
            assert browser.execute_script("return document.documentElement.scrollWidth - innerWidth") <= 0, browser.current_url

        walk.open("/")
        until(lambda: walk.text("h1") == "Set the first password", 20)
        clean()
        walk.fill("#code", (home / "leaflet" / ".rung" / "studio-setup").read_text())
        walk.fill("#password", PASSWORD)
        walk.press("Set it")
        until(lambda: walk.text("h1") == "Overview", 20)
        clean()
        browser.find_element("link text", "All projects").click()
        until(lambda: walk.text("h1") == "Projects", 20)
        clean()
        assert "Front desk" in walk.text()
        if width > 600:
            walk.shoot("projects")
        (home / "broken").mkdir()
        (home / "broken" / "rung.toml").write_text("[model]\nname = 7\n")
        walk.open("/")
        assert "can't be opened" in walk.text()
        clean()
        walk.fill("#name", "third")
        walk.press("Make it")
        until(lambda: "Upload the documents" in walk.text(), 20)
        clean()
        for path in ("/chat", "/documents", "/cases", "/monitor"):
            walk.open(f"/p/third{path}")
            clean()
        walk.open("/p/second/chat")
        walk.fill("#question", "How many volunteers run the Shed?")
        walk.press("Ask")
        walk.one(".turns .fine")
        walk.one("a.cite").click()
        assert "/p/second/documents/view" in browser.current_url
        walk.press("Log out")
        until(lambda: walk.text("h1") == "Log in", 20)
        clean()
        walk.open("/nowhere")
        assert "no such page" in walk.text()
        clean()
        walk.open("/p/leaflet/")
        assert walk.text("h1") == "Log in"
        refused = [one["message"] for one in browser.get_log("browser") if one["level"] == "SEVERE"]
        assert [one for one in refused if "404" not in one] == []
