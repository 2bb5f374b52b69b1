"""Accounts that the real AWS CLI has deployed from our templates. STS decides by the deployed trust policies, Bedrock by the deployed
permissions."""

import json
import tomllib
from concurrent.futures import ThreadPoolExecutor

from bedrock import ANSWER
from bench import HERE
from deployment import ACCOUNT, COMMAND, FAR, MODEL, MODELS, NEAR, OTHER_CLIENT, OTHER_MODEL, PROFILE, REGION, SIGN_IN
from scenarios.world import document, expect, failure_lines, only_visit, scenario

LIVE_ROWS = ["exchange", "identity", "bedrock-models", "bedrock-profiles", "converse", "streaming", "converse-sonnet", "streaming-sonnet"]
OPERATIONS = ["converse", "converse_stream", "invoke_model", "invoke_model_with_response_stream"]
BLOCKED = "bedrock-sso-federation-you-are-blocked-ask-your-administrator"


def answers(world, home, *calls):
    """What boto3 gets from Bedrock with the home's credentials. A call is (operation, model), or also the Region and the endpoint."""
    names = ("operation", "model", "region", "endpoint")
    defaults = ("converse", PROFILE, REGION, world.deployment.bedrock.secure)
    full = [dict(zip(names, (*call, *defaults[len(call) :]))) for call in calls]
    command = [home.bench.cache / "python/bin/python", HERE / "callers/models_with_boto3.py", *map(json.dumps, full)]
    return document(home.start(command, AWS_PROFILE="real", AWS_CA_BUNDLE=str(home.bench.ca)).outcome())


def expect_denied(answer, session, action, resource, reason):
    expected = f"User: {session} is not authorized to perform: {action} on resource: {resource} {reason}"
    expect(answer == {"code": "AccessDeniedException", "message": expected}, f"Bedrock answered {answer}, not {expected!r}")


def no_allow(action):
    return f"because no identity-based policy allows the {action} action"


def explicit_deny(account, policy):
    return f"with an explicit deny in an identity-based policy: arn:aws:iam::{account}:policy/{policy}"


def session(account, email):
    return f"arn:aws:sts::{account}:assumed-role/bedrock-sso-federation-user/{email}"


def team_profile(world, team):
    return world.deployment.outputs[ACCOUNT, f"team-{team}"]["MediumProfileArn"]


def model_arn(kind, name, region=REGION, account=ACCOUNT):
    return f"arn:aws:bedrock:{region}:{account}:{kind}/{name}"


def live_row(home, model, region=None):
    """The first bad row of `doctor --live` with this model."""
    with home.configured(claude_code={"models": {"default": model}, "region": region or REGION}):
        outcome = home.ours("doctor", "--live", "--json")
    bad = [check for check in json.loads(outcome.stdout)["checks"] if check["result"] == "bad"]
    expect(outcome.code == 7 and bad, f"{bad}, {outcome}")
    return bad[0]


@scenario
def deployed_role_accepts_a_person_by_name(world):
    alice = world.deployed_people["alice"]
    document(alice.outcome)
    expect(only_visit(alice), "there was no sign-in")
    status = document(alice.ours("status", "--json"))
    expect(status["role_arn"] == world.deployment.outputs[ACCOUNT, "federation"]["RoleArn"], f"status shows {status}")
    exchange = world.deployment.sts.events(status=200, session="alice@example.com")
    expect(exchange, f"STS saw {world.deployment.sts.events()}")


@scenario
def deploy_prints_what_the_program_reads(world):
    """The command `deploy`, in an account of its own, with the program on the administrator's PATH."""
    deployment = world.deployment
    folder = deployment.administrator
    (folder / "bin/bedrock-sso").symlink_to(world.bench.binary)
    sign_in = ["--issuer", deployment.provider.address, "--client-id", "bedrock-sso", "--session-name", "tag"]
    deployment.deploy_command(COMMAND, "--only", "federation", *sign_in, "--models", "sonnet-4-5", "--bundle", "fleet")
    [pilot] = tomllib.loads((folder / "bedrock-sso.config.toml").read_text())["profiles"].values()
    laptop = deployment.home("deployed by command", **pilot)
    document(laptop.credentials())
    expect(document(laptop.ours("status", "--json"))["role_arn"] == f"arn:aws:iam::{COMMAND}:role/bedrock-sso-federation-user", "another role")
    deployment.run(COMMAND, world.bench.binary, "setup", "--fleet", "from-outputs", "--from", "outputs.json")
    expected = {"claude": {**pilot, "aws_profile": "claude"}}
    for made in ("fleet/configuration", "from-outputs"):
        profiles = tomllib.loads((folder / made / "config.toml").read_text())["profiles"]
        expect(profiles == expected, f"{made}: {profiles}, not {expected}")
        pinned = json.loads((folder / made / "linux/managed-settings.json").read_text())["env"]
        expect(pinned["AWS_PROFILE"] == "claude", f"{made}: {pinned}")
    deployment.run(COMMAND, world.bench.binary, "setup", "--yes", "--from", "outputs.json")
    profiles = tomllib.loads((folder / ".config/bedrock-sso/config.toml").read_text())["profiles"]
    expect(profiles == {"claude": pilot}, f"{profiles}, not {pilot}")


