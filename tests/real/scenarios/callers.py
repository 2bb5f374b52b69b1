"""What AWS's clients make of the program: five at once, renewal, and what their users see when AWS or the provider refuses."""

import json
import re

from bench import ARN, HERE
from scenarios.world import CALLERS, EXCHANGE, expect, only_visit, scenario

GUIDE = HERE.parents[1] / "docs/troubleshooting.md"
# The guide has one block for what several of them print.
HEADINGS = {
    "aws_cli_v1": "AWS CLI and boto3",
    "aws_cli_v2": "AWS CLI and boto3",
    "aws_cli_sso": "AWS CLI and boto3",
    "boto3": "AWS CLI and boto3",
    "javascript_sdk": "AWS SDK for JavaScript",
    "go_sdk": "AWS SDK for Go v2",
    "java_sdk": "AWS SDK for Java v2",
    "rust_sdk": "AWS SDK for Rust",
}


def five_at_once(world, name):
    home, provider = world.bench.home(f"five_{name}", world.bench.quick_provider), world.bench.quick_provider
    exchanges, codes = len(world.bench.sts.events(EXCHANGE)), len(provider.events("token", grant="authorization_code"))
    for _ in range(2):  # the second time from the cache
        outcome = home.caller(name, clients=5).outcome()
        expect(outcome.code == 0 and outcome.stdout.split() == [ARN] * 5, f"{outcome}, stdout {outcome.stdout!r}")
        expect(only_visit(home), "nobody signed in")
        expect(len(provider.events("token", grant="authorization_code")) == codes + 1, "more than one code was exchanged")
        expect(len(world.bench.sts.events(EXCHANGE)) == exchanges + 1, "more than one exchange with AWS")


@scenario
def five_go_clients_of_one_process_open_one_browser(world):
    five_at_once(world, "go_sdk")


@scenario
def five_java_clients_of_one_process_open_one_browser(world):
    five_at_once(world, "java_sdk")


@scenario
def each_caller_gets_renewed_credentials(world):
    home, provider = world.bench.home("renewed callers", world.bench.quick_provider), world.bench.quick_provider
    world.bench.control(lifetime=120)
    expect((outcome := home.credentials()).code == 0, outcome)
    for name in CALLERS:
        seen = len(provider.events("token", grant="refresh_token", status=200))
        outcome = home.caller(name).outcome()
        expect(outcome.code == 0 and outcome.stdout.strip() == ARN, f"{name}: {outcome}")
        expect(len(provider.events("token", grant="refresh_token", status=200)) > seen, f"{name} got no new credentials")
    expect(len(home.visits()) == 1, f"{len(home.visits())} browsers were opened")


@scenario
def guide_shows_what_each_caller_prints_when_aws_refuses(world):
    home = world.bench.home("refused by AWS", world.bench.quick_provider)
    world.bench.control(lifetime=120)
    expect((outcome := home.credentials()).code == 0, outcome)
    world.bench.control(lifetime=2, sessions={})
    expect((outcome := home.ours("login")).code == 0, outcome)
    world.bench.control(trust={})
    for name in CALLERS:
        check_guide(home, name, "aws/invalid_identity_token")


@scenario
def status_has_the_reason_that_a_caller_hides_after_a_denial(world):
    home = world.bench.home("refused by the provider", person=["--refuse"])
    expect((outcome := home.credentials()).code == 5, outcome)
    for name in CALLERS:
        outcome = home.caller(name).outcome()
        expect(outcome.code != 0 and ARN not in outcome.stdout, f"{name}: {outcome}")
        check_last_error(home, name, "sign-in/paused")
    expect(len(home.visits()) == 1, f"{len(home.visits())} browsers were opened")


def check_guide(home, name, slug):
    """Checks that the caller prints what the guide shows for it, hides our message if the guide says so, and that `status` has it."""
    outcome, lines = home.caller(name).outcome(), shown_lines(HEADINGS[name])
    expect(outcome.code != 0 and outcome.stdout == "", f"{name}: {outcome}")
    for line in lines:
        pattern = ".*?".join(map(re.escape, line.split("…")))
        expect(re.search(pattern, outcome.stderr), f"{name} does not print {line!r}: {outcome.stderr!r}")
    expect(("bedrock-sso: " in "".join(lines)) == ("bedrock-sso: " in outcome.stderr), f"{name} prints {outcome.stderr!r}")
    check_last_error(home, name, slug)


def check_last_error(home, name, slug):
    last = json.loads(home.ours("status", "--json").stdout)["last_error"]
    expect(last and last["slug"] == slug, f"after {name}, status shows {last}")


def shown_lines(heading):
    block = re.search(rf"^### {re.escape(heading)}$.*?^```text\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    expect(block, f"{GUIDE} has no block below {heading!r}")
    return block[1].splitlines()
