"""Both relays: what they forward has the identity of the verified token, and nothing that was acknowledged is lost."""

import subprocess
import time
import unittest

from exporter import logs, metrics
from laptop import Desk, Session
from otlp import LOGS, METRICS
from prometheus import Prometheus
from queries import queries
from relays import LaptopRelay, ServerRelay
from scan import Secrets
from world import FORGED, GROUP, HONEST, IDENTITY, ROOT, STREAM, World, tool, wait_until

TOKENS = ("claude_code.token.usage", 7, {"type": "input", "model": "claude-sonnet"})
DECISION = ("claude_code.tool_decision", {"tool_name": "Edit", "decision": "accept"})
# What Bedrock answers to each question of the tests.
INPUT, OUTPUT = 3, 5


class Relays:
    """What holds for both. A subclass starts `relay` in a `world`, and has a `coder`, a home for Claude Code."""

    def setUp(self):
        self.relay.cloudwatch.control(answers=[], rejected=0, prometheus=None)

    @property
    def stamped(self):
        return {**HONEST, **IDENTITY, "organization": self.relay.organization}

    def export(self, signal, request, token=None, **how):
        return self.relay.export(signal, request, token or self.relay.token(), **how)

    def test_attributes_come_from_the_verified_token(self):
        for kind in self.relay.formats:
            answer = self.export(METRICS, metrics([TOKENS], HONEST), kind=kind)
            self.assertEqual((answer.status, answer.headers["content-type"], answer.decoded(METRICS)), (200, kind, {}), self.relay.log())
            [point] = self.relay.cloudwatch.events("metrics")[-1]["items"]
            self.assertEqual((point["resource"], point["attributes"], point["value"], point["temporality"]), (self.stamped, TOKENS[2], 7, 1))
            self.assertEqual(self.export(LOGS, logs([DECISION], HONEST), kind=kind).status, 200)
            [event] = self.relay.cloudwatch.events("logs")[-1]["items"]
            self.assertEqual((event["resource"], event["name"], event["attributes"]), (self.stamped, *DECISION))
            headers = self.relay.cloudwatch.events("logs")[-1]["headers"]
            self.assertEqual((headers["x-aws-log-group"], headers["x-aws-log-stream"]), (GROUP, STREAM))

    def test_forged_attributes_and_headers_are_gone(self):
        headers = {"x_user_email": "mallory@example.com", "x_department": "mallory", "x_amzn_trace_id": "mallory"}
        for kind in self.relay.formats:
            points = [(*TOKENS[:2], {**TOKENS[2], **FORGED}), ("bedrock_sso.helper", 1.0, {"version": "6.6.6"})]
            request = metrics(points, {**HONEST, **FORGED}, {"scope": "stays", **FORGED})
            self.assertEqual(self.export(METRICS, request, kind=kind, **headers).status, 200)
            accepted = self.relay.cloudwatch.events("metrics")[-1]
            [point] = accepted["items"]
            self.assertEqual((point["resource"], point["attributes"], point["scope"]["attributes"]), (self.stamped, TOKENS[2], {"scope": "stays"}))
            request = logs([(DECISION[0], {**DECISION[1], **FORGED})], {**HONEST, **FORGED}, {"scope": "stays", **FORGED})
            self.assertEqual(self.export(LOGS, request, kind=kind, **headers).status, 200)
            [event] = self.relay.cloudwatch.events("logs")[-1]["items"]
            self.assertEqual((event["resource"], event["attributes"], event["scope"]["attributes"]), (self.stamped, DECISION[1], {"scope": "stays"}))
        self.assertNotIn("mallory", str(self.relay.cloudwatch.events("metrics") + self.relay.cloudwatch.events("logs")))

    def test_the_state_of_the_helper_becomes_one_gauge(self):
        headers = {"x_bedrock_sso_version": "0.1.0", "x_bedrock_sso_failure": "sign-in/denied"}
        self.assertEqual(self.export(METRICS, metrics([TOKENS], HONEST), **headers).status, 200)
        [helper] = [it for it in self.relay.cloudwatch.events("metrics")[-1]["items"] if it["name"] == "bedrock_sso.helper"]
        self.assertEqual((helper["value"], helper["kind"], helper["attributes"]), (1, "gauge", {"version": "0.1.0", "failure": "sign-in/denied"}))
        self.assertEqual({key: helper["resource"].get(key) for key in IDENTITY}, IDENTITY)

    def test_refusals_of_cloudwatch_are_the_senders_to_repeat(self):
        token = self.relay.token()
        before = len(self.relay.cloudwatch.items("metrics"))
        # The sender did not cause CloudWatch's own errors, so it repeats after them too.
        for status, expected in ((429, 429), (502, 502), (503, 503), (504, 504), (500, 503), (403, 503)):
            self.relay.cloudwatch.control(answers=[{"status": status, "retry_after": 7}])
            answer = self.export(METRICS, metrics([TOKENS], HONEST), token)
            self.assertEqual(answer.status, expected, status)
            if status in (429, 503):
                self.assertEqual(answer.headers.get("retry-after"), "7", status)
        self.assertEqual(self.export(METRICS, metrics([TOKENS], HONEST), token).status, 200)
        self.assertEqual(len(self.relay.cloudwatch.items("metrics")), before + 1)

    def test_partial_success_passes_through(self):
        self.relay.cloudwatch.control(rejected=2)
        for kind in self.relay.formats:
            answer = self.export(METRICS, metrics([TOKENS], HONEST), kind=kind)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.decoded(METRICS)["partialSuccess"]["rejectedDataPoints"], "2")

    def test_tokens_that_are_not_valid_are_refused(self):
        before = len(self.relay.cloudwatch.events())
        for signal, request in ((METRICS, metrics([TOKENS], HONEST)), (LOGS, logs([DECISION], HONEST))):
            for name, token in self.refused_tokens().items():
                self.assertEqual(self.relay.export(signal, request, token).status, 401, name)
        self.assertEqual(len(self.relay.cloudwatch.events()), before)

    # Claude Code itself

    def ask_claude_code(self):
        """The metrics and events that have arrived after one answer of Claude Code."""
        counts = {what: len(self.relay.cloudwatch.items(what)) for what in ("metrics", "logs")}
        answers = len(self.answers())
        outcome = self.coder.claude_code("Good morning!", self.desk.bedrock)
        self.assertEqual((outcome.code, outcome.stdout.strip()), (0, "Good morning from Bedrock."), outcome)
        calls = len(self.answers()) - answers
        arrived = {what: self.relay.cloudwatch.items(what)[count:] for what, count in counts.items()}
        return arrived["metrics"], arrived["logs"], calls

    def answers(self):
        """What Bedrock has answered."""
        return self.desk.bedrock.events("bedrock", status=200, verb="invoke-with-response-stream")

    @staticmethod
    def tokens_of(points):
        """The sums of the tokens that Claude Code has counted, by type. Each export has what came since the last one."""
        sums = {}
        for point in points:
            if point["name"] == "claude_code.token.usage" and point["value"]:
                kind = point["attributes"]["type"]
                sums[kind] = sums.get(kind, 0) + point["value"]
        return sums

    def test_claude_code_arrives_with_the_identity_of_the_token(self):
        points, events, calls = self.ask_claude_code()
        self.assertGreater(calls, 0)
        self.assertEqual(self.tokens_of(points), {"input": INPUT * calls, "output": OUTPUT * calls}, self.relay.log()[-3000:])
        self.assertIn("api_request", {event["attributes"].get("event.name") for event in events}, [it["name"] for it in events])
        for item in [*points, *events]:
            shown = {key: item["resource"].get(key) for key in [*IDENTITY, "organization"]}
            self.assertEqual(shown, {**IDENTITY, "organization": self.relay.organization}, item)
            # Claude Code says these about the account at Anthropic and about a hash of its own.
            claimed = {key for key in item["attributes"] if key.startswith(("user.", "organization.", "enduser.", "aws."))}
            self.assertEqual(claimed, set(), item)
        helpers = [it["attributes"] for it in points if it["name"] == "bedrock_sso.helper"]
        self.assertTrue(helpers and all(it == {"version": self.version, "failure": "none"} for it in helpers), helpers)

    def test_nothing_of_claude_code_is_lost_while_cloudwatch_refuses(self):
        """Its exporter repeats after each refusal, and then everything has arrived once."""
        before = {what: len(self.relay.cloudwatch.items(what)) for what in ("metrics", "logs")}
        # For some of them, CloudWatch does not say how long to wait.
        refusals = [{"status": 429, "retry_after": 1}, {"status": 503}, {"status": 502}, {"status": 504}]
        self.relay.cloudwatch.control(answers=refusals)
        # Exports while the session lasts: Claude Code waits for two seconds only when it ends.
        session = Session(self.coder, self.desk.bedrock)
        answers = len(self.answers())
        self.assertEqual(session.ask("Good morning!"), "Good morning from Bedrock.")
        calls = len(self.answers()) - answers
        expected = {"input": INPUT * calls, "output": OUTPUT * calls}
        new = lambda what: self.relay.cloudwatch.items(what)[before[what] :]  # noqa: E731
        requests = lambda: [it for it in new("logs") if it["attributes"].get("event.name") == "api_request"]  # noqa: E731
        wait_until(lambda: self.tokens_of(new("metrics")) == expected and len(requests()) >= calls)
        self.assertEqual(session.end(), 0)
        self.assertEqual((self.tokens_of(new("metrics")), len(requests())), (expected, calls), self.relay.log()[-3000:])
        self.assertEqual([it["status"] for it in self.relay.cloudwatch.events("scripted")[-4:]], [429, 503, 502, 504])

    def test_prometheus_finds_what_the_dashboard_asks_for(self):
        prometheus = Prometheus(tool("prometheus"), self.world.folder)
        self.addCleanup(prometheus.stop)
        self.relay.cloudwatch.control(prometheus=prometheus.address)
        points, _, _ = self.ask_claude_code()
        asked = queries("dashboard.yaml", FailingPeople=1)
        self.assertEqual(prometheus.query(asked["people"]), {(): 1})
        self.assertEqual(prometheus.query(asked["versions"]), {(("version", self.version),): 1})
        self.assertEqual((prometheus.query(asked["failures"]), prometheus.query(asked["FailuresAlarm"])), ({}, {}))
        by_person = 'sum by ("@resource.user.email", "@resource.team.id", type) (sum_over_time({"claude_code.token.usage"}[1h])) > 0'
        person = (("team.id", IDENTITY["team.id"]), ("user.email", IDENTITY["user.email"]))
        expected = {(*person[:1], ("type", kind), *person[1:]): value for kind, value in self.tokens_of(points).items()}
        self.assertEqual(prometheus.query(by_person), expected)
        # The laptops of two other people report a failure.
        for subject in ("00u2", "00u3"):
            self.fail_somewhere_else(subject)
        self.assertEqual(prometheus.query(asked["people"]), {(): 3 if self.relay.formats[1:] else 1})
        failing = 2 if self.relay.formats[1:] else 1
        self.assertEqual(prometheus.query(asked["failures"]), {(("failure", "sign-in/denied"),): failing})
        self.assertEqual(prometheus.query(asked["FailuresAlarm"]), {(("failure", "sign-in/denied"),): failing})

    def test_no_record_and_no_log_has_a_secret(self):
        self.export(METRICS, metrics([TOKENS], HONEST))
        secrets = Secrets([it for it in self.world.folder.rglob("*.ledger")], [{"kind": "relay token", "value": self.relay.token()}])
        self.assertIn("id_token", secrets.kinds())
        places = [self.relay.cloudwatch.events_file, *self.world.folder.glob("*.log"), *self.world.folder.glob("logs/*")]
        self.assertGreater(len(places), 2)
        self.assertEqual({place.name: found for place in places if (found := secrets.found_in_file(place))}, {})


