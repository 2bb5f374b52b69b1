"""Views and queries as resources of analytics.yaml, made from the files of packaging/aws/queries."""

import json
import re
import textwrap

from warehouse import AWS, VIEW_TYPES, VIEWS, Warehouse, describe, query_names, query_text, statement, tables, view_text

BEGIN = "  # --- Views and queries: tests/analytics/run writes what follows from the folder queries -----------------------------\n"
END = "  # --- End of views and queries ---------------------------------------------------------------------------------------\n"

# What exists only if the administrator asks for it.
CONDITIONS = {"bill_lines": "HasBill", "reconcile_with_bill": "HasBill", "leaderboard": "HasLeaderboard"}


def resource_name(name):
    return "".join(it.capitalize() for it in name.split("_"))


def render():
    return "\n".join([render_view(it) for it in VIEWS] + [render_query(it) for it in query_names()])


def render_query(name):
    text = query_text(name)
    body = textwrap.indent(statement(text), " " * 8)
    return f"""  {resource_name(name)}Query:
    Type: AWS::Athena::NamedQuery
{condition(name)}    Properties:
      Name: {name}
      Description: {json.dumps(describe(text))}
      Database: !Ref Catalog
      WorkGroup: !Ref Workgroup
      QueryString: {"!Sub |" if "${" in text else "|"}
{body}
"""


def condition(name):
    return f"    Condition: {CONDITIONS[name]}\n" if name in CONDITIONS else ""


def render_view(name):
    """A view as Athena stores one in Glue: JSON in base64, inside of a comment."""
    columns = view_columns()[name]
    # No text in a view has two spaces or a line break, which this would change.
    definition = {"originalSql": re.sub(r"\s+", " ", statement(view_text(name))), "catalog": "awsdatacatalog", "schema": "${Catalog}"}
    definition["columns"] = [{"name": column, "type": types[0]} for column, types in columns]
    # Each line costs its indentation, and CloudFormation counts the bytes of a template.
    folded = textwrap.fill(json.dumps(definition), 240, break_long_words=False, break_on_hyphens=False)
    # A line break inside of braces would be legal, and hard to read.
    listed = ", ".join(f"{{ Name: {column}, Type: {quote(types[1])} }}".replace(" ", "\0") for column, types in columns)
    listed = textwrap.indent(textwrap.fill(listed, 106, break_long_words=False).replace("\0", " "), " " * 12)
    return f"""  {resource_name(name)}View:
    Type: AWS::Glue::Table
{condition(name)}    Properties:
      CatalogId: !Ref AWS::AccountId
      DatabaseName: !Ref Catalog
      TableInput:
        Name: {name}
        Description: {json.dumps(describe(view_text(name)))}
        TableType: VIRTUAL_VIEW
        Parameters: {{ presto_view: 'true' }}
        ViewExpandedText: /* Presto View */
        ViewOriginalText: !Join
        - ''
        - - '/* Presto View: '
          - Fn::Base64: !Sub >-
{textwrap.indent(folded, " " * 14)}
          - ' */'
        StorageDescriptor:
          Columns: [
{listed}]
"""


def quote(text):
    return f"'{text}'" if "<" in text else text


def view_columns():
    """{view: [(column, (type in the view's JSON, Glue's type))]}, as DuckDB derives them."""
    warehouse = Warehouse("2026-11-27T10:00:00Z")
    for table in tables():
        warehouse.load(table, [])
    warehouse.database.execute(CUR)
    warehouse.create_views()
    return {view: [(name, VIEW_TYPES[kind]) for name, kind in warehouse.columns_of(view)] for view in VIEWS}


# The columns of a Cost and Usage Report 2.0 that the views read.
CUR = """create table cur(
    line_item_iam_principal varchar, line_item_usage_account_id varchar, line_item_usage_start_date timestamp,
    line_item_product_code varchar, line_item_usage_type varchar, line_item_line_item_type varchar, line_item_unblended_cost double
)"""


def written():
    """The part of analytics.yaml that this module writes, as it is there."""
    text = (AWS / "analytics.yaml").read_text()
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def write():
    path = AWS / "analytics.yaml"
    text = path.read_text()
    path.write_text(text[: text.index(BEGIN) + len(BEGIN)] + "\n" + render() + "\n" + text[text.index(END) :])
