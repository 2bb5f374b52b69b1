"""CloudWatch's OTLP endpoints for metrics and logs, as AWS documents them: a stand-in on loopback.

botocore signs each request again, and the official protobufs of OpenTelemetry decode the body, as JSON or binary. What is
accepted can be read as plain records. A control path scripts the next answers.

    cloudwatch.py --cert FILE --key FILE --events FILE (--sts ENDPOINT --ca FILE | --key-of-function KEY:SECRET)

prints `ready PLAIN SECURE` once both addresses listen. With --sts, the path `/session` there returns the session of an access key.

`POST /control` takes {"answers": [{"status": 429, "retry_after": 1}, …], "rejected": 2, "prometheus": ENDPOINT}: `answers` are
those of the next requests, in turn; `rejected` is how many items of each later request are reported as rejected, with status 200;
`prometheus` gets each accepted request for metrics too, byte for byte, and its answer is CloudWatch's.
"""

import argparse
import gzip
import http.client
import json
import re
import ssl
import sys
import threading
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from google.protobuf.json_format import ParseError
from google.protobuf.message import DecodeError

from otlp import LOGS, METRICS, decode, encode, events_of, points_of

sys.path.append(str(Path(__file__).parent.parent / "real"))
from tls import tls_server  # noqa: E402

# A request after decompression. AWS documents the limit of logs ("OTLP endpoints" of the CloudWatch User Guide). No page
# has that of metrics, so it is assumed to be about the same.
LIMITS = {METRICS: 1_000_000, LOGS: 1_048_576}
SERVICES = {METRICS: "monitoring", LOGS: "logs"}
SIGNATURE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=(\S+), ?Signature=([0-9a-f]{64})"
)


