"""Functions for the scenarios, and the homes that several scenarios use."""

import functools
import json
import os
from datetime import datetime, timezone

import processes
from attacker import Attacker
from bench import wait_until
from deployment import ACCOUNT, OTHER_CLIENT, Deployment
from identity_center import IdentityCenter
from scan import Secrets

CALLERS = ["aws_cli_v1", "aws_cli_v2", "boto3", "javascript_sdk", "go_sdk", "java_sdk", "rust_sdk"]
EXCHANGE = "AssumeRoleWithWebIdentity"


def scenario(function):
    function.is_scenario = True
    return function


def expect(fact, otherwise):
    if not fact:
        raise AssertionError(otherwise)


def made_once(make):
    """A home that is made at its first use. If that fails, every scenario that uses the home fails at once."""

    @functools.cache
    def attempt(world):
        try:
            return make(world), None
        except AssertionError as failure:
            return None, failure

    def home(world):
        made, failure = attempt(world)
        if failure:
            raise AssertionError(f"the home could not be made: {failure}")
        return made

    return property(home)


class World:
    """The environment, and the homes that several scenarios use."""

    def __init__(self, bench, sampler):
        self.bench, self.sampler = bench, sampler

    @functools.cached_property
    def moto(self):
        return self.bench.start_moto()

    @functools.cached_property
    def bedrock(self):
        return self.bench.start_bedrock()

    @functools.cached_property
    def attacker(self):
        return Attacker(self.bench.root / "attacker")

    @functools.cached_property
    def identity_center(self):
        return IdentityCenter(self.bench)

    @functools.cached_property
    def own_center(self):
        """The Identity Center of the homes whose secrets are searched for. AWS's clients are judged at another one, because they write
        tokens to files and command lines."""
        return IdentityCenter(self.bench)

    @functools.cached_property
    def own_bedrock(self):
        """Bedrock in the account of `own_center`."""
        return self.bench.start_bedrock("own-bedrock", self.own_center.addresses["control"])

    def telemetry(self, bedrock):
        """The variables that make Claude Code send telemetry to this collector, often enough for a short session."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": bedrock.collector,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_LOGS_EXPORT_INTERVAL": "500",
        }

    @made_once
    def deployment(self):
        return Deployment(self.bench)

    @made_once
    def deployed_people(self):
        """People of the deployed account who have signed in at the same time, by name. `outcome` is the result."""
        stack = (ACCOUNT, "federation")
        homes = {name: self.deployment.home(f"deployed {name}", stack, login=name) for name in ("alice", "bob", "mallory")}
        homes["timesheets"] = self.deployment.home("deployed timesheets", stack, client_id=OTHER_CLIENT)
        runs = {name: home.start_credentials() for name, home in homes.items()}
        for name, home in homes.items():
            home.outcome = runs[name].outcome()
        return homes

    @made_once
    def coder(self):
        """Has run `setup`, and then Claude Code, which signed in first. `setup` and `outcome` are the results."""
        home = self.bench.home("coder", self.bench.quick_provider, claude_code={"env": self.telemetry(self.bedrock)})
        (home.path / ".aws/config").unlink()
        home.setup = home.ours("setup", "--yes")
        home.outcome = home.claude_code("Good morning!", self.bedrock)
        return home

    @made_once
    def assigned_coder(self):
        """Like `coder`, with a profile for Identity Center."""
        self.own_center.reset()
        department = {"static": {"X-Department": "research"}}
        variables = self.telemetry(self.own_bedrock)
        gate = self.bench.root
        home = self.own_center.chromium_home("assigned coder", gate, claude_code={"env": variables}, telemetry=department)
        (home.path / ".aws/config").unlink()
        home.setup = home.ours("setup", "--yes")
        before = self.own_center.counts()
        home.outcome = home.claude_code("Good morning!", self.own_bedrock)
        home.requests = self.own_center.counts() - before
        return home

    @made_once
    def alice(self):
        """All kinds of callers have signed in at the same time. `callers` has their outcomes."""
        gate = self.bench.root / "all callers are there"
        home = self.bench.home("alice", person=["--gate", str(gate)])
        runs = [home.caller(name) for name in CALLERS]
        wait_until(lambda: len(running(self)) >= len(runs), 30)
        gate.touch()
        home.callers = [run.outcome() for run in runs]
        return home

    @made_once
    def refused(self):
        """The user has pressed Cancel once. `outcome` is the result."""
        home = self.bench.home("refused", person=["--refuse"])
        home.outcome = home.credentials()
        return home

    @made_once
    def renewing(self):
        """Signed in at the quick provider, while AWS_PROFILE named a profile that runs this program."""
        home = self.bench.home("renewing", self.bench.quick_provider)
        codes = len(self.bench.quick_provider.events("token", grant="authorization_code"))
        self.bench.control(lifetime=120)
        home.outcome = home.credentials(AWS_PROFILE="real")
        home.codes = len(self.bench.quick_provider.events("token", grant="authorization_code")) - codes
        return home


def only_visit(home):
    visits = home.visits()
    expect(len(visits) == 1, f"{len(visits)} browsers were opened")
    expect(wait_until(home.finished_visits), "the browser did not end")
    return home.finished_visits()[0]


def failure_lines(outcome, code, slug):
    """Checks a failure, and returns its two lines: message and hint."""
    lines = outcome.stderr.splitlines()
    expect(outcome.code == code and outcome.stdout == "", outcome)
    expect(len(lines) == 2 and lines[0].endswith(f"[{slug}]") and lines[1].startswith("  hint: "), outcome)
    return lines


def secrets(world):
    return Secrets(world.bench.ledgers, world.own_center.control("GET", "/secrets") if "own_center" in vars(world) else [])


def running(world):
    """The program's processes, including detached ones, as {pid: command line}."""
    commands = {pid: os.fsdecode(command).split("\0") for pid, command in processes.descendants().items()}
    name = world.bench.binary.name
    return {pid: " ".join(words) for pid, words in commands.items() if name in map(os.path.basename, words)}


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
