"""Logging in by an OpenID Connect provider: authorization code with PKCE, state and nonce, and an ID token whose signature is checked.

It refuses a provider without TLS that is not this machine, tokens that are not signed with a key of the provider's, and people
whom the configuration gives no role. Source: OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3, and RP-Initiated Logout 1.0;
RFC 7636; RFC 9207.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any
from urllib.parse import urlencode, urlsplit

from urllib3.exceptions import HTTPError

from rung.asking import account, client, why
from rung.errors import ConfigError, DataError, MissingExtra, RungError
from rung.sections import OidcConfig
from rung.serve.studio.people import ROLES
from rung.workspace.keys import Role
from rung.workspace.privacy import asked_away

SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")  # never a shared secret, never none
KEPT = 3600.0  # seconds for which the provider's addresses and keys are held
SOONEST = 10.0  # seconds between two fetches of the keys, whatever tokens name
LEEWAY = 60.0  # seconds by which clocks may differ
WAIT = 10.0  # seconds for the provider to answer


@dataclass(frozen=True)
class Begun:
    """A login under way, as the browser's cookie holds it."""

    state: str
    nonce: str
    verifier: str

    def cookie(self) -> str:
        """What the cookie holds."""
        return ".".join((self.state, self.nonce, self.verifier))


@dataclass(frozen=True)
class Known:
    """Whom the provider vouches for, and what they may."""

    name: str
    role: Role
    groups: tuple[str, ...] = ()
    token: str = field(default="", repr=False, compare=False)  # the ID token itself


@dataclass
class Provider:
    """What the provider says of itself. Mutable: its addresses and keys are fetched when first needed, and again when they are old."""

    config: OidcConfig
    lock: Lock = field(default_factory=Lock, repr=False)
    told: dict[str, Any] = field(default_factory=dict)
    keys: list[dict[str, Any]] = field(default_factory=list)
    at: float = 0.0
    keys_at: float = 0.0

    def metadata(self) -> dict[str, Any]:
        """The discovery document. RungError where the provider can't be reached, ConfigError where it is another one."""
        with self.lock:
            if not self.told or time.monotonic() - self.at > KEPT:
                told = _fetched(self.config.issuer.rstrip("/") + "/.well-known/openid-configuration")
                if told.get("issuer") != self.config.issuer:
                    raise ConfigError(f"the provider calls itself '{told.get('issuer')}'", "write that as issuer under [serve.oidc]")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    _safe(str(told.get(name, "")))
                self.told, self.at = told, time.monotonic()
            return self.told

    @property
    def host(self) -> str:
        """Where it is, for people."""
        return urlsplit(self.config.issuer).hostname or ""

    def leaving(self, token: str, back: str) -> str:
        """Where a browser ends its session at the provider, which sends it `back`; "" for nowhere."""
        try:
            to = str(self.metadata().get("end_session_endpoint") or "")
            if to:
                _safe(to)
        except RungError:
            return ""  # the session here ends all the same
        asked = {"id_token_hint": token, "client_id": self.config.client_id, "post_logout_redirect_uri": back}
        return to and f"{to}{'&' if urlsplit(to).query else '?'}{urlencode(asked)}"

    def key(self, kid: str | None, algorithm: str) -> Any:
        """The provider's key that a token names; fetched again where it is new. DataError where there is none."""
        from jwt import PyJWK
        from jwt.exceptions import PyJWTError

        uri = self.metadata()["jwks_uri"]
        with self.lock:
            age = time.monotonic() - self.keys_at
            if not self.keys or age > KEPT or (age > SOONEST and not _named(self.keys, kid)):
                self.keys, self.keys_at = list(_fetched(uri).get("keys", [])), time.monotonic()
            for one in _named(self.keys, kid):
                try:
                    return PyJWK(one, algorithm).key
                except PyJWTError:  # of another kind than the token's algorithm
                    continue
        raise DataError("the ID token is signed with a key that the provider does not publish", "log in again")


def provider(config: OidcConfig) -> Provider | None:
    """The provider that the configuration names; None for none. ConfigError for what can't work, MissingExtra without pyjwt."""
    if not config.issuer:
        return None
    if not config.client_id:
        raise ConfigError("[serve.oidc] has an issuer and no client_id", "write what the provider calls the studio")
    if not (config.roles or config.default_role):
        raise ConfigError("[serve.oidc] lets nobody in", "say under roles which values of the claim may what, or set default_role")
    _safe(config.issuer)
    _secret(config)
    try:
        import jwt  # noqa: F401
        from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra(f"logging in by OpenID Connect ({error.name})", "oidc") from None
    return Provider(config)


def begun() -> Begun:
    """Fresh secrets for one login."""
    return Begun(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))


def begun_in(cookie: str) -> Begun | None:
    """The login that a cookie holds."""
    parts = cookie.split(".")
    return Begun(*parts) if len(parts) == 3 and all(parts) else None


