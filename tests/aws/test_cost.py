"""What `deploy` says that the resources cost a month: the table of packaging/aws/lib/cost.sh for chosen answers."""

import pathlib
import re
import subprocess
import unittest

LIBRARY = pathlib.Path(__file__).parents[2] / "packaging/aws/lib"
NOTHING = {"logging": "no", "trail": "no", "alarms": "no"}


def rows_of_cost(answers, models=("sonnet-5-5", "haiku-5-5"), team="", only=""):
    """The rows as {what: [number, price, a month]}; the row `all` has the sum only."""
    stored = "".join(f"store_answer {key} {value}\n" for key, value in answers.items())
    script = f"""set -eu
for name in output answers cost; do . "$1/$name.sh"; done
wants() {{ [ -z "$only" ] || [ "$only" = "$1" ]; }}
team='{team}' only='{only}' chosen_models='{"".join(model + chr(10) for model in models)}'
{stored}show_idle_cost
"""
    table = subprocess.run(["sh", "-c", script, "sh", LIBRARY], check=True, capture_output=True, text=True).stdout
    cells = [[cell for cell in line.strip().split("  ") if cell] for line in table.splitlines()[2:]]
    return {what.strip(): [float(number) for number in numbers] for what, *numbers in cells}


def metrics_of(template):
    """How many metrics the alarms of a template read: their own one, or those from which they compute one."""
    text = (LIBRARY.parent / template).read_text()
    alarms = [it for it in text.split("\n\n") if "AWS::CloudWatch::Alarm" in it]
    return sum(it.count("MetricStat:") or 1 for it in alarms)


class Cost(unittest.TestCase):
    def test_alarms_cost_by_the_metrics_that_they_read(self):
        """Two queries read a metric of each model; the alarm on the quota is a metric of its own."""
        rows = rows_of_cost({**NOTHING, "alarms": "yes"})
        self.assertEqual(rows["alarms: metrics"], [5, 0.10, 0.50])
        rows = rows_of_cost({**NOTHING, "alarms": "yes", "output_tokens_per_hour": "9"}, ["a", "b", "c"])
        self.assertEqual(rows["alarms: metrics"], [10, 0.10, 1.00])
        self.assertNotIn("alarms: metrics", rows_of_cost(NOTHING))

    def test_endpoints_cost_by_hour_and_subnet(self):
        network = {**NOTHING, "vpc_id": "vpc-1", "subnets": "a,b,c"}
        rows = rows_of_cost(network)
        self.assertEqual(rows["VPC endpoints: 2 in 3 subnets, 730 hours"], [4380, 0.01, 43.80])
        rows = rows_of_cost({**network, "mantle": "yes", "subnets": "a"})
        self.assertEqual(rows["VPC endpoints: 3 in 1 subnets, 730 hours"], [2190, 0.01, 21.90])

    def test_second_region_doubles_what_each_region_has(self):
        rows = rows_of_cost({"failover_region": "eu-west-1", "monthly_budget": "9", "vpc_id": "vpc-1", "subnets": "a"})
        for what, number in (("alarms: metrics", 10), ("VPC endpoints: 2 in 1 subnets, 730 hours", 2920)):
            self.assertEqual(rows[what][0], number)
        for what in ("trail: free if it is the first one of the account", "budget"):
            self.assertEqual(rows[what][0], 1)

    def test_limits_cost_their_alarms_and_a_run_each_minute(self):
        rows = rows_of_cost({**NOTHING, "limits": "yes"})
        self.assertEqual(rows["limits: alarms: metrics"], [metrics_of("service.yaml"), 0.10, round(metrics_of("service.yaml") * 0.10, 2)])
        self.assertEqual(rows["limits: a run each minute"], [1, 0.14, 0.14])
        self.assertNotIn("limits: alarms: metrics", rows_of_cost(NOTHING))
        self.assertEqual(set(rows_of_cost({"limits": "yes"}, only="service")), {it for it in rows if it.startswith("limits")} | {"all"})

    def test_dashboard_costs_its_metrics_and_alarms(self):
        rows = rows_of_cost({**NOTHING, "limits": "yes", "dashboard": "yes"}, only="dashboard")
        printed = (LIBRARY.parents[2] / "server/src/dashboard_metrics.rs").read_text().partition("#[cfg(test)]")[0]
        metrics = len(re.findall(r'\("\w+", "(?:Count|Percent|None)", json!', printed))
        # The alarm on what everybody spends is off by default, and the one on failures is a query of PromQL.
        resources = (LIBRARY.parent / "dashboard.yaml").read_text().split("\n\n")
        alarms = [it for it in resources if "AWS::CloudWatch::Alarm" in it and "Condition: HasLimits\n" in it]
        expected = {"dashboard": [1, 3.0, 3.0], "dashboard: metrics of the limits": [metrics, 0.30, round(metrics * 0.30, 2)]}
        expected["dashboard: alarms: metrics"] = [len(alarms), 0.10, round(len(alarms) * 0.10, 2)]
        self.assertEqual({key: it for key, it in rows.items() if key != "all"}, expected)
        self.assertEqual(set(rows_of_cost({**NOTHING, "dashboard": "yes"}, only="dashboard")), {"dashboard", "all"})

    def test_telemetry_costs_its_alarms_while_nobody_sends(self):
        rows = rows_of_cost({**NOTHING, "telemetry": "yes"}, only="telemetry")
        self.assertEqual(rows["telemetry: alarms: metrics"], [metrics_of("telemetry.yaml"), 0.10, round(metrics_of("telemetry.yaml") * 0.10, 2)])
        self.assertEqual(rows["all"], rows["telemetry: alarms: metrics"][2:])

    def test_analytics_cost_nothing_while_nobody_asks(self):
        rows = rows_of_cost({**NOTHING, "analytics": "yes"}, only="analytics")
        self.assertEqual(rows, {"analytics: by the GB stored and read": [1, 0.0, 0.0], "all": [0.0]})

    def test_sum_is_that_of_the_rows(self):
        rows = rows_of_cost({"monthly_budget": "9", "budget_action": "yes", "guardrail": "yes"}, team="ml")
        self.assertIn("budget with an action: free if the account has one more at most", rows)
        self.assertIn("inference profiles of a team", rows)
        self.assertEqual(rows.pop("all"), [round(sum(row[2] for row in rows.values()), 2)])

    def test_only_the_wanted_stacks_are_counted(self):
        self.assertEqual(set(rows_of_cost({}, only="federation")), {"IAM: provider, roles, policies", "all"})
        self.assertNotIn("IAM: provider, roles, policies", rows_of_cost({}, only="guardrails"))


if __name__ == "__main__":
    unittest.main()
