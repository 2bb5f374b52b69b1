"""Tests of the templates themselves and of what they deploy: limits, AWS's schemas, the Service Authorization Reference, and the
rules that this project sets for its policies. test_decisions.py tests what the policies decide.
"""

import collections
import json
import os
import re
import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path

import reference
from cfnlint.api import ManualArgs, lint
from cfnlint.decode import decode_str
from cfnlint.jsonschema import StandardValidator
from deployed import TEMPLATES, documents_in, everything
from evaluate import as_list, parse, statements
from parameter_sets import CLIENT, issuer

CHECKOV = Path(os.environ.get("BEDROCK_SSO_AWS_CHECKOV", TEMPLATES.parents[1] / "target/tools/aws-checkov"))

# AWS's limits. IAM does not count white space in managed policies; in trust policies we count it.
TEMPLATE_BYTES = 51_200  # a larger template needs a bucket
TRUST_CHARACTERS = 2_048
POLICY_CHARACTERS = 6_144

# The program that the functions of service.yaml and telemetry.yaml run.
SERVER_SOURCE = "".join(it.read_text() for it in sorted((TEMPLATES.parents[1] / "server/src").rglob("*.rs")))

# The policies of federation.yaml that the server writes.
LIMITS = [f"Limit{number}" for number in range(1, 5)]

# Types that AWS does not have in every partition. The templates say so, or nobody can use Bedrock there anyway.
NOT_OFFERED = {
    ("us-gov-west-1", "AWS::Budgets::Budget"),
    ("us-gov-west-1", "AWS::Budgets::BudgetsAction"),
    ("us-gov-west-1", "AWS::Bedrock::ApplicationInferenceProfile"),
    ("cn-north-1", "AWS::Bedrock::Guardrail"),
    ("cn-north-1", "AWS::Bedrock::GuardrailVersion"),
    ("cn-north-1", "AWS::Bedrock::EnforcedGuardrailConfiguration"),
    ("cn-north-1", "AWS::Bedrock::ApplicationInferenceProfile"),
}


def accepted():
    return [it for it in everything() if not it.set.refused]


def label(stack):
    return f"{stack.set.template}: {stack.set.name}"


def policies():
    """Each policy document that is deployed, once, as (where, document)."""
    found = {}
    for stack in accepted():
        for logical_id, resource in stack.resources.items():
            for document in documents_in(resource["properties"]):
                text = json.dumps(document, sort_keys=True).replace(stack.set.account, "123456789012")
                found.setdefault(text, f"{label(stack)}: {logical_id}")
    return [(where, json.loads(text)) for text, where in found.items()]


class Files(unittest.TestCase):
    def test_cfn_lint_finds_nothing(self):
        for path in sorted(TEMPLATES.glob("*.yaml")):
            with self.subTest(path.name):
                found = lint(path.read_text(), config=ManualArgs(regions=["us-east-1"]))
                self.assertEqual([f"{it.linenumber}: {it.rule.id} {it.message}" for it in found], [])

    def test_no_template_needs_a_bucket(self):
        for path in sorted(TEMPLATES.glob("*.yaml")):
            self.assertLess(path.stat().st_size, TEMPLATE_BYTES, path.name)

    def test_what_no_default_can_decide_has_none(self):
        chosen = {
            "federation": {"IssuerUrl", "ClientIds", "SessionName", "InferenceProfileArns", "FoundationModelArns"},
            "guardrails": set(),
            "team": {"Team"},
            "service": {"CodeBucket", "CodeKey", "LogGroupName", "LimitPolicyArns"},
            "telemetry": {"CodeBucket", "CodeKey", "IssuerUrl", "ClientIds"},
            "dashboard": set(),
            "analytics": {"LogBucket"},
        }
        for name, expected in chosen.items():
            parameters = decode_str((TEMPLATES / f"{name}.yaml").read_text())[0]["Parameters"]
            self.assertEqual({key for key, it in parameters.items() if "Default" not in it}, expected, name)