class TestServerRelay(Relays, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.stop)
        cls.relay, cls.desk = ServerRelay(cls.world), Desk(cls.world)
        set_up_claude_code(cls)

    def refused_tokens(self):
        return {
            "none": None,
            "expired": self.world.token(seconds=-3600),
            "of another application": self.world.token(audience="timesheets"),
            "of another key": self.world.token(key="foreign"),
            "of another issuer": self.world.token(claims={"iss": "https://accounts.example.com"}),
            "no token": "abc",
            "tampered": self.world.token()[:-6] + "AAAAAA",
        }

    def fail_somewhere_else(self, subject):
        token = self.world.token(claims={"sub": subject, "email": f"{subject}@example.com"})
        headers = {"x_bedrock_sso_version": self.version, "x_bedrock_sso_failure": "sign-in/denied"}
        self.assertEqual(self.export(METRICS, metrics([TOKENS], HONEST), token, **headers).status, 200)


class TestLaptopRelay(Relays, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.stop)
        cls.relay = LaptopRelay(cls.world)
        cls.addClassCleanup(cls.relay.stop)
        cls.desk = cls.relay.desk
        set_up_claude_code(cls)

    def refused_tokens(self):
        # The ID token is of no use here: only this relay's own token is.
        return {"none": None, "an ID token": self.world.token(), "no token": "abc", "tampered": self.relay.token()[:-6] + "AAAAAA"}

    def fail_somewhere_else(self, _subject):
        headers = {"x_bedrock_sso_version": self.version, "x_bedrock_sso_failure": "sign-in/denied"}
        self.assertEqual(self.export(METRICS, metrics([TOKENS], HONEST), **headers).status, 200)


def set_up_claude_code(test):
    """A home in which `setup` has configured Claude Code for the relay, and whose user is signed in."""
    printed = subprocess.run([test.desk.binary, "--version"], capture_output=True, text=True, check=True).stdout
    test.version = printed.split()[1]
    home = getattr(test.relay, "home", None) or test.desk.home("coder", **test.relay.settings())
    (home.path / ".aws/config").unlink()
    for outcome in (home.ours("setup", "--yes"), home.credentials()):
        assert outcome.code == 0, outcome
    test.coder = home


if __name__ == "__main__":
    unittest.main()
