"""Settings: rung.toml as text and as a few fields, people with their roles, and one's own password.

A rung.toml that would not be read is refused and the old one stays; comments and order are kept.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

from starlette.responses import Response
from starlette.routing import Route

from rung.config import read_config
from rung.errors import DataError
from rung.measure.record import write_whole
from rung.serve.studio import people
from rung.serve.studio.login import address, kept, opened
from rung.serve.studio.room import Ask, Room, route
from rung.types import Json
from rung.workspace.keys import Role
from rung.workspace.trail import note


def routes(room: Room) -> list[Route]:
    """`/settings` and its forms."""

    def shown(ask: Ask) -> Response:
        admin = ask.person.may("admin")
        text = _file(ask).read_text(encoding="utf-8") if admin else ""
        known = people.everybody(room.store) if admin else []
        return ask.page("settings.html", text=text, stamp=_stamp(text), people=known, roles=people.ROLES, shortest=people.SHORTEST)

    def save(ask: Ask) -> Response:
        if ask.text("stamp") != _stamp(_file(ask).read_text(encoding="utf-8")):
            raise DataError("rung.toml was changed meanwhile", "load the page again, and make your change there")
        value = ask.form.get("text", "")
        assert isinstance(value, str)
        keep(ask, value.replace("\r\n", "\n"))
        return ask.back("/settings", "Kept.")

    def add(ask: Ask) -> Response:
        role: Role = next((one for one in people.ROLES if one == ask.text("role")), "reader")
        people.put(room.store, ask.text("name"), role, _password(ask))
        note(room.store, "person", ask.person.name, {"added": ask.text("name"), "role": role})
        return ask.back("/settings", "Added.")

    def remove(ask: Ask) -> Response:
        people.remove(room.store, ask.text("name"))
        note(room.store, "person", ask.person.name, {"removed": ask.text("name")})
        return ask.back("/settings", "Removed.")

    def password(ask: Ask) -> Response:
        old = str(ask.form.get("old", ""))
        if not ask.person.local or people.checked(room.store, ask.person.name, old, address(ask.request)) is None:
            raise DataError("the old password is wrong", "try again")
        reply = ask.back("/settings", "Changed.")
        for one, role in opened(room.house, ask.person.name, old, address(ask.request)):
            people.put(one.store, ask.person.name, role, _password(ask))
            reply = kept(ask.request, reply, one, people.begin(one.store, ask.person.name, role))
        return reply

    return [
        route(room, "/settings", shown),
        route(room, "/settings", save, ("POST",), "admin"),
        route(room, "/settings/add", add, ("POST",), "admin"),
        route(room, "/settings/remove", remove, ("POST",), "admin"),
        route(room, "/settings/password", password, ("POST",)),
    ]


def changed(ask: Ask, values: Mapping[str, Mapping[str, Json]]) -> None:
    """Change single keys of rung.toml; "" takes a key out, which leaves its default."""
    import tomlkit

    document = tomlkit.parse(_file(ask).read_text(encoding="utf-8"))
    for section, keys in values.items():
        table = document.setdefault(section, tomlkit.table())
        for key, value in keys.items():
            if value == "":
                table.pop(key, None)
            elif table.get(key) != value:
                table[key] = value
    keep(ask, tomlkit.dumps(document))


def keep(ask: Ask, text: str) -> None:
    """Write rung.toml whole, once it has been read as one. ConfigError where it can't be."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "rung.toml"
        trial.write_text(text, encoding="utf-8")
        read_config(trial)
    write_whole(_file(ask), text.encode())
    note(ask.room.store, "settings", ask.person.name, {"sha256": hashlib.sha256(text.encode()).hexdigest()})


def _file(ask: Ask) -> Path:
    return ask.room.folder / "rung.toml"


def _stamp(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _password(ask: Ask) -> str:
    value = ask.form.get("password", "")
    return value if isinstance(value, str) else ""
