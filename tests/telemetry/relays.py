"""The two relays as processes: that of the organization's server, and that of a laptop, which `otel-headers` starts."""

import json
import os
import socket
from pathlib import Path

from exporter import export
from laptop import Desk
from world import CLIENT, FUNCTION, GROUP, REGION, ROOT, STREAM, CloudWatch, listening_port, wait_until

SERVER = Path(os.environ.get("BEDROCK_SSO_SERVER_BIN", ROOT / "target/debug/bedrock-sso-server"))
# The laptop's relay has a fixed port. tests/telemetry/run gives these tests a network of their own, where it is free.
RELAY_PORT = 48318


# Often, because the tests wait for the exports of a session. `setup` writes a minute.
OFTEN = {"env": {"OTEL_METRIC_EXPORT_INTERVAL": "2000", "OTEL_LOGS_EXPORT_INTERVAL": "2000"}}


class ServerRelay:
    """bedrock-sso-server with [relay], as it runs on one machine. Its senders have ID tokens."""

    # What the identity provider is, by its address.
    organization = "amazon-internal"
    formats = ("application/json", "application/x-protobuf")

    def __init__(self, world, **more):
        self.world, self.cloudwatch = world, world.cloudwatch
        folder = world.folder / "server"
        folder.mkdir()
        # Claims of the administrator's choice replace those of the table.
        configuration = f"""
version = 1
listen = "127.0.0.1:0"
tls = {{ certificate = "{world.folder}/server.pem", key = "{world.folder}/server.key" }}
store = "file:usage.redb"
[[issuer]]
issuer = "{world.issuer}"
audience = ["{CLIENT}"]
person = ["email", "sub"]
[relay]
region = "{REGION}"
log_group = "{GROUP}"
log_stream = "{STREAM}"
"""
        (folder / "server.toml").write_text(configuration)
        environment = {
            "AWS_ACCESS_KEY_ID": FUNCTION[0],
            "AWS_SECRET_ACCESS_KEY": FUNCTION[1],
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_CLOUDWATCH": self.cloudwatch.address,
            "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": self.cloudwatch.address,
            "BEDROCK_SSO_LOG": "debug",
        }
        self.process = world.start("server", [SERVER, "serve", "--config", folder / "server.toml"], environment)
        port = wait_until(lambda: self.process.poll() is None and listening_port(self.process.pid))
        if not port:
            raise RuntimeError(f"the server did not start: {world.log('server')}")
        self.address = f"https://localhost:{port}"

    def token(self):
        return self.world.token()

    def export(self, signal, request, token=None, **how):
        return export(self.address, signal, request, token, ca=self.world.ca, **how)

    def settings(self):
        """The profile of a laptop whose telemetry goes to this relay."""
        return {"telemetry": {"relay": self.address}, "claude_code": OFTEN}

    def log(self):
        return (self.world.folder / "server.log").read_text()


class LaptopRelay:
    """The relay that `bedrock-sso otel-headers` starts for the user of a home. Its senders have a token of this relay only."""

    organization = "amazon-internal"
    formats = ("application/json",)

    def __init__(self, world):
        self.world, self.desk = world, Desk(world)
        self.cloudwatch = CloudWatch(world, "laptop-cloudwatch", "--sts", self.desk.sts.address, "--ca", world.ca)
        self.address = f"http://127.0.0.1:{RELAY_PORT}"
        self.home = self.desk.home("laptop", **self.settings())
        signed_in = self.home.credentials()
        assert signed_in.code == 0, signed_in
        self.token()

    def stop(self):
        """Signs the user out, which also ends the relay. It is no child of this process."""
        signed_out = self.home.start([self.desk.binary, "logout", "--all"]).outcome()
        assert signed_out.code == 0 and wait_until(lambda: not self.is_listening()), f"the relay still listens: {signed_out}"

    @staticmethod
    def is_listening():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", RELAY_PORT)) == 0

    def settings(self):
        endpoint = f"{self.cloudwatch.address}/{{service}}"
        relay = {"relay": "laptop", "relay_endpoint": endpoint, "log_group": GROUP, "log_stream": STREAM}
        return {"telemetry": relay, "claude_code": OFTEN}

    def headers(self):
        """What Claude Code gets for its exporter."""
        printed = self.home.ours("otel-headers", OTEL_EXPORTER_OTLP_ENDPOINT=self.address)
        assert printed.code == 0, printed
        return {name.lower(): value for name, value in json.loads(printed.stdout).items()}

    def token(self):
        return self.headers()["authorization"].removeprefix("Bearer ")

    def export(self, signal, request, token=None, **how):
        return export(self.address, signal, request, token, **how)

    def log(self):
        return (self.world.folder / "logs/laptop.log").read_text()
