"""A real OpenTelemetry Collector with the configuration that we ship stamps what the relay stamps, and refuses what it refuses."""

import unittest

from collector import ORGANIZATION, Collector
from exporter import logs, metrics
from otlp import LOGS, METRICS
from relays import ServerRelay
from world import FORGED, GROUP, HONEST, IDENTITY, PERSON, STREAM, World

TOKENS = ("claude_code.token.usage", 7, {"type": "input", "model": "claude-sonnet"})
DECISION = ("claude_code.tool_decision", {"tool_name": "Edit", "decision": "accept"})
STAMPED = {**HONEST, **IDENTITY, "organization": ORGANIZATION}


NOTHING = dict.fromkeys(set(PERSON) - {"sub"})
# Persons of other providers: claims that replace those of PERSON.
PERSONS = {
    "as configured": {},
    "only a subject": NOTHING,
    "cognito": {
        **NOTHING,
        "cognito:username": "alice-in-dublin",
        "email": "alice@example.com",
        "custom:department": "research",
        "custom:team": "ml",
        "custom:cost_center": "4711",
        "custom:location": "Dublin",
        "custom:role": "engineer",
        "custom:manager": "bob",
        "custom:project": "apollo",
    },
    "entra": {**NOTHING, "preferred_username": "alice@example.com", "dept": "research", "job_title": "engineer", "office_location": "Dublin"},
    "other spellings": {**NOTHING, "mail": "a@example.com", "division": "r", "group": "ml", "costCenter": "1", "office": "D", "manager_email": "b"},
    "both spellings": {"dept": "another", "team_id": "another", "job_title": "principal engineer", "role": "lead"},
    "more letters than ascii": {"email": "alicé@example.com", "department": "Forschung & Entwicklung (Zürich)"},
}


class TestCollector(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.stop)
        cls.collector = Collector(cls.world)

    def test_attributes_come_from_the_verified_token(self):
        for kind in ("application/json", "application/x-protobuf"):
            for compressed in (False, True):
                how = {"token": self.world.token(), "kind": kind, "compressed": compressed}
                answer = self.collector.export(METRICS, metrics([TOKENS], HONEST), **how)
                self.assertEqual(answer.status, 200, self.world.log("collector"))
                point = self.world.cloudwatch.items("metrics")[-1]
                self.assertEqual((point["resource"], point["attributes"], point["value"]), (STAMPED, TOKENS[2], 7))
                self.assertEqual(self.collector.export(LOGS, logs([DECISION], HONEST), **how).status, 200)
                event = self.world.cloudwatch.items("logs")[-1]
                self.assertEqual((event["resource"], event["attributes"]), (STAMPED, DECISION[1]))
                headers = self.world.cloudwatch.events("logs")[-1]["headers"]
                self.assertEqual((headers["x-aws-log-group"], headers["x-aws-log-stream"]), (GROUP, STREAM))

    def test_the_relay_stamps_the_same(self):
        relay = ServerRelay(self.world)
        for name, claims in PERSONS.items():
            token, seen = self.world.token(claims=claims), []
            for through in (self.collector, relay):
                self.assertEqual(through.export(METRICS, metrics([TOKENS], {**HONEST, **FORGED}), token).status, 200, name)
                seen.append(self.world.cloudwatch.items("metrics")[-1]["resource"])
            self.assertEqual(seen[0], seen[1], name)

    def test_forged_attributes_are_gone_everywhere(self):
        token = self.world.token()
        forged = metrics([(*TOKENS[:2], {**TOKENS[2], **FORGED})], {**HONEST, **FORGED}, {"scope": "stays", **FORGED})
        self.assertEqual(self.collector.export(METRICS, forged, token).status, 200)
        point = self.world.cloudwatch.items("metrics")[-1]
        self.assertEqual((point["resource"], point["attributes"], point["scope"]["attributes"]), (STAMPED, TOKENS[2], {"scope": "stays"}))
        forged = logs([(DECISION[0], {**DECISION[1], **FORGED})], {**HONEST, **FORGED}, {"scope": "stays", **FORGED})
        self.assertEqual(self.collector.export(LOGS, forged, token).status, 200)
        event = self.world.cloudwatch.items("logs")[-1]
        self.assertEqual((event["resource"], event["attributes"], event["scope"]["attributes"]), (STAMPED, DECISION[1], {"scope": "stays"}))

    def test_a_claim_that_is_missing_leaves_no_attribute(self):
        few = self.world.token(claims=dict.fromkeys(["email", "department", "team", "cost_center", "location", "title", "manager", "project"]))
        self.assertEqual(self.collector.export(METRICS, metrics([TOKENS], {**HONEST, **FORGED}), few).status, 200)
        stamped = {**HONEST, "user.id": IDENTITY["user.id"], "organization": ORGANIZATION}
        self.assertEqual(self.world.cloudwatch.items("metrics")[-1]["resource"], stamped)

    def test_the_helpers_own_metric_cannot_be_forged(self):
        helper = ("bedrock_sso.helper", 1.0, {"version": "9.9.9"})
        self.assertEqual(self.collector.export(METRICS, metrics([helper, TOKENS], HONEST), self.world.token()).status, 200)
        names = {point["name"] for point in self.world.cloudwatch.items("metrics")}
        self.assertIn(TOKENS[0], names)
        self.assertNotIn("bedrock_sso.helper", names)

    def test_tokens_that_the_relay_refuses_are_refused(self):
        before = len(self.world.cloudwatch.events())
        refused = {
            "none": None,
            "expired": self.world.token(seconds=-3600),
            "of another application": self.world.token(audience="timesheets"),
            "of another key": self.world.token(key="foreign"),
            "of another issuer": self.world.token(claims={"iss": "https://accounts.example.com"}),
            "no token": "abc",
            "tampered": self.world.token()[:-6] + "AAAAAA",
        }
        for signal, request in ((METRICS, metrics([TOKENS], HONEST)), (LOGS, logs([DECISION], HONEST))):
            for name, token in refused.items():
                self.assertEqual(self.collector.export(signal, request, token).status, 401, name)
        self.assertEqual(len(self.world.cloudwatch.events()), before)

    def test_what_cloudwatch_does_not_take_is_the_senders_to_repeat(self):
        token = self.world.token()
        for status in (429, 502, 503, 504):
            self.world.cloudwatch.control(answers=[{"status": status, "retry_after": 7}])
            answer = self.collector.export(METRICS, metrics([TOKENS], HONEST), token)
            # An exporter of OpenTelemetry repeats after these.
            self.assertIn(answer.status, (429, 502, 503, 504), status)
        before = len(self.world.cloudwatch.items("metrics"))
        self.assertEqual(self.collector.export(METRICS, metrics([TOKENS], HONEST), token).status, 200)
        self.assertEqual(len(self.world.cloudwatch.items("metrics")), before + 1)


if __name__ == "__main__":
    unittest.main()
