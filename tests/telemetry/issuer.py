"""An OpenID provider on loopback that signs in the same person without a page, and mints tokens with any claims for the tests.

    issuer.py --client CLIENT_ID --claims JSON --events FILE --ledger FILE

prints `ready ISSUER`. `POST /mint` takes {"claims": {…}, "seconds": 3600, "audience": …, "key": "foreign"} and returns an ID token:
claims are added to those of the person, or replace them; null removes one. It records each issued secret in the ledger.
"""

import argparse
import base64
import hashlib
import json
import secrets
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


class Provider:
    def __init__(self, client, person, ledger):
        self.client, self.person, self.ledger = client, person, ledger
        self.keys = {name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ("own", "foreign")}
        self.codes = {}  # the request of each code that was not used yet
        self.grants = {}  # the nonce of each refresh token

    def note(self, kind, value):
        with open(self.ledger, "a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "value": value}) + "\n")

    def mint(self, claims=(), seconds=3600, audience=None, key="own"):
        now = int(time.time())
        times = {"iat": min(now, now + seconds - 60), "exp": now + seconds}
        every = {"iss": self.issuer, "aud": audience or self.client, **self.person, **times, **dict(claims)}
        token = jwt.encode({name: it for name, it in every.items() if it is not None}, self.keys[key], "RS256", {"kid": "own"})
        self.note("id_token", token)
        return token

    def public_keys(self):
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.keys["own"].public_key()))
        return {"keys": [{**key, "kid": "own", "use": "sig", "alg": "RS256"}]}

    def discovery(self):
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        }

    def authorize(self, asked):
        """The address of the callback, with a code for this request."""
        code = secrets.token_urlsafe(24)
        self.codes[code] = asked
        self.note("code", code)
        answer = urllib.parse.urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        return f"{asked['redirect_uri']}?{answer}"

    def exchange(self, form):
        if form["grant_type"] == "refresh_token":
            nonce = self.grants.pop(form["refresh_token"], None)
            if nonce is None:
                return 400, {"error": "invalid_grant"}
        else:
            asked = self.codes.pop(form["code"], None)
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            if not asked or base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]:
                return 400, {"error": "invalid_grant"}
            nonce = asked["nonce"]
        refresh, access = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.grants[refresh] = nonce
        for kind, value in (("refresh_token", refresh), ("access_token", access)):
            self.note(kind, value)
        tokens = {"id_token": self.mint({"nonce": nonce}), "access_token": access, "refresh_token": refresh}
        return 200, {**tokens, "token_type": "Bearer", "expires_in": 3600}


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: Provider

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/authorize":
            self.send_response(302)
            self.send_header("Location", self.provider.authorize(dict(urllib.parse.parse_qsl(query))))
            self.send_header("Content-Length", "0")
            return self.end_headers()
        known = {"/.well-known/openid-configuration": self.provider.discovery, "/keys": self.provider.public_keys}
        self.answer(*((200, known[path]()) if path in known else (404, {})))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        if self.path == "/mint":
            return self.answer(200, {"token": self.provider.mint(**json.loads(body))})
        self.answer(*(self.provider.exchange(dict(urllib.parse.parse_qsl(body))) if self.path == "/token" else (404, {})))

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def bind(provider):
    """A server of the provider, which gets its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Connection)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    Connection.provider = provider
    return server


def main():
    parser = argparse.ArgumentParser()
    for name in ("client", "claims", "events", "ledger"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    provider = Provider(options.client, json.loads(options.claims), options.ledger)
    server = bind(provider)
    print(f"ready {provider.issuer}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
