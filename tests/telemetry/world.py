"""The servers of the tests: an issuer, AWS's STS and CloudWatch, Bedrock, a collector, Prometheus, and the organization's server.

Each is a process of its own, on a port that the system chooses.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from exporter import post

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
REAL = HERE.parent / "real"

CLIENT = "bedrock-sso"
REGION = "eu-west-1"
GROUP, STREAM = "/acme/telemetry", "claude-code"
FUNCTION = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")

# What the provider says about the person. `title` is the third claim for `role`.
PERSON = {
    "sub": "00u1b2c3d4",
    "email": "alice@example.com",
    "department": "research",
    "team": "ml",
    "cost_center": "4711",
    "location": "Dublin",
    "title": "engineer",
    "manager": "bob@example.com",
    "project": "apollo",
    "groups": ["ml", "web"],
}
# The same as attributes. user.id is the first half of the SHA-256 digest of the subject, written as a UUID.
IDENTITY = {
    "user.email": "alice@example.com",
    "user.id": "dee5ee17-4629-5213-9064-927f49c9e82a",
    "user.name": "alice",
    "department": "research",
    "team.id": "ml",
    "cost_center": "4711",
    "location": "Dublin",
    "role": "engineer",
    "manager": "bob@example.com",
    "project": "apollo",
}
# What a sender claims about itself: the names of the identity, other spellings of them, and names that are AWS's or ours.
FORGED = {
    **dict.fromkeys([*IDENTITY, "organization"], "mallory"),
    **dict.fromkeys(["user_email", "User.Email", "team_id", "enduser.id", "user.account_uuid", "user.account_id"], "mallory"),
    **dict.fromkeys(["organization.id", "aws.account", "bedrock_sso.version"], "mallory"),
}
HONEST = {"service.name": "claude-code", "service.version": "2.1.328", "os.type": "linux"}


@functools.cache
def tool(name):
    return subprocess.run([ROOT / ".ci/tools", name], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def wait_until(condition, seconds=60):
    """Waits for a true value of a condition about another process, which reports no event, and returns the last value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        # Another process reports no event.
        time.sleep(0.05)
    return value


def listening_port(pid):
    """The port on which a process listens, as the operating system shows it. Zero if it listens on no port."""
    try:
        links = {os.readlink(it) for it in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:  # it has ended, or closed the file meanwhile
        return 0
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in links:
                return int(fields[1].rpartition(":")[2], 16)
    return 0


class World:
    """Servers that start at their first use, and a folder for their files."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="telemetry-"))
        self.processes = []
        subprocess.run([REAL / "certificates", self.folder], check=True, capture_output=True)

    @property
    def ca(self):
        return self.folder / "ca.pem"

    @property
    def tls(self):
        return ["--cert", self.folder / "server.pem", "--key", self.folder / "server.key"]

    def start(self, name, command, environment=None, folder=None):
        every = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **(environment or {})}
        words = [str(part) for part in command]
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(words, env=every, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)
        self.processes.append(process)
        return process

    def start_ready(self, name, command, **more):
        """Starts a server that prints `ready` and its addresses."""
        line = self.start(name, command, **more).stdout.readline().split()
        if line[:1] != ["ready"]:
            raise RuntimeError(f"{name} did not start: {self.log(name)}")
        return line[1:]

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()[-3000:]

    def stop(self):
        for process in self.processes:
            process.kill()
            process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    @functools.cached_property
    def issuer(self):
        files = ["--events", self.folder / "issuer.events", "--ledger", self.folder / "issuer.ledger"]
        python = Path(tool("real-python")) / "bin/python"
        return self.start_ready("issuer", [python, HERE / "issuer.py", "--client", CLIENT, "--claims", json.dumps(PERSON), *files])[0]

    def token(self, **how):
        """An ID token of the issuer; see issuer.py."""
        answer = post(self.issuer, "/mint", json.dumps(how).encode(), {})
        return json.loads(answer.body)["token"]

    @functools.cached_property
    def cloudwatch(self):
        """CloudWatch for the keys of a function or of a server."""
        return CloudWatch(self, "cloudwatch", "--key-of-function", ":".join(FUNCTION))


class CloudWatch:
    """The stand-in of cloudwatch.py, and what it has recorded."""

    def __init__(self, world, name, *signers):
        self.events_file = world.folder / f"{name}.events"
        command = [sys.executable, HERE / "cloudwatch.py", *world.tls, "--events", self.events_file, *signers]
        self.address, self.secure = world.start_ready(name, command)

    def control(self, **settings):
        assert post(self.address, "/control", json.dumps(settings).encode(), {}).status == 200

    def events(self, what=None):
        lines = self.events_file.read_text().splitlines() if self.events_file.exists() else []
        return [event for event in map(json.loads, lines) if what in (None, event["what"])]

    def items(self, what):
        """All data points or events that were accepted, oldest first."""
        return [item for event in self.events(what) for item in event["items"]]


def fetch(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read()
