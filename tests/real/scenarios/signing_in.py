"""A first sign-in, and calls that use the cache after it."""

import json
from datetime import datetime, timezone

from bench import ARN
from scenarios.world import CALLERS, EXCHANGE, contents, document, expect, expiry, only_visit, scenario, secrets, spellings


@scenario
def seven_kinds_of_callers_open_one_browser(world):
    alice, bench = world.alice, world.bench
    for outcome in alice.callers:
        expect(outcome.code == 0 and outcome.stdout.strip() == ARN, f"a caller got {outcome.stdout.strip()!r}: {outcome}")
    expect(len(alice.visits()) == 1, f"{len(alice.visits())} browsers were opened")
    codes = bench.provider.events("token", grant="authorization_code")
    expect(len(codes) == 1 and codes[0]["status"] == 200, f"code exchanges: {codes}")
    exchanges = bench.sts.events(EXCHANGE)
    expect(len(exchanges) == 1 and exchanges[0]["status"] == 200, f"exchanges with AWS: {exchanges}")


@scenario
def exchange_is_unsigned_and_names_the_user(world):
    expect(only_visit(world.alice), "there was no sign-in")
    first = world.bench.sts.events(EXCHANGE)[0]
    expect(not first["signed"], "the exchange was signed, so the SDK searched for credentials")
    expect(first["session"] == "alice@example.com", f"the session was named {first['session']}")
    expect(first["duration"] == "43200", f"the requested duration was {first['duration']}")


@scenario
def authorization_request_has_s256_and_default_scopes(world):
    expect(only_visit(world.alice), "there was no sign-in")
    request = world.bench.provider.events("authorization")[0]
    expect(request["challenge"] == "S256", f"code_challenge_method was {request['challenge']}")
    scopes = set(request["scope"].split())
    expect(scopes == {"openid", "profile", "email", "offline_access"}, f"the scopes were {request['scope']}")


@scenario
def browser_gets_a_short_local_address(world):
    visit = only_visit(world.alice)
    address = visit["address"]
    expect(address.startswith("http://127.0.0.1:") and len(address) < 80, f"the address was {address}")
    expect("?" not in address and not secrets(world).found_in(address.encode()), f"the address contains a secret: {address}")


@scenario
def final_page_names_role_account_and_expiry(world):
    visit = only_visit(world.alice)
    text = visit.get("text", "")
    expires = expiry(document(world.alice.credentials()))
    for word in ("BedrockUser", "123456789012"):
        expect(word in text, f"{word} is not on the page: {text!r}")
    expect(any(spelling in text for spelling in spellings(expires)), f"{expires} is not on the page: {text!r}")


@scenario
def final_page_forbids_scripts_and_caching(world):
    visit = only_visit(world.alice)
    for seen in visit["documents"]:
        headers = seen["headers"]
        expect("no-store" in headers.get("cache-control", ""), f"{seen['path']} may be cached: {headers}")
    final = visit["documents"][-1]
    policy = final["headers"].get("content-security-policy", "")
    expect(final["status"] == 200, f"the final page's status is {final['status']}")
    expect("default-src 'none'" in policy and "unsafe-eval" not in policy, f"its policy is {policy!r}")
    expect(final["headers"].get("x-content-type-options") == "nosniff", "its content type may be guessed")
    expect(final["headers"].get("referrer-policy") == "no-referrer", "its address with the code may be sent as a referrer")


@scenario
def credentials_document_has_the_sdk_format(world):
    outcome = world.alice.credentials()
    expect(outcome.code == 0, outcome)
    credentials = document(outcome)
    expect(outcome.stdout.count("\n") <= 1, "the document is more than one line")
    expect(set(credentials) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}, f"keys: {sorted(credentials)}")
    expect(credentials["Version"] == 1 and type(credentials["Version"]) is int, f"Version is {credentials['Version']!r}")
    left = (expiry(credentials) - datetime.now(timezone.utc)).total_seconds()
    expect(42000 < left <= 43200, f"it ends in {left:.0f} s")


@scenario
def valid_credentials_need_no_network_and_print_no_message(world):
    before, files = world.bench.requests_seen(), contents(world.alice)
    outcome = world.alice.credentials(BEDROCK_SSO_LOG=None, BEDROCK_SSO_LOG_FILE=None)
    expect(outcome.code == 0 and outcome.stderr == "", outcome)
    expect(world.bench.requests_seen() == before, "a request was made")
    expect(contents(world.alice) == files, "a file was written")


@scenario
def repeated_callers_use_the_cache(world):
    asked = len(world.bench.provider.events("token")), len(world.bench.sts.events(EXCHANGE))
    for name in CALLERS:
        outcome = world.alice.caller(name).outcome()
        expect(outcome.code == 0 and outcome.stdout.strip() == ARN, f"{name} got {outcome.stdout.strip()!r}: {outcome}")
    now = len(world.bench.provider.events("token")), len(world.bench.sts.events(EXCHANGE))
    expect(now == asked, f"token requests and exchanges went from {asked} to {now}")
    expect(len(world.alice.visits()) == 1, "a second browser was opened")


@scenario
def login_of_a_signed_in_user_only_checks_with_aws(world):
    signed = len(world.bench.sts.events("GetCallerIdentity", status=200))
    outcome = world.alice.ours("login")
    expect(outcome.code == 0, outcome)
    expect(len(world.bench.sts.events("GetCallerIdentity", status=200)) == signed + 1, "AWS was not asked who this is")
    expect(len(world.alice.visits()) == 1, "a second browser was opened")
    expect("BedrockUser" in outcome.stdout and not secrets(world).found_in(outcome.stdout.encode()), f"it printed {outcome.stdout!r}")


@scenario
def status_shows_identity_and_expiry_without_network(world):
    until, before = expiry(document(world.alice.credentials())), world.bench.requests_seen()
    outcome = world.alice.ours("status", "--json")
    expect(outcome.code == 0, outcome)
    status = json.loads(outcome.stdout)
    expect(status["signed_in"] is True and status["account"] == "123456789012", outcome.stdout)
    expect(status["identity"]["email"] == "alice@example.com", outcome.stdout)
    expect(expiry({"Expiration": status["credentials"]["expires_at"]}) == until, outcome.stdout)
    expect(status["can_renew"] is True and status["last_error"] is None, outcome.stdout)
    expect(world.bench.requests_seen() == before, "a request was made")


@scenario
def stored_files_are_private(world):
    files = world.alice.own_files()
    expect(files, "no file is stored")
    for name, mode, folder in files:
        expect(mode == 0o600 and folder == 0o700, f"{name} has mode {mode:o} in a folder of mode {folder:o}")


@scenario
def fifty_callers_open_one_browser_and_get_one_document(world):
    home, exchanges = world.bench.home("fifty", world.bench.quick_provider), len(world.bench.sts.events(EXCHANGE))
    outcomes = [run.outcome() for run in [home.start_credentials() for _ in range(50)]]
    for outcome in outcomes:
        expect(outcome.code == 0, outcome)
    expect(len({outcome.stdout for outcome in outcomes}) == 1, "they got different documents")
    expect(only_visit(home) and len(world.bench.sts.events(EXCHANGE)) == exchanges + 1, "more than one exchange with AWS")


@scenario
def callback_to_localhost_is_received(world):
    home = world.bench.home("localhost", world.bench.quick_provider, redirect_host="localhost")
    outcome = home.credentials()
    expect(outcome.code == 0, outcome)
    expect("BedrockUser" in only_visit(home).get("text", ""), f"the page says {only_visit(home)}")
