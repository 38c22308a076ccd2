"""Asks a search endpoint that answers in JSON. It refuses other hosts than its own, and private addresses unless they are allowed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from rung.errors import ConfigError, KnowledgeError
from rung.knowledge.live import passage
from rung.knowledge.origins.fetch import Fetched, Guard, Refused, Unreachable, certificates, fetch, host_of, normal, post
from rung.types import Json, Passage

if TYPE_CHECKING:
    from rung.sources import HttpBeside


@dataclass(frozen=True)
class LiveHttp:
    """An endpoint, and where its answers hold what."""

    source: HttpBeside
    guard: Guard

    def ask(self, question: str) -> list[Passage]:
        """The results in the server's order; those without a text are left out."""
        name = self.source.name
        try:
            answer = self._answer(question)
        except (Refused, Unreachable) as error:
            raise KnowledgeError(f"the live source '{name}' {error}", "check its url in rung.toml, or set optional = true") from None
        if answer.status != 200:
            raise KnowledgeError(f"the live source '{name}' said {answer.status}", "check its url and key_env in rung.toml")
        try:
            told = json.loads(answer.body)
        except ValueError:
            raise KnowledgeError(f"the live source '{name}' did not answer in JSON", "check its url in rung.toml") from None
        items = at(told, self.source.items)
        if not isinstance(items, list):
            known = f"; the answer has {', '.join(map(str, told))}" if isinstance(told, Mapping) else ""
            raise KnowledgeError(f"the live source '{name}' has no list at '{self.source.items}'{known}", "mend items in rung.toml")
        return [one for number, item in enumerate(items[: self.source.k], 1) if (one := self._passage(number, item))]

    def _answer(self, question: str) -> Fetched:
        source = self.source
        url = normal(with_params(source.url, filled(source.params, question)))
        token = os.environ.get(source.key_env, "") if source.key_env else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        trusted = certificates(self.guard)
        if not source.body:
            return fetch(trusted, self.guard, url, {url: headers})
        body = json.dumps(filled(source.body, question)).encode()
        return post(trusted, self.guard, url, body, {**headers, "Content-Type": "application/json"})

    def _passage(self, number: int, item: Json) -> Passage | None:
        text, title, key = (at(item, place) if place else "" for place in (self.source.text, self.source.title, self.source.key))
        if not isinstance(text, str) or not text.strip():
            return None
        named = " ".join(str(key).split()) if isinstance(key, (str, int)) and str(key).strip() else str(number)
        return passage(named, text, title if isinstance(title, str) else "")


def at(value: Json, place: str) -> Json:
    """What stands at a dotted place such as "hits.0.text"; None where nothing does."""
    for step in place.split(".") if place else ():
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def with_params(url: str, params: Mapping[str, str]) -> str:
    """The address with these parameters, in the place of any of its own by the same names."""
    parts = urlsplit(url)
    own = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in params]
    return urlunsplit(parts._replace(query=urlencode([*own, *params.items()], quote_via=quote)))


def filled(value: Json, question: str) -> Json:
    """The same with the question in the place of every "{question}"."""
    if isinstance(value, str):
        return value.replace("{question}", question)
    if isinstance(value, Mapping):
        return {key: filled(one, question) for key, one in value.items()}
    return [filled(one, question) for one in value] if isinstance(value, list) else value


def open_live(source: HttpBeside, project: Path) -> LiveHttp:
    """The endpoint that the table names; nothing is asked yet. ConfigError for an address that is none, or without its token."""
    try:
        host = host_of(parse_url(source.url))
    except LocationParseError:
        host = ""
    if not host or not source.url.startswith(("http://", "https://")):
        raise ConfigError(f"the url of the live source '{source.name}' is no address", "for example https://search.example.org/api")
    if "{question}" not in json.dumps([source.params, source.body]):
        raise ConfigError(f"the live source '{source.name}' doesn't send the question", 'write params = {q = "{question}"}, or body')
    if source.key_env and not os.environ.get(source.key_env):
        raise ConfigError(f"the environment variable {source.key_env} is not set", f"it holds the token of the live source '{source.name}'")
    ca_file = str(project / source.ca_file) if source.ca_file else ""
    if ca_file and not Path(ca_file).is_file():
        raise ConfigError(f"there is no file {ca_file}", f"mend ca_file of the live source '{source.name}'")
    return LiveHttp(source, Guard((host,), source.allow_private, source.largest_mb << 20, source.timeout, ca_file))
