"""bedrock-sso-server as an organization runs it: records arrive over HTTP, people ask with their tokens, and an administrator
exports people, prices and sums."""

import base64
import gzip
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import seed

REPOSITORY = Path(__file__).parents[2]
sys.path.append(str(REPOSITORY / "tests/telemetry"))
from issuer import Provider, bind  # noqa: E402

AUDIENCE = "0oa1"
PROGRAM = Path(os.environ.get("BEDROCK_SSO_SERVER", REPOSITORY / "target/debug/bedrock-sso-server"))
INGEST_TOKEN = "ingest-token-of-the-test-0123456789"
MONTHS = ["2026-08", "2026-09", "2026-10", "2026-11"]


@contextmanager
def start_provider():
    """An identity provider on loopback. It records its tokens nowhere: they are of nobody."""
    provider = Provider(AUDIENCE, {}, os.devnull)
    with bind(provider) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield provider
        server.shutdown()


class Delivery:
    """Amazon Data Firehose and an OpenTelemetry endpoint on loopback, as a context. `rows` is what the stream got, and the day of
    each is that on which it arrived."""

    def __enter__(self):
        self.rows, delivery = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = {}
                if self.headers.get("X-Amz-Target") == "Firehose_20150804.PutRecordBatch":
                    records = [base64.b64decode(it["Data"]) for it in json.loads(body)["Records"]]
                    # As Firehose writes them into one file: one after the other.
                    delivery.rows += [{**json.loads(it), "day": "2026-11-26"} for it in b"".join(records).splitlines()]
                    answer = {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"}] * len(records)}
                text = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Organization:
    """As a context: everything that it has counted and exported. `zone` is its time zone."""

    def __init__(self, zone):
        self.zone = zone

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        self.bucket = root / "bucket"
        shipped = (REPOSITORY / "server/src/prices.toml").read_text()
        (root / "prices.toml").write_text(shipped.replace("[[price]]", f"{seed.DATED_PRICES}\n[[price]]", 1))
        (root / "ingest.token").write_text(INGEST_TOKEN)
        with start_provider() as provider, Delivery() as delivery:
            (root / "server.toml").write_text(
                f'version = 1\nlisten = "127.0.0.1:0"\nstore = "file:usage.redb"\ntime_zone = "{self.zone}"\nprices = "prices.toml"\n'
                f'[[issuer]]\nissuer = "{provider.issuer}"\naudience = ["{AUDIENCE}"]\nperson = ["sub"]\n[ingest]\ntoken_file = "ingest.token"\n'
                f'[relay]\nregion = "eu-central-1"\nmetrics = "{delivery.address}/v1/metrics"\nlogs = "{delivery.address}/v1/logs"\nstream = "rows"\n'
            )
            paths = seed.write_invocations(self.bucket)
            keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-1"}
            environment = {**os.environ, **keys, "AWS_ENDPOINT_URL_FIREHOSE": delivery.address}
            command = [PROGRAM, "serve", "--config", root / "server.toml"]
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
                try:
                    self.address = re.search(r"listening on (\S+)", server.stderr.readline())[1]
                    # A pipe that nobody reads would stop the server.
                    threading.Thread(target=server.stderr.read, daemon=True).start()
                    tokens = {}
                    for person, (department, team) in seed.PEOPLE.items():
                        tokens[person] = provider.mint({"sub": person, "department": department or None, "team": team or None})
                        assert self.request("/check", tokens[person])["allowed"] is True
                    for person, path, body in seed.exports():
                        self.request(path, tokens[person], json.dumps(body).encode(), "application/json")
                    self.telemetry = delivery.rows
                    self.summary = {"accepted": 0, "repeated": 0, "rejected": 0}
                    for day in sorted({path.parents[1] for path in paths}):
                        lines = b"".join(gzip.decompress(path.read_bytes()) for path in paths if path.parents[1] == day)
                        for key, number in self.request("/ingest", INGEST_TOKEN, lines).items():
                            self.summary[key] += number
                    # Through the socket of the server that runs.
                    self.people = self.export("people")
                finally:
                    server.terminate()
        self.prices = self.export("prices")
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def request(self, path, token, body=None, kind=None):
        headers = {"Authorization": f"Bearer {token}"} | ({"Content-Type": kind} if kind else {})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(f"{self.address}{path}", body, headers), timeout=60) as answer:
            return json.load(answer)

    def command(self, *words):
        command = [PROGRAM, *words, "--config", Path(self.folder.name, "server.toml")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def export(self, what):
        return [json.loads(line) for line in self.command("export", what).splitlines()]

    def usage(self, by):
        """The store's counters as {(month, label): [four kinds of tokens, millionths of a dollar]}."""
        found = {}
        for month in MONTHS:
            for row in json.loads(self.command("usage", "--month", month, "--by", by, "--json"))["rows"]:
                found[(month, row[by])] = [row[it] for it in COLUMNS]
        return without_nothing(found)

    def report(self, month):
        """The rows of the report as {about: {name: numbers}}."""
        found = {}
        for row in json.loads(self.command("report", "--month", month, "--people", "names", "--json"))["rows"]:
            if "micro_usd" in row:
                found.setdefault(row["about"], {})[row["name"]] = [row[it] for it in COLUMNS]
        return {about: without_nothing(rows) for about, rows in found.items()}


def without_nothing(sums):
    """The sums without those of people who have made failed calls only."""
    return {key: numbers for key, numbers in sums.items() if any(numbers)}


COLUMNS = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "micro_usd"]
