"""The real collector with packaging/aws/collector/config.yaml, between an exporter and the stand-in for CloudWatch."""

from exporter import export
from world import CLIENT, FUNCTION, GROUP, REGION, ROOT, STREAM, listening_port, tool, wait_until

# What the relay says about a provider that it does not know.
ORGANIZATION = "amazon-internal"

# Beside the shipped configuration: the collector's own metrics would be on a fixed port.
TEST = """
service:
  telemetry:
    metrics:
      level: none
"""


class Collector:
    def __init__(self, world):
        self.world = world
        (world.folder / "collector-test.yaml").write_text(TEST)
        environment = {
            "ISSUER": world.issuer,
            "CLIENT_ID": CLIENT,
            "ORGANIZATION": ORGANIZATION,
            "TLS_CERTIFICATE": str(world.folder / "server.pem"),
            "TLS_KEY": str(world.folder / "server.key"),
            "AWS_REGION": REGION,
            "LOG_GROUP": GROUP,
            "LOG_STREAM": STREAM,
            "LISTEN": "127.0.0.1:0",
            # CloudWatch is on loopback here. The other variables are those that an administrator sets.
            "METRICS_ENDPOINT": f"{world.cloudwatch.secure}/v1/metrics",
            "LOGS_ENDPOINT": f"{world.cloudwatch.secure}/v1/logs",
            "SSL_CERT_FILE": str(world.ca),
            "AWS_ACCESS_KEY_ID": FUNCTION[0],
            "AWS_SECRET_ACCESS_KEY": FUNCTION[1],
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        files = [ROOT / "packaging/aws/collector/config.yaml", world.folder / "collector-test.yaml"]
        command = [tool("otelcol"), *(word for file in files for word in ("--config", file))]
        self.process = world.start("collector", command, environment)
        port = wait_until(lambda: self.process.poll() is None and listening_port(self.process.pid))
        if not port:
            raise RuntimeError(f"the collector did not start: {world.log('collector')}")
        self.address = f"https://localhost:{port}"

    def export(self, signal, request, token=None, **how):
        return export(self.address, signal, request, token, ca=self.world.ca, **how)