class Deployments(unittest.TestCase):
    def test_each_set_is_accepted_or_refused_with_its_reason(self):
        for stack in everything():
            with self.subTest(label(stack)):
                if stack.set.refused:
                    self.assertIn(stack.set.refused, stack.refusal)
                    self.assertEqual(stack.resources, {})
                else:
                    self.assertEqual(stack.refusal, "")

    def test_the_full_combination_is_there(self):
        sets = [it.set.matrix for it in everything() if it.set.matrix]
        self.assertEqual(len(sets), 6 * 2 * 3 * 4)
        self.assertEqual(sum(1 for it in accepted() if it.set.matrix), (17 + 6) * 4)

    def test_each_rule_refuses_something(self):
        described = set()
        for path in TEMPLATES.glob("*.yaml"):
            described |= set(re.findall(r"AssertDescription: (.+)", path.read_text()))
        refusals = " ".join(it.refusal for it in everything())
        self.assertEqual([it for it in described if it.strip("'\"") not in refusals], [])

    def test_every_resource_is_valid_by_the_schemas_of_aws(self):
        by_region = collections.defaultdict(dict)
        for stack in accepted():
            for logical_id, resource in stack.resources.items():
                if not resource["type"].startswith("Custom::"):
                    text = json.dumps(resource["properties"], sort_keys=True).replace(stack.set.account, "123456789012")
                    by_region[stack.set.region].setdefault((resource["type"], text), f"{label(stack)}: {logical_id}")
        for region, resources in by_region.items():
            missing = {kind for kind, _ in resources} & {kind for where, kind in NOT_OFFERED if where == region}
            places = {f"R{number}": place for number, place in enumerate(resources.values())}
            template = {f"R{number}": {"Type": kind, "Properties": json.loads(text)} for number, (kind, text) in enumerate(resources)}
            # E3019: the resources of many stacks in one template have equal names.
            found = lint(json.dumps({"Resources": template}), config=ManualArgs(regions=[region], ignore_checks=["E3019"]))
            unknown = {template[it.path[1]]["Type"] for it in found if it.rule.id == "E3006"}
            self.assertEqual(unknown, missing, f"types that do not exist in {region}")
            self.assertEqual([f"{places[it.path[1]]}: {it.message}" for it in found if it.rule.id != "E3006"], [])

    def test_every_name_contains_the_name_of_the_stack(self):
        names = {"RoleName", "ManagedPolicyName", "TrailName", "LogGroupName", "BucketName", "TopicName", "FunctionName", "AlarmName", "BudgetName"}
        for stack in accepted():
            for logical_id, resource in stack.resources.items():
                given = {key: it for key, it in resource["properties"].items() if key in names and isinstance(it, str)}
                if resource["type"] == "AWS::Logs::SubscriptionFilter":
                    # It names the invocation log, which is of another stack.
                    continue
                if resource["type"] in ("AWS::Bedrock::Guardrail", "AWS::Cognito::IdentityPool"):
                    given |= {key: it for key, it in resource["properties"].items() if key.endswith("Name")}
                for key, value in given.items():
                    self.assertIn(stack.set.stack, value, f"{label(stack)}: {logical_id}.{key}")


class Limits(unittest.TestCase):
    def test_policies_fit_into_aws(self):
        longest = 0
        for stack in accepted():
            for logical_id, resource in stack.resources.items():
                if trust := resource["properties"].get("AssumeRolePolicyDocument"):
                    text = trust if isinstance(trust, str) else json.dumps(trust)
                    longest = max(longest, len(text))
                    self.assertLessEqual(len(text), TRUST_CHARACTERS, f"{label(stack)}: {logical_id}")
                if resource["type"] == "AWS::IAM::ManagedPolicy":
                    text = json.dumps(resource["properties"]["PolicyDocument"], separators=(",", ":"))
                    self.assertLessEqual(len(text), POLICY_CHARACTERS, f"{label(stack)}: {logical_id}")
        self.assertGreater(longest, 0.7 * TRUST_CHARACTERS, "no set comes near the limit")


class Reference(unittest.TestCase):
    """Every action, resource and condition key exists, and they belong together."""

    def each(self):
        found = policies()
        self.assertGreater(len(found), 100)
        return [(statement, f"{where}, {statement.get('Sid')}") for where, document in found for statement in statements(document)]

    def test_every_action_exists(self):
        for statement, place in self.each():
            for name in as_list(statement["Action"]):
                if name != "*":
                    self.assertTrue(reference.services_with(name), f"{place}: {name} does not exist")

    def test_every_action_takes_its_resources(self):
        for statement, place in self.each():
            resources = as_list(statement.get("Resource", "*"))
            for name in as_list(statement["Action"]):
                for resource in resources if "*" not in name else []:
                    if resource != "*":
                        self.assertTrue(reference.types_of(name, resource), f"{place}: {name} does not take {resource}")
            for resource in resources:  # and none is there for nothing
                expanded = [it for name in as_list(statement["Action"]) if name != "*" for it in reference.services_with(name)]
                self.assertTrue(resource == "*" or any(reference.types_of(it, resource) for it in expanded), f"{place}: {resource}")

    def test_every_action_has_its_condition_keys(self):
        for statement, place in self.each():
            resources = as_list(statement.get("Resource", "*"))
            for keys in statement.get("Condition", {}).values():
                for key in keys:
                    for pattern in as_list(statement["Action"]):
                        names = [pattern] if "*" not in pattern else reference.services_with(pattern)
                        known = [reference.takes_key(name, resources, key) for name in names]
                        good = (all(known) if "*" not in pattern else any(known)) if names else any(map(lambda it: reference.is_same_key(it, key), reference.global_keys()))
                        self.assertTrue(good, f"{place}: {pattern} has no condition key {key}")


    def test_every_operator_fits_the_type_of_its_key(self):
        """Keys with several values need ForAnyValue or ForAllValues, and others must not have it. AWS also compares ARNs as strings."""
        operators = {"String": "String", "ArrayOfString": "String", "ARN": ("Arn", "String"), "Bool": "Bool", "Numeric": "Numeric", "Date": "Date"}
        seen = set()
        for statement, place in self.each():
            for operator, keys in statement.get("Condition", {}).items():
                quantifier, _, plain = operator.rpartition(":")
                for key in keys if plain != "Null" else []:
                    kind = reference.type_of(next(it for it in as_list(statement["Action"])), key)
                    seen.add(kind)
                    self.assertTrue(plain.startswith(operators[kind]), f"{place}: {key} is {kind}, not for {operator}")
                    self.assertEqual(bool(quantifier), kind == "ArrayOfString", f"{place}: {operator} {key}")
        self.assertTrue({"String", "ArrayOfString", "ARN", "Bool", "Numeric"} <= seen, seen)


