"""The queries of packaging/aws/queries, over what the server has counted.

Each is read as Athena reads it, and asked in DuckDB over the records that the server got. What they say must be what the store
says, to the token and the millionth of a dollar.
"""

import collections
import unittest
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import seed
from organization import COLUMNS, Organization, without_nothing
from template_parts import CUR
from warehouse import QUERIES, VIEWS, Warehouse, describe, parse, query_names, query_text, read_log_files, tables, view_text

NOW = "2026-11-27T10:00:00Z"
SALT = "0123456789abcdef0123456789abcdef"
ZONE = "Europe/Berlin"


def setUpModule():
    global organization
    organization = unittest.enterModuleContext(Organization(ZONE))


def open_warehouse(**more):
    warehouse = Warehouse(NOW, ZONE, **more)
    warehouse.load("invocations", read_log_files(organization.bucket))
    warehouse.load("telemetry", organization.telemetry)
    warehouse.load("people", organization.people)
    # Athena reads the lines of a file in any order.
    warehouse.load("prices", organization.prices[::-1])
    warehouse.database.execute(CUR)
    warehouse.create_views()
    return warehouse


class Text(unittest.TestCase):
    def test_athena_can_read_each_query(self):
        for name in query_names():
            with self.subTest(name):
                self.assertTrue(parse(query_text(name)).selects)
                self.assertGreater(len(describe(query_text(name))), 20)
                self.assertNotIn("\t", query_text(name))

    def test_each_view_has_a_file(self):
        self.assertEqual({it.stem for it in (QUERIES / "views").glob("*.sql")}, set(VIEWS))
        for name in VIEWS:
            self.assertTrue(parse(view_text(name)).selects)

    def test_each_query_counts_repeated_rows_once(self):
        """A query that reads a view of rows says which copy of a row it takes."""
        for name in query_names():
            if "copy = 1" not in query_text(name):
                self.fail(f"{name} counts a row as often as it was delivered")

    def test_each_query_reads_only_the_days_that_it_needs(self):
        """Athena reads every file of three years otherwise."""
        for name in query_names():
            self.assertRegex(query_text(name), r"(log_day|stored_day|\bday) >= date_format\(current_date - interval '\d+' day, ", name)