@scenario
def deployed_permissions_allow_listed_models(world):
    alice = world.deployed_people["alice"]
    calls = [(operation, model) for model in (PROFILE, team_profile(world, "ml")) for operation in OPERATIONS]
    given = answers(world, alice, *calls, ("count_tokens", MODEL))
    expect([it.get("answer") for it in given] == [ANSWER] * len(calls) + [3], f"Bedrock answered {given}")
    asked = world.deployment.bedrock.events("bedrock")[-len(given) :]
    expect({it["who"] for it in asked} == {session(ACCOUNT, "alice@example.com")}, f"Bedrock saw {asked}")
    with alice.configured(claude_code={"models": {"default": PROFILE, "sonnet": team_profile(world, "ml")}}):
        outcome = alice.ours("doctor", "--live", "--json")
    rows = {check["name"]: check["result"] for check in json.loads(outcome.stdout)["checks"]}
    live = {name: rows.get(name) for name in LIVE_ROWS}
    expect(outcome.code == 0 and set(live.values()) == {"ok"}, f"{live}, {outcome}")


@scenario
def deployed_permissions_refuse_everything_else(world):
    alice, plain = world.deployed_people["alice"], world.deployment.bedrock.address
    refused = [
        # An unlisted model, the listed one in another Region, and past its profile.
        (OTHER_MODEL, REGION, model_arn("inference-profile", OTHER_MODEL)),
        (PROFILE, "us-west-2", model_arn("inference-profile", PROFILE, "us-west-2")),
        (f"eu.{MODEL}", "eu-west-1", model_arn("inference-profile", f"eu.{MODEL}", "eu-west-1")),
        (MODEL, REGION, model_arn("foundation-model", MODEL, account="")),
        # Another team's.
        (team_profile(world, "web"), REGION, team_profile(world, "web")),
    ]
    given = answers(world, alice, *(("converse", model, region) for model, region, _ in refused), ("converse", PROFILE, REGION, plain))
    who, action = session(ACCOUNT, "alice@example.com"), "bedrock:InvokeModel"
    for answer, (_, _, resource) in zip(given, refused):
        expect_denied(answer, who, action, resource, no_allow(action))
    tls = explicit_deny(ACCOUNT, "bedrock-sso-federation-permissions")
    expect_denied(given[-1], who, action, model_arn("inference-profile", PROFILE), tls)


@scenario
def deployed_permissions_refuse_a_person_without_a_team(world):
    bob = world.deployed_people["bob"]
    document(bob.outcome)
    profile = team_profile(world, "ml")
    own, foreign = answers(world, bob, ("converse", PROFILE), ("converse_stream", profile))
    expect(own == {"answer": ANSWER}, f"Bedrock answered {own}")
    action = "bedrock:InvokeModelWithResponseStream"
    expect_denied(foreign, session(ACCOUNT, "bob@example.com"), action, profile, no_allow(action))


@scenario
def deployed_refusals_are_named_by_doctor_live(world):
    alice, bob = world.deployed_people["alice"], world.deployed_people["bob"]
    for home, model, region, resource, facts in (
        (alice, OTHER_MODEL, REGION, model_arn("inference-profile", OTHER_MODEL), ["`models`", f"allows in {REGION}"]),
        (alice, PROFILE, "us-west-2", model_arn("inference-profile", PROFILE, "us-west-2"), ["`models`", "allows in us-west-2"]),
        (alice, MODEL, REGION, model_arn("foundation-model", MODEL, account=""), ["inference profile instead of the model"]),
        (alice, team_profile(world, "web"), REGION, team_profile(world, "web"), ["tags", "(Email=alice@example.com Team=ml)"]),
        (bob, team_profile(world, "ml"), REGION, team_profile(world, "ml"), ["tags", "(Email=bob@example.com)"]),
    ):
        row = live_row(home, model, region)
        expect(row["name"] == "converse" and resource in row["message"], f"{home.name}, {model}: {row}")
        expect(all(fact in row["remedy"] for fact in facts), f"{home.name}, {model}: {row}")


