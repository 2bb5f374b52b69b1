"""The PromQL expressions of packaging/aws, from the templates themselves."""

import json
import re
from pathlib import Path

import yaml

TEMPLATES = Path(__file__).parent.parent.parent / "packaging/aws"

# A query in the JSON of a dashboard, which is text in the template.
IN_DASHBOARD = re.compile(r'"id":"(\w+)"[^{}]*"query":"((?:[^"\\]|\\.)*)"')


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's functions as their arguments."""


def argument(loader, _suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else loader.construct_mapping(node, deep=True)


Loader.add_multi_constructor("!", argument)


def texts(value):
    if isinstance(value, dict):
        value = list(value.values())
    return [text for inner in value for text in texts(inner)] if isinstance(value, list) else [str(value)]


def queries(template, **parameters):
    """The queries of a template's charts and alarms by their id, with these values for its parameters."""
    resources = yaml.load((TEMPLATES / template).read_text(), Loader)["Resources"]
    found = {}
    for logical_id, resource in resources.items():
        if resource["Type"] == "AWS::CloudWatch::Dashboard":
            for text in texts(resource["Properties"]["DashboardBody"]):
                found |= {name: json.loads(f'"{query}"') for name, query in IN_DASHBOARD.findall(text)}
        criteria = resource["Properties"].get("EvaluationCriteria")
        if criteria:
            found[logical_id] = criteria["PromQLCriteria"]["Query"]
    for name, value in parameters.items():
        found = {key: query.replace(f"${{{name}}}", str(value)) for key, query in found.items()}
    return found
