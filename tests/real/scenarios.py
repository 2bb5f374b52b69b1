"""What must be true of the program among real parts: one function a behaviour, in the order they are played.

`expect` states each fact with the words to say when it is not so. Homes that several scenarios look at are made once.
"""

import functools
import json
import os
import signal
import time
from datetime import datetime, timezone
from pathlib import Path

import processes
from bench import ARN, wait_until
from scan import Secrets

ALL = []
CALLERS = ["aws_cli_v1", "aws_cli_v2", "boto3", "javascript_sdk"]
EXCHANGE = "AssumeRoleWithWebIdentity"


def scenario(function):
    ALL.append(function)
    return function


def expect(fact, otherwise):
    if not fact:
        raise AssertionError(otherwise)


def told_once(make):
    """A home made at first use. What went wrong in the making goes wrong for all who look at it, at once."""

    @functools.cache
    def attempt(world):
        try:
            return make(world), None
        except AssertionError as failure:
            return None, failure

    def home(world):
        made, failure = attempt(world)
        if failure:
            raise AssertionError(f"there is no home to look at: {failure}")
        return made

    return property(home)


class World:
    """The bench, and the homes whose story goes on over several scenarios."""

    def __init__(self, bench, sampler):
        self.bench, self.sampler = bench, sampler

    @told_once
    def alice(self):
        """Signed in by five callers at once; `five` holds their outcomes."""
        home = self.bench.home("alice")
        runs = [home.caller(name) for name in [*CALLERS, "aws_cli_v1"]]
        home.five = [run.outcome() for run in runs]
        return home

    @told_once
    def refused(self):
        """Has pressed Cancel once; `outcome` holds what the program said."""
        home = self.bench.home("refused", person=["--refuse"])
        home.outcome = home.credentials()
        return home

    @told_once
    def renewing(self):
        """Signed in at the quick provider, with AWS_PROFILE naming a profile that runs this very program."""
        home = self.bench.home("renewing", self.bench.quick_provider)
        self.bench.control(lifetime=120)
        home.outcome = home.credentials(AWS_PROFILE="real")
        return home


# A first sign-in


@scenario
def five_callers_at_once_cost_one_browser(world):
    alice, bench = world.alice, world.bench
    for outcome in alice.five:
        expect(outcome.code == 0 and outcome.stdout.strip() == ARN, f"a caller got {outcome.stdout.strip()!r}: {outcome}")
    expect(len(alice.visits()) == 1, f"{len(alice.visits())} browsers were opened")
    codes = bench.provider.events("token", grant="authorization_code")
    expect(len(codes) == 1 and codes[0]["status"] == 200, f"code exchanges: {codes}")
    exchanges = bench.sts.events(EXCHANGE)
    expect(len(exchanges) == 1 and exchanges[0]["status"] == 200, f"exchanges with AWS: {exchanges}")


@scenario
def the_exchange_is_unsigned_and_named_after_the_person(world):
    world.alice
    first = world.bench.sts.events(EXCHANGE)[0]
    expect(not first["signed"], "the exchange carried a signature, so credentials were looked for")
    expect(first["session"] == "alice@example.com", f"the session was named {first['session']}")
    expect(first["duration"] == "43200", f"the duration asked was {first['duration']}")


@scenario
def the_request_carries_s256_and_the_default_scopes(world):
    world.alice
    request = world.bench.provider.events("authorization")[0]
    expect(request["challenge"] == "S256", f"code_challenge_method was {request['challenge']}")
    scopes = set(request["scope"].split())
    expect(scopes == {"openid", "profile", "email", "offline_access"}, f"the scopes were {request['scope']}")


@scenario
def the_browser_is_given_a_short_local_address(world):
    visit = only_visit(world.alice)
    address = visit["address"]
    expect(address.startswith("http://127.0.0.1:") and len(address) < 80, f"the address was {address}")
    expect("?" not in address and not secrets(world).found_in(address.encode()), f"the address tells too much: {address}")


@scenario
def the_final_page_names_role_account_and_expiry(world):
    visit = only_visit(world.alice)
    text = visit.get("text", "")
    expires = expiry(document(world.alice.credentials()))
    for word in ("BedrockUser", "123456789012"):
        expect(word in text, f"{word} is not on the page: {text!r}")
    expect(any(spelling in text for spelling in spellings(expires)), f"{expires} is not on the page: {text!r}")