def asking(one: Provider, login: Begun, back: str) -> str:
    """The address at the provider to which a browser is sent; the provider sends it `back` with a code."""
    told = one.metadata()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(login.verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code", "client_id": one.config.client_id, "redirect_uri": back, "scope": one.config.scopes,
        "state": login.state, "nonce": login.nonce, "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    to = str(told["authorization_endpoint"])
    return f"{to}{'&' if urlsplit(to).query else '?'}{urlencode(asked)}"


def answered(one: Provider, login: Begun | None, back: str, query: Mapping[str, str]) -> Known:
    """Whom the provider's answer is about. DataError where it is not the answer to this login, or not to be trusted."""
    if login is None or not hmac.compare_digest(query.get("state", "").encode(), login.state.encode()):
        raise DataError("this is not the answer to a login begun in this browser", "log in again")
    if query.get("error"):
        raise DataError(f"the provider refused: {query.get('error_description') or query['error']}"[:300], "log in again, or ask its admin")
    if query.get("iss", one.config.issuer) != one.config.issuer:
        raise DataError("another provider answered", "log in again")
    token = _exchanged(one, query.get("code", ""), login.verifier, back)
    return replace(_person(one.config, _claims(one, token, login.nonce)), token=token)


def _exchanged(one: Provider, code: str, verifier: str, back: str) -> str:
    """The ID token for a code."""
    config, told = one.config, one.metadata()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back,
        "client_id": config.client_id,
        "code_verifier": verifier,
    }
    secret = _secret(config)
    basic = "client_secret_basic" in told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if secret and not basic:
        form["client_secret"] = secret
    try:
        url, headers = told["token_endpoint"], account(f"{config.client_id}:{secret}" if secret and basic else "")
        reply = client(url, WAIT).request("POST", url, fields=form, encode_multipart=False, headers=headers)
        token = reply.json().get("id_token") if reply.status == 200 else None
    except (HTTPError, ValueError, AttributeError) as error:
        raise _away(told["token_endpoint"], error) from None
    if not isinstance(token, str):
        raise DataError(f"the provider gave no ID token ({reply.status})", "log in again; if it stays so, check client_id and secret")
    return token


def _claims(one: Provider, token: str, nonce: str) -> dict[str, Any]:
    """What the token says, once its signature, issuer, audience, times and nonce are right."""
    import jwt

    try:
        head = jwt.get_unverified_header(token)
        if head.get("alg") not in SIGNED_BY:
            raise DataError("the ID token is not signed as it must be", f"have the provider sign with one of {', '.join(SIGNED_BY)}")
        claims: dict[str, Any] = jwt.decode(
            token, one.key(head.get("kid"), head["alg"]), [head["alg"]], audience=one.config.client_id, issuer=one.config.issuer,
            leeway=LEEWAY, options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )  # fmt: skip
    except jwt.exceptions.PyJWTError as error:
        raise DataError(f"the ID token is not right: {error}", "log in again; if it stays so, compare the clocks and client_id") from None
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise DataError("the ID token answers another login", "log in again")
    if claims.get("azp", one.config.client_id) != one.config.client_id:
        raise DataError("the ID token is for another client", "log in again")
    return claims


def _person(config: OidcConfig, claims: Mapping[str, Any]) -> Known:
    """Name, role and groups. DataError for a name that is missing or not confirmed, and for somebody without a role."""
    name = claims.get(config.name_claim)
    if not isinstance(name, str) or not name.strip() or len(name) > 100 or not name.isprintable():
        raise DataError(f"the provider tells no '{config.name_claim}' of you", "set name_claim under [serve.oidc] to a claim that it tells")
    if config.name_claim == "email" and claims.get("email_verified") is not True:
        raise DataError("the provider has not confirmed your e-mail address", "confirm it there")
    roles = [config.roles[one] for one in _values(claims, config.roles_claim) if one in config.roles]
    role = max(roles, key=ROLES.index) if roles else config.default_role
    if not role:
        raise DataError(f"nothing that the provider tells of '{name}' gives a role here", "an admin sets roles under [serve.oidc]")
    groups = _values(claims, config.groups_claim)
    return Known(name.strip(), role, tuple(sorted({config.groups.get(one, "") if config.groups else one for one in groups} - {""})))


def _values(claims: Mapping[str, Any], name: str) -> list[str]:
    """The texts of a claim; dots reach inside."""
    value: Any = claims
    for part in [name] if name in claims else name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    held = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return [one for one in held if isinstance(one, str)]


def _named(keys: list[dict[str, Any]], kid: str | None) -> list[dict[str, Any]]:
    """The keys that a token may be signed with; one without a name may be signed with any."""
    return [one for one in keys if one.get("use", "sig") == "sig" and (kid is None or one.get("kid") == kid)]


def _fetched(url: str) -> dict[str, Any]:
    try:
        reply = client(url, WAIT).request("GET", url)
        if reply.status != 200:
            raise ValueError(f"it said {reply.status}")
        told = reply.json()
    except (HTTPError, ValueError) as error:
        raise _away(url, error) from None
    if not isinstance(told, dict):
        raise _away(url, ValueError("no JSON object"))
    return told


def _away(url: str, error: Exception) -> RungError:
    return RungError(f"the login provider can't be used: {url}: {why(error)}"[:300], "try again; whoever has a password here can use that")


def _safe(url: str) -> None:
    if not (url.startswith("https://") or (url.startswith("http://") and not asked_away(url))):
        raise ConfigError(f"'{url[:200]}' is no address for logins", "use https://")


def _secret(config: OidcConfig) -> str:
    secret = os.environ.get(config.secret_env, "") if config.secret_env else ""
    if config.secret_env and not secret:
        raise ConfigError(f"the environment variable {config.secret_env} is not set", "put the client's secret into it")
    return secret
