"""Amazon Bedrock, and a collector for Claude Code's telemetry: servers in one process.

Each request must be signed for Bedrock with credentials that the STS issued: the path `/session` of its control address returns the
session of an access key. The collector records the headers of its requests. The answer of every model is the same.

    bedrock.py --sts ENDPOINT --cert FILE --key FILE --ca FILE --events FILE [--iam ENDPOINT]

prints `ready ENDPOINT ENDPOINT_WITH_TLS COLLECTOR` once all listen. With --iam, the policies that IAM at that endpoint has for
the session's role decide about each request (see iam.py), and the lists of models come from there.
"""

import argparse
import base64
import binascii
import json
import ssl
import struct
import threading
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bedrock_permissions import needed
from iam import Iam, account_of
from signatures import Refusal, Scope, region_of, signed_by
from tls import tls_server

ANSWER = "Good morning from Bedrock."


# Event streams, as application/vnd.amazon.eventstream frames them


def frame(payload, kind="chunk"):
    """A message: lengths, their checksum, headers, payload, and a checksum of everything."""
    headers = b"".join(
        struct.pack("!B", len(name)) + name + b"\x07" + struct.pack("!H", len(value)) + value
        for name, value in [(b":event-type", kind.encode()), (b":content-type", b"application/json"), (b":message-type", b"event")]
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", binascii.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", binascii.crc32(message))


def chunk(event):
    return frame(json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode())


def message(content, stop_reason):
    usage = {"input_tokens": 3, "output_tokens": 5}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content,
        "stop_reason": stop_reason, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def whole_answer():
    return message([{"type": "text", "text": ANSWER}], "end_turn")


def stream():
    yield {"type": "message_start", "message": message([], None)}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ANSWER}}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 5}}
    yield {"type": "message_stop"}


def converse():
    usage = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}
    answered = {"message": {"role": "assistant", "content": [{"text": ANSWER}]}}
    return {"output": answered, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 451}}


def converse_stream():
    whole = converse()
    yield "messageStart", {"role": "assistant"}
    yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": ANSWER}}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    yield "messageStop", {"stopReason": whole["stopReason"]}
    yield "metadata", {"usage": whole["usage"], "metrics": whole["metrics"]}


# HTTP

STREAM = "application/vnd.amazon.eventstream"


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    events: str

    def note(self, **event):
        with open(self.events, "a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def read(self):
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def answer(self, status, body, kind="application/json", error=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if error:
            self.send_header("x-amzn-ErrorType", error)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Bedrock(Connection):
    sts: str
    context: ssl.SSLContext
    iam: Iam | None

    def session(self, key):
        """The session to which the STS issued this key."""
        asked = json.dumps({"session": key}).encode()
        request = urllib.request.Request(f"{self.sts}/session", data=asked)
        with urllib.request.urlopen(request, context=self.context, timeout=10) as answer:
            return json.load(answer)

    def do_GET(self):
        self.respond()

    def do_POST(self):
        self.respond()

    def respond(self):
        self.body = self.read()
        path = urllib.parse.urlsplit(self.path).path
        verb = urllib.parse.unquote(path).rsplit("/", 1)[-1]
        try:
            session = signed_by(self, Scope("bedrock"), self.session)
            if self.iam:
                self.check_permissions(session, path)
        except Refusal as refusal:
            self.note(what="bedrock", verb=verb, status=refusal.status, code=refusal.code)
            body = json.dumps({"message": refusal.message}).encode()
            return self.answer(refusal.status, body, error=refusal.code)
        self.note(what="bedrock", verb=verb, status=200, who=session["Arn"])
        if verb == "invoke-with-response-stream":
            return self.answer(200, b"".join(map(chunk, stream())), STREAM)
        if verb == "converse-stream":
            return self.answer(200, b"".join(frame(json.dumps(payload).encode(), kind) for kind, payload in converse_stream()), STREAM)
        if verb in JSON_ANSWERS:
            return self.answer(200, json.dumps(JSON_ANSWERS[verb]()).encode())
        if self.iam:
            return self.answer(*self.from_emulator(session))
        if verb == "inference-profiles":
            return self.answer(200, b'{"inferenceProfileSummaries":[]}')
        self.answer(404, b'{"message":"no such operation"}')

    def check_permissions(self, session, path):
        secure = isinstance(self.connection, ssl.SSLSocket)
        action, resources = needed(self.iam, account_of(session["Arn"]), region_of(self), path)
        self.iam.check_call(session, action, resources, secure)

    def from_emulator(self, session):
        """The emulator's answer to the same request, as the session's account gets it."""
        scope = f"{account_of(session['Arn'])}/20261130/{region_of(self)}/bedrock/aws4_request"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=unchecked"}
        with urllib.request.urlopen(urllib.request.Request(self.iam.endpoint + self.path, headers=headers), timeout=10) as answer:
            return answer.status, answer.read()


JSON_ANSWERS = {"invoke": whole_answer, "converse": converse, "count-tokens": lambda: {"inputTokens": 3}}


class Collector(Connection):
    def do_POST(self):
        self.read()
        self.note(what="telemetry", path=self.path, headers={name.lower(): value for name, value in self.headers.items()})
        self.answer(200, b"{}")


def main():
    parser = argparse.ArgumentParser()
    for name in ("sts", "cert", "key", "ca", "events"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--iam")
    options = parser.parse_args()
    Connection.events = options.events
    Bedrock.sts, Bedrock.context = options.sts, ssl.create_default_context(cafile=options.ca)
    Bedrock.iam = Iam(options.iam) if options.iam else None
    plain, collector = (ThreadingHTTPServer(("127.0.0.1", 0), kind) for kind in (Bedrock, Collector))
    secure = tls_server(Bedrock, options.cert, options.key)
    endpoints = f"http://127.0.0.1:{plain.server_port} https://localhost:{secure.server_port}"
    print("ready", endpoints, f"http://127.0.0.1:{collector.server_port}", flush=True)
    for server in (secure, collector):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    plain.serve_forever()


if __name__ == "__main__":
    main()