@scenario
def the_final_page_is_closed_to_scripts_and_caches(world):
    visit = only_visit(world.alice)
    for seen in visit["documents"]:
        headers = seen["headers"]
        expect("no-store" in headers.get("cache-control", ""), f"{seen['path']} may be cached: {headers}")
    final = visit["documents"][-1]
    policy = final["headers"].get("content-security-policy", "")
    expect(final["status"] == 200, f"the final page's status is {final['status']}")
    expect("default-src 'none'" in policy and "unsafe-eval" not in policy, f"its policy is {policy!r}")
    expect(final["headers"].get("x-content-type-options") == "nosniff", "it may be sniffed")
    expect(final["headers"].get("referrer-policy") == "no-referrer", "its address, with the code, may be sent as a referrer")


@scenario
def the_document_is_the_one_sdks_expect(world):
    outcome = world.alice.credentials()
    expect(outcome.code == 0, outcome)
    credentials = document(outcome)
    expect(outcome.stdout.count("\n") <= 1, "the document is more than one line")
    expect(set(credentials) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}, f"keys: {sorted(credentials)}")
    expect(credentials["Version"] == 1 and type(credentials["Version"]) is int, f"Version is {credentials['Version']!r}")
    left = (expiry(credentials) - datetime.now(timezone.utc)).total_seconds()
    expect(42000 < left <= 43200, f"it ends in {left:.0f} s")


@scenario
def valid_credentials_are_served_in_silence_and_without_the_network(world):
    before, kept = world.bench.requests_seen(), contents(world.alice)
    outcome = world.alice.credentials(BEDROCK_SSO_LOG=None, BEDROCK_SSO_LOG_FILE=None)
    expect(outcome.code == 0 and outcome.stderr == "", outcome)
    expect(world.bench.requests_seen() == before, "a request was made")
    expect(contents(world.alice) == kept, "a file was written")


@scenario
def nothing_else_is_asked_when_the_callers_come_back(world):
    asked = len(world.bench.provider.events("token")), len(world.bench.sts.events(EXCHANGE))
    for name in CALLERS:
        outcome = world.alice.caller(name).outcome()
        expect(outcome.code == 0 and outcome.stdout.strip() == ARN, f"{name} got {outcome.stdout.strip()!r}: {outcome}")
    now = len(world.bench.provider.events("token")), len(world.bench.sts.events(EXCHANGE))
    expect(now == asked, f"token requests and exchanges went from {asked} to {now}")
    expect(len(world.alice.visits()) == 1, "a second browser was opened")


@scenario
def login_of_a_signed_in_person_asks_aws_and_opens_nothing(world):
    signed = len(world.bench.sts.events("GetCallerIdentity", status=200))
    outcome = world.alice.ours("login")
    expect(outcome.code == 0, outcome)
    expect(len(world.bench.sts.events("GetCallerIdentity", status=200)) == signed + 1, "AWS was not asked who this is")
    expect(len(world.alice.visits()) == 1, "a second browser was opened")
    expect("BedrockUser" in outcome.stdout and not secrets(world).found_in(outcome.stdout.encode()), f"it said {outcome.stdout!r}")


@scenario
def status_tells_who_and_until_when_without_the_network(world):
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
def what_is_kept_is_private(world):
    kept = world.alice.own_files()
    expect(kept, "nothing is kept")
    for name, mode, folder in kept:
        expect(mode == 0o600 and folder == 0o700, f"{name} has mode {mode:o} in a folder of mode {folder:o}")


# A refused sign-in


@scenario
def a_refused_sign_in_ends_with_code_5_and_a_remedy(world):
    outcome = world.refused.outcome
    expect(outcome.code == 5 and outcome.stdout == "", f"{outcome}, stdout {outcome.stdout!r}")
    expect("access_denied" in outcome.stderr and "hint:" in outcome.stderr, outcome)
    expect(not world.bench.provider.events("token", status=400), "a code was sent all the same")


