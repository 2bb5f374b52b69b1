"""The world of the tests of packaging/aws/deploy: an emulated AWS, an administrator's folder, and a runner for tests.

Each test has an AWS account of its own in the emulator, and an empty folder in which it calls `deploy` with the real AWS CLI.
"""

import concurrent.futures
import difflib
import itertools
import json
import os
import pathlib
import pty
import queue
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback
import unittest
import urllib.parse
import urllib.request
import zipfile

from resident_cli import ResidentCli

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "packaging/aws/deploy"
PROBE = ROOT / "packaging/aws/probe"
EXPECTED = ROOT / "tests/aws/expected"
REGION = "eu-central-1"

# A shell as the words of a command.
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "ash"], "bash": ["bash", "--posix"]}

ANSWERS = {
    "region": REGION,
    "issuer": "https://acme.okta.com",
    "client_id": ["0oa1b2c3d4"],
    "models": ["sonnet-4-5"],
}

# What no emulator has, and what an account answers that lacks nothing.
MODEL_ACCESS = {
    "agreementAvailability": {"status": "AVAILABLE"},
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}
MODELS = {
    "sonnet-4-5": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "haiku-4-5": "anthropic.claude-haiku-4-5-20251001-v1:0",
    "sonnet-4-6": "anthropic.claude-sonnet-4-6",
}
QUOTAS = [
    ("L-00000001", 200000.0, True, "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1"),
    ("L-00000002", 10000.0, True, "Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.5 V1"),
    ("L-00000003", 90000000.0, False, "Cross-region model inference tokens per minute for Anthropic Claude Haiku 4.5"),
    ("L-00000004", 10.0, False, "Cross-region model inference requests per minute for Anthropic Claude Haiku 4.5"),
    ("L-00000005", 1.0, True, "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1 1M Context Length"),
]


def quota_answer():
    rows = [{"QuotaCode": code, "Value": value, "Adjustable": adjustable, "QuotaName": name} for code, value, adjustable, name in QUOTAS]
    return answer("servicequotas", "ListServiceQuotas", {"Quotas": rows})


def answer(service, operation, body, status=200):
    return {"service": service, "operation": operation, "status": status, "body": body}


def availability(model, **changes):
    return answer("bedrock", f"GET /foundation-model-availability/{model}", {"modelId": model, **MODEL_ACCESS, **changes})


def usual_answers():
    return [quota_answer(), answer("bedrock", "GET /use-case-for-model-access", {"formData": "e30="})] + [availability(model) for model in MODELS.values()]


