"""A Bedrock that checks with AWS's own Python SDK: botocore signs each request again, and its service models define valid requests
and answers.

It runs beside moto, which has no models, and accepts the credentials that moto's STS has issued.
"""

import binascii
import json
import re
import struct
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer
from botocore.validate import ParamValidator

REGION = "us-east-1"
MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = f"us.{MODEL}"
OWN_PROFILE = f"arn:aws:bedrock:{REGION}:123456789012:application-inference-profile/hq2of259skzs"
USAGE = {"inputTokens": 11, "outputTokens": 1, "totalTokens": 12}


class Refusal(Exception):
    """An error answer of AWS."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def operations():
    """Every operation of both services, by its method and the pattern of its path."""
    session = botocore.session.Session()
    for service in ("bedrock", "bedrock-runtime"):
        model = session.get_service_model(service)
        for name in ("ListFoundationModels", "ListInferenceProfiles", "GetInferenceProfile", "Converse", "ConverseStream"):
            if name in model.operation_names:
                operation = model.operation_model(name)
                pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", operation.http["requestUri"])
                yield operation.http["method"], re.compile(pattern), operation


OPERATIONS = list(operations())


def asked(method, target, body):
    """The operation, and its parameters in botocore's format."""
    path, _, query = target.partition("?")
    for known, pattern, operation in OPERATIONS:
        found = pattern.fullmatch(path)
        if known == method and found:
            parameters = {name: urllib.parse.unquote(value) for name, value in found.groupdict().items()}
            parameters |= of_query(operation.input_shape, query)
            return operation, parameters | (json.loads(body) if body else {})
    raise Refusal(404, "UnknownOperationException", f"{method} {target}")


def of_query(shape, query):
    names = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
    found = {}
    for key, value in urllib.parse.parse_qsl(query, strict_parsing=bool(query)):
        if key not in names:
            raise Refusal(400, "ValidationException", f"there is no parameter {key}")
        name, member = names[key]
        found[name] = int(value) if member.type_name == "integer" else value
    return found


def check(parameters, shape):
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        raise Refusal(400, "ValidationException", report.generate_report())


def check_signature(request, secrets):
    """Signs the request again with botocore, and compares the signatures."""
    header = request.headers.get("Authorization", "")
    parts = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/([^/]+)/aws4_request, SignedHeaders=(\S+), Signature=(\w+)", header)
    if not parts:
        raise Refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    key, _, region, service, signed, signature = parts.groups()
    known = secrets(key)
    if not known or known[1] != request.headers.get("X-Amz-Security-Token"):
        raise Refusal(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
    headers = {name: request.headers[name] for name in signed.split(";") if name != "x-amz-security-token"}
    again = AWSRequest(request.command, f"http://{request.headers['Host']}{request.path}", headers, request.body)
    again.headers["X-Amz-Security-Token"] = known[1]
    again.context["timestamp"] = request.headers["X-Amz-Date"]
    judge = SigV4Auth(Credentials(key, *known), "bedrock", REGION)
    expected = judge.signature(judge.string_to_sign(again, judge.canonical_request(again)), again)
    if (region, service, signature) != (REGION, "bedrock", expected):
        raise Refusal(403, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")


def profile(identifier, arn, kind):
    model = {"modelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{MODEL}"}
    return {
        "inferenceProfileName": identifier,
        "inferenceProfileArn": arn,
        "inferenceProfileId": identifier,
        "status": "ACTIVE",
        "type": kind,
        "models": [model],
    }


def answer(operation, parameters):
    system = profile(PROFILE, f"arn:aws:bedrock:{REGION}:123456789012:inference-profile/{PROFILE}", "SYSTEM_DEFINED")
    own = profile("hq2of259skzs", OWN_PROFILE, "APPLICATION")
    if operation.name == "ListFoundationModels":
        arn = f"arn:aws:bedrock:{REGION}::foundation-model/{MODEL}"
        life = {"status": "ACTIVE"}
        return {"modelSummaries": [{"modelArn": arn, "modelId": MODEL, "inferenceTypesSupported": ["INFERENCE_PROFILE"], "modelLifecycle": life}]}
    if operation.name == "ListInferenceProfiles":
        return {"inferenceProfileSummaries": [each for each in (system, own) if each["type"] == parameters.get("typeEquals", "SYSTEM_DEFINED")]}
    name = parameters.get("inferenceProfileIdentifier") or parameters.get("modelId")
    known = [each for each in (system, own) if name in (each["inferenceProfileId"], each["inferenceProfileArn"])]
    if not known:
        raise Refusal(400, "ValidationException", "The provided model identifier is invalid.")
    if operation.name == "GetInferenceProfile":
        return known[0]
    message = {"role": "assistant", "content": [{"text": "ok"}]}
    return {"output": {"message": message}, "stopReason": "max_tokens", "usage": USAGE, "metrics": {"latencyMs": 451}}


def stream():
    events = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "ok"}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "max_tokens"}),
        ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 380}}),
    ]
    framed = b"".join(framed_event(name, json.dumps(payload).encode()) for name, payload in events)
    buffer = EventStreamBuffer()
    buffer.add_data(framed)
    assert [event.headers[":event-type"] for event in buffer] == [name for name, _ in events], "botocore cannot decode the stream"
    return framed


def framed_event(name, payload):
    pairs = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")]
    headers = b"".join(
        struct.pack("!B", len(key)) + key.encode() + struct.pack("!BH", 7, len(value)) + value.encode() for key, value in pairs
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", binascii.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", binascii.crc32(message))


def start(secrets):
    """Serves on a free port of loopback. `secrets` returns the secret key and session token of an access key."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self):
            self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                check_signature(self, secrets)
                operation, parameters = asked(self.command, self.path, self.body)
                check(parameters, operation.input_shape)
                given = answer(operation, parameters)
                if operation.name == "ConverseStream":
                    return self.send(200, "application/vnd.amazon.eventstream", stream())
                check(given, operation.output_shape)
                self.send(200, "application/json", json.dumps(given).encode())
            except Refusal as refusal:
                body = json.dumps({"message": refusal.message}).encode()
                self.send(refusal.status, "application/json", body, ("x-amzn-ErrorType", refusal.code))

        def send(self, status, kind, body, *more):
            self.send_response(status)
            for name, value in [("Content-Type", kind), ("Content-Length", str(len(body))), *more]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

        do_GET = do_POST = respond

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"
