"""AWS's clients and Claude Code with a profile of the program for an assignment at IAM Identity Center, in the test world.

The scenarios of `identity_center` judge that Identity Center with AWS's clients alone.
"""

import collections
import functools
import json

from bedrock import ANSWER
from bench import wait_until
from identity_center import SsoHome, sso_arn
from scenarios.callers import HEADINGS, check_last_error, shown_lines
from scenarios.claude_code import HOOKS
from scenarios.identity_center import expect_arn, expect_failure, expire_access_token, judged
from scenarios.world import document, expect, failure_lines, only_visit, running, scenario, secrets

CALLERS = ["aws_cli_sso", "boto3", "javascript_sdk", "go_sdk", "java_sdk", "rust_sdk"]
SPENT = 10  # seconds: so little that the program counts a token or credentials as expired
# The request for a device code shows whether AWS still knows the registration, before a browser opens.
NEW_SIGN_IN = {"portal-device-code": 1, "portal-authorize": 1, "portal-login": 2, "portal-code": 1, "role-credentials": 1}
FIRST_SIGN_IN = {"register-client": 1, **NEW_SIGN_IN}


def assigned(function):
    """A scenario with the Identity Center of the program's homes, whose knobs are as at the start."""

    @functools.wraps(function)
    def run(world):
        world.own_center.reset()
        function(world, world.own_center)

    return scenario(run)


def five_at_once(home, name):
    return [home.caller(name, clients=5)] if name in ("go_sdk", "java_sdk") else [home.caller(name) for _ in range(5)]


def expect_requests(center, act, wanted, what):
    """Checks which requests the program sent while `act` ran. GetCallerIdentity is also what the callers ask AWS."""
    before = center.counts()
    result = act()
    seen = center.counts() - before
    seen.pop("identity", None)
    expect(seen == wanted, f"{what}: the requests were {dict(seen)}")
    return result


def expect_arns(runs, name, count):
    outcomes = [run.outcome() for run in runs]
    printed = [arn for outcome in outcomes for arn in outcome.stdout.split()]
    expect(all(outcome.code == 0 for outcome in outcomes) and printed == [sso_arn()] * count, f"{name}: {[*map(str, outcomes)]}, {printed}")


def waiting(world):
    """The number of callers that wait for the program's credentials."""
    return sum(" credentials --profile" in command for command in running(world).values())


def expect_visits(home, count):
    expect(len(home.visits()) == count, f"{len(home.visits())} browsers were opened instead of {count}")


def spend_credentials(center, home):
    """Replaces the home's credentials by some that have expired for the program."""
    center.control("POST", "/revoke-credentials")
    center.next(1, "credential-lifetime", SPENT)
    expect((outcome := home.ours("login")).code == 0, outcome)


@assigned
def identity_center_program_signs_in_once_for_five_callers(world, center):
    for name in CALLERS:
        gate = world.bench.root / f"five {name} wait"
        home = center.program_home(f"assigned {name}", gate)

        def storm():
            runs = five_at_once(home, name)
            wait_until(lambda: waiting(world) >= 5, 30)
            gate.touch()
            expect_arns(runs, name, 5)

        expect_requests(center, storm, FIRST_SIGN_IN, f"five {name}")
        expect(only_visit(home), "nobody signed in")
        expect_requests(center, lambda: expect_arns([home.caller(name)], name, 1), {}, f"{name} with cached credentials")
        expect(not (home.path / ".aws/sso").exists(), f"{name} has a token of its own")


@assigned
def identity_center_program_renews_for_each_caller_and_for_all_at_once_with_one_refresh(world, center):
    center.set(portal_token_lifetime=SPENT)
    center.next(1, "credential-lifetime", SPENT)
    home = center.program_home("renewed assignment")
    document(home.credentials())
    first = len(center.questions("portal-refresh"))
    for names in [*([name] for name in CALLERS), CALLERS]:
        wanted = {"portal-refresh": 1, "role-credentials": 1}
        expect_requests(center, lambda: expect_arns([home.caller(name) for name in names], names, len(names)), wanted, names)
        spend_credentials(center, home)
    sent = [question["refreshToken"] for question in center.questions("portal-refresh")[first:]]
    expect(len(sent) == len(set(sent)) == 2 * (len(CALLERS) + 1), f"{len(sent)} refreshes with {len(set(sent))} tokens")
    only_visit(home)


