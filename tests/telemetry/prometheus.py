"""A real Prometheus 3 that stores what CloudWatch would get by OTLP, and answers CloudWatch's PromQL.

CloudWatch and Prometheus read the same language, with one difference: CloudWatch calls the attribute NAME of a resource
`@resource.NAME`, and Prometheus, which promotes attributes of resources to labels, calls it NAME. `in_prometheus` is that rule, and
the only change that a query gets. Names are not translated otherwise, and delta values are stored as they come, as in CloudWatch.
"""

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

CONFIGURATION = """
otlp:
  promote_all_resource_attributes: true
  translation_strategy: NoTranslation
storage:
  tsdb:
    out_of_order_time_window: 1d
"""

LISTENS = re.compile(r'msg="Listening on".* address=(127\.0\.0\.1:\d+)')


def in_prometheus(query):
    """The query as Prometheus spells it: `"@resource.NAME"` is `"NAME"`."""
    return re.sub(r'"@resource\.([^"@]+)"', r'"\1"', query)


class QueryError(Exception):
    """What Prometheus says about a query that it does not accept."""


class Prometheus:
    def __init__(self, program, folder):
        (folder / "prometheus.yml").write_text(CONFIGURATION)
        self.log = (folder / "prometheus.log").open("w+")
        options = {
            "config.file": folder / "prometheus.yml",
            "storage.tsdb.path": folder / "prometheus",
            "web.listen-address": "127.0.0.1:0",
            "enable-feature": "otlp-native-delta-ingestion",
        }
        command = [program, "--web.enable-otlp-receiver", *(f"--{name}={value}" for name, value in options.items())]
        self.process = subprocess.Popen([str(part) for part in command], stdout=self.log, stderr=subprocess.STDOUT)
        self.address = f"http://{self.wait_for(self.listening)}"
        self.wait_for(self.is_ready)

    def wait_for(self, fact, seconds=60):
        """Prometheus reports readiness only when it is asked, so this asks again."""
        deadline = time.monotonic() + seconds
        while not (found := fact()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Prometheus did not start: {self.logged()[-2000:]}")
            # No event says when it is ready.
            time.sleep(0.05)
        return found

    def logged(self):
        self.log.seek(0)
        return self.log.read()

    def listening(self):
        found = LISTENS.search(self.logged())
        return found and found[1]

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.address}/-/ready", timeout=10) as answer:
                return answer.status == 200
        except urllib.error.URLError:
            return False

    def query(self, query, at=None):
        """The answer to one of CloudWatch's instant queries: {labels: value}, where the labels are a sorted tuple of pairs."""
        parameters = {"query": in_prometheus(query), "time": at or time.time()}
        try:
            with urllib.request.urlopen(f"{self.address}/api/v1/query?{urllib.parse.urlencode(parameters)}", timeout=30) as answer:
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(f"{query}: {json.load(error).get('error')}") from None
        if data["resultType"] != "vector":
            raise QueryError(f"{query}: the answer is a {data['resultType']}")
        return {tuple(sorted(row["metric"].items())): float(row["value"][1]) for row in data["result"]}

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
