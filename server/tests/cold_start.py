#!/usr/bin/env python3
"""Measures how long the program of a package for Lambda takes from its start to its first request for an event.

    server/tests/cold_start.py bedrock-sso-server-VERSION-linux-ARCH.zip [RUNS]

The runtime API and DynamoDB are servers on loopback that answer at once. What AWS adds is not in the numbers: the sandbox,
the copy of the program, and the connection to DynamoDB with TLS.
"""

import http.server
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

CONFIGURATION = """
version = 1
store = "dynamodb:limits"
[[issuer]]
issuer = "https://acme.okta.com"
audience = ["0oa1"]
"""


class Table(http.server.BaseHTTPRequestHandler):
    """A table that exists: the program reads its layout when it starts."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        exists = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "it exists"}
        status, answer = (400, exists) if self.headers["x-amz-target"].endswith(".PutItem") else (200, {"Item": {"version": {"N": "1"}}})
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def measure(program, role, table, runtime):
    """The seconds from the start of the program until it asks for an event, and those in which it used a processor."""
    environment = {
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % runtime.getsockname()[1],
        "AWS_LAMBDA_FUNCTION_NAME": "limits",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{table.server_port}",
        "BEDROCK_SSO_SERVER_ROLE": role,
        "BEDROCK_SSO_SERVER_CONFIG": CONFIGURATION,
    }
    begun = time.perf_counter()
    process = subprocess.Popen([program], env=environment)
    try:
        connection, _ = runtime.accept()
        line = connection.makefile("rb").readline()
        seconds = time.perf_counter() - begun
        assert line.startswith(b"GET /2018-06-01/runtime/invocation/next "), line
    finally:
        process.kill()
        _, _, used = os.wait4(process.pid, 0)
    connection.close()
    return seconds, used.ru_utime + used.ru_stime


def main():
    package, runs = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    table = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Table)
    threading.Thread(target=table.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as runtime:
        # A program that does not start would otherwise be waited for without an end.
        runtime.settimeout(60)
        program = zipfile.ZipFile(package).extract("bootstrap", folder)
        os.chmod(program, 0o755)
        print(f"{package.name}: {package.stat().st_size / 1e6:.2f} MB packed, {os.stat(program).st_size / 1e6:.2f} MB unpacked")
        for role in ("check", "ingest", "enforce"):
            starts = [measure(program, role, table, runtime) for _ in range(runs)]
            times, used = ([1000 * start[place] for start in starts] for place in (0, 1))
            print(f"{role}: median {statistics.median(times):.0f} ms, longest {max(times):.0f} ms, of {runs} starts;", end=" ")
            print(f"median of the processor's time {statistics.median(used):.0f} ms")


if __name__ == "__main__":
    main()