@scenario
def the_page_after_a_refusal_tells_of_it(world):
    expect(wait_until(world.refused.finished_visits, 10), "the browser saw no final page")
    visit = world.refused.finished_visits()[0]
    expect("access_denied" in visit.get("text", ""), f"the page says {visit}")
    final = visit["documents"][-1]["headers"]
    expect("default-src 'none'" in final.get("content-security-policy", ""), f"its headers are {final}")
    expect("no-store" in final.get("cache-control", ""), f"its headers are {final}")


@scenario
def a_refused_sign_in_is_not_asked_again_by_itself(world):
    visits = len(world.refused.visits())
    for outcome in [run.outcome() for run in [world.refused.start_credentials() for _ in range(10)]]:
        expect(outcome.code == 4 and outcome.stdout == "" and outcome.seconds < 20, outcome)
    expect(len(world.refused.visits()) == visits, f"{len(world.refused.visits()) - visits} more browsers were opened")


@scenario
def a_caller_that_shows_our_words_shows_the_reason(world):
    outcome = world.refused.caller("aws_cli_v1").outcome()
    expect(outcome.code != 0 and "bedrock-sso: " in outcome.stderr and "hint:" in outcome.stderr, outcome)


@scenario
def a_person_opens_the_door_again(world):
    world.refused.give_person([])
    login = world.refused.ours("login")
    expect(login.code == 0 and "BedrockUser" in login.stdout, f"{login}, stdout {login.stdout!r}")
    expect(not secrets(world).found_in(login.stdout.encode()), "login printed a secret")
    outcome = world.refused.credentials()
    expect(outcome.code == 0, outcome)
    expect(len(world.refused.visits()) == 2, f"{len(world.refused.visits())} browsers were opened in all")


# A sign-in in trouble


@scenario
def a_sign_in_outlives_its_caller(world):
    gate = world.bench.root / "the password is found"
    home = world.bench.home("slow", person=["--gate", str(gate)])
    caller = home.start_credentials()
    expect(wait_until(home.visits), "no browser was opened")
    os.kill(caller.process.pid, signal.SIGKILL)
    caller.process.wait()
    gate.touch()
    expect(wait_until(home.finished_visits), "the browser never came to an end")
    visit = home.finished_visits()[0]
    expect("BedrockUser" in visit.get("text", ""), f"the page says {visit.get('text', visit)!r}")
    outcome = home.credentials()
    expect(outcome.code == 0, outcome)
    expect(len(home.visits()) == 1, f"{len(home.visits())} browsers were opened")


@scenario
def a_certificate_nobody_vouches_for_is_named(world):
    home = world.bench.home("no-ca", ca_bundle=None)
    outcome = home.credentials()
    expect(outcome.code == 9 and outcome.stdout == "", outcome)
    expect("Real Parts Private CA" in outcome.stderr, f"the issuer is not named: {outcome}")
    expect("ca_bundle" in outcome.stderr, f"the remedy is not named: {outcome}")
    expect(not home.visits(), "a browser was opened")


@scenario
def the_private_ca_may_come_from_the_environment(world):
    ca = str(world.bench.ca)
    home = world.bench.home("ca-elsewhere", ca_bundle=None)
    world.bench.control(lifetime=120)
    for variable in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        exchanges = len(world.bench.sts.events(EXCHANGE, status=200))
        outcome = home.credentials(**{variable: ca})
        expect(outcome.code == 0, f"{variable}: {outcome}")
        expect(len(world.bench.sts.events(EXCHANGE, status=200)) == exchanges + 1, f"{variable}: nothing was renewed")
    expect(len(home.visits()) == 1, f"{len(home.visits())} browsers were opened")


# Renewal


@scenario
def rs256_on_plain_loopback_signs_in(world):
    home = world.renewing
    expect(home.outcome.code == 0, home.outcome)
    expect(len(home.visits()) == 1, f"{len(home.visits())} browsers were opened")


