"""Renewal without the user: rotation, ten callers at once, errors of AWS and the provider, and a provider that is gone."""

import os
import signal
import time

from bench import wait_until
from scenarios.world import EXCHANGE, document, expect, running, scenario


@scenario
def rs256_on_plain_loopback_signs_in(world):
    home = world.renewing
    expect(home.outcome.code == 0, home.outcome)
    expect(len(home.visits()) == 1, f"{len(home.visits())} browsers were opened")


@scenario
def aws_profile_that_names_the_program_does_not_recurse(world):
    expect(world.renewing.outcome.code == 0, world.renewing.outcome)
    expect(world.renewing.codes == 1, f"{world.renewing.codes} codes were exchanged")
    # A wrapper in the AWS profile counts calls: an SDK in the program would call it through AWS_PROFILE.
    home, marks = world.renewing, world.bench.root / "recursions"
    home.write("wrapper", f'#!/bin/sh\necho again >>"{marks}"\nexec "{world.bench.binary}" "$@"\n')
    (home.path / "wrapper").chmod(0o755)
    home.write(
        ".aws/config", f'[profile real]\nregion = us-east-1\ncredential_process = "{home.path}/wrapper" credentials --profile real\n'
    )
    exchanges = len(world.bench.sts.events(EXCHANGE))
    world.bench.control(lifetime=120)
    for outcome in (home.credentials(AWS_PROFILE="real"), home.ours("login", AWS_PROFILE="real")):
        expect(outcome.code == 0, outcome)
    expect(not marks.exists(), "the program called itself through AWS_PROFILE")
    expect(len(world.bench.sts.events(EXCHANGE)) > exchanges, "there was no exchange, so the check is not meaningful")


@scenario
def rotated_refresh_token_renews_repeatedly(world):
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
def ten_callers_near_expiry_never_reuse_a_refresh_token(world):
    ten_renew(world, lifetime=120)


@scenario
def ten_background_renewals_never_reuse_a_refresh_token(world):
    home, provider = world.renewing, world.bench.quick_provider
    world.bench.control(lifetime=600)
    expect(home.credentials().code == 0, "no credentials to begin with")  # these replace credentials with two minutes left
    refreshes = len(refreshed(provider))
    for outcome in ten_renew(world, lifetime=3600):
        expect(outcome.seconds < 20, f"served late: {outcome}")
    expect(wait_until(lambda: len(refreshed(provider)) > refreshes, 20), "there was no background renewal")
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
def login_renews_credentials_that_aws_rejects(world):
    home = world.renewing
    expect(home.outcome.code == 0, home.outcome)
    held = document(home.credentials())
    world.bench.control(sessions={})
    outcome = home.ours("login")
    expect(outcome.code == 0, outcome)
    expect(document(home.credentials()) != held, "credentials that AWS rejects are still served")
    expect(len(home.visits()) == 1, "a browser was opened")


@scenario
def transient_aws_errors_are_retried(world):
    home = expiring(world)
    for code in ("Throttling", "InternalFailure", "IDPCommunicationError"):
        seen = len(world.bench.sts.events(EXCHANGE))
        world.bench.control(faults=[code], lifetime=120)
        outcome = home.credentials()
        expect(outcome.code == 0, f"{code}: {outcome}")
        answers = [event["code"] for event in world.bench.sts.events(EXCHANGE)[seen:]]
        expect(answers == [code, None], f"AWS answered {answers}")


@scenario
def session_duration_is_reduced_and_remembered(world):
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
def provider_errors_lose_no_token_and_open_no_browser(world):
    home, provider = expiring(world), world.bench.quick_provider
    portal = [200, "text/html", "<html><title>Welcome to Hotel Wi-Fi</title></html>"]
    for answer in ([503, "text/plain", "busy"], [429, "application/json", "{}"], portal):
        world.bench.control(provider, faults=[answer] * 20)
        expect((outcome := home.credentials()).code == 0, f"{answer[0]}: {outcome}")
        world.bench.control(provider)
        refreshes = len(refreshed(provider))
        expect((outcome := home.credentials()).code == 0, f"after {answer[0]}: {outcome}")
        expect(len(refreshed(provider)) == refreshes + 1, f"after {answer[0]} the refresh token was not used again")
    expect(len(home.visits()) == 1 and not misused(provider), f"browsers: {len(home.visits())}, misuse: {misused(provider)}")


@scenario
def process_killed_during_exchange_loses_no_token(world):
    home, provider = expiring(world), world.bench.quick_provider
    world.bench.control(hold=True)
    held, refreshes = len(world.bench.sts.events("held")), len(refreshed(provider))
    home.start_credentials()
    expect(wait_until(lambda: len(world.bench.sts.events("held")) > held), "AWS was not asked")
    expect(len(refreshed(provider)) == refreshes + 1, "the refresh token was not used")
    for pid in running(world):
        os.kill(pid, signal.SIGKILL)
    world.bench.control(hold=False, lifetime=120)
    # First the killed process's ID token is used, then the refresh token that it stored.
    expect((outcome := home.credentials()).code == 0, outcome)
    expect(len(refreshed(provider)) == refreshes + 1, "the new ID token was not used")
    expect((outcome := home.credentials()).code == 0, outcome)
    expect(len(refreshed(provider)) == refreshes + 2, "the rotated token was not used")
    expect(len(home.visits()) == 1 and not misused(provider), f"browsers: {len(home.visits())}, misuse: {misused(provider)}")


@scenario
def session_ended_at_the_provider_prompts_once(world):
    home, provider = world.renewing, world.bench.quick_provider
    expect(home.outcome.code == 0, home.outcome)
    world.bench.control(lifetime=2, sessions={})
    expect((outcome := home.ours("login")).code == 0, outcome)
    world.bench.control(provider, forget=True)
    world.bench.control(lifetime=120)
    time.sleep(3)  # the credentials' two seconds: no event shows that they have passed
    visits = len(home.visits())
    outcomes = [run.outcome() for run in [home.start_credentials() for _ in range(10)]]
    for outcome in outcomes:
        expect(outcome.code == 0, outcome)
    expect(len(home.visits()) == visits + 1, f"{len(home.visits()) - visits} browsers were opened")
    reuse = [event for event in misused(provider) if event.get("detail") == "refresh token already used"]
    expect(not reuse, f"the provider saw {reuse}")


@scenario
def valid_credentials_are_served_without_the_provider(world):
    home = expiring(world)
    held, visits = document(home.credentials()), len(home.visits())
    world.bench.quick_provider.stop()
    outcome = home.credentials()
    expect(outcome.code == 0 and document(outcome) == held, outcome)
    expect(len(home.visits()) == visits, "a browser was opened")


@scenario
def unreachable_provider_is_a_network_failure(world):
    home = world.bench.home("away", Unreachable())
    outcome = home.credentials()
    expect(outcome.code == 9 and outcome.stdout == "" and "hint:" in outcome.stderr, outcome)
    expect(not home.visits(), "a browser was opened")


class Unreachable:
    """Port 1 of this machine, which has no listener."""

    address = "http://127.0.0.1:1"


def expiring(world):
    """The renewing home, with credentials that every call must renew first."""
    expect(world.renewing.outcome.code == 0, world.renewing.outcome)
    world.bench.control(lifetime=120, sessions={})
    outcome = world.renewing.ours("login")
    expect(outcome.code == 0, outcome)
    return world.renewing


def refreshed(provider):
    return provider.events("token", grant="refresh_token", status=200)


def misused(provider):
    return [event for event in provider.events() if event["what"] in ("grant.error", "grant.revoked")]
