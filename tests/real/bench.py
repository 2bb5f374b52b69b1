"""The environment of a scenario: provider, STS, homes with a profile, and runs of the program and of its callers.

It starts, configures and records. The scenarios check.
"""

import contextlib
import itertools
import json
import os
import shutil
import ssl
import stat
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from terminal import Terminal

HERE = Path(__file__).parent
TIMEOUT = 60  # seconds: enough for a sign-in through a real browser on a busy machine
ROLE = "arn:aws:iam::123456789012:role/BedrockUser"
ARN = "arn:aws:sts::123456789012:assumed-role/BedrockUser/alice@example.com"


def wait_until(condition, seconds=TIMEOUT):
    """Waits for a true value of the condition, and returns the last value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


def json_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def written(value):
    """A value as TOML: like JSON, except for tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {written(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value)


def by_age(folder):
    return sorted(folder.iterdir(), key=lambda path: path.stat().st_ctime)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


class Server:
    """A child that prints `ready ADDRESS`, and records requests in `events` and issued secrets in `ledger`."""

    def __init__(self, folder, name, command, **environment):
        self.events_file, self.ledger = folder / f"{name}.events", folder / f"{name}.ledger"
        self.ledger.touch()
        recording = {"EVENTS": self.events_file, "LEDGER": self.ledger, **environment}
        with (folder / f"{name}.stderr").open("w") as stderr:
            self.process = subprocess.Popen(
                [str(part).format(**recording) for part in command],
                env={"PATH": os.environ["PATH"], **{key: str(value) for key, value in recording.items()}},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        word, _, self.address = self.process.stdout.readline().strip().partition(" ")
        if word != "ready":
            raise RuntimeError(f"{name} did not start: {(folder / f'{name}.stderr').read_text()[-2000:]}")

    def events(self, what=None, **wanted):
        wanted |= {"what": what} if what else {}
        return [event for event in json_lines(self.events_file) if all(event.get(key) == value for key, value in wanted.items())]

    def stop(self):
        self.process.kill()
        self.process.wait()


@dataclass
class Outcome:
    code: int
    stdout: str
    stderr: str
    seconds: float

    def __str__(self):
        return f"exit {self.code} after {self.seconds:.1f} s, stderr {self.stderr.strip()[-600:]!r}"


@dataclass
class Bench:
    """The servers and folders of one run of the suite."""

    binary: Path
    cache: Path
    root: Path
    numbers: itertools.count = field(default_factory=itertools.count)
    more_servers: list = field(default_factory=list)  # those that only some scenarios need

    def __post_init__(self):
        for name in ("servers", "captures", "protocol", "logs", "homes", "visits", "tmp"):
            (self.root / name).mkdir()
        made = subprocess.run([HERE / "certificates", self.root / "servers"], capture_output=True, text=True)
        if made.returncode:
            raise RuntimeError(made.stderr)
        self.start_servers()

    def start_servers(self):
        self.provider = self.start_provider("provider", ALG="ES256", LOGIN="html", **self.tls)
        self.quick_provider = self.start_provider("quick-provider", ALG="RS256", LOGIN="auto")
        from office import Office  # here, because it imports this module

        self.office = Office(self)
        self.sts = self.start_sts()

    @property
    def servers(self):
        return self.root / "servers"

    @property
    def ca(self):
        return self.servers / "ca.pem"

    @property
    def providers(self):
        return [self.provider, self.quick_provider, self.office.provider]

    @property
    def trust(self):
        """The providers that this AWS account trusts, each with its expected client."""
        return {provider.address: "bedrock-sso" for provider in self.providers}

    @property
    def ledgers(self):
        return [server.ledger for server in (*self.providers, self.sts, *self.more_servers)] + [self.office.ledger]

    def start_provider(self, name, **environment):
        return Server(self.servers, name, [self.cache / "node", HERE / "provider/provider.mjs"], **environment)

    @property
    def tls(self):
        return {"TLS_CERT": self.servers / "server.pem", "TLS_KEY": self.servers / "server.key"}

    @property
    def tls_options(self):
        return ["--cert", self.tls["TLS_CERT"], "--key", self.tls["TLS_KEY"]]

    def start_sts(self, name="sts", iam=None):
        """It trusts this run's providers, or decides by the roles at this endpoint of IAM."""
        trust = [word for issuer, client in self.trust.items() for word in ("--trust", f"{issuer}={client}")]
        command = [self.cache / "python/bin/python", HERE / "sts.py", "--events", "{EVENTS}", "--ledger", "{LEDGER}", "--ca", self.ca]
        return Server(self.servers, name, [*command, *self.tls_options, *(["--iam", iam] if iam else trust)])

    def start_moto(self):
        """moto's AWS. `pool` is its identity pool, `bedrock` the address of the Bedrock beside it."""
        moto = Server(self.servers, "moto", [self.cache / "python/bin/python", HERE / "moto_server.py"])
        moto.address, moto.pool, moto.bedrock = moto.address.split(" ")
        return moto

    def start_bedrock(self, name="bedrock", sts=None, iam=None):
        """Bedrock. `secure` is its address with TLS, `collector` the one for telemetry. `sts` has the sessions, this run's STS by
        default. It answers all of them, or decides by the roles at this endpoint of IAM."""
        command = [self.cache / "python/bin/python", HERE / "bedrock.py", "--events", "{EVENTS}", "--sts", sts or self.sts.address]
        deciding = ["--iam", iam] if iam else []
        bedrock = Server(self.servers, name, [*command, "--ca", self.ca, *self.tls_options, *deciding])
        bedrock.address, bedrock.secure, bedrock.collector = bedrock.address.split(" ")
        return bedrock

    def control(self, server=None, **settings):
        """Changes the behaviour of the STS (see sts.py) or of a provider (see provider.mjs)."""
        address = (server or self.sts).address
        request = urllib.request.Request(f"{address}/control", data=json.dumps(settings).encode())
        context = ssl.create_default_context(cafile=self.ca) if address.startswith("https:") else None
        urllib.request.urlopen(request, context=context, timeout=10).close()

    def reset_faults(self):
        self.reset_sts()
        for provider in self.providers:
            if provider.process.poll() is None:
                self.control(provider, faults=[])

    def reset_sts(self):
        self.control(faults=[], max_duration=43200, lifetime=None, hold=False, trust=self.trust)

    def requests_seen(self):
        """The number of requests that the program has sent. The STS's own requests to the provider do not count."""
        asked = [event for server in self.providers for event in server.events() if event.get("agent") != "aws-sts"]
        return len(asked) + len(self.sts.events())

    def home(self, name, provider=None, person=(), **settings):
        return Home(self, name, provider or self.provider, list(person), settings)

    def stop(self):
        for server in (*self.providers, self.sts, *self.more_servers):
            server.stop()

    def save_pages(self, folder):
        """Saves the final pages as pictures, for a review."""
        folder.mkdir(exist_ok=True)
        for home in (self.root / "visits").iterdir():
            for number, visit in enumerate(by_age(home), 1):
                for picture in visit.glob("*.png"):
                    shutil.copy(picture, folder / f"{home.name}-{number}-{picture.name}")

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)


class Home:
    """A user's machine: a home folder with our profile and AWS's, and the user at a browser."""

    def __init__(self, bench, name, provider, person, settings):
        self.bench, self.name, self.provider = bench, name, provider
        self.path, self.visits_folder = bench.root / "homes" / name, bench.root / "visits" / name
        self.visits_folder.mkdir(parents=True)
        self.settings = {
            "issuer": provider.address,
            "client_id": "bedrock-sso",
            "role_arn": ROLE,
            "region": "us-east-1",
            "storage": "file",
            "ca_bundle": str(bench.ca),
            "sts_endpoint": bench.sts.address,
            **settings,
        }
        self.place = []  # a prefix of each command, which changes the network in which it runs
        self.set_person(person)
        self.write(".aws/config", f'[profile real]\nregion = us-east-1\ncredential_process = "{bench.binary}" credentials --profile real\n')

    def write(self, name, text):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def set_person(self, person):
        self.person_options = person
        self.write_settings()

    @contextlib.contextmanager
    def configured(self, **settings):
        """Replaces settings of the profile meanwhile."""
        former = self.settings
        self.settings = {**former, **settings}
        self.write_settings()
        try:
            yield
        finally:
            self.settings = former
            self.write_settings()

    def write_settings(self):
        browser = self.person(*self.person_options, "{url}")
        settings = {"browser": [str(part) for part in browser], **self.settings}
        # This key is at the top of the file, not in the profile: it permits variables besides the file.
        trust = written(settings.pop("trust_environment", False))
        lines = [f"{key} = {written(value)}" for key, value in settings.items() if value is not None]
        top = f"version = 1\ntrust_environment = {trust}\n[profiles.real]\n"
        self.write(".config/bedrock-sso/config.toml", top + "\n".join(lines) + "\n")

    def environment(self, **extra):
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.path),
            "TMPDIR": str(self.bench.root / "tmp"),
            "TZ": "UTC",
            "LANG": "C.UTF-8",
            "AWS_EC2_METADATA_DISABLED": "true",
            "BEDROCK_SSO_LOG": "debug",
            "BEDROCK_SSO_LOG_FILE": str(self.bench.root / "logs" / f"{self.name}.log"),
            **extra,
        }

    # Runs of the program

    def start(self, command, stdin=None, folder=None, **extra):
        environment = {key: value for key, value in self.environment(**extra).items() if value is not None}
        return Run(self.bench, command, environment, cwd=folder or self.path, place=self.place, stdin=stdin)

    def credentials(self, *more, **extra):
        return self.start_credentials(*more, **extra).outcome()

    def start_credentials(self, *more, **extra):
        return self.start([self.bench.binary, "credentials", "--profile", "real", *more], **extra)

    def ours(self, *words, stdin=None, **extra):
        return self.start([self.bench.binary, *words, "--profile", "real"], stdin=stdin, **extra).outcome()

    def person(self, *more):
        """A command with another browser and its user. It takes an address as its last argument."""
        return [self.bench.cache / "node", HERE / "person.mjs", "--out", self.visits_folder, *more]

    def at_a_terminal(self, *words, protocol=False):
        """Runs the program in a terminal. With `protocol`, the terminal shows secrets by design, such as an address to open elsewhere."""
        capture = self.bench.root / ("protocol" if protocol else "captures") / f"{next(self.bench.numbers)}.terminal"
        return Terminal([self.bench.binary, *words, "--profile", "real"], self.environment(), self.path, capture)

    # Runs of those who call it

    def caller(self, name, clients=None):
        """Runs one of AWS's own clients, which asks AWS for its identity. In one process of the SDK for Go or Java, several clients can
        ask at once."""
        bin_folder, endpoint = self.bench.cache / "python/bin", self.settings["sts_endpoint"]
        identity = ["--endpoint-url", endpoint, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"]
        command = {
            "aws_cli_v1": [bin_folder / "aws", *identity],
            "aws_cli_v2": ["/usr/bin/aws", *identity],  # Debian's 2.9 does not support AWS_ENDPOINT_URL
            "aws_cli_sso": [self.bench.cache / "aws_cli_sso", *identity],
            "boto3": [bin_folder / "python", HERE / "callers/with_boto3.py"],
            "javascript_sdk": [self.bench.cache / "node", HERE / "callers/with_sdk.mjs"],
            "go_sdk": [self.bench.cache / "go_caller", clients or 1],
            "java_sdk": ["java", "-cp", f"{self.bench.cache}/java_caller:{self.bench.cache}/java_sdk/*", "Caller", clients or 1],
            "rust_sdk": [self.bench.cache / "rust_sdk/debug/rust-caller"],
        }[name]
        ca = str(self.bench.ca)
        return self.start(command, AWS_PROFILE="real", AWS_ENDPOINT_URL_STS=endpoint, AWS_CA_BUNDLE=ca, NODE_EXTRA_CA_CERTS=ca)

    def claude_code(self, prompt, bedrock, retries=1, folder=None, **more):
        """Asks Claude Code one question in a folder, with this home's settings and this Bedrock."""
        [program] = (self.bench.cache / "node_modules/@anthropic-ai").glob("claude-code-linux-*/claude")
        quiet = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "CLAUDE_CODE_MAX_RETRIES": str(retries)}
        there = {"ANTHROPIC_BEDROCK_BASE_URL": bedrock.address, "AWS_ENDPOINT_URL_STS": self.settings["sts_endpoint"]}
        trust = {"NODE_EXTRA_CA_CERTS": str(self.bench.ca)}
        return self.start([program, "-p", prompt], folder=folder, **{**quiet, **there, **trust, **more}).outcome()

    # What was left behind

    def visits(self):
        """The browser's reports, oldest first. A visit without an end has no report yet."""
        reports = [folder / "visit.json" for folder in by_age(self.visits_folder)]
        return [json.loads(report.read_text()) if report.exists() else None for report in reports]

    def finished_visits(self):
        return [visit for visit in self.visits() if visit]

    def files(self):
        return [file for file in self.path.rglob("*") if file.is_file()]

    def own_files(self):
        """The files that the program has written, each with its mode and its folder's mode."""
        named = [file for file in self.files() if "bedrock-sso" in str(file.relative_to(self.path))]
        written = [file for file in named if file.name != "config.toml"]
        return [(file.relative_to(self.path), mode(file), mode(file.parent)) for file in written]


class Run:
    """A process whose streams are captured through pipes, as its callers do."""

    def __init__(self, bench, command, environment, cwd, place=(), stdin=None):
        self.stdin = stdin.encode() if stdin else None
        self.bench, self.command, self.started = bench, [str(part) for part in command], time.monotonic()
        self.process = subprocess.Popen(
            [*map(str, place), *self.command],
            env=environment,
            cwd=cwd,
            stdin=subprocess.PIPE if self.stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def outcome(self, seconds=TIMEOUT):
        try:
            stdout, stderr = self.process.communicate(self.stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"{' '.join(self.command[:4])} did not end or close its streams within {seconds} s")
        self.capture(stdout, stderr)
        taken = time.monotonic() - self.started
        return Outcome(self.process.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"), taken)

    def capture(self, stdout, stderr):
        """Saves both streams for the scan. Only the stdout of `credentials` may have credentials."""
        number = next(self.bench.numbers)
        protocol = self.command[:2] == [str(self.bench.binary), "credentials"]
        folder = self.bench.root / ("protocol" if protocol else "captures")
        (folder / f"{number}.stdout").write_bytes(stdout)
        (self.bench.root / "captures" / f"{number}.stderr").write_bytes(stderr)
