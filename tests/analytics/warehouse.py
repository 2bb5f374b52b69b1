"""Amazon Athena, as far as the queries of packaging/aws/queries need it: the tables of analytics.yaml over files, in DuckDB.

sqlglot reads each statement as Athena does, and writes it for DuckDB. The rows of a table are read as Athena's OpenX SerDe reads
them: names without regard to case, a number in a column of texts as its text, and a line that is no JSON as a row of nulls.
"""

import gzip
import json
import re
import tempfile
from pathlib import Path

import duckdb
import sqlglot
import yaml
from sqlglot import exp

AWS = Path(__file__).parents[2] / "packaging/aws"
QUERIES = AWS / "queries"
# Views use only those before them.
VIEWS = ("call_records", "telemetry_rows", "bill_lines")

# Types of Glue, of the views' JSON, and of DuckDB.
VIEW_TYPES = {
    "VARCHAR": ("varchar", "string"),
    "BIGINT": ("bigint", "bigint"),
    "DOUBLE": ("double", "double"),
    "BOOLEAN": ("boolean", "boolean"),
    "TIMESTAMP": ("timestamp(3)", "timestamp"),
    "MAP(VARCHAR, VARCHAR)": ("map(varchar,varchar)", "map<string,string>"),
}


class TemplateLoader(yaml.SafeLoader):
    """YAML with the short forms of CloudFormation's functions, as {"Fn::Sub": …}."""


def read_function(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


TemplateLoader.add_multi_constructor("!", read_function)


def read_template():
    return yaml.load((AWS / "analytics.yaml").read_text(), TemplateLoader)


def tables():
    """{name: {column: Glue's type}} of the tables that have files, with the columns of their partitions."""
    found = {}
    for resource in read_template()["Resources"].values():
        if resource["Type"] == "AWS::Glue::Table" and resource["Properties"]["TableInput"]["TableType"] == "EXTERNAL_TABLE":
            table = resource["Properties"]["TableInput"]
            columns = table["StorageDescriptor"]["Columns"] + table.get("PartitionKeys", [])
            found[table["Name"]] = {it["Name"]: it["Type"] for it in columns}
    return found


def query_names():
    return sorted(it.stem for it in QUERIES.glob("*.sql"))


def view_text(name):
    return (QUERIES / "views" / f"{name}.sql").read_text()


def query_text(name):
    return (QUERIES / f"{name}.sql").read_text()


def describe(text):
    """The comment at the start of a query, as one line."""
    lines = [it.removeprefix("--").strip() for it in text.splitlines() if it.startswith("--")]
    return " ".join(lines)


def statement(text):
    """A query without its comment."""
    return "\n".join(it for it in text.splitlines() if not it.startswith("--")).strip()


def parse(text):
    """The statement as Athena's grammar. What sqlglot cannot read is an error."""
    [tree] = sqlglot.parse(statement(text), read="athena", error_level=sqlglot.ErrorLevel.RAISE)
    return tree


class Warehouse:
    """`now` is the moment of the queries, such as 2026-11-27T10:00:00Z."""

    def __init__(self, now, zone="UTC", salt="", cur_table="cur"):
        self.now = now
        self.parameters = {"TimeZone": zone, "PseudonymSalt": salt, "CurTable": cur_table}
        self.database = duckdb.connect()
        self.database.execute("set timezone = 'UTC'")

    def translate(self, text):
        """The statement for DuckDB, with the parameters of the stack, at the moment of the warehouse."""
        for name, value in self.parameters.items():
            text = text.replace(f"${{{name}}}", value)
        moment = sqlglot.parse_one(f"timestamp with time zone '{self.now}'", read="duckdb")
        day = sqlglot.parse_one(f"date '{self.now[:10]}'", read="duckdb")

        def replace_clock(node):
            if isinstance(node, exp.CurrentDate):
                return day.copy()
            return moment.copy() if isinstance(node, exp.CurrentTimestamp) else node

        return parse(text).transform(replace_clock).sql(dialect="duckdb")

    def load(self, table, rows):
        """Fills a table with rows, whose names and types are those of the template."""
        columns = tables()[table]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            for row in rows:
                lowered = {key.lower(): value for key, value in row.items()} if isinstance(row, dict) else {}
                read = {name: read_value(kind, lowered.get(name)) for name, kind in columns.items()}
                read["$path"] = lowered.get("$path", "")
                file.write(json.dumps(read) + "\n")
            file.flush()
            types = {name: duckdb_type(kind) for name, kind in columns.items()} | {"$path": "VARCHAR"}
            self.database.execute(
                f"create table {table} as select * from read_json(?, format = 'newline_delimited', columns = {types})", [file.name]
            )

    def create_views(self, names=VIEWS):
        for name in names:
            self.database.execute(f"create view {name} as {self.translate(view_text(name))}")

    def ask(self, text):
        """The rows of a statement, each as a dict."""
        answer = self.database.execute(self.translate(text))
        names = [it[0] for it in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def query(self, name):
        return self.ask(query_text(name))

    def columns_of(self, view):
        """[(name, DuckDB's type)] of a view."""
        return [(it[0], it[1].removesuffix("_MS")) for it in self.database.execute(f"describe {view}").fetchall()]


def duckdb_type(kind):
    if kind.startswith("struct<"):
        members = dict(it.split(":") for it in kind[7:-1].split(","))
        return "STRUCT(" + ", ".join(f"{name} {duckdb_type(it)}" for name, it in members.items()) + ")"
    if kind.startswith("map<"):
        return "MAP(VARCHAR, VARCHAR)"
    if kind.startswith("array<"):
        return f"{duckdb_type(kind[6:-1])}[]"
    return {"string": "VARCHAR", "bigint": "BIGINT", "double": "DOUBLE"}[kind]


def read_value(kind, value):
    """A value as the SerDe reads it into a column of this type."""
    if value is None:
        return None
    if kind.startswith("struct<"):
        members = dict(it.split(":") for it in kind[7:-1].split(","))
        lowered = {key.lower(): it for key, it in value.items()} if isinstance(value, dict) else {}
        return {name: read_value(it, lowered.get(name)) for name, it in members.items()}
    if kind.startswith("map<"):
        return {key: read_value("string", it) for key, it in value.items()}
    if kind == "string":
        return value if isinstance(value, str) else json.dumps(value)
    return value


def read_log_files(folder):
    """The rows of the table `invocations` over the files of a bucket, with the partition of each."""
    for path in sorted(Path(folder).rglob("*.gz")):
        place = re.search(r"AWSLogs/(?P<log_account>\d+)/BedrockModelInvocationLogs/(?P<log_region>[^/]+)/(?P<day>\d{4}/\d\d/\d\d)/", str(path))
        for line in gzip.decompress(path.read_bytes()).splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                row = {}
            row = row if isinstance(row, dict) else {}
            lowered = {key.lower(): value for key, value in row.items()}
            yield {**lowered, **place.groupdict(), "$path": str(path)}


def read_lines(text):
    return [json.loads(line) for line in text.splitlines()]
