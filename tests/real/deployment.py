"""AWS accounts into which the real AWS CLI deploys our templates, and their people at a provider.

One person signs in directly to the account ACCOUNT, and through the account SIGN_IN to the account MODELS, which is a chain of roles.
`sts.py` and `bedrock.py` decide by what is deployed.
"""

import json
import os
import subprocess
import tomllib
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from bench import HERE, TIMEOUT, Home, Server

TEMPLATES = HERE.parent.parent / "packaging/aws"
ACCOUNT, SIGN_IN, MODELS = "123456789012", "111111111111", "222222222222"
COMMAND = "333333333333"  # where the command `deploy` deploys
NEAR, FAR = (SIGN_IN, "federation"), (MODELS, "federation")
REGION = "us-east-1"
MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = f"us.{MODEL}"
OTHER_MODEL = "us.anthropic.claude-opus-4-5-20251101-v1:0"
EXTERNAL_ID = "from-the-sign-in-account"
OTHER_CLIENT = "timesheets"
TAGS = "https://aws.amazon.com/tags"


def person(email, nickname="", **tags):
    """The claims of a person whose provider puts session tags into the ID token. A person can choose their nickname."""
    tags = {"Email": email, **tags}
    principal_tags = {key: [value] for key, value in tags.items()}
    return {"nickname": nickname, TAGS: {"principal_tags": principal_tags, "transitive_tag_keys": list(tags)}}


PEOPLE = {
    "alice": person("alice@example.com", "bob@example.com", Team="ml"),
    "bob": person("bob@example.com"),
    "mallory": person("mallory@example.com", Team="ml", Admin="yes"),
}


def profile_arn(account):
    return f"arn:aws:bedrock:{REGION}:{account}:inference-profile/{PROFILE}"


def models(account):
    return {"InferenceProfileArns": profile_arn(account), "FoundationModelArns": f"arn:aws:bedrock:*::foundation-model/{MODEL}"}


# These parameters have no default.
NO_MODELS = {"InferenceProfileArns": "", "FoundationModelArns": ""}
CHAINED = {"Federation": "chained", "IssuerUrl": "", "ClientIds": "", "SessionName": "tag", "ExternalId": EXTERNAL_ID}


class Deployment:
    def __init__(self, bench):
        self.bench = bench
        emulator = [bench.cache / "aws_python/bin/python", HERE.parent / "aws/emulator.py"]
        self.emulator = Server(bench.servers, "emulator", emulator, TMPDIR=bench.servers)
        people = {"PEOPLE": json.dumps(PEOPLE), "OTHER_CLIENT": OTHER_CLIENT}
        self.provider = bench.start_provider("organisation-provider", ALG="ES256", LOGIN="html", **people, **bench.tls)
        self.sts = bench.start_sts("organisation-sts", self.emulator.address)
        self.bedrock = bench.start_bedrock("organisation-bedrock", self.sts.address, self.emulator.address)
        bench.more_servers += [self.emulator, self.provider, self.sts, self.bedrock]
        self.administrator = bench.root / "administrator"  # a home, with the AWS CLI under its own name
        (self.administrator / "bin").mkdir(parents=True)
        (self.administrator / "bin/aws").symlink_to((bench.cache / "aws_cli_sso").resolve())
        self.deploy_all()

    def deploy_all(self):
        """Everything at once: no stack needs an output of another one."""
        near, far = (f"arn:aws:iam::{account}:role/bedrock-sso-federation-user" for account in (SIGN_IN, MODELS))
        sign_in = {"IssuerUrl": self.provider.address, "ClientIds": "bedrock-sso", "SessionName": "tag"}
        stacks = [
            (ACCOUNT, "federation", {**sign_in, **models(ACCOUNT)}),
            (ACCOUNT, "team-ml", {"Team": "ml", "MediumModelArn": profile_arn(ACCOUNT)}),
            (ACCOUNT, "team-web", {"Team": "web", "MediumModelArn": profile_arn(ACCOUNT)}),
            (*NEAR, {**sign_in, **NO_MODELS, "DedicatedRoleArns": far}),
            (*FAR, {**CHAINED, **models(MODELS), "SourceRoleArn": near}),
        ]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda stack: self.deploy(*stack), stacks))
        with urllib.request.urlopen(f"{self.emulator.address}/_test/stacks", timeout=10) as answer:
            accounts = json.load(answer)
        self.outputs = {
            (account, name.removeprefix("bedrock-sso-")): stack["outputs"]
            for account, regions in accounts.items()
            for name, stack in regions[REGION].items()
        }

    def deploy(self, account, name, parameters):
        template = TEMPLATES / f"{name.partition('-')[0]}.yaml"
        command = ["cloudformation", "deploy", "--stack-name", f"bedrock-sso-{name}", "--template-file", template]
        given = [f"{key}={value}" for key, value in parameters.items()]
        self.aws(account, *command, "--capabilities", "CAPABILITY_NAMED_IAM", "--parameter-overrides", *given)

    def environment(self, account):
        return {
            "PATH": f"{self.administrator / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.administrator),
            "AWS_ENDPOINT_URL": self.emulator.address,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_REGION": REGION,
            "AWS_PAGER": "",
        }

    def aws(self, account, *words):
        return self.run(account, "aws", *words)

    def deploy_command(self, account, *words):
        return self.run(account, TEMPLATES / "deploy", *words, "--region", REGION)

    def run(self, account, *words):
        """Runs a command as the administrator of an account, and returns what it prints."""
        streams = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 3 * TIMEOUT}
        ran = subprocess.run([str(word) for word in words], env=self.environment(account), cwd=self.administrator, **streams)
        if ran.returncode:
            raise AssertionError(f"{' '.join(map(str, words[:4]))} ended with {ran.returncode}: {ran.stderr.strip()[-600:]}")
        return ran.stdout

    def home(self, name, *stacks, login="alice", **settings):
        """The machine of a person who has the configuration that these stacks print."""
        there = {"sts_endpoint": self.sts.address, "bedrock_endpoint": self.bedrock.secure}
        return Home(self.bench, name, self.provider, ["--login", login], {**self.profile(*stacks), **there, **settings})

    def profile(self, *stacks):
        """The settings that these stacks print. Later ones win."""
        profile = {}
        for stack in stacks:
            profile |= tomllib.loads(self.outputs[stack]["BedrockSsoConfig"])["profiles"]["claude"]
        return profile
