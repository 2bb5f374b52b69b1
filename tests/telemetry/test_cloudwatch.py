"""The stand-in for CloudWatch accepts what AWS's own Python SDK signs, and refuses everything else."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from exporter import body_of, export, export_signed, logs, metrics, post
from otlp import LOGS, METRICS

HERE = Path(__file__).parent
KEY = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
POINTS = metrics([("claude_code.token.usage", 7, {"type": "input", "model": "m"})], {"user.email": "alice@example.com"}, at=1_700_000_000_000_000_000)
EVENTS = logs([("claude_code.api_request", {"cost_usd": "0.1"})], {"user.email": "alice@example.com"}, at=1_700_000_000_000_000_000)


class StandIn:
    """The stand-in as a process, with one key that it knows."""

    def __init__(self, folder, *options):
        certificates = HERE.parent / "real/certificates"
        subprocess.run([certificates, folder], check=True, capture_output=True)
        self.events_file = folder / "events"
        tls = ["--cert", folder / "server.pem", "--key", folder / "server.key"]
        command = [sys.executable, HERE / "cloudwatch.py", *tls, "--events", self.events_file, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        _, self.address, self.secure = self.process.stdout.readline().split()

    def control(self, **settings):
        assert post(self.address, "/control", json.dumps(settings).encode(), {}).status == 200

    def events(self):
        return [json.loads(line) for line in self.events_file.read_text().splitlines()] if self.events_file.exists() else []

    def stop(self):
        self.process.kill()
        self.process.communicate()


class TestCloudWatch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.cloudwatch = StandIn(Path(cls.folder.name), "--key-of-function", ":".join(KEY))

    @classmethod
    def tearDownClass(cls):
        cls.cloudwatch.stop()
        cls.folder.cleanup()

    def refused(self, signal, request, credentials=KEY, **how):
        answer = export_signed(self.cloudwatch.address, signal, request, credentials, **how)
        return answer.status, self.cloudwatch.events()[-1]["code"]

    def test_signed_requests_are_decoded_in_both_formats(self):
        for kind in ("application/json", "application/x-protobuf"):
            for compressed in (False, True):
                answer = export_signed(self.cloudwatch.address, METRICS, POINTS, KEY, kind=kind, compressed=compressed)
                self.assertEqual((answer.status, answer.headers["content-type"], answer.decoded(METRICS)), (200, kind, {}))
                [point] = self.cloudwatch.events()[-1]["items"]
                self.assertEqual(point["resource"], {"user.email": "alice@example.com"})
                self.assertEqual((point["name"], point["value"], point["temporality"]), ("claude_code.token.usage", 7, 1))
                self.assertEqual(point["attributes"], {"type": "input", "model": "m"})
                answer = export_signed(self.cloudwatch.address, LOGS, EVENTS, KEY, kind=kind, compressed=compressed)
                self.assertEqual(answer.status, 200)
                [event] = self.cloudwatch.events()[-1]["items"]
                self.assertEqual((event["name"], event["attributes"]), ("claude_code.api_request", {"cost_usd": "0.1"}))

    def test_the_record_has_no_proof_of_the_signer(self):
        export_signed(self.cloudwatch.address, METRICS, POINTS, KEY)
        self.assertNotIn("authorization", self.cloudwatch.events()[-1]["headers"])

    def test_requests_that_nobody_signed_are_refused(self):
        self.assertEqual(export(self.cloudwatch.address, METRICS, POINTS).status, 403)
        self.assertEqual(export(self.cloudwatch.address, METRICS, POINTS, token="token").status, 403)

    def test_signatures_that_differ_are_refused(self):
        body, _ = body_of(METRICS, metrics([("claude_code.token.usage", 8, {})]))
        for how in (
            {"credentials": (KEY[0], "another secret")},
            {"service": "logs"},
            {"tampered": body},
        ):
            self.assertEqual(self.refused(METRICS, POINTS, **how), (403, "InvalidSignatureException"), how)
        for credentials in (("AKIAUNKNOWN", KEY[1]), (*KEY, "a session token")):
            self.assertEqual(self.refused(METRICS, POINTS, credentials), (403, "UnrecognizedClientException"))

    def test_what_is_not_otlp_is_refused(self):
        misspelled = json.loads(json.dumps(POINTS).replace("asInt", "asInteger"))
        self.assertEqual(self.refused(METRICS, misspelled), (400, "InvalidParameterException"))
        self.assertEqual(self.refused(METRICS, [1]), (400, "InvalidParameterException"))
        large = metrics([("claude_code.token.usage", 1, {"type": "x" * 1_000_000})])
        self.assertEqual(self.refused(METRICS, large, compressed=True), (413, "RequestEntityTooLarge"))

    def test_scripted_answers_come_in_turn(self):
        self.cloudwatch.control(answers=[{"status": 429, "retry_after": 3}, {"status": 503}])
        answers = [export_signed(self.cloudwatch.address, METRICS, POINTS, KEY) for _ in range(3)]
        self.assertEqual([answer.status for answer in answers], [429, 503, 200])
        self.assertEqual(answers[0].headers["retry-after"], "3")

    def test_partial_success_is_reported_in_the_format_of_the_sender(self):
        self.cloudwatch.control(rejected=2)
        try:
            for kind in ("application/json", "application/x-protobuf"):
                answer = export_signed(self.cloudwatch.address, METRICS, POINTS, KEY, kind=kind)
                self.assertEqual(answer.decoded(METRICS)["partialSuccess"]["rejectedDataPoints"], "2")
        finally:
            self.cloudwatch.control(rejected=0)


if __name__ == "__main__":
    unittest.main()
