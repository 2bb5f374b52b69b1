"""Claude Code itself, in a home that `setup` has configured, with Bedrock and a collector on this machine."""

import json

from bedrock import ANSWER
from bench import ARN
from scenarios.world import EXCHANGE, document, expect, only_visit, scenario, secrets

HOOKS = {"awsAuthRefresh", "otelHeadersHelper"}


@scenario
def claude_code_works_with_the_files_from_setup(world):
    coder = world.coder
    expect(coder.setup.code == 0, coder.setup)
    settings = json.loads((coder.path / ".claude/settings.json").read_text())
    expect(HOOKS <= set(settings), f"the settings are {settings}")
    expect(coder.outcome.code == 0 and coder.outcome.stdout.strip() == ANSWER, f"it printed {coder.outcome.stdout!r}: {coder.outcome}")
    expect(not secrets(world).found_in((coder.outcome.stdout + coder.outcome.stderr).encode()), "it showed a secret")


@scenario
def claude_code_requests_use_one_sign_in(world):
    expect(only_visit(world.coder), "there was no sign-in")
    asked = world.bedrock.events("bedrock")
    expect(asked and all(event["status"] == 200 and event["who"] == ARN for event in asked), f"Bedrock saw {asked}")
    expect(any(event["verb"] == "invoke-with-response-stream" for event in asked), f"Bedrock saw {asked}")


@scenario
def claude_code_telemetry_names_the_user(world):
    expect(world.coder.outcome.code == 0, world.coder.outcome)
    sent = world.bedrock.events("telemetry")
    expect(sent, "no telemetry came")
    for event in sent:
        headers = event["headers"]
        expect(headers.get("x-user-email") == "alice@example.com", f"{event['path']} came with {sorted(headers)}")
        expect("authorization" not in headers, "the token was sent without the setting")


@scenario
def claude_code_renews_credentials_that_aws_refuses(world):
    coder, bench = world.coder, world.bench
    bench.control(forgotten=[document(coder.credentials())["AccessKeyId"]])
    exchanges, logins = len(bench.sts.events(EXCHANGE)), logins_of(coder)
    outcome = coder.claude_code("And now?", world.bedrock)
    expect(outcome.code == 0 and outcome.stdout.strip() == ANSWER, f"it printed {outcome.stdout!r}: {outcome}")
    refused = bench.sts.events("GetCallerIdentity", code="InvalidClientTokenId")
    expect(refused, "Claude Code did not ask AWS who it is")
    expect(len(bench.sts.events(EXCHANGE)) == exchanges + 1, "the credentials were not renewed once")
    expect(logins_of(coder) > logins, "the hook did not run")
    expect(only_visit(coder), "the user was prompted again")


def logins_of(home):
    """How often `login` found that AWS rejects the cached credentials."""
    log = home.bench.root / "logs" / f"{home.name}.log"
    return log.read_text().count("AWS no longer accepts the stored credentials") if log.exists() else 0


@scenario
def claude_code_retries_open_at_most_two_tabs(world):
    """One for its credentials, and one for its hook, which counts as the user's own `login`."""
    home = world.bench.home("refusing", world.bench.provider, person=["--refuse"])
    (home.path / ".aws/config").unlink()
    expect(home.ours("setup", "--yes").code == 0, "setup failed")
    outcome = home.claude_code("Good morning!", world.bedrock, retries=2)
    expect(outcome.code == 1 and outcome.stdout.startswith("API Error: Could not load AWS credentials"), f"{outcome.stdout!r}, {outcome}")
    log = (world.bench.root / "logs" / f"{home.name}.log").read_text()
    calls = log.count("for Credentials(Automatic(Allowed))")
    expect(calls > 4, f"it called the program only {calls} times")
    expect(len(home.visits()) == 2, f"{len(home.visits())} browsers were opened")