class Rules(unittest.TestCase):
    def allows(self):
        found = [(it, f"{where}, {it.get('Sid')}") for where, document in policies() for it in statements(document)]
        return [(statement, place) for statement, place in found if statement["Effect"] == "Allow"]

    def test_no_allow_has_a_wildcard_action(self):
        for statement, place in self.allows():
            self.assertNotIn("NotAction", statement, place)
            for name in as_list(statement["Action"]):
                self.assertNotRegex(name, r"[*?]", place)

    def test_no_allow_has_every_resource_without_a_condition(self):
        for statement, place in self.allows():
            self.assertNotIn("NotResource", statement, place)
            if "*" in as_list(statement.get("Resource", "-")) and "Condition" not in statement:
                takers = [name for name in as_list(statement["Action"]) if reference.action(name)["resourceTypes"]]
                self.assertEqual(takers, [], f"{place}: these actions take resources")

    def test_people_can_do_these_actions_and_no_others(self):
        """No Allow has a wildcard in its actions, so these are all that any session of federation.yaml can ever do: nothing that
        creates, tags, passes or changes something. What assumes a role is the near end of a chain."""
        allowed = set()
        for stack in accepted():
            if stack.set.template == "federation":
                for logical_id in {"Permissions", "ModelCalls"} & stack.resources.keys():
                    for statement in statements(stack.resources[logical_id]["properties"]["PolicyDocument"]):
                        allowed |= set(as_list(statement["Action"])) if statement["Effect"] == "Allow" else set()
        expected = {
            "bedrock:ApplyGuardrail",
            "bedrock:CallWithBearerToken",
            "bedrock:CountTokens",
            "bedrock:GetInferenceProfile",
            "bedrock:InvokeModel",
            "bedrock:InvokeModelWithResponseStream",
            "bedrock:ListFoundationModels",
            "bedrock:ListInferenceProfiles",
            "bedrock-mantle:CallWithBearerToken",
            "bedrock-mantle:CreateInference",
            "execute-api:Invoke",
            "cloudwatch:PutMetricData",
            "logs:PutLogEvents",
            "sts:AssumeRole",
            "sts:TagSession",
        }
        self.assertEqual(allowed, expected)

    def test_every_statement_says_what_it_is(self):
        for where, document in policies():
            names = [it.get("Sid") for it in statements(document)]
            self.assertTrue(all(names) and len(set(names)) == len(names), f"{where}: {names}")
            self.assertEqual(document["Version"], "2012-10-17", where)

    def test_no_trust_without_a_condition(self):
        """Except for AWS Lambda, which offers no condition for its roles."""
        for statement, place in self.allows():
            if "Principal" in statement and statement["Principal"] != {"Service": "lambda.amazonaws.com"}:
                self.assertTrue(statement.get("Condition"), place)

    def test_every_audience_is_checked(self):
        for stack in accepted():
            for logical_id, role in roles(stack):
                for statement in statements(role["AssumeRolePolicyDocument"]):
                    if statement["Action"] == "sts:AssumeRoleWithWebIdentity":
                        keys = [key for key in statement["Condition"]["StringEquals"] if key.endswith(":aud")]
                        self.assertEqual(len(keys), 1, f"{label(stack)}: {logical_id}")

    def test_every_role_of_people_has_boundary_and_block(self):
        seen = 0
        for stack in accepted():
            if stack.set.template != "federation":
                continue
            permissions = stack.resources["Permissions"]["id"]
            for logical_id, role in roles(stack):
                seen += 1
                self.assertEqual(role["PermissionsBoundary"], permissions, f"{label(stack)}: {logical_id}")
                self.assertIn(stack.resources["Blocked"]["id"], role["ManagedPolicyArns"], f"{label(stack)}: {logical_id}")
                self.assertEqual(limits(stack), [it for it in role["ManagedPolicyArns"] if "limit-reached" in it], f"{label(stack)}: {logical_id}")
        self.assertGreater(seen, 100)

    def test_every_permission_set_with_limits_names_their_policies(self):
        seen = 0
        for stack in accepted():
            for permission_set in stack.of_type("AWS::SSO::PermissionSet").values():
                names = [it["Name"] for it in permission_set["properties"]["CustomerManagedPolicyReferences"]]
                self.assertEqual([it.rpartition("/")[2] for it in limits(stack)], [it for it in names if "limit-reached" in it], label(stack))
                seen += len(limits(stack)) == 4
        self.assertGreater(seen, 0)

    def test_the_output_names_the_policies_of_limits(self):
        seen = 0
        for stack in accepted():
            if stack.set.template == "federation":
                self.assertEqual(stack.outputs.get("LimitPolicyArns", ""), ",".join(limits(stack)), label(stack))
                seen += bool(limits(stack))
        self.assertGreater(seen, 3)

    def test_agents_have_the_trust_of_people_and_one_hour(self):
        seen = 0
        for stack in accepted():
            if agent := stack.resources.get("AgentUser"):
                seen += 1
                agent, person = agent["properties"], stack.resources["Role"]["properties"]
                self.assertEqual(parse(agent["AssumeRolePolicyDocument"]), parse(person["AssumeRolePolicyDocument"]), label(stack))
                self.assertEqual(agent.get("MaxSessionDuration", 3600), 3600)
        self.assertGreater(seen, 2)

    def test_the_block_depends_on_no_parameter(self):
        documents, prefixes = set(), set()
        for stack in accepted():
            if stack.set.template == "federation":
                for logical_id in ("Permissions", "ModelCalls"):
                    if logical_id in stack.resources:
                        for statement in statements(stack.resources[logical_id]["properties"]["PolicyDocument"]):
                            if statement["Effect"] == "Allow":
                                prefixes |= {name.partition(":")[0] for name in as_list(statement["Action"])}
                for logical_id in ("Blocked", *LIMITS):
                    if logical_id in stack.resources:
                        documents.add(json.dumps(stack.resources[logical_id]["properties"]["PolicyDocument"], sort_keys=True))
                        self.assertIn("you-are-blocked", stack.resources[logical_id]["properties"]["ManagedPolicyName"])
        self.assertEqual(len(documents), 1)
        denied = as_list(json.loads(documents.pop())["Statement"][0]["Action"])
        # A refused person may still ask why.
        self.assertEqual(sorted(denied), sorted(f"{it}:*" for it in prefixes - {"execute-api"}))

    def test_providers_hold_the_audiences_and_no_thumbprints(self):
        seen = 0
        for stack in accepted():
            if provider := stack.resources.get("IdentityProvider"):
                seen += 1
                chosen = stack.set.parameters
                expected = {"Url": chosen["IssuerUrl"], "ClientIdList": chosen["ClientIds"].split(",")}
                self.assertEqual(provider["properties"], expected, label(stack))
        self.assertGreater(seen, 50)


