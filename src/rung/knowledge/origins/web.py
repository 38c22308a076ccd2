"""Web pages, from addresses, sitemaps and links. It refuses what robots.txt forbids, hosts not on the list, and private addresses.

Every page is kept in a cache with its ETag and date, so a page that did not change is answered with a few bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import time
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

from rung.errors import ConfigError, KnowledgeError
from rung.knowledge.origins import Entry, wanted
from rung.knowledge.origins.crawl import links, rules, says, sitemap
from rung.knowledge.origins.fetch import AGENT, Fetched, Guard, Refused, Unreachable, certificates, fetch, normal
from rung.knowledge.read import read_document
from rung.knowledge.reading import Unreadable
from rung.knowledge.replace import replace_file
from rung.types import Document

if TYPE_CHECKING:
    from rung.sources import WebSource

ENDINGS = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "application/pdf": ".pdf",
    "application/epub+zip": ".epub",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)")
SITEMAPS = 200  # files of one index at most


@dataclass
class Page:
    """A page as it was found: its last address, the ending that tells its format, and why it could not be had."""

    url: str
    ending: str = ""
    charset: str = ""  # what the server says of it, which goes before what the page says
    modified: str = ""
    trouble: str = ""


@dataclass
class Web:
    """A crawl; stamps are hashes of bodies. Not frozen: a listing notes the pages, robots rules and the last request."""

    source: WebSource
    guard: Guard
    cache: Path
    pages: dict[str, Page] = field(default_factory=dict)
    robots: dict[str, RobotFileParser] = field(default_factory=dict)
    asked: float = 0.0  # monotonic seconds of the last request
    ocr: str = ""

    def entries(self) -> Iterator[Entry]:
        """The pages in the order they were found. KnowledgeError where a page or sitemap to begin with can't be had."""
        self.pages.clear()
        self.robots.clear()
        self.cache.mkdir(parents=True, exist_ok=True)
        trusted = certificates(self.guard)
        start = [(url, 0) for url in dict.fromkeys((*self.source.pages, *self._listed(trusted)))]
        yield from self._crawl(trusted, start)
        kept = {_name(page.url) for page in self.pages.values()}
        for path in self.cache.iterdir():
            if path.stem not in kept:
                path.unlink()

    def read(self, path: str) -> Document:
        """A page of the last listing, with `url` and its date in the meta."""
        page = self.pages[path]
        if page.trouble:
            raise Unreadable(page.trouble)
        raw = self._kept(page.url).read_bytes()
        document = read_document(_transcoded(raw, page.charset), f"page{page.ending}", self.ocr)
        meta = {"modified": page.modified} if page.modified else {}
        title = path.rstrip("/").rsplit("/", 1)[-1] if document.title == "page" else document.title
        digest = hashlib.sha256(raw).hexdigest()
        return replace(document, path=path, title=title, hash=digest, meta={**meta, **document.meta, "url": page.url})

    def _crawl(self, trusted: ssl.SSLContext, start: list[tuple[str, int]]) -> Iterator[Entry]:
        queue, met = deque(start), set()
        first = {url for url, _ in start[: len(self.source.pages)]}
        while queue:
            url, depth = queue.popleft()
            try:
                address = normal(url)
                if address in met or (url not in first and not self._wanted(address)):
                    continue
                met.add(address)
                if len(self.pages) >= self.source.most_pages:
                    yield Entry(path_of(address), refused=f"is one page too many: most_pages = {self.source.most_pages}")
                    return
                page, body = self._page(trusted, address)
            except Refused as error:
                yield Entry(_shown(url), refused=str(error))
                continue
            except Unreachable as error:
                if url in first:
                    raise KnowledgeError(f"{url} {error}", "check the address, or take it out of rung.toml") from None
                self.pages[path_of(address)] = Page(address, trouble=str(error))
                yield Entry(path_of(address))
                continue
            met.add(page.url)
            if page.ending == ".html":
                text = body.decode("utf-8", errors="replace")
                if depth < self.source.depth:
                    queue.extend((link, depth + 1) for link in links(text, page.url))
                if says(text, "noindex"):
                    yield Entry(path_of(page.url), refused="says noindex")
                    continue
            if path_of(page.url) not in self.pages:
                self.pages[path_of(page.url)] = page
                yield Entry(path_of(page.url), hashlib.sha256(body).hexdigest())

    def _page(self, trusted: ssl.SSLContext, address: str) -> tuple[Page, bytes]:
        """A page and its body, from the cache where the server says that it is unchanged. Raises Refused and Unreachable."""
        answer = self._ask(trusted, address)
        if answer.status != 200:
            if answer.status in (404, 410):
                raise Refused(f"is gone (the server said {answer.status})")
            raise Unreachable(f"can't be had (the server said {answer.status})")
        kind, _, more = answer.headers.get("content-type", "text/html").lower().partition(";")
        if kind.strip() not in ENDINGS:
            raise Refused(f"is {kind.strip()}, for which there is no reader")
        charset = _CHARSET.search(more) if kind.startswith("text/") else None
        modified = answer.headers.get("last-modified", "")
        return Page(answer.url, ENDINGS[kind.strip()], charset.group(1) if charset else "", modified), answer.body

    def _ask(self, trusted: ssl.SSLContext, address: str) -> Fetched:
        """The answer, a 304 filled in from the cache. Raises Refused, also where robots.txt forbids it, and Unreachable."""
        known = self._known(address)

        def check(url: str) -> None:
            if not self._robots(trusted, url).can_fetch(AGENT, url):
                raise Refused("is forbidden by robots.txt" if url == address else "leads to a page that robots.txt forbids")

        check(address)
        self._wait(address)
        answer = fetch(trusted, self.guard, address, {address: known}, check)
        if answer.status == 304 and known:
            told = json.loads(self._kept(address).with_suffix(".json").read_text(encoding="utf-8"))
            return Fetched(address, 200, told, self._kept(address).read_bytes())
        if answer.status == 200:
            replace_file(self._kept(answer.url), answer.body)
            told = {name: answer.headers[name] for name in ("etag", "last-modified", "content-type") if name in answer.headers}
            replace_file(self._kept(answer.url).with_suffix(".json"), json.dumps(told).encode())
        return answer

    def _known(self, address: str) -> Mapping[str, str]:
        """Headers that ask for the page only if it is not the one in the cache; none where there is none."""
        body = self._kept(address)
        try:
            told = json.loads(body.with_suffix(".json").read_text(encoding="utf-8"))
            asked = {"If-None-Match": told.get("etag"), "If-Modified-Since": told.get("last-modified")}
            return {name: str(value) for name, value in asked.items() if value} if body.is_file() else {}
        except (OSError, ValueError, AttributeError):
            return {}

    def _listed(self, trusted: ssl.SSLContext) -> list[str]:
        """The pages of all sitemaps. KnowledgeError where one can't be had."""
        found: list[str] = []
        queue, met = deque(self.source.sitemaps), set[str]()
        while queue and len(met) < SITEMAPS:
            url = queue.popleft()
            if url in met:
                continue
            met.add(url)
            try:
                self._wait(url)
                answer = fetch(trusted, self.guard, url)
                if answer.status != 200:
                    raise Unreachable(f"can't be had (the server said {answer.status})")
                pages, more = sitemap(answer.body, self.guard.largest)
            except (Refused, Unreachable, Unreadable) as error:
                raise KnowledgeError(f"the sitemap {url} {error}", "check the address, hosts and largest_mb in rung.toml") from None
            found += pages
            queue.extend(more)
        return found

    def _robots(self, trusted: ssl.SSLContext, address: str) -> RobotFileParser:
        parts = urlsplit(address)
        place = f"{parts.scheme}://{parts.netloc}"
        if place not in self.robots:
            try:
                answer = fetch(trusted, self.guard, f"{place}/robots.txt")
                self.robots[place] = rules(answer.status, answer.body.decode("utf-8", errors="replace"))
            except Unreachable:
                self.robots[place] = rules(503, "")
        return self.robots[place]

    def _wait(self, address: str) -> None:
        parts = urlsplit(address)
        told = self.robots.get(f"{parts.scheme}://{parts.netloc}")
        asked = float(told.crawl_delay(AGENT) or 0) if told and told.mtime() else 0.0
        pause = self.asked + max(self.source.delay, min(asked, 30.0)) - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        self.asked = time.monotonic()

    def _wanted(self, address: str) -> bool:
        return self.guard.allows(address) and wanted(address, self.source.include, self.source.exclude)

    def _kept(self, address: str) -> Path:
        return self.cache / f"{_name(address)}.body"