def find_aws_cli():
    return subprocess.run([ROOT / ".ci/tools", "aws-cli-with-sso"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


# The wording of each failure that a test has seen, by its slug.
FAILURES = set()


def compare_with_golden(name, text):
    """The differences from a file in tests/aws/expected, as text. UPDATE_EXPECT=1 writes the file instead."""
    path = EXPECTED / name
    if os.environ.get("UPDATE_EXPECT"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return ""
    before = path.read_text() if path.exists() else ""
    return "".join(difflib.unified_diff(before.splitlines(True), text.splitlines(True), str(path), "seen now"))


class Emulator:
    deployed_account = None

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, ROOT / "tests/aws/emulator.py"], stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith("ready "):
                self.endpoint = line.split()[1]
                return
        raise AssertionError("the emulator did not start")

    def get(self, path):
        with urllib.request.urlopen(f"{self.endpoint}/_test/{path}") as response:
            return json.load(response)

    def prepare(self, answers):
        request = urllib.request.Request(f"{self.endpoint}/_test/answers", json.dumps(answers).encode(), method="POST")
        urllib.request.urlopen(request).close()

    def end(self):
        self.process.kill()
        self.process.wait()


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        found = re.search(r"\[deploy/([a-z_]+)\]$", err, re.M)
        self.slug = found and found[1]

    def __repr__(self):
        return f"code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class DeployTest(unittest.TestCase):
    """A test with an account of its own. The runner sets `emulator`, and the programs `aws_cli` and `quick_aws_cli`."""

    emulator = aws_cli = quick_aws_cli = None
    accounts = itertools.count(100000000001)

    def setUp(self):
        # The shells take turns, so each runs a part of everything.
        self.shell = sorted(SHELLS)[sum(self.id().encode()) % len(SHELLS)]
        self.account = str(next(self.accounts))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="deploy-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.emulator.prepare(usual_answers())

    def environment(self, **changes):
        # Programs of the test go before those of the machine, and a `bedrock-sso` of the machine must not be found.
        path = f"{self.folder}/bin:{os.path.dirname(self.quick_aws_cli)}:/usr/bin:/bin"
        variables = {
            "PATH": path,
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "AWS_ENDPOINT_URL": self.emulator.endpoint,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            **changes,
        }
        return {name: value for name, value in variables.items() if value is not None}

    def deploy(self, *arguments, shell=None, program=DEPLOY, **environment):
        command = [*SHELLS[shell or self.shell], str(program), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(**environment), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def deploys(self, *arguments, **named):
        result = self.deploy(*arguments, **named)
        self.assertEqual(result.code, 0, result)
        return result

    def refuses(self, code, slug, *arguments, **named):
        result = self.deploy(*arguments, **named)
        self.assertEqual((result.code, result.slug), (code, slug), result)
        # Two lines: what happened, and what to do.
        self.assertRegex(result.err, r"\Adeploy: [^\n]+ \[deploy/[a-z_]+\]\n  hint: [^\n]+\n\Z")
        FAILURES.add((slug, self.generalize(result.err)))
        return result

    def generalize(self, text):
        """The text with placeholders for what differs between two runs."""
        text = text.replace(str(self.folder), "{folder}").replace(self.account, "{account}").replace(str(DEPLOY.parent), "{here}")
        text = re.sub(r"http://127\.0\.0\.1:\d+", "{endpoint}", text)
        return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "{time}", text)

    def write_answers(self, **changes):
        """The file with the answers. A value of None leaves the key out."""
        answers = {**ANSWERS, **changes}
        lines = [f"{key} = {json.dumps(value)}" for key, value in answers.items() if value is not None]
        (self.folder / "bedrock-sso.deploy.toml").write_text("\n".join(lines) + "\n")

    def server_zip(self, content="program", name="server.zip"):
        """The program of the limits service, as far as `deploy` is concerned."""
        with zipfile.ZipFile(self.folder / name, "w") as archive:
            archive.writestr("bootstrap", f"#!/bin/sh\n# {content}\n")

    def program(self, name, text):
        """A program on PATH, as a script for sh."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def iam(self, action, account=None, **parameters):
        """The raw answer of IAM. The AWS CLI would decode documents, and the tests compare their bytes."""
        scope = f"{account or self.account}/20261130/us-east-1/iam/aws4_request"
        request = urllib.request.Request(
            self.emulator.endpoint,
            urllib.parse.urlencode({"Action": action, "Version": "2010-05-08", **parameters}).encode(),
            {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0", "Content-Type": "application/x-www-form-urlencoded"},
        )
        with urllib.request.urlopen(request) as response:
            return response.read().decode()

    def put_object(self, bucket, key, content):
        scope = f"{self.account}/20261130/{REGION}/s3/aws4_request"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0", "Content-Type": "text/csv"}
        request = urllib.request.Request(f"{self.emulator.endpoint}/{bucket}/{key}", content, headers, method="PUT")
        urllib.request.urlopen(request).close()

    def stacks(self, account=None, region=REGION):
        found = self.emulator.get("stacks").get(account or self.account, {}).get(region, {})
        return {name: stack for name, stack in found.items() if stack["status"] != "DELETE_COMPLETE"}

    def use_deployed_account(self):
        """An account with the federation's stack, in which nobody is blocked. The tests of an emulator share it."""
        if not self.emulator.deployed_account:
            self.write_answers()
            self.deploys("--only", "federation")
            self.emulator.deployed_account = self.account
        self.account = self.emulator.deployed_account
        versions = self.policy_versions()
        if not versions["v1"]:
            self.iam("SetDefaultPolicyVersion", PolicyArn=self.blocked_policy(), VersionId="v1")
        for version in set(versions) - {"v1"}:
            self.iam("DeletePolicyVersion", PolicyArn=self.blocked_policy(), VersionId=version)

    def requests(self):
        """The names of the operations that this account's credentials have called, without those that only read."""
        reads = ("Describe", "Get", "List", "GET ", "HEAD ")
        calls = [it["operation"] for it in self.emulator.get("requests") if it["account"] == self.account]
        return [it for it in calls if not it.startswith(reads)]

    def limit_policy(self, number, account=None):
        name = f"bedrock-sso-federation-you-are-blocked-limit-reached-run-bedrock-sso-quota-{number}"
        return f"arn:aws:iam::{account or self.account}:policy/{name}"

    def blocked_policy(self, account=None):
        return f"arn:aws:iam::{account or self.account}:policy/bedrock-sso-federation-you-are-blocked-ask-your-administrator"

    def profile_of_outputs(self):
        """The profile that the configurations in outputs.json make together. Later ones add to earlier ones."""
        profile = {}
        for stack in json.loads((self.folder / "outputs.json").read_text())["Stacks"]:
            for output in stack["Outputs"]:
                if output["OutputKey"] == "BedrockSsoConfig":
                    profile |= tomllib.loads(output["OutputValue"])["profiles"]["claude"]
        return profile

    def policy_versions(self, account=None):
        """{version: whether it is the default}"""
        text = self.iam("ListPolicyVersions", account, PolicyArn=self.blocked_policy(account))
        found = re.findall(r"<VersionId>(v\d+)</VersionId>\s*<IsDefaultVersion>(true|false)<", text)
        return {version: default == "true" for version, default in found}

    def policy_document(self, account=None, version=None):
        """The bytes of the version in force, or of another one."""
        version = version or next(it for it, default in self.policy_versions(account).items() if default)
        text = self.iam("GetPolicyVersion", account, PolicyArn=self.blocked_policy(account), VersionId=version)
        return urllib.parse.unquote(re.search(r"<Document>(.*?)</Document>", text, re.S)[1])

    def blocked(self, account=None):
        """{person: until or None} as the policy in force has it."""
        found = {}
        for statement in json.loads(self.policy_document(account))["Statement"]:
            for name in statement["Condition"]["StringLike"]["aws:userid"]:
                found[name.removeprefix("*:")] = statement["Condition"].get("DateLessThan", {}).get("aws:CurrentTime")
        found.pop("(nobody)", None)
        return found


class Terminal:
    """`deploy` in a terminal, with somebody who answers."""

    def __init__(self, test, *arguments, **environment):
        self.text, self.whole, pid_and_terminal = "", "", pty.fork()
        self.pid, self.terminal = pid_and_terminal
        if not self.pid:
            # A shell that runs this test in the background ignores Ctrl-C, and programs inherit that.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.chdir(test.folder)
            os.execvpe(SHELLS[test.shell][0], [*SHELLS[test.shell], str(DEPLOY), *arguments], test.environment(TERM="xterm", **environment))

    def expect(self, text, seconds=300):
        """Waits until the text has appeared after everything that was expected before."""
        end = time.monotonic() + seconds
        while text not in self.text:
            assert self.read(end), f"{text!r} did not appear in: {self.text}"
        self.text = self.text.partition(text)[2]

    def read(self, end):
        ready, _, _ = select.select([self.terminal], [], [], max(0, end - time.monotonic()))
        try:
            data = os.read(self.terminal, 65536) if ready else b""
        except OSError:
            data = b""
        seen = data.decode(errors="replace").replace("\r\n", "\n")
        self.text += seen
        self.whole += seen
        return data

    def answer(self, question, text):
        self.expect(question)
        os.write(self.terminal, text.encode() + b"\n")

    def press(self, byte):
        os.write(self.terminal, byte)

    def end(self, seconds=900):
        """Reads to the end. Returns the exit code and the rest of the text."""
        end = time.monotonic() + seconds
        while self.read(end):
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), self.text


def run_all(module, patterns):
    """Runs the tests whose name contains one of the patterns, each worker with an emulator of its own. Returns the exit code."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    tests = [test for case in suite for test in case if not patterns or any(it in test.id() for it in patterns)]
    DeployTest.aws_cli = find_aws_cli()
    resident = ResidentCli(DeployTest.aws_cli)
    DeployTest.quick_aws_cli = resident.folder / "aws"
    # `deploy` waits for AWS half of the time, so more tests run than there are processors.
    workers = min(len(tests), 2 * (os.cpu_count() or 2))
    emulators = queue.Queue()
    running = [Emulator() for _ in range(workers)]
    for emulator in running:
        emulators.put(emulator)

    def run(test):
        test.emulator, began = emulators.get(), time.monotonic()
        try:
            result = unittest.TestResult()
            test.run(result)
        finally:
            emulators.put(test.emulator)
        problems = [text for _, text in result.failures + result.errors]
        print(f"{'FAILED' if problems else 'ok':6}  {time.monotonic() - began:5.1f} s  {test.id().rpartition('.')[2]}", flush=True)
        return problems

    try:
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            outcomes = list(pool.map(run, tests))
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        for server in (resident, *running):
            server.end()
    for test, problems in zip(tests, outcomes):
        for text in problems:
            print(f"\n=== {test.id()}\n{text}")
    failed = sum(map(bool, outcomes))
    if not patterns and not failed:
        # A part of the tests does not see all failures.
        wording = "".join(text.replace("deploy: ", f"# deploy/{slug}\ndeploy: ", 1) + "\n" for slug, text in sorted(FAILURES))
        difference = compare_with_golden("failures.txt", wording)
        print(difference or f"{len(FAILURES)} failures have the expected wording")
        failed += bool(difference)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed or not tests else 0