def limits(stack):
    """The ARNs of the policies that the server writes."""
    return [stack.resources[it]["id"] for it in LIMITS if it in stack.resources]


def roles(stack):
    return [(key, it["properties"]) for key, it in stack.of_type("AWS::IAM::Role").items()]


class Outputs(unittest.TestCase):
    def test_the_configuration_is_toml_with_the_parameters(self):
        seen = collections.Counter()
        for stack in accepted():
            if "BedrockSsoConfig" not in stack.outputs:
                continue
            config = tomllib.loads(stack.outputs["BedrockSsoConfig"])
            self.assertEqual(config["version"], 1)
            profile = config["profiles"]["claude"]
            chosen = stack.set.matrix
            with self.subTest(label(stack)):
                if chosen:
                    seen["matrix"] += 1
                    self.assertEqual(profile["issuer"], issuer(chosen["provider"], stack.set.partition))
                    self.assertEqual(profile["client_id"], CLIENT)
                    self.assertEqual(profile["region"], stack.set.region)
                    self.assertEqual(profile["provider"], chosen["provider"])
                    if chosen["federation"] == "oidc":
                        self.assertEqual(profile["role_arn"], stack.outputs["RoleArn"])
                        self.assertTrue(profile["role_arn"].startswith(f"arn:{stack.set.partition}:iam::{stack.set.account}:role/"))
                    else:
                        self.assertEqual(profile["identity_pool_id"], stack.outputs["IdentityPoolId"])
                    pinned = {"subject": ["sub"], "tag": ["email"], "free": None}[chosen["session_name"]]
                    self.assertEqual(profile.get("session_name"), pinned)
                elif stack.set.template == "team":
                    seen["team"] += 1
                    self.assertTrue(all(it.startswith(f"arn:{stack.set.partition}:bedrock:") for it in profile["claude_code"]["models"].values()))
                elif stack.set.template == "guardrails":
                    seen["guardrails"] += 1
                    group = stack.outputs["TelemetryLogGroupName"]
                    self.assertEqual(profile, {"telemetry": {"relay": "laptop", "log_group": group, "log_stream": "laptops"}})
                    [stream] = stack.of_type("AWS::Logs::LogStream").values()
                    self.assertEqual(stream["properties"]["LogStreamName"], "laptops")
                elif stack.set.parameters.get("Federation") == "chained":
                    seen["chained"] += 1
                    self.assertEqual(profile["role_chain"][0]["role_arn"], stack.outputs["RoleArn"])
                    self.assertEqual(profile["role_chain"][0].get("external_id", ""), stack.set.parameters.get("ExternalId", ""))
        self.assertTrue(seen["matrix"] == 92 and seen["team"] and seen["guardrails"] and seen["chained"] == 7, seen)


