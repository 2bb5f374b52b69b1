"""An exporter of a few lines: makes OTLP requests, and sends them with a bearer token or signed by botocore."""

import gzip
import http.client
import json
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from otlp import LOGS, METRICS, decode, encode

DELTA = 1


def pairs(attributes):
    return [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]


def metrics(points, resource=None, scope=None, at=None):
    """A request with a counter of Claude Code's kind, or with a gauge for a value that is a float, for each (name, value, attributes)."""
    at = at or time.time_ns()
    made = []
    for name, value, attributes in points:
        point = {"attributes": pairs(attributes), "startTimeUnixNano": str(at - 60_000_000_000), "timeUnixNano": str(at)}
        if isinstance(value, float):
            made.append({"name": name, "gauge": {"dataPoints": [{**point, "asDouble": value}]}})
        else:
            counter = {"dataPoints": [{**point, "asInt": str(value)}], "aggregationTemporality": DELTA, "isMonotonic": True}
            made.append({"name": name, "sum": counter})
    scopes = [{"scope": {"name": "com.anthropic.claude_code", "attributes": pairs(scope or {})}, "metrics": made}]
    return {"resourceMetrics": [{"resource": {"attributes": pairs(resource or {})}, "scopeMetrics": scopes}]}


def logs(records, resource=None, scope=None, at=None):
    """A request with an event for each (name, attributes)."""
    at = at or time.time_ns()
    made = [
        {"timeUnixNano": str(at), "eventName": name, "body": {"stringValue": name}, "attributes": pairs(attributes)}
        for name, attributes in records
    ]
    scopes = [{"scope": {"name": "com.anthropic.claude_code.events", "attributes": pairs(scope or {})}, "logRecords": made}]
    return {"resourceLogs": [{"resource": {"attributes": pairs(resource or {})}, "scopeLogs": scopes}]}


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    def decoded(self, signal):
        """The answer as JSON, in whichever format it came."""
        if self.headers["content-type"] == "application/json":
            return json.loads(self.body)
        message = signal.answer()
        message.ParseFromString(self.body)
        return json.loads(encode(message, "application/json"))


def body_of(signal, request, kind="application/json", compressed=False):
    """A request as bytes, and the headers that say so."""
    body = json.dumps(request).encode()
    if kind == "application/x-protobuf":
        body = decode(signal, "application/json", body).SerializeToString()
    headers = {"Content-Type": kind}
    if compressed:
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    return body, headers


def post(address, path, body, headers, ca=None):
    parts = urlsplit(address)
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.netloc, timeout=30, context=ssl.create_default_context(cafile=ca))
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def export(address, signal, request, token=None, kind="application/json", compressed=False, ca=None, **headers):
    """Sends a request as an exporter does, with the token as its bearer. Underscores in the names of headers are hyphens."""
    body, own = body_of(signal, request, kind, compressed)
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    return post(address, f"/v1/{signal.name}", body, {**own, **bearer, **more}, ca)


def export_signed(address, signal, request, credentials, service=None, region="eu-west-1", kind="application/json", compressed=False, tampered=None):
    """Sends a request as AWS's own clients do: signed for the service of the signal, by default. `tampered` replaces the body then."""
    body, headers = body_of(signal, request, kind, compressed)
    if signal is LOGS:
        headers |= {"x-aws-log-group": "group", "x-aws-log-stream": "stream"}
    asked = AWSRequest("POST", f"{address}/v1/{signal.name}", headers, body)
    SigV4Auth(Credentials(*credentials), service or {METRICS: "monitoring", LOGS: "logs"}[signal], region).add_auth(asked)
    return post(address, f"/v1/{signal.name}", tampered or body, dict(asked.headers.items()))