@scenario
def deployed_refusal_of_plain_http_is_named_by_doctor_live(world):
    alice = world.deployed_people["alice"]
    with alice.configured(bedrock_endpoint=world.deployment.bedrock.address):
        terminal = alice.at_a_terminal("login")
        expect(terminal.shows("[y/N]", 20), f"it did not show the new address: {terminal.text!r}")
        terminal.press(b"y\n")
        expect(terminal.ends(20) == 0, f"it did not accept the address: {terminal.text!r}")
        row = live_row(alice, PROFILE)
    expect(row["name"] == "converse" and "policy/bedrock-sso-federation-permissions denies it" in row["message"], row)
    host = world.deployment.bedrock.address.removeprefix("http://")
    expect(f"plain http to {host}" in row["remedy"], row)


@scenario
def deployed_trust_policy_refuses_another_name(world):
    """Alice's profile takes the name from a claim that she can edit at the provider, where she has entered Bob's address."""
    alice = world.deployed_people["alice"]
    with alice.configured(session_name=["nickname"]):
        _, hint = failure_lines(alice.credentials(), 7, "aws/access_denied")
    expect("session name bob@example.com (neither the subject nor a session tag)" in hint, hint)
    asked = world.deployment.sts.events()[-1]
    expect((asked["session"], asked["code"]) == ("bob@example.com", "AccessDenied"), f"STS saw {asked}")
    expect(only_visit(alice), "another browser was opened")


@scenario
def deployed_trust_policy_refuses_another_audience(world):
    """A token that the same provider has issued to another application: first the account's provider does not accept it, and then,
    when somebody has added that application there, the role does not."""
    home, deployment = world.deployed_people["timesheets"], world.deployment
    failure_lines(home.outcome, 7, "aws/invalid_identity_token")
    provider = ["--open-id-connect-provider-arn", deployment.outputs[ACCOUNT, "federation"]["ProviderArn"]]
    deployment.aws(ACCOUNT, "iam", "add-client-id-to-open-id-connect-provider", *provider, "--client-id", OTHER_CLIENT)
    _, hint = failure_lines(home.credentials(), 7, "aws/access_denied")
    expect(f"audience {OTHER_CLIENT}" in hint, hint)


@scenario
def deployed_trust_policy_refuses_a_tag_that_nobody_listed(world):
    failure_lines(world.deployed_people["mallory"].outcome, 7, "aws/tag_session")


@scenario
def deployed_chain_reaches_the_second_account(world):
    alice, deployment = world.deployed_people["alice"], world.deployment
    with alice.configured(**deployment.profile(NEAR, FAR)):
        document(alice.credentials())
        given = answers(world, alice, ("converse",), ("converse", OTHER_MODEL))
    who, action = session(MODELS, "alice@example.com"), "bedrock:InvokeModel"
    expect(given[0] == {"answer": ANSWER}, f"Bedrock answered {given[0]}")
    expect_denied(given[1], who, action, model_arn("inference-profile", OTHER_MODEL, account=MODELS), no_allow(action))
    with alice.configured(**{**deployment.profile(NEAR), "role_chain": []}):
        [given] = answers(world, alice, ("converse",))
    who, resource = session(SIGN_IN, "alice@example.com"), model_arn("inference-profile", PROFILE, account=SIGN_IN)
    expect_denied(given, who, action, resource, no_allow(action))
    expect(only_visit(alice), "another browser was opened")


@scenario
def deployed_chain_refuses_another_name_and_a_missing_external_id(world):
    alice = world.deployed_people["alice"]
    profile = world.deployment.profile(NEAR, FAR)
    [link] = profile["role_chain"]
    for changed in ({**link, "session_name": "bob@example.com"}, {"role_arn": link["role_arn"]}):
        with alice.configured(**{**profile, "role_chain": [changed]}):
            failure_lines(alice.credentials(), 7, "aws/chain_denied")


@scenario
def deployed_block_ends_the_live_session_of_one_person(world):
    alice, bob, deployment = world.deployed_people["alice"], world.deployed_people["bob"], world.deployment
    before = [answers(world, home, ("converse",)) for home in (alice, bob)]
    expect(before == [[{"answer": ANSWER}]] * 2, f"Bedrock answered {before}")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda account: deployment.deploy_command(account, "block", "bob@example.com"), (ACCOUNT, SIGN_IN)))
    exchanges = len(deployment.sts.events())
    [denied], [allowed] = answers(world, bob, ("converse",)), answers(world, alice, ("converse",))
    expect(len(deployment.sts.events()) == exchanges, "the sessions were new ones")
    action, resource = "bedrock:InvokeModel", model_arn("inference-profile", PROFILE)
    expect_denied(denied, session(ACCOUNT, "bob@example.com"), action, resource, explicit_deny(ACCOUNT, BLOCKED))
    expect(allowed == {"answer": ANSWER}, f"Bedrock answered {allowed}")
    row = live_row(bob, PROFILE)
    expect(BLOCKED in row["message"] and "unblock bob@example.com" in row["remedy"], row)
    # The near end of a chain refuses to assume the next role.
    with bob.configured(**deployment.profile(NEAR, FAR)):
        failure_lines(bob.credentials(), 7, "aws/blocked")
