"""Amazon Bedrock's runtime for Claude Code, and a collector for its telemetry: two servers in one process.

Each request for a model must be signed for Bedrock with credentials that the STS issued: the path `/session` of its control address
returns the session of an access key. The collector records the headers of its requests. The answer of every model is the same.

    bedrock.py --sts ENDPOINT --ca FILE --events FILE

prints `ready ENDPOINT COLLECTOR` once both listen.
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

from signatures import Refusal, Scope, signed_by

ANSWER = "Good morning from Bedrock."


# Event streams, as application/vnd.amazon.eventstream frames them


def frame(payload):
    """A message of the type `chunk`: lengths, their checksum, headers, payload, and a checksum of everything."""
    headers = b"".join(
        struct.pack("!B", len(name)) + name + b"\x07" + struct.pack("!H", len(value)) + value
        for name, value in [(b":event-type", b"chunk"), (b":content-type", b"application/json"), (b":message-type", b"event")]
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


# HTTP


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    events: str

    def note(self, **event):
        with open(self.events, "a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def read(self):
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def answer(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Bedrock(Connection):
    sts: str
    context: ssl.SSLContext

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
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        verb = path.rsplit("/", 1)[-1]
        try:
            who = signed_by(self, Scope("bedrock"), self.session)["Arn"]
        except Refusal as refusal:
            self.note(what="bedrock", verb=verb, status=refusal.status, code=refusal.code)
            body = json.dumps({"message": refusal.message}).encode()
            return self.answer(refusal.status, body)
        self.note(what="bedrock", verb=verb, status=200, who=who)
        if verb == "invoke-with-response-stream":
            return self.answer(200, b"".join(map(chunk, stream())), "application/vnd.amazon.eventstream")
        if verb == "invoke":
            return self.answer(200, json.dumps(whole_answer()).encode())
        if verb == "inference-profiles":
            return self.answer(200, b'{"inferenceProfileSummaries":[]}')
        self.answer(404, b'{"message":"no such operation"}')


class Collector(Connection):
    def do_POST(self):
        self.read()
        self.note(what="telemetry", path=self.path, headers={name.lower(): value for name, value in self.headers.items()})
        self.answer(200, b"{}")


def main():
    parser = argparse.ArgumentParser()
    for name in ("sts", "ca", "events"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    Connection.events = options.events
    Bedrock.sts, Bedrock.context = options.sts, ssl.create_default_context(cafile=options.ca)
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), kind) for kind in (Bedrock, Collector)]
    print("ready", *(f"http://127.0.0.1:{server.server_port}" for server in servers), flush=True)
    threading.Thread(target=servers[1].serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