class Refusal(Exception):
    """An error answer of AWS."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class CloudWatch:
    """What all connections share."""

    def __init__(self, options):
        self.events, self.lock = options.events, threading.Lock()
        self.session_of = self.from_sts(options) if options.sts else self.fixed(options.key_of_function)
        self.answers, self.rejected, self.prometheus = [], 0, None

    @staticmethod
    def from_sts(options):
        context = ssl.create_default_context(cafile=options.ca)

        def session_of(key):
            request = urllib.request.Request(f"{options.sts}/session", data=json.dumps({"session": key}).encode())
            with urllib.request.urlopen(request, context=context, timeout=10) as answer:
                return json.load(answer)

        return session_of

    @staticmethod
    def fixed(pair):
        key, _, secret = pair.partition(":")
        session = {"SecretAccessKey": secret, "SessionToken": None, "Arn": "arn:aws:sts::123456789012:assumed-role/relay/function"}
        return lambda asked: session if asked == key else None

    def note(self, **event):
        with self.lock, open(self.events, "a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def next_answer(self):
        with self.lock:
            return self.answers.pop(0) if self.answers else None

    def check_signature(self, request, service):
        """Signs the request again with botocore and compares. Returns who has signed."""
        parts = SIGNATURE.fullmatch(request.headers.get("Authorization", ""))
        if not parts:
            raise Refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        key, _, region, signed_service, signed, signature = parts.groups()
        if signed_service != service:
            raise Refusal(403, "InvalidSignatureException", f"Credential should be scoped to correct service: '{service}'.")
        session = self.session_of(key)
        token = request.headers.get("X-Amz-Security-Token")
        if not session or token != session["SessionToken"]:
            raise Refusal(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        names = signed.split(";")
        missing = {"host", "x-amz-date", *(["x-amz-security-token"] if token else [])} - set(names)
        if missing:
            raise Refusal(403, "InvalidSignatureException", f"these headers must be signed: {sorted(missing)}")
        # botocore adds the host from the address, and the token from the credentials.
        headers = {name: request.headers[name] for name in names if name not in ("host", "x-amz-security-token")}
        again = AWSRequest(request.command, f"https://{request.headers['Host']}{request.path}", headers, request.body)
        again.context["timestamp"] = request.headers["X-Amz-Date"]
        judge = SigV4Auth(Credentials(key, session["SecretAccessKey"], token), service, region)
        if token:
            again.headers["X-Amz-Security-Token"] = token
        expected = judge.signature(judge.string_to_sign(again, judge.canonical_request(again)), again)
        if signature != expected:
            message = "The request signature we calculated does not match the signature you provided."
            raise Refusal(403, "InvalidSignatureException", message)
        return session["Arn"]

    def forward(self, request):
        """Gives the request to Prometheus as it came, and returns Prometheus's answer if that is an error."""
        connection = http.client.HTTPConnection(urlsplit(self.prometheus).netloc, timeout=30)
        names = ("Content-Type", "Content-Encoding")
        headers = {name: request.headers[name] for name in names if request.headers[name]}
        connection.request("POST", "/api/v1/otlp/v1/metrics", request.body, headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Refusal(answer.status, "Prometheus", body.decode(errors="replace"))


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloudwatch: CloudWatch

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/control":
            vars(self.cloudwatch).update(json.loads(self.body))
            return self.answer(200, b"{}", "application/json")
        # Two hosts of AWS are one here, so the name of the service can be in front of the path.
        signal = {"/v1/metrics": METRICS, "/v1/logs": LOGS}.get(self.path.removeprefix("/monitoring").removeprefix("/logs"))
        kind = self.headers.get("Content-Type", "").partition(";")[0]
        try:
            if not signal:
                raise Refusal(404, "UnknownOperationException", f"there is no {self.path}")
            who = self.cloudwatch.check_signature(self, SERVICES[signal])
            self.accept(signal, kind, who)
        except Refusal as refusal:
            self.cloudwatch.note(what="refused", path=self.path, status=refusal.status, code=refusal.code, message=refusal.message)
            body = json.dumps({"__type": refusal.code, "message": refusal.message}).encode()
            self.answer(refusal.status, body, "application/json")

    def accept(self, signal, kind, who):
        scripted = self.cloudwatch.next_answer()
        if scripted and scripted["status"] != 200:
            self.cloudwatch.note(what="scripted", path=self.path, who=who, **scripted)
            more = {"Retry-After": str(scripted["retry_after"])} if "retry_after" in scripted else {}
            return self.answer(scripted["status"], b'{"message":"as scripted"}', "application/json", more)
        if kind not in ("application/json", "application/x-protobuf"):
            raise Refusal(415, "UnsupportedMediaTypeException", f"Content-Type is {kind!r}")
        if signal is LOGS and not (self.headers.get("x-aws-log-group") and self.headers.get("x-aws-log-stream")):
            raise Refusal(400, "InvalidParameterException", "x-aws-log-group and x-aws-log-stream are required")
        message = self.decoded(signal, kind)
        items = points_of(message) if signal is METRICS else events_of(message)
        if signal is METRICS and self.cloudwatch.prometheus:
            self.cloudwatch.forward(self)
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in SECRET_HEADERS}
        self.cloudwatch.note(what=signal.name, status=200, who=who, headers=headers, size=len(self.body), items=items)
        self.answer(200, encode(signal.response(self.cloudwatch.rejected), kind), kind)

    def decoded(self, signal, kind):
        body = self.body
        coding = self.headers.get("Content-Encoding", "identity")
        if coding not in ("gzip", "identity"):
            raise Refusal(415, "UnsupportedMediaTypeException", f"Content-Encoding is {coding!r}")
        try:
            body = gzip.decompress(body) if coding == "gzip" else body
            if len(body) > LIMITS[signal]:
                raise Refusal(413, "RequestEntityTooLarge", f"{len(body)} bytes")
            return decode(signal, kind, body)
        except (ParseError, DecodeError, ValueError, EOFError, OSError, zlib.error) as error:
            raise Refusal(400, "InvalidParameterException", f"{type(error).__name__}: {error}") from error

    def answer(self, status, body, kind, more=()):
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **dict(more)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


# What proves who has signed is no business of the record.
SECRET_HEADERS = {"authorization", "x-amz-security-token"}


def main():
    parser = argparse.ArgumentParser()
    for name in ("cert", "key", "events"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--ca")
    signers = parser.add_mutually_exclusive_group(required=True)
    signers.add_argument("--sts")
    signers.add_argument("--key-of-function")
    options = parser.parse_args()
    Connection.cloudwatch = CloudWatch(options)
    plain, secure = ThreadingHTTPServer(("127.0.0.1", 0), Connection), tls_server(Connection, options.cert, options.key)
    threading.Thread(target=secure.serve_forever, daemon=True).start()
    print(f"ready http://127.0.0.1:{plain.server_port} https://localhost:{secure.server_port}", flush=True)
    plain.serve_forever()


if __name__ == "__main__":
    main()
