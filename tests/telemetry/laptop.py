"""A user's machine: the program in a home folder, and Claude Code, with the STS, the Bedrock and the homes of tests/real."""

import functools
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

from world import CLIENT, HERE, REAL, ROOT, tool

sys.path.append(str(REAL))
from bench import Home, Server, json_lines  # noqa: E402

__all__ = ["Desk", "json_lines"]


class Desk:
    """What a Home of tests/real needs to know: the program, the servers, and folders."""

    def __init__(self, world):
        self.world, self.root, self.ca, self.numbers = world, world.folder, world.ca, itertools.count()
        self.binary = Path(os.environ.get("BEDROCK_SSO_BIN", ROOT / "target/debug/bedrock-sso"))
        self.cache = world.folder / "cache"
        for name in ("captures", "protocol", "logs", "homes", "visits", "tmp", "cache", "real"):
            (self.root / name).mkdir()
        (self.cache / "node_modules").symlink_to(tool("real-node"))
        self.python = Path(tool("real-python")) / "bin/python"

    @functools.cached_property
    def sts(self):
        trust = ["--trust", f"{self.world.issuer}={CLIENT}"]
        command = [self.python, REAL / "sts.py", "--events", "{EVENTS}", "--ledger", "{LEDGER}", "--ca", self.ca, *self.world.tls, *trust]
        return self.remember(Server(self.root / "real", "sts", command))

    @functools.cached_property
    def bedrock(self):
        command = [self.python, REAL / "bedrock.py", "--events", "{EVENTS}", "--sts", self.sts.address, "--ca", self.ca, *self.world.tls]
        bedrock = self.remember(Server(self.root / "real", "bedrock", command))
        bedrock.address, bedrock.secure, bedrock.collector = bedrock.address.split(" ")
        return bedrock

    def remember(self, server):
        self.world.processes.append(server.process)
        return server

    def home(self, name, **settings):
        browser = [sys.executable, str(HERE / "browser.py"), "{url}"]
        return Home(self, name, Provider(self.world.issuer), [], {"browser": browser, **settings})


class Session:
    """A session of Claude Code that stays open between two questions, in the home of a user."""

    def __init__(self, home, bedrock, **more):
        [program] = (home.bench.cache / "node_modules/@anthropic-ai").glob("claude-code-linux-*/claude")
        quiet = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
        there = {"ANTHROPIC_BEDROCK_BASE_URL": bedrock.address, "AWS_ENDPOINT_URL_STS": home.settings["sts_endpoint"]}
        environment = home.environment(**quiet, **there, NODE_EXTRA_CA_CERTS=str(home.bench.ca), **more)
        streams = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        self.process = subprocess.Popen(
            [program, "-p", *streams], env=environment, cwd=home.path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, text):
        """The answer to a question."""
        message = {"type": "user", "message": {"role": "user", "content": text}}
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if (event := json.loads(line))["type"] == "result":
                return event["result"]
        return None

    def end(self):
        self.process.communicate(timeout=60)
        return self.process.returncode


class Provider:
    def __init__(self, address):
        self.address = address
