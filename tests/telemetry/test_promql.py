"""A real Prometheus 3 takes what is sent to CloudWatch, and answers the queries of the dashboard and of the alarms."""

import re
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from exporter import body_of, metrics, post
from otlp import METRICS
from prometheus import Prometheus, QueryError, in_prometheus
from queries import TEMPLATES, queries

ROOT = Path(__file__).parent.parent.parent
MINUTE = 60_000_000_000  # nanoseconds

# Who has sent what, and how many minutes ago. Dave has two computers, and Gus had a failure that is over.
HELPERS = [
    ("alice", "0.1.0", "none", 1),
    ("bob", "0.1.0", "sign-in/denied", 2),
    ("carol", "0.2.0", "sign-in/denied", 3),
    ("dave", "0.2.0", "none", 1),
    ("dave", "0.2.0", "none", 4),
    ("erin", "0.2.0", "sign-in/denied", 5),
    ("frank", "0.1.0", "network/timeout", 6),
    ("gus", "0.2.0", "sign-in/denied", 40),
    ("gus", "0.2.0", "none", 1),
    ("hank", "0.0.9", "sign-in/denied", 90),
]


class TestPromql(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program = subprocess.run([ROOT / ".ci/tools", "prometheus"], check=True, capture_output=True, text=True).stdout.strip()
        cls.folder = tempfile.TemporaryDirectory()
        cls.prometheus = Prometheus(program, Path(cls.folder.name))
        now = time.time_ns()
        for number, (person, version, failure, minutes) in enumerate(HELPERS):
            helper = ("bedrock_sso.helper", 1.0, {"version": version, "failure": failure})
            resource = {"service.name": "bedrock-sso", "user.id": person, "user.email": f"{person}@example.com"}
            cls.send(metrics([helper], resource, at=now - minutes * MINUTE), number)

    @classmethod
    def send(cls, request, number=0):
        kind = ("application/json", "application/x-protobuf")[number % 2]
        answer = post(cls.prometheus.address, "/api/v1/otlp/v1/metrics", *body_of(METRICS, request, kind))
        assert answer.status == 200, answer.body

    @classmethod
    def tearDownClass(cls):
        cls.prometheus.stop()
        cls.folder.cleanup()

    def test_each_query_has_the_right_numbers(self):
        expected = {
            # Hank was last seen an hour and a half ago.
            "people": {(): 7},
            "versions": {(("version", "0.1.0"),): 3, (("version", "0.2.0"),): 4},
            "failures": {(("failure", "sign-in/denied"),): 4, (("failure", "network/timeout"),): 1},
            # In the last quarter of an hour, for at least three people.
            "FailuresAlarm": {(("failure", "sign-in/denied"),): 3},
        }
        asked = queries("dashboard.yaml", FailingPeople=3)
        self.assertEqual({name: self.prometheus.query(query) for name, query in asked.items()}, expected)
        self.assertEqual(self.prometheus.query(queries("dashboard.yaml", FailingPeople=4)["FailuresAlarm"]), {})

    def test_delta_sums_are_summed_over_time(self):
        now = time.time_ns()
        for number in range(4):
            tokens = ("claude_code.token.usage", 10 + number, {"type": "input"})
            self.send(metrics([tokens], {"user.email": "alice@example.com"}, at=now - (4 - number) * MINUTE), number)
        query = 'sum by ("@resource.user.email") (sum_over_time({"claude_code.token.usage"}[1h]))'
        self.assertEqual(self.prometheus.query(query), {(("user.email", "alice@example.com"),): 46})

    def test_only_the_names_of_resource_attributes_are_translated(self):
        for query, expected in (
            ('{"a.b", "@resource.user.id"="c"}', '{"a.b", "user.id"="c"}'),
            ('{"a.b", "@datapoint.@name"="c"}', '{"a.b", "@datapoint.@name"="c"}'),
            ('{"a.b", version="@resource"}', '{"a.b", version="@resource"}'),
        ):
            self.assertEqual(in_prometheus(query), expected)

    def test_a_name_with_dots_must_be_quoted(self):
        with self.assertRaises(QueryError):
            self.prometheus.query("count(bedrock_sso.helper)")

    def test_no_query_of_a_template_is_overlooked(self):
        for template in sorted(TEMPLATES.glob("*.yaml")):
            number = len(re.findall(r'"PromQL"|\bPromQLCriteria:', template.read_text()))
            self.assertEqual(len(queries(template.name)) if number else 0, number, template.name)
            self.assertEqual(number > 0, template.name == "dashboard.yaml", f"nothing asks the queries of {template.name} here")


if __name__ == "__main__":
    unittest.main()