@assigned
def identity_center_program_names_a_missing_assignment_to_each_caller(world, center):
    home = center.program_home("not assigned")
    center.set(assignments=[])
    message = failure_lines(home.credentials(), 7, "aws/no_assignment")[0].partition(" (request ")[0]
    for name in CALLERS:
        outcome = home.caller(name).outcome()
        expect(outcome.code != 0 and outcome.stdout == "", f"{name}: {outcome}")
        # The guide says which callers hide the message.
        shown = "bedrock-sso: " in "".join(shown_lines(HEADINGS[name]))
        for text in (message, "[aws/no_assignment]", "hint: ask your AWS administrator to assign the permission set BedrockUser"):
            expect((text in outcome.stderr) == shown, f"{name} prints {outcome.stderr!r}, with or without {text!r}")
        check_last_error(home, name, "aws/no_assignment")
    only_visit(home)
    center.set(assignments=None)
    expect_requests(center, lambda: expect_arns([home.caller("boto3")], "boto3", 1), {"role-credentials": 1}, "the new assignment")


@assigned
def identity_center_program_opens_one_browser_after_an_administrator_ended_the_session(world, center):
    gate = world.bench.root / "the session has ended"
    gate.touch()
    center.next(1, "credential-lifetime", SPENT)
    home = center.chromium_home("ended assignment", gate)
    document(home.credentials())
    only_visit(home)
    gate.unlink()
    center.control("POST", "/end-portal-sessions")

    def storm():
        runs = [home.caller(name) for name in CALLERS]
        wait_until(lambda: waiting(world) >= len(runs), 30)
        gate.touch()
        expect_arns(runs, "all callers", len(runs))

    before = center.counts()
    storm()
    seen = center.counts() - before
    # Callers present the old access token until one of them has stored that the portal refuses it.
    refused = seen.pop("role-credentials") - 1
    expect(1 <= refused <= len(CALLERS), f"the portal refused {refused} access tokens")
    del seen["identity"]
    wanted = collections.Counter({**NEW_SIGN_IN, "portal-refresh": 1})
    del wanted["role-credentials"]
    expect(seen == wanted, f"the requests were {dict(seen)}")
    expect_visits(home, 2)


@assigned
def identity_center_program_serves_claude_code_with_the_files_from_setup(world, center):
    coder = world.assigned_coder
    expect(coder.setup.code == 0, coder.setup)
    settings = json.loads((coder.path / ".claude/settings.json").read_text())
    expect(HOOKS <= set(settings), f"the settings are {settings}")
    expect(coder.outcome.code == 0 and coder.outcome.stdout.strip() == ANSWER, f"it printed {coder.outcome.stdout!r}: {coder.outcome}")
    expect(not secrets(world).found_in((coder.outcome.stdout + coder.outcome.stderr).encode()), "it showed a secret")
    only_visit(coder)
    coder.requests.pop("identity")
    expect(coder.requests == FIRST_SIGN_IN, f"the requests were {dict(coder.requests)}")
    asked = world.own_bedrock.events("bedrock")
    expect(asked and all(event["status"] == 200 and event["who"] == sso_arn() for event in asked), f"Bedrock saw {asked}")
    expect(any(event["verb"] == "invoke-with-response-stream" for event in asked), f"Bedrock saw {asked}")


@assigned
def identity_center_program_names_the_user_in_the_telemetry_of_claude_code(world, center):
    expect(world.assigned_coder.outcome.code == 0, world.assigned_coder.outcome)
    sent = world.own_bedrock.events("telemetry")
    expect(sent, "no telemetry came")
    wanted = {"x-user-name": "jane@example.com", "x-user-email": "jane@example.com", "x-department": "research"}
    for event in sent:
        headers = event["headers"]
        expect(wanted.items() <= headers.items(), f"{event['path']} came with {headers}")
        expect("authorization" not in headers, "a token was sent")