@scenario
def a_profile_that_names_us_does_not_recurse(world):
    expect(world.renewing.outcome.code == 0, world.renewing.outcome)
    codes = world.bench.quick_provider.events("token", grant="authorization_code")
    expect(len(codes) == 1, f"{len(codes)} codes were exchanged")
    # The counting wrapper stands where SDKs would find us: whoever runs it has come in by AWS_PROFILE.
    home, marks = world.renewing, world.bench.root / "recursions"
    home.write("wrapper", f'#!/bin/sh\necho again >>"{marks}"\nexec "{world.bench.binary}" "$@"\n')
    (home.path / "wrapper").chmod(0o755)
    home.write(".aws/config", f'[profile real]\nregion = us-east-1\ncredential_process = "{home.path}/wrapper" credentials --profile real\n')
    exchanges = len(world.bench.sts.events(EXCHANGE))
    world.bench.control(lifetime=120)
    for outcome in (home.credentials(AWS_PROFILE="real"), home.ours("login", AWS_PROFILE="real")):
        expect(outcome.code == 0, outcome)
    expect(not marks.exists(), "the program came back to itself through AWS_PROFILE")
    expect(len(world.bench.sts.events(EXCHANGE)) > exchanges, "nothing was exchanged, so nothing is shown")


@scenario
def a_rotated_refresh_token_renews_again_and_again(world):
    home, provider = world.renewing, world.bench.quick_provider
    expect(home.outcome.code == 0, home.outcome)
    world.bench.control(lifetime=120)
    keys = set()
    for _ in range(3):
        refreshes = len(refreshed(provider))
        outcome = home.credentials()
        expect(outcome.code == 0, outcome)
        keys.add(document(outcome)["AccessKeyId"])
        expect(len(refreshed(provider)) == refreshes + 1, f"{len(refreshed(provider)) - refreshes} refreshes in one renewal")
    expect(len(keys) == 3, "the same credentials came twice")
    expect(len(home.visits()) == 1, "a second browser was opened")
    expect(not misused(provider), f"the provider saw {misused(provider)}")


@scenario
def ten_at_once_near_the_end_never_reuse_a_refresh_token(world):
    ten_renew(world, lifetime=120)


@scenario
def ten_at_once_in_the_quiet_window_never_reuse_a_refresh_token(world):
    home, provider = world.renewing, world.bench.quick_provider
    world.bench.control(lifetime=600)
    expect(home.credentials().code == 0, "no credentials to begin with")  # these replace ones with two minutes left
    refreshes = len(refreshed(provider))
    for outcome in ten_renew(world, lifetime=3600):
        expect(outcome.seconds < 20, f"served late: {outcome}")
    expect(wait_until(lambda: len(refreshed(provider)) > refreshes, 20), "nothing was renewed behind the callers' backs")
    expect(wait_until(lambda: not running(world), 20), "a renewal never ended")
    expect(not misused(provider), f"the provider saw {misused(provider)}")
    expiring(world)
    expect(home.credentials().code == 0 and len(home.visits()) == 1, "the session was lost")


def ten_renew(world, lifetime):
    home, provider = world.renewing, world.bench.quick_provider
    expect(home.outcome.code == 0, home.outcome)
    world.bench.control(lifetime=lifetime)
    outcomes = [run.outcome() for run in [home.start_credentials() for _ in range(10)]]
    for outcome in outcomes:
        expect(outcome.code == 0, outcome)
        document(outcome)
    expect(not misused(provider), f"the provider saw {misused(provider)}")
    expect(len(home.visits()) == 1, "a second browser was opened")
    return outcomes


@scenario
def login_renews_what_aws_no_longer_believes(world):
    home = world.renewing
    expect(home.outcome.code == 0, home.outcome)
    held = document(home.credentials())
    world.bench.control(sessions={})
    outcome = home.ours("login")
    expect(outcome.code == 0, outcome)
    expect(document(home.credentials()) != held, "what AWS refuses is still served")
    expect(len(home.visits()) == 1, "a browser was opened")


@scenario
def passing_bad_weather_at_aws_is_ridden_out(world):
    home = expiring(world)
    for code in ("Throttling", "InternalFailure", "IDPCommunicationError"):
        seen = len(world.bench.sts.events(EXCHANGE))
        world.bench.control(weather=[code], lifetime=120)
        outcome = home.credentials()
        expect(outcome.code == 0, f"{code}: {outcome}")
        answers = [event["code"] for event in world.bench.sts.events(EXCHANGE)[seen:]]
        expect(answers == [code, None], f"AWS answered {answers}")


