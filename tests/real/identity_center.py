"""The test world's IAM Identity Center: the world, homes of AWS's clients and of the program, and a user at a browser.

It starts and records. The scenarios check.
"""

import collections
import json
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from bench import HERE, TIMEOUT, Run, wait_until

ACCOUNT = "123456789012"
# The sign-in page for the user at Chromium, as `person.mjs` reads it.
SIGN_IN_PAGE = {"sees": "button[value=sign-in]", "click": "button[value=sign-in]", "refuse": "button[value=deny]"}
# What the AWS CLI prints before it waits for the user.
AUTHORIZE = re.compile(r"http://\S+/authorize\?\S+")
USER_CODE = re.compile(r"^[A-Z]{4}-[A-Z]{4}$", re.MULTILINE)


def sso_arn(permission_set="BedrockUser", user="jane@example.com", account=ACCOUNT):
    return f"arn:aws:sts::{account}:assumed-role/AWSReservedSSO_{permission_set}_0123456789abcdef/{user}"


class IdentityCenter:
    """The `world` example, whose control address changes and describes it."""

    def __init__(self, bench):
        program = HERE.parents[1] / "target/debug/examples/world"
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addresses = json.loads(self.process.stdout.readline())
        self.bench = bench

    def control(self, method, path, settings=None):
        data = json.dumps(settings).encode() if settings else None
        request = urllib.request.Request(self.addresses["control"] + path, method=method, data=data)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def reset(self):
        self.control("DELETE", "/knobs")

    def set(self, **knobs):
        self.control("PATCH", "/knobs", {name.replace("_", "-"): value for name, value in knobs.items()})

    def requests(self, endpoint):
        return [request for request in self.control("GET", "/requests") if request["endpoint"] == endpoint]

    def questions(self, endpoint):
        """The JSON bodies of the requests to an endpoint."""
        return [json.loads(request["body"]) for request in self.requests(endpoint)]

    def count(self, endpoint):
        return len(self.requests(endpoint))

    def counts(self):
        """How often each endpoint was called. The difference of two shows what happened between them."""
        return collections.Counter(request["endpoint"] for request in self.control("GET", "/requests"))

    def next(self, times, knob, value):
        """Sets a knob for the next uses."""
        self.control("POST", "/knobs", {"knob": knob, "value": value, "times": times})

    def home(self, name, **profile):
        return SsoHome(self, self.bench.root / "identity-center" / name, profile)

    def program_home(self, name, gate=None, **settings):
        """A home in which the program's profile is an assignment. Its user presses the button once the file `gate` exists."""
        self.set(login="page")
        visits = self.bench.root / "visits" / name
        user = [self.bench.cache / "python/bin/python", HERE / "identity_center.py", visits, gate or self.bench.root, "{url}"]
        return self.bench.home(name, **{"browser": [str(part) for part in user], **self.profile(), **settings})

    def chromium_home(self, name, gate, **settings):
        """The same with a user at Chromium, whose start takes about two seconds of a processor."""
        self.set(login="page")
        pages = self.bench.servers / "identity-center-pages.json"
        pages.write_text(json.dumps([SIGN_IN_PAGE]))
        return self.bench.home(name, person=["--pages", pages, "--gate", gate], **{**self.profile(), **settings})

    def profile(self):
        """The settings of an assignment, with which a home needs no provider."""
        assigned = {"start_url": self.addresses["start_url"], "region": "us-east-1", "account_id": ACCOUNT, "permission_set": "BedrockUser"}
        return {
            **{name: None for name in ("issuer", "client_id", "role_arn", "ca_bundle")},
            "federation": "identity-center",
            "sts_endpoint": self.addresses["sts_endpoint"],
            "identity_center_endpoint": self.addresses["identity_center_endpoint"],
            "identity_center": assigned,
        }

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