class SharedHome:
    """A home in which the AWS CLI and the program are signed in at the Identity Center of the judges, whose tokens may lie in files.

    The access token of the CLI soon expires. `token_lifetime` is that of later ones, in seconds."""

    def __init__(self, center, name, token_lifetime=None):
        center.set(portal_token_lifetime=2)
        self.center, self.program = center, center.program_home(name)
        config = self.program.path / ".aws/config"
        process = config.read_text()
        self.cli = SsoHome(center, self.program.path, {})
        config.write_text(config.read_text() + process)
        expect(self.cli.sign_in()[0] == 0, "the CLI did not sign in")
        center.set(portal_token_lifetime=token_lifetime)
        self.sign_in_program()

    def sign_in_program(self):
        document(self.program.credentials())

    def use_cli(self):
        """Makes the CLI refresh its access token and ask for role credentials."""
        expire_access_token(self.cli)
        expect_arn(self.cli, "aws_cli")

    def use_program(self):
        """Makes the program ask for role credentials, and a caller use them."""
        spend_credentials(self.center, self.program)
        expect_arns([self.program.caller("aws_cli_sso")], "aws_cli_sso", 1)

    def cli_files(self):
        return self.files(".aws/sso")

    def program_files(self):
        """The program's files, including its configuration."""
        return self.files("bedrock-sso")

    def files(self, part):
        found = {file.relative_to(self.program.path): file for file in self.program.files()}
        return {name: (file.stat().st_mtime_ns, file.read_bytes()) for name, file in found.items() if part in str(name)}


def changed_files(before, after):
    return sorted(str(name) for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def expect_unchanged(list_files, act, what):
    before = list_files()
    expect(before, f"{what}: there were no files")
    act()
    expect(not (changed := changed_files(before, list_files())), f"{what}: {changed}")


@judged
def identity_center_separates_the_program_from_the_aws_cli(center):
    """Each has a registration, a session and files of its own."""
    before = center.counts()
    home = SharedHome(center, "beside the AWS CLI", token_lifetime=SPENT)
    seen = center.counts() - before
    expect((seen["register-client"], seen["portal-code"]) == (2, 2), f"the requests were {dict(seen)}")
    before = center.counts()
    expect_unchanged(home.cli_files, home.use_program, "the program changed files of the CLI")
    expect_unchanged(home.program_files, home.use_cli, "the CLI changed files of the program")
    expect_unchanged(home.cli_files, home.use_program, "the program changed files of the CLI")
    seen = center.counts() - before
    # `use_program` refreshes for `login` and for the caller.
    expect(seen["portal-refresh"] == 2 + 1 + 2 and seen["portal-code"] == 0, f"the requests were {dict(seen)}")
    expect_visits(home.program, 1)


@judged
def identity_center_signs_the_program_and_the_aws_cli_out_separately(center):
    home = SharedHome(center, "logout beside the AWS CLI")

    def log_out_of_program():
        expect((outcome := home.program.ours("logout")).code == 0, outcome)

    def log_out_of_cli():
        expect((outcome := home.cli.cli("sso", "logout")).code == 0, outcome)

    log_out = functools.partial(expect_requests, center, log_out_of_program, {"portal-logout": 1}, "logout")
    expect_unchanged(home.cli_files, log_out, "logout changed files of the CLI")
    failure_lines(home.program.credentials("--no-login"), 4, "sign-in/not_allowed")
    home.use_cli()
    home.sign_in_program()
    expect_visits(home.program, 2)
    expect_unchanged(home.program_files, log_out_of_cli, "aws sso logout changed files of the program")
    expect_failure(home.cli, "aws_cli", "Token for acme does not exist")
    home.use_program()
    expect_visits(home.program, 2)
