"""analytics.yaml says what the files of packaging/aws/queries say, and its tables have the columns of the rows."""

import base64
import json
import os
import re
import unittest

import seed
import template_parts
from warehouse import AWS, VIEWS, query_names, query_text, read_template, statement, tables, view_text


class Template(unittest.TestCase):
    def resources(self, kind):
        return {key: it for key, it in read_template()["Resources"].items() if it["Type"] == kind}

    def test_views_and_queries_are_those_of_the_files(self):
        if os.environ.get("UPDATE_EXPECT"):
            template_parts.write()
        self.assertEqual(template_parts.written(), f"\n{template_parts.render()}\n", "run it with UPDATE_EXPECT=1")
        queries = {it["Properties"]["Name"]: it["Properties"]["QueryString"] for it in self.resources("AWS::Athena::NamedQuery").values()}
        self.assertEqual(set(queries), set(query_names()))
        for name, text in queries.items():
            text = text["Fn::Sub"] if isinstance(text, dict) else text
            self.assertEqual(text.strip(), statement(query_text(name)), name)

    def test_views_are_what_athena_stores(self):
        views = {it["Properties"]["TableInput"]["Name"]: it["Properties"]["TableInput"] for it in self.resources("AWS::Glue::Table").values()}
        for name in VIEWS:
            before, encoded, after = views[name]["ViewOriginalText"]["Fn::Join"][1]
            # What CloudFormation would encode.
            text = encoded["Fn::Base64"]["Fn::Sub"].replace("${Catalog}", "bedrock_sso")
            whole = f"{before}{base64.b64encode(text.encode()).decode()}{after}"
            stored = re.fullmatch(r"/\* Presto View: ([A-Za-z0-9+/=]+) \*/", whole)
            definition = json.loads(base64.b64decode(stored[1]))
            self.assertEqual((definition["catalog"], definition["schema"]), ("awsdatacatalog", "bedrock_sso"))
            self.assertEqual(definition["originalSql"].split(), statement(view_text(name)).split(), name)
            self.assertEqual([it["name"] for it in definition["columns"]], [it["Name"] for it in views[name]["StorageDescriptor"]["Columns"]])

    def test_tables_have_the_columns_of_the_rows(self):
        """test_queries does the same with the rows of the relay."""
        known = {it.lower() for it in seed.record("1", "ada", "model", "2026-11-01T00:00:00Z")}
        # A field that only some records have, and those of the folder.
        self.assertEqual(set(tables()["invocations"]) - known, {"errorcode", "status", "log_account", "log_region", "day"})

    def test_the_guide_names_each_query(self):
        guide = (AWS.parents[1] / "docs/organisation/analytics.md").read_text()
        named = re.findall(r"`(\w+)`", "".join(it for it in guide.splitlines() if it.startswith("| `")))
        self.assertLessEqual(set(query_names()), set(named))
        self.assertLessEqual({it for it in named if it.startswith(("spend_", "work_"))}, set(query_names()))

    def test_values_of_parameters_cannot_leave_their_texts(self):
        """The views have them in quotes inside of JSON."""
        parameters = read_template()["Parameters"]
        used = set(re.findall(r"\$\{(\w+)\}", "".join(map(view_text, VIEWS)) + "".join(map(query_text, query_names()))))
        self.assertEqual(used, {"PseudonymSalt", "TimeZone", "CurTable"})
        for name in used:
            for bad in ("'", '"', "\\", "a'b", "UTC' or '1'='1", "a.b;drop", "\n"):
                self.assertIsNone(re.fullmatch(parameters[name]["AllowedPattern"], bad), f"{name} accepts {bad!r}")


if __name__ == "__main__":
    unittest.main()
