"""Logging into the studio at a provider, over real HTTP: who gets in with which role, and every answer that must not be trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

import jwt
import pytest
from oidc_provider import CLIENT, SECRET, Idp, fresh_key, providing
from serving_project import write_project
from studio_server import PASSWORD, Visitor, chromium, leaflet, serving, set_up, until, visitor

from rung.errors import ConfigError, RungError
from rung.sections import OidcConfig
from rung.serve.studio import oidc

ANNA = {"preferred_username": "anna", "realm_access": {"roles": ["offline", "shop-editors"]}}


@pytest.fixture
def idp() -> Iterator[Idp]:
    with providing() as one:
        one.claims = dict(ANNA)
        yield one


def settings(idp: Idp, **more: Any) -> OidcConfig:
    told: dict[str, Any] = {"issuer": idp.issuer, "client_id": CLIENT, "secret_env": "RUNG_TEST_OIDC", "roles_claim": "realm_access.roles"}
    return OidcConfig(**{**told, "roles": {"shop-editors": "editor", "shop-admins": "admin"}, **more})


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNG_TEST_OIDC", SECRET)


def walk(config: OidcConfig, change: Callable[[dict[str, str]], None] = lambda query: None) -> oidc.Known:
    """A whole login as a browser does it; `change` alters what the provider sends it back with."""
    import httpx

    one, login, back = oidc.provider(config), oidc.begun(), "http://127.0.0.1:9/oidc/callback"
    assert one
    sent = httpx.get(oidc.asking(one, login, back), follow_redirects=False).headers["location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}
    change(query)
    return oidc.answered(one, oidc.begun_in(login.cookie()), back, query)


def test_a_claim_gives_the_role_and_the_highest_counts(idp: Idp) -> None:
    assert walk(settings(idp)) == oidc.Known("anna", "editor")
    idp.claims = {**ANNA, "realm_access": {"roles": ["shop-editors", "shop-admins"]}}
    assert walk(settings(idp)).role == "admin"
    idp.claims = {"preferred_username": "bob", "roles": "staff"}
    assert walk(settings(idp, roles_claim="roles", roles={"staff": "reader"})).role == "reader"
    assert walk(settings(idp, default_role="reader")) == oidc.Known("bob", "reader")
    with pytest.raises(RungError, match="gives a role"):
        walk(settings(idp))


def test_the_secret_goes_as_the_provider_takes_it(idp: Idp) -> None:
    idp.basic = False
    assert walk(settings(idp)).name == "anna"
    with pytest.raises(RungError, match="no ID token"):
        walk(settings(idp, secret_env=""))


def test_every_login_has_its_own_secrets(idp: Idp) -> None:
    for _ in range(2):
        walk(settings(idp))
    first, second = idp.asked
    assert all(first[name] != second[name] for name in ("state", "nonce", "code_challenge"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda claims: {**claims, "aud": "another"}, "Audience"),
        (lambda claims: {**claims, "aud": [CLIENT, "another"], "azp": "another"}, "another client"),
        (lambda claims: {**claims, "iss": "http://127.0.0.1:1"}, "issuer"),
        (lambda claims: {**claims, "exp": claims["iat"] - 100}, "expired"),
        (lambda claims: {**claims, "iat": claims["iat"] + 1000}, "not yet valid"),
        (lambda claims: {**claims, "nonce": "replayed"}, "another login"),
        (lambda claims: {name: value for name, value in claims.items() if name != "nonce"}, "another login"),
        (lambda claims: {name: value for name, value in claims.items() if name != "exp"}, "exp"),
        (lambda claims: {**claims, "preferred_username": "a\nb"}, "tells no"),
    ],
)
def test_a_token_that_says_something_else_is_refused(idp: Idp, change: Callable[[dict[str, Any]], dict[str, Any]], said: str) -> None:
    idp.change = change
    with pytest.raises(RungError, match=said):
        walk(settings(idp))


def unsigned(idp: Idp, claims: dict[str, Any]) -> str:
    return jwt.encode(claims, None, "none", {"kid": idp.key[0]})


def with_the_public_key(idp: Idp, claims: dict[str, Any]) -> str:
    """The trick of old: the public key taken for a shared secret."""
    import base64
    import hashlib
    import hmac

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    told = part(json.dumps({"alg": "HS256", "kid": idp.key[0]}).encode()) + b"." + part(json.dumps(claims).encode())
    return (told + b"." + part(hmac.digest(json.dumps(idp.keys()["keys"][0]).encode(), told, hashlib.sha256))).decode()


def with_another_key(idp: Idp, claims: dict[str, Any]) -> str:
    return jwt.encode(claims, fresh_key()[1], "RS256", {"kid": idp.key[0]})


def with_an_unknown_key(idp: Idp, claims: dict[str, Any]) -> str:
    name, key = fresh_key()
    return jwt.encode(claims, key, "RS256", {"kid": name})


@pytest.mark.parametrize(
    ("sign", "said"),
    [
        (unsigned, "not signed"),
        (with_the_public_key, "not signed"),
        (with_another_key, "Signature"),
        (with_an_unknown_key, "does not publish"),
        (lambda idp, claims: "no.token.atall", "not right"),
    ],
)
def test_a_token_that_is_not_signed_by_the_provider_is_refused(idp: Idp, sign: Callable[[Idp, dict[str, Any]], str], said: str) -> None:
    idp.sign = sign
    with pytest.raises(RungError, match=said):
        walk(settings(idp))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "forged"}, "begun in this browser"),
        ({"iss": "http://127.0.0.1:1"}, "another provider"),
        ({"code": "guessed"}, "no ID token"),
        ({"error": "access_denied"}, "access_denied"),
    ],
)
def test_an_answer_that_is_not_to_this_login_is_refused(idp: Idp, change: dict[str, str], said: str) -> None:
    with pytest.raises(RungError, match=said):
        walk(settings(idp), lambda query: query.update(change))


def test_keys_that_were_rotated_are_fetched_again(idp: Idp) -> None:
    one = oidc.provider(settings(idp))
    assert one
    one.key(idp.key[0], "RS256")
    idp.key = fresh_key()
    one.keys_at -= oidc.SOONEST + 1
    assert one.key(idp.key[0], "RS256")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"client_id": ""}, "client_id"),
        ({"roles": {}}, "nobody in"),
        ({"issuer": "http://login.example.org"}, "https"),
        ({"secret_env": "RUNG_NOT_SET"}, "RUNG_NOT_SET"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(idp: Idp, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as told:
        oidc.provider(settings(idp, **more))
    assert said in told.value.message + told.value.hint


def test_a_provider_that_is_another_or_away_is_named(idp: Idp) -> None:
    with pytest.raises(ConfigError, match="calls itself"):
        walk(settings(idp, issuer=f"{idp.issuer}/"))
    with pytest.raises(RungError, match="can't be used"):
        walk(settings(idp, issuer="http://127.0.0.1:1"))


def test_an_address_that_nobody_confirmed_is_no_name(idp: Idp) -> None:
    idp.claims = {**ANNA, "email": "anna@example.org"}
    with pytest.raises(RungError, match="not confirmed"):
        walk(settings(idp, name_claim="email"))
    idp.claims["email_verified"] = True
    assert walk(settings(idp, name_claim="email")).name == "anna@example.org"


def project(folder: Path, idp: Idp) -> Path:
    made = leaflet(folder, "welcome.md")
    told = f'\n[serve.oidc]\nissuer = "{idp.issuer}"\nclient_id = "{CLIENT}"\nsecret_env = "RUNG_TEST_OIDC"\n'
    told += 'roles_claim = "realm_access.roles"\nroles = { "shop-editors" = "editor" }\n'
    (made / "rung.toml").write_text((made / "rung.toml").read_text() + told)
    return made


def test_a_server_lets_people_in_with_their_role_and_a_local_admin_stays(tmp_path: Path, idp: Idp) -> None:
    folder = project(tmp_path / "leaflet", idp)
    with serving(folder) as url, visitor(url).web as web, closing(set_up(url, folder).web) as local:
        admin, anna = Visitor(local), Visitor(web)
        assert "Log in at 127.0.0.1" in web.get("/login").text
        page = web.get("/oidc/start")
        assert page.url.path == "/oidc/callback"
        assert 'http-equiv="refresh"' in page.text
        assert "anna, editor" in web.get("/").text
        assert "Upload" in web.get("/documents").text
        assert web.get("/forget").status_code == 403
        assert "Your password" not in web.get("/settings").text
        assert web.get(str(page.url)).status_code == 400  # once is enough
        goodbye = anna.post("/settings", "/logout")
        assert onward(goodbye.text).path == "/logout"
        left = web.get(onward(goodbye.text).geturl())  # where the browser goes by itself
        assert left.url.path == "/login"
        assert idp.left[0]["post_logout_redirect_uri"] == f"{url}/login"
        assert idp.left[0]["realm"] == "shop"
        assert web.get("/").url.path == "/login", "the session here has ended, too"
        admin.post("/settings", "/settings/add", name="carl", role="reader", password=PASSWORD)
        idp.claims = {**ANNA, "preferred_username": "carl"}
        taken = web.get("/oidc/start")
        assert taken.status_code == 400
        assert "has a password here" in taken.text
        log = [json.loads(line[0]) for line in _logins(folder)]
        assert log == [{"role": "editor", "groups": [], "issuer": idp.issuer}]


def onward(page: str) -> SplitResult:
    found = re.search(r'content="0;url=([^"]+)"', page)
    assert found, page
    return urlsplit(unescape(found[1]))


def test_a_provider_where_no_session_can_be_ended_is_left_alone(idp: Idp) -> None:
    one = oidc.provider(settings(idp))
    assert one
    assert one.leaving("a.b.c", "http://127.0.0.1:9/login").startswith(f"{idp.issuer}/logout?realm=shop&id_token_hint=a.b.c&client_id=")
    idp.leaves = False
    one.told = {}
    assert one.leaving("a.b.c", "http://127.0.0.1:9/login") == ""
    one.told = {**idp.metadata(), "end_session_endpoint": "javascript:alert(1)"}
    assert one.leaving("a.b.c", "http://127.0.0.1:9/login") == ""


def test_groups_are_taken_as_they_are_called_or_by_the_names_that_are_given_to_them(idp: Idp) -> None:
    idp.claims = {**ANNA, "groups": ["hr", "board", 7], "resource": {"groups": "desk"}}
    assert walk(settings(idp)).groups == ("board", "hr")
    assert walk(settings(idp, groups={"hr": "people", "other": "x"})).groups == ("people",)
    assert walk(settings(idp, groups_claim="resource.groups")).groups == ("desk",)
    assert walk(settings(idp, groups_claim="")).groups == ()
    assert walk(settings(idp, roles_claim="groups", roles={"board": "admin"})).role == "admin", "a group may give a role"


DOCUMENTS = {
    "open.md": "# Opening\n\nThe shop opens at nine.\n",
    "hr/pay.md": "# Pay\n\nA clerk earns 2,000 euros.\n",
    "board/plan.md": "# Plan\n\nThe plan costs 90 euros.\n",
}
LISTS = """
[access]
on = true
[[access.rules]]
documents = "**"
readers = ["everyone"]
[[access.rules]]
documents = "hr/"
readers = ["group:hr"]
[[access.rules]]
documents = "board/"
readers = ["group:board"]
"""


def test_a_person_sees_what_the_providers_groups_may_and_nothing_else(tmp_path: Path, idp: Idp) -> None:
    told = f'[serve.oidc]\nissuer = "{idp.issuer}"\nclient_id = "{CLIENT}"\nsecret_env = "RUNG_TEST_OIDC"\ndefault_role = "reader"\n'
    folder = write_project(tmp_path / "shop", more=LISTS + told + 'groups = { "/staff/hr" = "hr" }\n', documents=DOCUMENTS)
    people: dict[str, tuple[list[str], set[str]]] = {
        "anna": (["/staff/hr", "board"], {"open.md", "hr/pay.md"}),  # a group that nobody gave a name here counts for nothing
        "ben": ([], {"open.md"}),
    }
    with serving(folder) as url:
        for name, (groups, mine) in people.items():
            idp.claims = {"preferred_username": name, "groups": groups}
            with closing(visitor(url).web) as web:
                web.get("/oidc/start")
                assert web.get("/").url.path == "/"
                for path in DOCUMENTS:
                    seen = path in mine
                    text = DOCUMENTS[path].splitlines()[2]
                    assert (path in web.get("/documents").text) == seen
                    assert (text in web.get("/documents/view", params={"path": path}).text) == seen
                    assert (path in web.get("/documents/search", params={"q": text}).text) == seen
                    for page in ("/chat", "/compare"):
                        reply = Visitor(web).post(page, "/chat/say", question=f"Tell me: {text}?", model="rag", history="[]").text
                        assert (path in reply) == seen, (name, path, reply)


def _logins(folder: Path) -> list[tuple[str]]:
    from rung.workspace.store import Store

    store = Store(str(folder / ".rung" / "serve.sqlite"), postgres=False)
    try:
        return [(row[0],) for row in store.read("SELECT told FROM trail WHERE kind = 'login'")]
    finally:
        store.close()


@pytest.mark.slow
def test_a_browser_arrives_from_another_site_with_its_strict_cookie(tmp_path: Path, idp: Idp) -> None:
    folder = project(tmp_path / "leaflet", idp)
    with serving(folder) as url, chromium(tmp_path / "profile") as browser:
        set_up(url, folder).web.close()
        browser.get(url.replace("127.0.0.1", "localhost") + "/login")  # for a browser another site than the provider's 127.0.0.1
        browser.find_element("link text", "Log in at 127.0.0.1").click()
        until(lambda: browser.title.startswith("Overview"), 20)
        assert "anna, editor" in browser.find_element("css selector", ".who").text
        cookie = browser.get_cookie("rung_session")
        assert cookie["sameSite"] == "Strict"
        assert cookie["httpOnly"]
        browser.find_element("css selector", ".who button").click()
        until(lambda: browser.title.startswith("Log in") and bool(idp.left), 20)  # by way of the provider, whatever the pages' policy
        assert browser.get_cookie("rung_session") is None
