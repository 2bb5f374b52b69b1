"""bedrock-sso-server as an organization runs it: records arrive over HTTP, people ask with their tokens, and an administrator
exports people, prices and sums."""

import gzip
import json
import os
import re
import subprocess
import tempfile
import threading
import urllib.request
from pathlib import Path

import seed
from issuer import AUDIENCE, Issuer

REPOSITORY = Path(__file__).parents[2]
PROGRAM = Path(os.environ.get("BEDROCK_SSO_SERVER", REPOSITORY / "target/debug/bedrock-sso-server"))
INGEST_TOKEN = "ingest-token-of-the-test-0123456789"
MONTHS = ["2026-08", "2026-09", "2026-10", "2026-11"]


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
        with Issuer() as issuer:
            (root / "server.toml").write_text(
                f'version = 1\nlisten = "127.0.0.1:0"\nstore = "file:usage.redb"\ntime_zone = "{self.zone}"\nprices = "prices.toml"\n'
                f'[[issuer]]\nissuer = "{issuer.address}"\naudience = ["{AUDIENCE}"]\nperson = ["sub"]\n[ingest]\ntoken_file = "ingest.token"\n'
            )
            paths = seed.write_invocations(self.bucket)
            with subprocess.Popen([PROGRAM, "serve", "--config", root / "server.toml"], stderr=subprocess.PIPE, text=True) as server:
                try:
                    self.address = re.search(r"listening on (\S+)", server.stderr.readline())[1]
                    # A pipe that nobody reads would stop the server.
                    threading.Thread(target=server.stderr.read, daemon=True).start()
                    for person, (department, team) in seed.PEOPLE.items():
                        claims = {"department": department, "team": team}
                        token = issuer.token(sub=person, **{key: it for key, it in claims.items() if it})
                        assert self.request("/check", token)["allowed"] is True
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

    def request(self, path, token, body=None):
        headers = {"Authorization": f"Bearer {token}"}
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
