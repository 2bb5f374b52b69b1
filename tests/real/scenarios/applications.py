"""Confidential clients: each is registered for one authentication method at a provider of its own."""

import contextlib
import json
import secrets as random
import subprocess

from scenarios.world import document, expect, scenario

KEYS = {"RS256": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ES256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]}
PASSPHRASE = "open, please: 1 %"


@contextlib.contextmanager
def provider(world, name, **environment):
    """One more provider, which AWS trusts while it runs."""
    bench = world.bench
    server = bench.start_provider(name, ALG="RS256", LOGIN="auto", **environment)
    bench.control(trust={**bench.trust, server.address: "bedrock-sso"}, lifetime=120)
    try:
        yield server
    finally:
        server.stop()


def check_whole_session(home, server, login):
    """Checks that the provider accepts sign-in, refresh and revocation."""
    expect(login.code == 0, login)
    document(home.credentials())
    grants = [(event["grant"], event["status"]) for event in server.events("token")]
    expect(("authorization_code", 200) in grants and ("refresh_token", 200) in grants, f"token requests: {grants}")
    expect(all(status == 200 for _, status in grants), f"token requests: {grants}")
    expect(home.ours("logout").code == 0, "logout failed")
    revoked = [event["status"] for event in server.events("revocation")]
    expect(revoked == [200], f"revocations: {revoked}")


def with_a_secret(world, method):
    secret = random.token_urlsafe(24) + "+/ %:"
    client = {"token_endpoint_auth_method": method, "client_secret": secret}
    with provider(world, method, CLIENT=json.dumps(client)) as server:
        with open(server.ledger, "a") as ledger:
            print(json.dumps({"kind": "client_secret", "value": secret}), file=ledger)
        home = world.bench.home(method, server, client_auth="secret")
        wrong = home.ours("login", "--client-secret-stdin", stdin="wrong\n")
        expect(wrong.code == 5 and "[provider/client_refused]" in wrong.stderr, wrong)
        check_session_after_a_wrong_secret(home, server, secret)


def check_session_after_a_wrong_secret(home, server, secret):
    refused = len(server.events("token"))
    login = home.ours("login", "--client-secret-stdin", stdin=f"{secret}\n")
    expect(login.code == 0, login)
    document(home.credentials())
    grants = [(event["grant"], event["status"]) for event in server.events("token")][refused:]
    expect(grants[0] == ("authorization_code", 200) and ("refresh_token", 200) in grants, f"token requests: {grants}")
    expect(home.ours("logout").code == 0, "logout failed")
    expect([event["status"] for event in server.events("revocation")] == [200], "the session was not revoked")


def with_a_key(world, algorithm, kind, locked=False):
    name = f"private_key_{algorithm}"
    file, public = world.bench.root / f"{name}.pem", world.bench.root / f"{name}.pub"
    lock = ["-aes-256-cbc", "-pass", f"pass:{PASSPHRASE}"] if locked else []
    subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", *KEYS[kind], *lock, "-out", file], check=True)
    unlock = ["-passin", f"pass:{PASSPHRASE}"] if locked else []
    subprocess.run(["openssl", "pkey", "-in", file, *unlock, "-pubout", "-out", public], check=True)
    file.chmod(0o600)
    client = {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": algorithm}
    with provider(world, name, CLIENT=json.dumps(client), CLIENT_KEY=public) as server:
        settings = {"client_auth": "private_key_jwt", "client_key": str(file), "client_algorithm": algorithm}
        home = world.bench.home(name, server, **settings)
        words = ["login", "--client-key-passphrase-stdin"] if locked else ["login"]
        check_whole_session(home, server, home.ours(*words, stdin=f"{PASSPHRASE}\n"))


@scenario
def client_secret_basic_signs_in(world):
    with_a_secret(world, "client_secret_basic")


@scenario
def client_secret_post_signs_in(world):
    with_a_secret(world, "client_secret_post")


@scenario
def rs256_assertion_signs_in(world):
    with_a_key(world, "RS256", "RS256")


@scenario
def ps256_assertion_signs_in(world):
    with_a_key(world, "PS256", "RS256")


@scenario
def es256_assertion_from_encrypted_key_signs_in(world):
    with_a_key(world, "ES256", "ES256", locked=True)