class Service(unittest.TestCase):
    """service.yaml, from which the program gets its configuration."""

    def stacks(self):
        found = [it for it in accepted() if it.set.template == "service"]
        self.assertGreater(len(found), 3)
        return found

    def test_the_configuration_is_toml_with_the_parameters(self):
        for stack in self.stacks():
            with self.subTest(label(stack)):
                chosen = {**defaults("service"), **stack.set.parameters}
                config = tomllib.loads(stack.resources["Configuration"]["properties"]["Value"])
                expected = {
                    "version": 1,
                    "store": f"dynamodb:{stack.outputs['TableName']}",
                    "time_zone": chosen["TimeZone"],
                    "groups": chosen["GroupRule"],
                    "enforce": {"policies": chosen["LimitPolicyArns"].split(","), "function": f"{stack.set.stack}-enforce"},
                    "notify": {"topic": stack.outputs["NoticeTopicArn"]},
                }
                if chosen["DashboardMetrics"] == "yes":
                    expected["enforce"]["metrics"] = stack.set.stack
                if chosen["Contact"]:
                    expected["contact"] = chosen["Contact"]
                if chosen["IssuerUrl"]:
                    claims = {"groups": chosen["GroupClaims"].split(","), "department": chosen["DepartmentClaims"].split(",")}
                    trusted = {"issuer": chosen["IssuerUrl"], "audience": chosen["ClientIds"].split(",")}
                    expected["issuer"] = [{**trusted, "person": chosen["PersonClaims"].split(","), "claims": claims}]
                if chosen["PermissionSet"]:
                    expected["identity_center"] = [{"account_id": stack.set.account, "permission_set": chosen["PermissionSet"]}]
                self.assertEqual(config, expected)

    def test_each_function_has_its_task_and_a_role_and_a_log_of_its_own(self):
        for stack in self.stacks():
            functions = {key: it["properties"] for key, it in stack.of_type("AWS::Lambda::Function").items()}
            self.assertEqual(set(functions), {"CheckFunction", "IngestFunction", "EnforceFunction"})
            for logical_id, function in functions.items():
                name = logical_id.removesuffix("Function")
                variables = function["Environment"]["Variables"]
                self.assertEqual(variables["BEDROCK_SSO_SERVER_ROLE"], name.lower())
                self.assertEqual(variables["BEDROCK_SSO_SERVER_CONFIG"], stack.resources["Configuration"]["properties"]["Value"])
                self.assertLess(len(json.dumps(variables)), 4096, "AWS Lambda accepts no more")
                self.assertEqual(function["LoggingConfig"]["LogGroup"], stack.resources[f"{name}Log"]["id"])
                self.assertIn(stack.resources[f"{name}Role"]["id"], function["Role"])

    def test_no_route_is_open_to_everybody(self):
        for stack in self.stacks():
            routes = {it["properties"]["RouteKey"]: it["properties"] for it in stack.of_type("AWS::ApiGatewayV2::Route").values()}
            chosen = {**defaults("service"), **stack.set.parameters}
            keys = ["GET /check", "GET /me"] * bool(chosen["IssuerUrl"]) + ["GET /signed/check", "GET /signed/me"] * bool(chosen["PermissionSet"])
            self.assertEqual(sorted(routes), keys, label(stack))
            for key, route in routes.items():
                self.assertEqual(route["AuthorizationType"], "AWS_IAM" if "/signed/" in key else "JWT", label(stack))

    def test_each_alarm_reaches_somebody(self):
        for stack in self.stacks():
            alarms = stack.of_type("AWS::CloudWatch::Alarm")
            self.assertGreater(len(alarms), 8)
            for logical_id, alarm in alarms.items():
                self.assertEqual(alarm["properties"]["AlarmActions"], [stack.outputs["AlertTopicArn"]], logical_id)
            # Each text is one that the program writes.
            for it in stack.of_type("AWS::Logs::MetricFilter").values():
                text = it["properties"]["FilterPattern"].strip('"')
                self.assertTrue(text in SERVER_SOURCE, f"the program never writes {text!r}")
            filters = {it["properties"]["MetricTransformations"][0]["MetricName"] for it in stack.of_type("AWS::Logs::MetricFilter").values()}
            watched = {it["properties"].get("MetricName") for it in alarms.values()}
            self.assertLessEqual(filters, watched)