class Sums(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.warehouse = open_warehouse()

    def sums(self, query, *labels):
        found = collections.defaultdict(lambda: [0] * len(COLUMNS))
        for row in self.warehouse.query(query):
            key = tuple(row[it] for it in labels)
            found[key] = [a + row[it] for a, it in zip(found[key], COLUMNS, strict=True)]
        return without_nothing(found)

    def regrouped(self, sums, label):
        """The store's counters by person, summed up by what `label` says of the person."""
        found = collections.defaultdict(lambda: [0] * len(COLUMNS))
        for (month, person), numbers in sums.items():
            key = (month, label(person))
            found[key] = [a + b for a, b in zip(found[key], numbers, strict=True)]
        return dict(found)

    def test_the_seed_contains_what_can_go_wrong(self):
        self.assertGreater(organization.summary["accepted"], 2_900)
        self.assertGreater(organization.summary["repeated"], 150)
        self.assertEqual(organization.summary["rejected"], len(seed.poisoned_lines()))
        unknown = self.warehouse.ask("select count(*) as calls, count(distinct model) as models from call_records where is_unknown_model")
        self.assertGreater(unknown[0]["calls"], 300)
        self.assertEqual(unknown[0]["models"], 2)
        failed = self.warehouse.ask("select count(*) as calls from call_records where has_failed")
        self.assertGreater(failed[0]["calls"], 60)

    def test_persons_have_what_the_store_has_counted(self):
        counted = organization.usage("person")
        self.assertGreater(len(counted), 3 * len(seed.PEOPLE))
        self.assertEqual(self.sums("spend_by_person", "month", "person"), counted)

    def test_models_have_what_the_store_has_counted(self):
        self.assertEqual(self.sums("spend_by_model", "month", "model"), organization.usage("model"))

    def test_accounts_have_what_the_store_has_counted(self):
        self.assertEqual(self.sums("spend_by_model", "month", "account_id"), organization.usage("account"))

    def test_teams_and_departments_have_what_their_people_have(self):
        counted = organization.usage("person")
        places = {it["person"]: (it["department"] or "-", it["team"] or "-") for it in organization.people}
        self.assertEqual(places, {person: (department or "-", team or "-") for person, (department, team) in seed.PEOPLE.items()})
        self.assertEqual(self.sums("spend_by_department", "month", "department"), self.regrouped(counted, lambda it: places.get(it, "--")[0]))
        self.assertEqual(self.sums("spend_by_team", "month", "team"), self.regrouped(counted, lambda it: places.get(it, "--")[1]))


    def test_days_add_up_to_the_months_of_the_store(self):
        counted = organization.usage("person")
        days = self.sums("spend_by_day", "day")
        total = [sum(it) for it in zip(*days.values(), strict=True)]
        since = (date.fromisoformat(NOW[:10]) - timedelta(days=92)).strftime("%Y-%m")
        self.assertEqual(since, "2026-08")
        # The first day of the seed, the last of August, is within these days.
        self.assertEqual(total, [sum(it) for it in zip(*counted.values(), strict=True)])
        months = self.regrouped({(day[:7], "-"): [0] * 5 for (day,) in days}, lambda _: "-")
        self.assertEqual({month for month, _ in months}, {month for month, _ in counted})
        november = collections.defaultdict(lambda: [0] * len(COLUMNS))
        for (day, person), numbers in self.sums("spend_by_person_and_day", "day", "person").items():
            if day.startswith("2026-11"):
                november[person] = [a + b for a, b in zip(november[person], numbers, strict=True)]
        self.assertEqual(dict(november), {person: it for (month, person), it in counted.items() if month == "2026-11"})

    def test_days_and_people_have_what_the_report_shows(self):
        """The report reads the store's counters of days, which it has for two months."""
        days = self.sums("spend_by_day", "day")
        teams = self.sums("spend_by_team", "month", "team")
        people = self.sums("spend_by_person", "month", "person")
        for month in ("2026-10", "2026-11"):
            report = organization.report(month)
            self.assertGreater(len(report["day"]), 20)
            self.assertEqual(report["day"], {day: it for (day,), it in days.items() if day.startswith(month)})
            self.assertEqual(report["person"], {person: it for (each, person), it in people.items() if each == month})
            expected = {"(unknown)" if team == "-" else team: it for (each, team), it in teams.items() if each == month}
            self.assertEqual(report["team"], expected)

    def test_days_are_those_of_the_zone(self):
        """The clocks of Berlin were set back on 25 October, and the month ended at 23:00 UTC."""
        rows = self.warehouse.ask("select distinct request_id, day, month from call_records where request_id < 'request-00014'")
        days = {it["request_id"]: (it["day"], it["month"]) for it in rows}
        self.assertEqual(len(days), len(seed.EDGES))
        for index, text in enumerate(seed.EDGES):
            local = datetime.fromisoformat(text).astimezone(ZoneInfo(ZONE))
            self.assertEqual(days[f"request-{index:05}"], (local.strftime("%Y-%m-%d"), local.strftime("%Y-%m")), text)

    def test_dollars_are_the_millionths_of_the_store(self):
        for name in query_names():
            for row in self.warehouse.query(name) if name.startswith("spend_") else []:
                self.assertEqual(int(row["usd"] * 1_000_000), row["micro_usd"], name)

    def test_cache_hits_have_the_tokens_of_the_store(self):
        found = collections.defaultdict(lambda: [0, 0])
        for row in self.warehouse.query("cache_hit_share"):
            key = (row["month"], row["model"])
            found[key] = [found[key][0] + row["cache_read_tokens"], found[key][1] + row["prompt_tokens"]]
            if row["prompt_tokens"]:
                self.assertAlmostEqual(row["cache_hit_percent"], 100 * row["cache_read_tokens"] / row["prompt_tokens"], delta=0.005)
        expected = {key: [it[2], it[0] + it[2] + it[3]] for key, it in organization.usage("model").items()}
        self.assertEqual(dict(found), expected)

    def test_forecast_takes_each_day_of_the_week_from_the_last_four_weeks(self):
        spent, today = collections.defaultdict(lambda: collections.defaultdict(int)), date.fromisoformat(NOW[:10])
        for (day, team), numbers in self.sums("spend_by_day", "day", "team").items():
            spent[team][date.fromisoformat(day)] += numbers[4]
        month = [today.replace(day=1) + timedelta(days=it) for it in range(30)]
        for row in self.warehouse.query("forecast"):
            days = spent.pop(row["team"])
            self.assertEqual(row["month"], "2026-11")
            before = sum(days[it] for it in month if it < today)
            left = sum(days[it - timedelta(weeks=weeks)] for it in month if it >= today for weeks in range(1, 5)) / 4
            self.assertAlmostEqual(row["spent_usd"], before / 1e6, delta=0.01)
            self.assertAlmostEqual(row["expected_usd"], left / 1e6, delta=0.01)
            self.assertAlmostEqual(row["forecast_usd"], (before + left) / 1e6, delta=0.02)
            self.assertGreater(row["expected_usd"], 0)
        self.assertEqual(dict(spent), {})

    def test_uncounted_calls_are_those_of_no_person(self):
        found = {it["principal"] for it in self.warehouse.query("uncounted_calls")}
        self.assertIn(f"arn:aws:iam::{seed.ACCOUNT}:user/bob", found)
        self.assertIn(f"arn:aws:sts::{seed.ACCOUNT}:assumed-role/Pool/CognitoIdentityCredentials", found)
        self.assertFalse({it for it in found if it.endswith("assumed-role/BedrockUser/bo")})

    def test_a_body_that_looks_like_a_record_is_no_call(self):
        rows = self.warehouse.ask("select count(*) as lines from invocations where requestid = 'forged-body'")
        self.assertEqual(rows[0]["lines"], 1)
        self.assertEqual(self.warehouse.ask("select * from call_records where request_id = 'forged-body'"), [])


class Bill(unittest.TestCase):
    def test_the_bill_stands_beside_what_was_counted(self):
        warehouse = open_warehouse()
        counted = {key: it[4] for key, it in organization.usage("person").items()}
        lines = [("2026-09-10", "Usage", 0.5), ("2026-09-11", "Usage", 0.25), ("2026-09-11", "Tax", 9.0)]
        for day, kind, usd in lines:
            arn = f"arn:aws:sts::{seed.ACCOUNT}:assumed-role/BedrockUser/"
            for name in ("bo", "unlogged"):
                warehouse.database.execute("insert into cur values (?, ?, ?, 'AmazonBedrock', 'x', ?, ?)", [arn + name, seed.ACCOUNT, day, kind, usd])
        rows = {(it["utc_month"], it["person"]): it for it in warehouse.query("reconcile_with_bill")}
        self.assertEqual(rows[("2026-09", "unlogged")], {"utc_month": "2026-09", "person": "unlogged", "counted_usd": 0.0, "billed_usd": 0.75, "difference_usd": 0.75})
        self.assertEqual(rows[("2026-09", "bo")]["billed_usd"], 0.75)
        self.assertEqual(rows[("2026-10", "bo")]["billed_usd"], 0.0)
        # All months together do not depend on the time zone.
        for person in seed.PEOPLE:
            total = sum(it["counted_usd"] for (_, name), it in rows.items() if name == person)
            self.assertAlmostEqual(total, sum(it for (_, name), it in counted.items() if name == person) / 1e6, places=4)


class Work(unittest.TestCase):
    """What Claude Code has reported, of which the store has no count."""

    @classmethod
    def setUpClass(cls):
        cls.warehouse = open_warehouse()

    def test_rows_are_those_of_the_relay(self):
        """What the real relay has written for exports with forged attributes, repetitions and a sum that only grows."""
        rows = organization.telemetry
        self.assertEqual({frozenset(it) - {"day"} for it in rows}, {frozenset(tables()["telemetry"]) - {"day"}})
        self.assertGreater(len(rows), len({it["id"] for it in rows}))
        self.assertEqual({it["signal"] for it in rows}, {"metric", "event"})
        self.assertFalse(any("forged" in str(it) or "planted" in str(it) for it in rows))
        known = {(it["person"], it["department"], it["team"]) for it in rows}
        self.assertLessEqual(known, {(person, *place) for person, place in seed.PEOPLE.items()})

    def test_acceptance_is_counted_by_language(self):
        rows = {(it["month"], it["language"]): (it["accepted"], it["rejected"], it["accepted_percent"]) for it in self.warehouse.query("acceptance_by_language")}
        self.assertEqual(rows, {
            ("2026-11", "Rust"): (8, 3, 72.73),
            ("2026-11", "Python"): (4, 3, 57.14),
            # Half an hour before midnight in UTC, so November had begun in Berlin.
            ("2026-11", "TypeScript"): (5, 5, 50.0),
        })  # fmt: skip

    def test_teams_have_the_work_of_their_people(self):
        rows = {it.pop("team"): it for it in self.warehouse.query("work_by_team")}
        self.assertEqual(set(rows), {"search", "platform", "ml"})
        self.assertEqual(rows["search"], {
            "month": "2026-11", "people": 1, "active_days": 2, "sessions": 2, "lines_added": 130, "lines_removed": 30, "commits": 3,
            "pull_requests": 1, "accepted_edits": 8, "rejected_edits": 3,
        })  # fmt: skip
        self.assertEqual((rows["platform"]["active_days"], rows["platform"]["sessions"]), (1, 2))
        self.assertEqual((rows["ml"]["active_days"], rows["ml"]["commits"], rows["ml"]["pull_requests"]), (2, 2, 2))

    def test_leaderboard_has_a_row_for_each_person(self):
        rows = self.warehouse.query("leaderboard")
        self.assertEqual([it["person"] for it in rows], ["ada@example.com", "chidi@example.com", "bo"])

    def test_sessions_are_sorted_by_what_they_cost(self):
        rows = self.warehouse.query("expensive_sessions")
        self.assertEqual([(it["session_id"], it["estimated_usd"]) for it in rows], [("s-4", 40.0), ("s-1", 2.75), ("s-5", 1.0), ("s-3", 0.5), ("s-2", 0.125), ("s-6", 0.0625)])
        self.assertEqual((rows[1]["models"], rows[1]["tokens"]), ("haiku opus", 90_000))


class Pseudonyms(unittest.TestCase):
    def test_no_result_names_a_person(self):
        warehouse, named = open_warehouse(salt=SALT), open_warehouse()
        people = [*seed.PEOPLE, *seed.STRANGERS]
        seen = set()
        # What is counted for nobody has its principals' names: an administrator has to find them.
        for name in set(query_names()) - {"uncounted_calls"}:
            for row in warehouse.query(name):
                for value in row.values():
                    self.assertFalse(isinstance(value, str) and value in people, f"{name}: {row}")
                seen |= {row["person"]} if "person" in row else set()
        self.assertEqual(len(seen), len(people))
        for pseudonym in seen:
            self.assertRegex(pseudonym, "^p-[0-9a-f]{16}$")
        # The same person has the same pseudonym in every query, and no sum changes.
        sums = [sorted(it["micro_usd"] for it in each.query("spend_by_person")) for each in (warehouse, named)]
        self.assertEqual(*sums)


if __name__ == "__main__":
    unittest.main()
