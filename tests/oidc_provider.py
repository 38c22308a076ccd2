"""A small OpenID Connect provider over real HTTP: discovery, keys, a login that asks nobody, and tokens. It can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "rung-studio", "not to be told"


def fresh_key() -> tuple[str, rsa.RSAPrivateKey]:
    return secrets.token_hex(4), rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Idp:
    """`claims` are those of whoever logs in; `change` alters what a token says, `sign` how it is signed."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    change: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    sign: Callable[[Idp, dict[str, Any]], str] | None = None
    key: tuple[str, rsa.RSAPrivateKey] = field(default_factory=fresh_key)
    basic: bool = True  # how the secret is taken
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)  # every authorization request
    leaves: bool = True  # whether a session can be ended here
    left: list[dict[str, str]] = field(default_factory=list)  # every request to end one

    def metadata(self) -> dict[str, Any]:
        told: dict[str, Any] = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}
        told |= {"authorization_endpoint": f"{self.issuer}/authorize", "token_endpoint": f"{self.issuer}/token"}
        told |= {"end_session_endpoint": f"{self.issuer}/logout?realm=shop"} if self.leaves else {}
        return told | {"token_endpoint_auth_methods_supported": ["client_secret_basic" if self.basic else "client_secret_post"]}

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key[1].public_key()))
        return {"keys": [{**public, "kid": self.key[0], "use": "sig", "alg": "RS256"}]}

    def authorize(self, query: dict[str, str]) -> str:
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert "openid" in query["scope"].split()
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_hex(8)
        self.codes[code] = query
        self.asked.append(query)
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': self.issuer})}"

    def leave(self, query: dict[str, str]) -> str:
        """Back to the client, once the token tells that it is one of ours (an old one will do) and for this client."""
        told = jwt.decode(query["id_token_hint"], self.key[1].public_key(), ["RS256"], audience=CLIENT, options={"verify_exp": False})
        assert told["iss"] == self.issuer
        assert query["client_id"] == CLIENT
        self.left.append(query)
        return query["post_logout_redirect_uri"]

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        basic = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if (authorization != basic) if self.basic else (form.get("client_secret") != SECRET):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)  # a code serves once
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if not asked or asked["code_challenge"] != challenge or asked["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "42", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.claims}
        claims = self.change(claims)
        signed = self.sign(self, claims) if self.sign else jwt.encode(claims, self.key[1], "RS256", {"kid": self.key[0]})
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": signed}


def _handler(idp: Idp) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if parts.path in ("/authorize", "/logout"):
                self.send_response(302)
                self.send_header("Location", (idp.authorize if parts.path == "/authorize" else idp.leave)(query))
                self.end_headers()
            else:
                self.tell(200, {"/.well-known/openid-configuration": idp.metadata, "/keys": idp.keys}[parts.path]())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self.tell(*idp.token(form, self.headers.get("authorization", "")))

        def tell(self, status: int, value: dict[str, Any]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def providing() -> Iterator[Idp]:
    """A provider that runs until the block ends."""
    idp = Idp()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(idp))
    idp.issuer = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield idp
    finally:
        server.shutdown()
        server.server_close()