class Telemetry(unittest.TestCase):
    """telemetry.yaml, from which the relay gets its configuration."""

    def stacks(self):
        found = [it for it in accepted() if it.set.template == "telemetry"]
        self.assertGreater(len(found), 3)
        return found

    def test_the_configuration_is_toml_with_the_parameters(self):
        for stack in self.stacks():
            with self.subTest(label(stack)):
                chosen = {**defaults("telemetry"), **stack.set.parameters}
                [function] = [it["properties"] for it in stack.of_type("AWS::Lambda::Function").values()]
                variables = function["Environment"]["Variables"]
                self.assertEqual(variables["BEDROCK_SSO_SERVER_ROLE"], "relay")
                self.assertLess(len(json.dumps(variables)), 4096, "AWS Lambda accepts no more")
                self.assertEqual(function["LoggingConfig"]["LogGroup"], stack.resources["RelayLog"]["id"])
                claims = {"department": "DepartmentClaims", "team.id": "TeamClaims", "cost_center": "CostCenterClaims"}
                relay = {
                    "region": stack.set.region,
                    "log_group": stack.outputs["EventLogName"],
                    "log_stream": stack.resources["EventStream"]["properties"]["LogStreamName"],
                    "also_datapoints": chosen["AlsoDataPoints"] == "yes",
                    "attributes": {name: chosen[key].split(",") for name, key in claims.items() if chosen[key]},
                }
                if chosen["StreamName"]:
                    relay["stream"] = chosen["StreamName"]
                trusted = {"issuer": chosen["IssuerUrl"], "audience": chosen["ClientIds"].split(","), "person": chosen["PersonClaims"].split(",")}
                expected = {"version": 1, "store": "none", "issuer": [trusted], "relay": relay}
                self.assertEqual(tomllib.loads(variables["BEDROCK_SSO_SERVER_CONFIG"]), expected)

    def test_the_relay_writes_to_three_places_and_reads_nothing(self):
        for stack in self.stacks():
            [policy] = stack.resources["RelayRole"]["properties"]["Policies"]
            allowed = {it["Sid"]: (as_list(it["Action"]), it["Resource"]) for it in policy["PolicyDocument"]["Statement"]}
            names = {"Metrics", "Events", "OwnLog"} | ({"Rows"} if stack.set.parameters.get("StreamName") else set())
            self.assertEqual(set(allowed), names, label(stack))
            self.assertEqual(allowed["Metrics"], (["cloudwatch:PutMetricData"], "*"))
            self.assertEqual(allowed["Events"][0], ["logs:PutLogEvents"])
            self.assertIn(f":log-group:{stack.outputs['EventLogName']}:log-stream:", allowed["Events"][1])
            if "Rows" in allowed:
                self.assertEqual(allowed["Rows"][0], ["firehose:PutRecordBatch"])
                self.assertTrue(allowed["Rows"][1].endswith(f":deliverystream/{stack.set.parameters['StreamName']}"))

    def test_each_route_needs_a_token(self):
        for stack in self.stacks():
            routes = {it["properties"]["RouteKey"]: it["properties"] for it in stack.of_type("AWS::ApiGatewayV2::Route").values()}
            self.assertEqual(sorted(routes), ["POST /v1/logs", "POST /v1/metrics"], label(stack))
            self.assertEqual({it["AuthorizationType"] for it in routes.values()}, {"JWT"})

    def test_each_alarm_of_the_relay_reaches_somebody(self):
        for stack in self.stacks():
            alarms = stack.of_type("AWS::CloudWatch::Alarm")
            self.assertEqual(set(alarms), {"ErrorsAlarm", "ThrottlesAlarm", "UnansweredAlarm", "NotForwardedAlarm"})
            for logical_id, alarm in alarms.items():
                self.assertEqual(alarm["properties"]["AlarmActions"], [stack.outputs["AlertTopicArn"]], logical_id)
            for it in stack.of_type("AWS::Logs::MetricFilter").values():
                text = it["properties"]["FilterPattern"].strip('"')
                self.assertTrue(text in SERVER_SOURCE, f"the program never writes {text!r}")

    def test_the_output_is_the_configuration_of_laptops(self):
        for stack in self.stacks():
            telemetry = tomllib.loads(stack.outputs["BedrockSsoConfig"])["profiles"]["claude"]["telemetry"]
            self.assertEqual(set(telemetry), {"relay"})
            self.assertTrue(telemetry["relay"].startswith("http"), telemetry)