def open_origin(source: WebSource, project: Path, cache: Path) -> Web:
    """The pages that the table names; nothing is asked yet. ConfigError where it names none."""
    begin = (*source.pages, *source.sitemaps)
    if not begin:
        raise ConfigError(f"the source '{source.name}' names neither pages nor sitemaps", 'write pages = ["https://..."]')
    hosts = source.hosts or tuple(dict.fromkeys(urlsplit(url).hostname or "" for url in begin))
    ca_file = str(project / source.ca_file) if source.ca_file else ""
    if ca_file and not Path(ca_file).is_file():
        raise ConfigError(f"there is no file {ca_file}", f"mend ca_file of the source '{source.name}'")
    guard = Guard(hosts, source.allow_private, source.largest_mb << 20, source.timeout, ca_file)
    return Web(source, guard, cache / "web" / source.name)


def _transcoded(raw: bytes, charset: str) -> bytes:
    """The text in UTF-8 with a mark that says so, where the server named another charset that is known."""
    if not charset or charset in ("utf-8", "utf8"):
        return raw
    try:
        return BOM_UTF8 + raw.decode(charset, errors="replace").encode(errors="replace")
    except LookupError:
        return raw


def path_of(address: str) -> str:
    """The document's path of a page: its address without the scheme."""
    return address.partition("://")[2]


def _shown(url: str) -> str:
    return url.partition("://")[2] or url


def _name(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:32]