class SsoHome:
    """A home whose AWS profile `demo` signs in to Identity Center."""

    def __init__(self, center, path, profile):
        self.center, self.path = center, path
        self.write_profile(**profile)

    def write_profile(self, account=ACCOUNT, permission_set="BedrockUser", start_url=None):
        (self.path / ".aws").mkdir(parents=True, exist_ok=True)
        lines = [
            "[sso-session acme]",
            f"sso_start_url = {start_url or self.center.addresses['aws_start_url']}",
            "sso_region = us-east-1",
            "sso_registration_scopes = sso:account:access",
            "[profile demo]",
            "sso_session = acme",
            f"sso_account_id = {account}",
            f"sso_role_name = {permission_set}",
            "region = us-east-1",
        ]
        (self.path / ".aws/config").write_text("\n".join(lines) + "\n")

    def environment(self):
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.path),
            "LANG": "C.UTF-8",
            "AWS_PROFILE": "demo",
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_ENDPOINT_URL_STS": self.center.addresses["sts_endpoint"],
            **dict(self.center.addresses["identity_center_endpoints"]),
        }

    def start(self, command):
        return Run(self.center.bench, command, self.environment(), cwd=self.path)

    def cli(self, *words):
        return self.start([self.center.bench.cache / "aws_cli_sso", *words]).outcome()

    def caller(self, name):
        """Runs one of AWS's clients, which asks AWS for its identity."""
        cache = self.center.bench.cache
        command = {
            "aws_cli": [cache / "aws_cli_sso", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"],
            "boto3": [cache / "python/bin/python", HERE / "callers/with_boto3.py"],
            "javascript_sdk": [cache / "node", HERE / "callers/with_sdk.mjs"],
            "go_sdk": [cache / "go_caller", 1],
        }[name]
        return self.start(command).outcome()

    def log_in(self, act, *options):
        """Runs `aws sso login`. `act` gets what it has printed so far, and returns whether the user has acted."""
        command = [str(self.center.bench.cache / "aws_cli_sso"), "sso", "login", "--no-browser", *options]
        process = subprocess.Popen(
            command,
            env=self.environment(),
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed = ""
        for line in process.stdout:
            printed += line
            if act(printed):
                break
        rest, _ = process.communicate(timeout=TIMEOUT)
        return process.returncode, printed + rest

    def sign_in(self, denies=False):
        """Signs in with PKCE. The user sees the sign-in page and presses a button there."""
        self.center.set(login="page")

        def act(printed):
            found = AUTHORIZE.search(printed)
            if found:
                self.final_page = press_button(found[0], denies)
            return found

        return self.log_in(act)

    def sign_in_with_device_code(self, denies=False, before=lambda: None):
        """Signs in with a device code, which the user enters after `before`."""

        def act(printed):
            code = USER_CODE.search(printed)
            if code:
                before()
                page = self.center.addresses["start_url"].replace("/start", "/device")
                form = {"user_code": code[0], "choice": "deny" if denies else "sign-in"}
                urllib.request.urlopen(page, urllib.parse.urlencode(form).encode(), timeout=10).close()
            return code

        return self.log_in(act, "--use-device-code")

    @property
    def token_file(self):
        """The file in which the AWS CLI caches the session's tokens. It has another one for the registration."""
        files = list((self.path / ".aws/sso/cache").glob("*.json"))
        [file] = [file for file in files if "accessToken" in json.loads(file.read_text())]
        return file

    def tokens(self):
        return json.loads(self.token_file.read_text())

    def forget_role_credentials(self):
        """Deletes the role credentials that the AWS CLI has cached, so that it needs the access token again."""
        for file in (self.path / ".aws/cli/cache").glob("*.json"):
            file.unlink()


def press_button(address, denies):
    """Plays a user and a browser with cookies: opens the sign-in page, presses a button, and returns the last page."""
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor())
    with browser.open(address, timeout=10) as page:
        login, text = page.geturl(), page.read().decode()
    ticket = re.search(r'name="ticket" value="([^"]+)"', text)[1]
    form = {"ticket": ticket, "choice": "deny" if denies else "sign-in"}
    try:
        with browser.open(login, urllib.parse.urlencode(form).encode(), timeout=10) as page:
            return page.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.read().decode()


def visit(visits, gate, address):
    """Plays the user of a home, as `person.mjs` does, and writes the same report."""
    folder = Path(tempfile.mkdtemp(prefix="visit-", dir=visits))
    wait_until(Path(gate).exists)
    (folder / "visit.part").write_text(json.dumps({"address": address, "text": press_button(address, denies=False)}))
    (folder / "visit.part").rename(folder / "visit.json")


if __name__ == "__main__":
    visit(*sys.argv[1:])