class Dashboards(unittest.TestCase):
    """dashboard.yaml, whose body CloudFormation takes as any text. tests/telemetry asks its queries."""

    def bodies(self):
        """Each deployed dashboard, with the parameters that made it."""
        found = [(it, json.loads(it.resources["Dashboard"]["properties"]["DashboardBody"])) for it in accepted() if it.set.template == "dashboard"]
        self.assertGreater(len(found), 4)
        return found

    def test_each_dashboard_has_the_form_that_cloudwatch_documents(self):
        schema = json.loads((Path(__file__).parent / "dashboard.schema.json").read_text())
        for stack, body in self.bodies():
            problems = [f"{list(it.path)}: {it.message}" for it in StandardValidator(schema).iter_errors(body)]
            self.assertEqual(problems, [], label(stack))

    def test_each_half_is_shown_if_it_exists(self):
        for stack, body in self.bodies():
            titles = {it["properties"].get("title", "") for it in body["widgets"]}
            chosen = {**defaults("dashboard"), **stack.set.parameters}
            relay, laptops = bool(chosen["TelemetryStack"]), chosen["LaptopRelays"] == "yes"
            self.assertEqual("Refused people" in titles, bool(chosen["LimitsStack"]), label(stack))
            self.assertEqual("Exports of the laptops to the relay" in titles, relay, label(stack))
            self.assertEqual("People by version of bedrock-sso" in titles, relay or laptops, label(stack))
            self.assertEqual("EnforcementAlarm" in stack.resources, bool(chosen["LimitsStack"]), label(stack))
            self.assertEqual("FailuresAlarm" in stack.resources, relay or laptops, label(stack))
            self.assertEqual("SpendAlarm" in stack.resources, chosen["MonthlySpend"] not in (0, "0"), label(stack))

    def test_each_metric_is_one_that_somebody_writes(self):
        filters, of_relay = filtered_metrics("service"), filtered_metrics("telemetry")
        printed = set(re.findall(r'\("(\w+)", "(?:Count|Percent|None)", json!', SERVER_SOURCE))
        self.assertEqual(len(printed), 7)
        own, of_lambda = filters | printed, {"Errors", "Throttles", "Invocations", "Duration"}
        seen = set()
        for stack, body in self.bodies():
            series = [it for widget in body["widgets"] if widget["type"] == "metric" for it in widget["properties"]["metrics"]]
            alarms = [it["properties"] for it in stack.of_type("AWS::CloudWatch::Alarm").values() if "MetricName" in it["properties"]]
            chosen = stack.set.parameters
            written = {("AWS/Lambda", it) for it in of_lambda} | {(chosen.get("LimitsStack"), it) for it in own}
            written |= {(chosen.get("TelemetryStack"), it) for it in of_relay}
            for namespace, name, *_ in [it for it in series if len(it) > 1] + [(it["Namespace"], it["MetricName"]) for it in alarms]:
                self.assertIn((namespace, name), written)
                seen.add(name)
        self.assertLessEqual(filters - {"PoliciesAreFull"} | printed | of_relay, seen, "a number of the server is on no dashboard")

    def test_a_topic_gets_every_alarm(self):
        for stack, _ in self.bodies():
            alarms = stack.of_type("AWS::CloudWatch::Alarm")
            self.assertTrue(alarms, label(stack))
            for logical_id, alarm in alarms.items():
                topic = stack.set.parameters.get("AlertTopicArn")
                self.assertEqual(alarm["properties"].get("AlarmActions"), [topic] if topic else None, logical_id)


def filtered_metrics(template):
    """The metrics that a template makes of the lines of a log."""
    resources = decode_str((TEMPLATES / f"{template}.yaml").read_text())[0]["Resources"].values()
    filters = [it["Properties"]["MetricTransformations"] for it in resources if it["Type"] == "AWS::Logs::MetricFilter"]
    return {it["MetricName"] for several in filters for it in several}


def defaults(template):
    parameters = decode_str((TEMPLATES / f"{template}.yaml").read_text())[0]["Parameters"]
    return {key: it["Default"] for key, it in parameters.items() if "Default" in it}