@scenario
def the_duration_steps_down_to_what_the_role_allows_and_is_remembered(world):
    home = expiring(world)
    world.bench.control(max_duration=3600, lifetime=120)
    seen = len(world.bench.sts.events(EXCHANGE))
    expect((outcome := home.credentials()).code == 0, outcome)
    first = world.bench.sts.events(EXCHANGE)[seen:]
    expect(first[0]["code"] == "ValidationError" and first[-1]["status"] == 200, f"AWS saw {first}")
    expect(first[-1]["duration"] == "3600", f"AWS gave {first[-1]['duration']} s of the 3600 it allows")
    expect((outcome := home.credentials()).code == 0, outcome)
    second = world.bench.sts.events(EXCHANGE)[seen + len(first) :]
    expect(len(second) == 1 and second[0]["duration"] == "3600", f"the next time AWS saw {second}")


@scenario
def a_provider_out_of_reach_costs_nothing_while_credentials_last(world):
    home = expiring(world)
    held = document(home.credentials())
    world.bench.quick_provider.stop()
    outcome = home.credentials()
    expect(outcome.code == 0 and document(outcome) == held, outcome)
    expect(len(home.visits()) == 1, "a browser was opened")


@scenario
def a_provider_out_of_reach_is_a_network_failure_and_opens_no_browser(world):
    home = world.bench.home("away", Unreachable())
    outcome = home.credentials()
    expect(outcome.code == 9 and outcome.stdout == "" and "hint:" in outcome.stderr, outcome)
    expect(not home.visits(), "a browser was opened")


class Unreachable:
    """Port 1 of this machine, where nobody listens."""

    address = "http://127.0.0.1:1"


def expiring(world):
    """The renewing home with credentials that must be renewed first whenever they are asked for."""
    expect(world.renewing.outcome.code == 0, world.renewing.outcome)
    world.bench.control(lifetime=120, sessions={})
    outcome = world.renewing.ours("login")
    expect(outcome.code == 0, outcome)
    return world.renewing


def refreshed(provider):
    return provider.events("token", grant="refresh_token", status=200)


def misused(provider):
    return [event for event in provider.events() if event["what"] in ("grant.error", "grant.revoked")]


# When all is done


@scenario
def nothing_is_left_running(world):
    expect(wait_until(lambda: not running(world), 20), f"still running: {running(world)}")


@scenario
def the_scan_finds_what_is_planted(world):
    known = secrets(world)
    for kind in ("id_token", "access_token", "refresh_token", "code", "state", "nonce", "code_verifier", "secret_access_key", "session_token"):
        expect(kind in known.kinds(), f"no {kind} was ever issued, so its absence shows nothing")
    token = next(piece for piece, kind in known.pieces.items() if kind == "refresh_token")
    expect(known.found_in(b"before " + token + b" after") == ["refresh_token"], "a planted refresh token was not found")
    logs = list((world.bench.root / "logs").iterdir())
    expect(logs and all(log.stat().st_size for log in logs), "there is no log to scan")


@scenario
def no_secret_is_anywhere_but_in_the_protocol(world):
    known, found = secrets(world), []
    for folder in ("homes", "captures", "logs", "visits", "tmp"):
        for file in filter(Path.is_file, (world.bench.root / folder).rglob("*")):
            found += [f"{kind} in {file.relative_to(world.bench.root)}" for kind in known.found_in_file(file)]
    found += [f"{kind} in the process list" for kind in known.found_in(world.sampler.stop())]
    expect(not found, "; ".join(found))


def only_visit(home):
    visits = home.visits()
    expect(len(visits) == 1 and visits[0], f"{len(visits)} browsers were opened, {len(home.finished_visits())} came to an end")
    return visits[0]


def secrets(world):
    return Secrets(world.bench.ledgers)


def running(world):
    program = os.fsencode(world.bench.binary)
    return [command.replace(b"\0", b" ").decode() for command in processes.descendants().values() if program in command.split(b"\0")]


def document(outcome):
    expect(outcome.code == 0, outcome)
    try:
        return json.loads(outcome.stdout)
    except ValueError:
        raise AssertionError(f"stdout is not one JSON document: {len(outcome.stdout)} characters, {outcome}")


def expiry(credentials):
    return datetime.strptime(credentials["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def spellings(moment):
    return {moment.strftime("%H:%M"), moment.strftime("%I:%M").lstrip("0")}


def contents(home):
    return {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in home.files()}