# Findings of checkov with the reason why they are no faults here.
CHECKOV_EXCEPTIONS = {
    "CKV_AWS_18": "Access logs of a bucket need a second bucket. Who reads the records is in CloudTrail, if the administrator switches data events on.",
    "CKV_AWS_21": "Versions would outlive LogRetentionDays, after which the records must be gone. CloudTrail's digest files show changes of the trail.",
    "CKV_AWS_27": "SQS encrypts the queue with its own key. checkov knows keys of KMS only.",
    "CKV_AWS_26": "The alarms' messages contain names of metrics. CloudWatch cannot publish to a topic with the key that SNS offers, and a key of one's own costs money.",
    "CKV_AWS_35": "S3 encrypts the trail. With a key of one's own, a mistake in the key's policy ends the trail.",
    "CKV_AWS_45": "The functions' configuration has names and addresses, and no secret: a test compares it with the parameters.",
    "CKV_AWS_115": "Only CloudFormation calls the one function, a few times in its life. API Gateway throttles the other, and records wait for the third.",
    "CKV_AWS_116": "CloudFormation and API Gateway wait for the functions' answers. What enforces limits runs again each minute.",
    "CKV_AWS_117": "The functions call public endpoints of AWS and of the identity provider, and nothing in a network.",
    "CKV_AWS_119": "DynamoDB encrypts the table with its key in KMS. With a key of one's own, a mistake in the key's policy refuses everybody.",
    "CKV_AWS_158": "CloudWatch Logs encrypts each group. An administrator with a key of their own can associate it.",
    "CKV_AWS_173": "The functions' variables have no secret, and AWS Lambda encrypts them.",
}


class Examples(unittest.TestCase):
    """The policies that an administrator can copy have the statements of the templates."""

    PAGE = TEMPLATES.parents[1] / "docs/organisation/least-privilege.md"
    # Service control policies, which no template has.
    OWN = {"NoLongTermBedrockKeys", "LogsOfInvocationsStayOn"}

    def shape(self, statement):
        """All but the values: those of the page are another organization's."""
        conditions = {
            operator: sorted(re.sub(r"^(?!aws:|sts:|bedrock:).*:", "HOST:", key) for key in keys)
            for operator, keys in statement.get("Condition", {}).items()
        }
        return json.dumps([statement["Effect"], sorted(as_list(statement["Action"])), conditions], sort_keys=True)

    def test_each_statement_of_the_page_is_one_of_a_template(self):
        known = collections.defaultdict(set)
        for _, document in policies():
            for statement in document["Statement"]:
                known[statement["Sid"]].add(self.shape(statement))
        blocks = re.findall(r"```json\n(.*?)```", self.PAGE.read_text(), re.DOTALL)
        written = [statement for block in blocks for statement in json.loads(block)["Statement"]]
        self.assertGreater(len(written), 10)
        for statement in written:
            if statement["Sid"] not in self.OWN:
                self.assertIn(self.shape(statement), known[statement["Sid"]], statement["Sid"])


class Checkov(unittest.TestCase):
    """checkov cannot read a trust policy in a string with intrinsics, so it gets the deployed resources."""

    CHOSEN = ["everything", "far end subject", "near end", "identity pool with ci", "okta oidc subject aws", "defaults aws", "budget with action aws", "network aws", "guardrail aws", "everything aws", "limits of a permission set", "limits aws", "all questions aws"]

    def test_checkov_finds_only_the_exceptions(self):
        found, passed = collections.defaultdict(set), 0
        with tempfile.TemporaryDirectory() as folder:
            for stack in accepted():
                if stack.set.name in self.CHOSEN:
                    template = {key: resource(it) for key, it in stack.resources.items()}
                    Path(folder, f"{stack.set.template}-{stack.set.name.replace(' ', '-')}.json").write_text(json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": template}, indent=1))
            self.assertEqual(len(list(Path(folder).iterdir())), len(self.CHOSEN))
            command = [CHECKOV / "bin/python", CHECKOV / "bin/checkov", "--directory", folder, "--framework", "cloudformation", "--skip-download", "--output", "json", "--quiet", "--compact"]
            ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LOG_LEVEL": "ERROR", "BC_SKIP_MAPPING": "TRUE"})
            report = json.loads(ran.stdout)
        for it in report["results"]["failed_checks"]:
            found[it["check_id"]].add((it["resource"].rpartition(".")[2], it["check_name"]))
        passed = report["summary"]["passed"]
        self.assertEqual(report["summary"]["parsing_errors"], 0)
        self.assertGreater(passed, 100)
        self.assertEqual({key: sorted(it) for key, it in found.items() if key not in CHECKOV_EXCEPTIONS}, {})
        self.assertEqual(set(CHECKOV_EXCEPTIONS) - set(found), set(), "exceptions that nothing needs")


def resource(it):
    """As a resource of a template. A trust policy in a string becomes a document."""
    properties = {key: parse(value) if key == "AssumeRolePolicyDocument" else value for key, value in it["properties"].items()}
    return {"Type": it["type"], "Properties": properties}


if __name__ == "__main__":
    unittest.main()
