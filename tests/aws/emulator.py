"""An AWS to deploy into: ministack on a free port of loopback, with empty accounts.

ministack lacks some types of resources and has some faults. This launcher adds the types, and corrects each fault with its reason.

    emulator.py

prints `ready ENDPOINT` once it listens, and serves until it is killed. An access key of twelve digits selects the account; any
secret will do. Besides AWS's API it answers:

    GET  /_test/stacks     {ACCOUNT: {REGION: {STACK: {"status", "parameters", "outputs", "resources": {LOGICAL_ID: {"type", "id", "properties"}}}}}},
                           with all intrinsics of the properties resolved
    GET  /_test/requests   [{"account", "region", "service", "operation"}, …] since the start or the last reset. Requests to ENDPOINT/_as/NAME
                           also have "caller": NAME, and their "body"
    POST /_test/answers    [{"service", "operation", "status", "body", "times"}, …]: these answers replace the emulator's. `times` is the
                           number of requests that get it; without it, all do. An empty list removes them
    POST /_test/reset      empties the accounts

The service is the name in the credential scope, for example `servicequotas`. The operation is AWS's name (`ListServiceQuotas`) or,
for services that have only paths, the method and the path (`GET /foundation-models`).
"""

import asyncio
import functools
import importlib.machinery
import importlib.util
import json
import logging
import os
import re
import shutil
import socket
import sys
import tempfile
import urllib.parse
import uuid

ACCOUNT = "123456789012"

# Anthropic's models that ministack does not have, with the geographies of their inference profiles.
MODELS = {
    "anthropic.claude-sonnet-4-20250514-v1:0": ["us", "eu", "apac", "global"],
    "anthropic.claude-opus-4-1-20250805-v1:0": ["us"],
    "anthropic.claude-sonnet-4-5-20250929-v1:0": ["us", "eu", "jp", "au", "global", "us-gov"],
    "anthropic.claude-haiku-4-5-20251001-v1:0": ["us", "eu", "jp", "au", "global"],
    "anthropic.claude-opus-4-5-20251101-v1:0": ["us", "eu", "global"],
    "anthropic.claude-opus-4-6-v1": ["us", "eu", "au", "global"],
    "anthropic.claude-sonnet-4-6": ["us", "eu", "au", "global"],
    "anthropic.claude-opus-5-5": ["us", "eu", "au", "jp", "global"],
    "anthropic.claude-sonnet-5-5": ["us", "eu", "us-gov", "global"],
    "anthropic.claude-haiku-5-5": ["us", "eu", "au", "jp", "us-gov", "global"],
}


def partition_of(region):
    for prefix, partition in {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}.items():
        if region.startswith(prefix):
            return partition
    return "aws"


SUFFIXES = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com", "aws-eusc": "amazonaws.eu"}


class PatchedSource(importlib.machinery.SourceFileLoader):
    """Loads a module after replacing text in its source. Text that does not occur as often as expected is an error: then ministack
    has changed, and the patch must be reviewed."""

    def __init__(self, name, path, replacements):
        super().__init__(name, path)
        self.replacements = replacements

    def get_code(self, fullname):
        text = self.get_data(self.path).decode()
        for old, count, new in self.replacements:
            assert text.count(old) == count, f"{self.path} has {text.count(old)} times {old}, not {count} times"
            text = text.replace(old, new)
        return self.source_to_code(text, self.path)


class PatchFinder(importlib.machinery.PathFinder):
    patches = {}

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in cls.patches:
            return None
        origin = super().find_spec(name, path, target).origin
        return importlib.util.spec_from_file_location(name, origin, loader=PatchedSource(name, origin, cls.patches[name]))


# Patches


def load_patched_engine():
    """ministack has only the partition `aws`. Its section Conditions knows neither pseudo parameters nor Fn::Join."""
    sys.modules.setdefault("emulator", sys.modules[__name__])
    PatchFinder.patches["ministack.services.cloudformation.engine"] = [
        ('"AWS::Partition": "aws"', 3, '"AWS::Partition": __import__("emulator").partition_of(get_region())'),
        ('"AWS::URLSuffix": "amazonaws.com"', 3, '"AWS::URLSuffix": __import__("emulator").suffix_of(get_region())'),
        ("def _parse_template(", 1, '@__import__("emulator").parsed_once\ndef _parse_template('),
        ("def _evaluate_conditions(", 1, '@__import__("emulator").with_resolved_values\ndef _evaluate_conditions('),
    ]
    sys.meta_path.insert(0, PatchFinder)


def parsed_once(parse):
    """Reading a large template takes a second, and tests deploy the same one hundreds of times."""
    texts = {}

    @functools.wraps(parse)
    def cached(text):
        if text not in texts:
            texts[text] = json.dumps(parse(text))
        return json.loads(texts[text])

    return cached


def with_resolved_values(evaluate):
    """AWS resolves the values that Fn::Equals compares. ministack compares functions that it does not know as they are written."""
    functions = {"Fn::Join", "Fn::Split", "Fn::Sub", "Fn::FindInMap", "Fn::Select"}

    def resolved(value, template, parameters):
        from ministack.services.cloudformation import engine

        if isinstance(value, list):
            return [resolved(it, template, parameters) for it in value]
        if not isinstance(value, dict):
            return value
        name = next(iter(value), None)
        if name in functions or (name == "Ref" and str(value["Ref"]).startswith("AWS::")):
            return engine._resolve_refs(value, {}, parameters, {}, template.get("Mappings", {}), "", "")
        return {key: resolved(it, template, parameters) for key, it in value.items()}

    @functools.wraps(evaluate)
    def with_values(template, parameters):
        return evaluate({**template, "Conditions": resolved(template.get("Conditions", {}), template, parameters)}, parameters)

    return with_values


def know_partitions():
    """ministack's own records remain in the partition `aws`: ARNs are translated where CloudFormation passes properties to it, and
    where it returns attributes."""
    from ministack.core import responses
    from ministack.services.cloudformation import stacks

    def translated(function):
        @functools.wraps(function)
        def call(*arguments, **named):
            partition = partition_of(responses.get_region())
            if partition == "aws":
                return function(*arguments, **named)
            arguments = [rename(it, partition, "aws") for it in arguments]
            return rename(function(*arguments, **named), "aws", partition)

        return call

    for name in ("_provision_resource", "_update_resource", "_delete_resource"):
        setattr(stacks, name, translated(getattr(stacks, name)))


def suffix_of(region):
    return SUFFIXES[partition_of(region)]


def rename(value, old, new):
    if isinstance(value, dict):
        return {key: rename(it, old, new) for key, it in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(rename(it, old, new) for it in value)
    return value.replace(f"arn:{old}:", f"arn:{new}:") if isinstance(value, str) else value


def leave_conditional_resources_out_of_change_sets():
    """ministack's change sets also list resources whose condition is false."""
    from ministack.services.cloudformation import changesets

    original = changesets._resolve_props_for_diff

    def resolve(template, parameters, *names):
        resolved = original(template, parameters, *names)
        if not resolved:
            return resolved
        holds = changesets._evaluate_conditions(template, parameters)
        return {"Resources": {key: it for key, it in resolved["Resources"].items() if holds.get(it.get("Condition"), True)}}

    changesets._resolve_props_for_diff = resolve


def preserve_permissions_boundary(handlers):
    """ministack drops the property PermissionsBoundary of AWS::IAM::Role."""
    from ministack.services import iam

    def create(logical_id, properties, stack):
        name, attributes = original["create"](logical_id, properties, stack)
        iam._roles[name]["PermissionsBoundary"] = properties.get("PermissionsBoundary")
        return name, attributes

    def update(physical_id, old, new, stack, logical_id=None):
        name, attributes = original["update"](physical_id, old, new, stack, logical_id)
        iam._roles[name]["PermissionsBoundary"] = new.get("PermissionsBoundary")
        return name, attributes

    original = handlers["AWS::IAM::Role"]
    handlers["AWS::IAM::Role"] = {**original, "create": create, "update": update}


def refuse_policies_with_versions(handlers):
    """IAM deletes no policy that has further versions, and CloudFormation does not delete them either. ministack does."""
    from ministack.services import iam

    def delete(physical_id, properties):
        if len(iam._policies.get(physical_id, {}).get("Versions", {})) > 1:
            raise ValueError(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
                "The default version is deleted with the policy. (Service: Iam, Status Code: 409)"
            )
        return original["delete"](physical_id, properties)

    original = handlers["AWS::IAM::ManagedPolicy"]
    handlers["AWS::IAM::ManagedPolicy"] = {**original, "delete": delete}


def spell_bedrock_fields():
    """ministack makes a Bedrock answer from its record by writing each first letter small. Where the names of a request and of an
    answer differ, that gives names that no client knows."""
    from ministack.services import bedrock

    answers = {"topicsConfig": "topics", "filtersConfig": "filters", "wordsConfig": "words", "tierConfig": "tier"}
    answers |= {"managedWordListsConfig": "managedWordLists", "piiEntitiesConfig": "piiEntities", "regexesConfig": "regexes"}
    original = bedrock._get_guardrail

    def get_guardrail(identifier, query):
        status, headers, body = original(identifier.rpartition("/")[2], query)
        document = json.loads(body)
        if status == 200:
            document = {("guardrailId" if key == "id" else key): renamed(it) for key, it in document.items() if it is not None}
            document["name"] = document.pop("name")
        return status, headers, json.dumps(document).encode()

    def renamed(value):
        if isinstance(value, dict):
            return {answers.get(key, key): renamed(it) for key, it in value.items()}
        return [renamed(it) for it in value] if isinstance(value, list) else value

    original_create = bedrock._create_guardrail

    def create_guardrail(body):
        """Also, AWS's identifiers have no hyphen."""
        status, headers, answer = original_create(body)
        if status < 300:
            old = json.loads(answer)["guardrailId"]
            new = old.replace("-", "")
            record = bedrock._guardrails.pop(old)
            bedrock._guardrails[new] = {**record, "GuardrailId": new, "GuardrailArn": record["GuardrailArn"].replace(old, new)}
            if tags := bedrock._tags.pop(record["GuardrailArn"], None):
                bedrock._tags[bedrock._guardrails[new]["GuardrailArn"]] = tags
            answer = answer.replace(old.encode(), new.encode())
        return status, headers, answer

    bedrock._get_guardrail, bedrock._create_guardrail = get_guardrail, create_guardrail
    # AWS leaves the member out, and an explicit null is not what its clients expect of a structure.
    original_logging = bedrock._get_logging_config

    def get_logging():
        status, headers, body = original_logging()
        return status, headers, json.dumps({key: it for key, it in json.loads(body).items() if it is not None}).encode()

    bedrock._get_logging_config = get_logging


def find_profiles_by_arn():
    """GetInferenceProfile and DeleteInferenceProfile also take the ARN."""
    from ministack.services import bedrock

    for name in ("_get_inference_profile", "_delete_inference_profile"):
        original = getattr(bedrock, name)
        setattr(bedrock, name, lambda identifier, original=original: original(identifier.rpartition("/")[2]))


def offer_models():
    from ministack.services import bedrock

    kinds = (["TEXT", "IMAGE"], ["TEXT"], True)
    offered = {model: ["us", "eu", "apac"] for model, *_, streams in bedrock._CATALOG if streams}
    bedrock._CATALOG[:0] = [(model, model.split(".")[1], "Anthropic", *kinds) for model in MODELS]
    offered |= MODELS
    bedrock._INFERENCE_PROFILE_PREFIXES = tuple(sorted({prefix for prefixes in offered.values() for prefix in prefixes}))
    original_list, original_get = bedrock._list_inference_profiles, bedrock._get_inference_profile
    original_models = bedrock._list_foundation_models

    def is_offered(profile):
        prefix, _, model = profile["inferenceProfileId"].partition(".")
        return profile["type"] != "SYSTEM_DEFINED" or prefix in offered.get(model, [])

    def list_profiles(query):
        status, headers, body = original_list(query)
        found = [it for it in json.loads(body)["inferenceProfileSummaries"] if is_offered(it)]
        return status, headers, json.dumps({"inferenceProfileSummaries": found}).encode()

    def get_profile(identifier):
        status, headers, body = original_get(identifier)
        if status == 200 and not is_offered(json.loads(body)):
            return bedrock._not_found(f"Could not find inference profile {identifier}.")
        return status, headers, body

    original_summary = bedrock._model_summary

    def model_summary(model, *facts):
        summary = original_summary(model, *facts)
        return {**summary, "InferenceTypesSupported": ["INFERENCE_PROFILE"]} if model in MODELS else summary

    def list_models(query):
        """AWS offers these models through inference profiles only, so the list of ON_DEMAND lacks them."""
        status, headers, body = original_models(query)
        wanted = (query.get("byInferenceType") or [None])[0]
        found = [it for it in json.loads(body)["modelSummaries"] if not wanted or wanted in it["inferenceTypesSupported"]]
        return status, headers, json.dumps({"modelSummaries": found}).encode()

    bedrock._list_inference_profiles, bedrock._get_inference_profile = list_profiles, get_profile
    bedrock._model_summary, bedrock._list_foundation_models = model_summary, list_models


def complete_iam():
    """ministack lacks three operations, and removes a slash at the end of an issuer, which is part of the provider's ARN in AWS."""
    from ministack.services import iam

    original = iam._create_oidc_provider

    def create(request):
        status, headers, body = original(request)
        url = iam._p(request, "Url")
        if status == 200 and url.endswith("/"):
            arn = iam._oidc_providers_arn(url)
            iam._oidc_providers[arn] = {**iam._oidc_providers.pop(arn.rstrip("/")), "Arn": arn}
            body = body.replace(f"<OpenIDConnectProviderArn>{arn[:-1]}<".encode(), f"<OpenIDConnectProviderArn>{arn}<".encode())
        return status, headers, body

    def arn_of(url):
        return f"arn:aws:iam::{iam.get_account_id()}:oidc-provider/{url.removeprefix('https://')}"

    def change_clients(request, change):
        provider = iam._oidc_providers.get(iam._p(request, "OpenIDConnectProviderArn"))
        if not provider:
            return iam._error(404, "NoSuchEntity", "OIDC provider not found.", ns="iam")
        change(provider["ClientIDList"], iam._p(request, "ClientID"))
        return iam._xml(200, f"{request['Action'][0]}Response", "", ns="iam")

    def add(clients, client):
        if client not in clients:
            clients.append(client)

    def remove(clients, client):
        if client in clients:
            clients.remove(client)

    def set_default_version(request):
        policy, chosen = iam._policies.get(iam._p(request, "PolicyArn")), iam._p(request, "VersionId")
        if not policy or chosen not in policy["Versions"]:
            return iam._error(404, "NoSuchEntity", f"Policy version {chosen} does not exist or is not attachable.", ns="iam")
        for name, version in policy["Versions"].items():
            version["IsDefaultVersion"] = name == chosen
        policy["DefaultVersionId"], policy["UpdateDate"] = chosen, iam._now()
        return iam._xml(200, "SetDefaultPolicyVersionResponse", "", ns="iam")

    iam._oidc_providers_arn = arn_of
    missing = {
        "AddClientIDToOpenIDConnectProvider": lambda request: change_clients(request, add),
        "RemoveClientIDFromOpenIDConnectProvider": lambda request: change_clients(request, remove),
        "SetDefaultPolicyVersion": set_default_version,
    }
    assert not missing.keys() & iam._IAM_HANDLERS.keys(), "ministack has these operations now: remove ours"
    iam._IAM_HANDLERS.update(missing, CreateOpenIDConnectProvider=create)


# Types of resources


def oidc_provider():
    from ministack.services import iam

    def write(properties):
        url = properties["Url"]
        arn = iam._oidc_providers_arn(url)
        iam._oidc_providers[arn] = {
            "Url": url.removeprefix("https://"),
            "ClientIDList": list(properties.get("ClientIdList", [])),
            "ThumbprintList": list(properties.get("ThumbprintList", [])),
            "Arn": arn,
            "CreateDate": iam._now(),
            "Tags": properties.get("Tags", []),
        }
        return arn, {"Arn": arn}

    def create(_logical_id, properties, _stack):
        if iam._oidc_providers_arn(properties["Url"]) in iam._oidc_providers:
            raise ValueError(f"Provider with url {properties['Url']} already exists. (Service: Iam, Status Code: 409)")
        return write(properties)

    def update(physical_id, _old, new, _stack):
        arn, attributes = write(new)
        if arn != physical_id:
            iam._oidc_providers.pop(physical_id, None)
        return arn, attributes

    return {"create": create, "update": update, "delete": lambda physical_id, _: iam._oidc_providers.pop(physical_id, None)}


def application_profile():
    from ministack.services import bedrock

    def create(_logical_id, properties, _stack):
        request = {"inferenceProfileName": properties["InferenceProfileName"], "description": properties.get("Description", "")}
        request["modelSource"] = {"copyFrom": properties.get("ModelSource", {}).get("CopyFrom")}
        request["tags"] = [{"key": tag["Key"], "value": tag["Value"]} for tag in properties.get("Tags", [])]
        arn = created(bedrock._create_inference_profile(json.dumps(request).encode()))["inferenceProfileArn"]
        short = arn.rpartition("/")[2]
        return arn, {"InferenceProfileArn": arn, "InferenceProfileId": short, "InferenceProfileIdentifier": arn, "Status": "ACTIVE", "Type": "APPLICATION"}

    def update(physical_id, old, new, stack):
        """Only tags change in place."""
        if {**old, "Tags": 0} != {**new, "Tags": 0}:
            return create(None, new, stack)
        bedrock._tags[physical_id] = {tag["Key"]: tag["Value"] for tag in new.get("Tags", [])}
        short = physical_id.rpartition("/")[2]
        return physical_id, {"InferenceProfileArn": physical_id, "InferenceProfileId": short, "InferenceProfileIdentifier": physical_id}

    return {"create": create, "update": update, "delete": lambda physical_id, _: bedrock._delete_inference_profile(physical_id)}


def guardrail():
    from ministack.services import bedrock

    def request(properties):
        return json.dumps(bedrock._camelize({key: it for key, it in properties.items() if key != "Tags"})).encode()

    def attributes(arn):
        return {"GuardrailArn": arn, "GuardrailId": arn.rpartition("/")[2], "Version": "DRAFT", "Status": "READY"}

    def create(_logical_id, properties, _stack):
        arn = created(bedrock._create_guardrail(request(properties)))["guardrailArn"]
        return arn, attributes(arn)

    def update(physical_id, _old, new, _stack):
        created(bedrock._update_guardrail(physical_id.rpartition("/")[2], request(new)))
        return physical_id, attributes(physical_id)

    return {"create": create, "update": update, "delete": lambda physical_id, _: bedrock._delete_guardrail(physical_id.rpartition("/")[2], {})}


def created(response):
    status, _headers, body = response
    if status >= 300:
        raise ValueError(json.loads(body).get("message", body.decode()))
    return json.loads(body)


def alarm(original):
    """ministack refuses alarms on expressions and on PromQL, so these exist only as their properties."""

    def has_expression(properties):
        return bool(properties.get("Metrics") or properties.get("EvaluationCriteria"))

    def create(logical_id, properties, stack):
        return (on_expression if has_expression(properties) else original)["create"](logical_id, properties, stack)

    def update(physical_id, old, new, stack, *more):
        if has_expression(old) or has_expression(new):
            return physical_id, {}
        return original["update"](physical_id, old, new, stack, *more)

    def delete(physical_id, properties):
        if not has_expression(properties):
            original["delete"](physical_id, properties)

    on_expression = properties_only(lambda properties, name, arn: (properties.get("AlarmName", name), {"Arn": arn("cloudwatch", "alarm")}))
    return {**original, "create": create, "update": update, "delete": delete}


def properties_only(identify):
    """A resource that exists only as its properties. `identify` returns what Ref returns, and the attributes."""
    from ministack.core import responses

    def create(logical_id, properties, stack):
        arn_base = f"arn:aws:{{}}:{responses.get_region()}:{responses.get_account_id()}:{{}}/{uuid.uuid4().hex[:12]}"
        return identify(properties, f"{stack}-{logical_id}-{uuid.uuid4().hex[:8]}", arn_base.format)

    def update(_physical_id, _old, new, stack):
        return create("changed", new, stack)

    return {"create": create, "update": update, "delete": lambda *_: None}


def budget(properties, name, _arn):
    return properties["Budget"].get("BudgetName", name), {}


def budget_action(properties, _name, _arn):
    action = str(uuid.uuid4())
    return f"{action}|{properties['BudgetName']}", {"ActionId": action}


def trail(properties, name, _arn):
    from ministack.core import responses

    name = properties.get("TrailName", name)
    return name, {"Arn": f"arn:aws:cloudtrail:{responses.get_region()}:{responses.get_account_id()}:trail/{name}"}


def enforced_guardrail(properties, _name, _arn):
    config = uuid.uuid4().hex[:12]
    return config, {"ConfigId": config, "GuardrailArn": properties["GuardrailIdentifier"], "Owner": "ACCOUNT"}


def guardrail_version(properties, _name, _arn):
    guardrail_id = properties["GuardrailIdentifier"].rpartition("/")[2]
    return f"{guardrail_id}|1", {"GuardrailArn": properties["GuardrailIdentifier"], "GuardrailId": guardrail_id, "Version": "1"}


def permission_set(properties, _name, _arn):
    arn = f"arn:aws:sso:::permissionSet/{properties['InstanceArn'].rpartition('/')[2]}/ps-{uuid.uuid4().hex[:16]}"
    return f"{properties['InstanceArn']}|{arn}", {"PermissionSetArn": arn}


def assignment(properties, _name, _arn):
    return "|".join(properties[key] for key in ("InstanceArn", "TargetId", "TargetType", "PermissionSetArn", "PrincipalType", "PrincipalId")), {}


def by_arn(service, kind, attribute):
    def identify(_properties, _name, arn):
        return (value := arn(service, kind)), {attribute: value}

    return identify


def named_query(properties, _name, _arn):
    """ministack's Athena has named queries, and its CloudFormation has not."""
    from ministack.services import athena

    _, _, body = athena._create_named_query(properties)
    return (query := json.loads(body)["NamedQueryId"]), {"NamedQueryId": query}


STUBS = {
    "AWS::Athena::NamedQuery": named_query,
    "AWS::BCMDataExports::Export": by_arn("bcm-data-exports", "export", "ExportArn"),
    "AWS::Bedrock::EnforcedGuardrailConfiguration": enforced_guardrail,
    "AWS::Bedrock::GuardrailVersion": guardrail_version,
    "AWS::Budgets::Budget": budget,
    "AWS::Budgets::BudgetsAction": budget_action,
    "AWS::CE::AnomalyMonitor": by_arn("ce", "anomalymonitor", "MonitorArn"),
    "AWS::CE::AnomalySubscription": by_arn("ce", "anomalysubscription", "SubscriptionArn"),
    "AWS::CE::CostCategory": by_arn("ce", "costcategory", "Arn"),
    "AWS::CloudTrail::Trail": trail,
    "AWS::CloudWatch::CompositeAlarm": lambda properties, name, arn: (properties.get("AlarmName", name), {"Arn": arn("cloudwatch", "alarm")}),
    "AWS::SSO::Assignment": assignment,
    "AWS::SSO::PermissionSet": permission_set,
}


def prepare():
    """Patches ministack and registers the missing types."""
    load_patched_engine()
    know_partitions()
    from ministack.services.cloudformation import provisioners

    leave_conditional_resources_out_of_change_sets()
    handlers = provisioners._RESOURCE_HANDLERS
    preserve_permissions_boundary(handlers)
    refuse_policies_with_versions(handlers)
    complete_iam()
    spell_bedrock_fields()
    offer_models()
    find_profiles_by_arn()
    handlers["AWS::CloudWatch::Alarm"] = alarm(handlers["AWS::CloudWatch::Alarm"])
    handlers["AWS::IAM::OIDCProvider"] = oidc_provider()
    handlers["AWS::Bedrock::ApplicationInferenceProfile"] = application_profile()
    handlers["AWS::Bedrock::Guardrail"] = guardrail()
    for name, identify in STUBS.items():
        assert name not in handlers, f"ministack has {name} now: remove its stand-in"
        handlers[name] = properties_only(identify)


# HTTP


class Front:
    """The application that listens: records requests, gives prepared answers, and passes everything else to ministack."""

    def __init__(self, app):
        self.app, self.requests, self.answers = app, [], []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["path"] == "/_test/reset":
            self.requests.clear()
            self.answers.clear()
            scope = {**scope, "path": "/_ministack/reset", "raw_path": b"/_ministack/reset"}
        if scope["path"].startswith("/_ministack/"):
            return await self.app(scope, receive, send)
        body = await whole_body(receive)
        caller = None
        if scope["path"].startswith("/_as/"):
            _, _, caller, path = scope["path"].split("/", 3)
            scope = {**scope, "path": f"/{path}", "raw_path": f"/{path}".encode()}
        if scope["path"].startswith("/_test/"):
            return await self.control(scope["path"], body, send)
        request = describe(scope, body)
        if caller:
            request |= {"caller": caller, "body": body.decode(errors="replace")}
        self.requests.append(request)
        for prepared in self.answers:
            if all(prepared[name] == request[name] for name in ("service", "operation")) and prepared.get("times", 1):
                if "times" in prepared:
                    prepared["times"] -= 1
                kind = "text/xml" if isinstance(prepared["body"], str) else "application/x-amz-json-1.1"
                text = prepared["body"] if isinstance(prepared["body"], str) else json.dumps(prepared["body"])
                return await respond(send, prepared.get("status", 200), text, kind)
        await self.app(scope, replay(body, receive), send)

    async def control(self, path, body, send):
        if path == "/_test/stacks":
            return await respond(send, 200, json.dumps(stacks()))
        if path == "/_test/requests":
            return await respond(send, 200, json.dumps(self.requests))
        if path == "/_test/answers":
            self.answers[:] = json.loads(body)
            return await respond(send, 200, "{}")
        await respond(send, 404, "{}")


def describe(scope, body):
    """The request as AWS would log it, from the credential scope and the name of the operation."""
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    credential = re.search(r"Credential=([^/,]+)/\d+/([^/]+)/([^/]+)/", headers.get("authorization", ""))
    account, region, service = credential.groups() if credential else (None, None, None)
    if "x-amz-target" in headers:
        operation = headers["x-amz-target"].rpartition(".")[2]
    elif "x-www-form-urlencoded" in headers.get("content-type", ""):
        operation = dict(urllib.parse.parse_qsl(body.decode())).get("Action")
    else:
        operation = f"{scope['method']} {scope['path']}"
    return {"account": account, "region": region, "service": service, "operation": operation}


def stacks():
    from ministack.services import cloudformation

    found = {}
    for (account, region, name), stack in cloudformation._stacks._data.items():
        found.setdefault(account, {}).setdefault(region, {})[name] = {
            "status": stack.get("StackStatus"),
            "reason": stack.get("StackStatusReason"),
            "parameters": {it["ParameterKey"]: it.get("ParameterValue") for it in stack.get("Parameters", [])},
            "outputs": {it["OutputKey"]: it["OutputValue"] for it in stack.get("Outputs", [])},
            "resources": {
                logical_id: {"type": it.get("ResourceType"), "id": it.get("PhysicalResourceId"), "properties": it.get("Properties")}
                for logical_id, it in stack.get("_resources", {}).items()
            },
        }
    return found


async def whole_body(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def replay(body, receive):
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def again():
        return messages.pop() if messages else await receive()

    return again


async def respond(send, status, text, kind="application/json"):
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind.encode())]})
    await send({"type": "http.response.body", "body": text.encode()})


def main():
    # The port is bound before ministack reads its number, and passed on as a file descriptor, so nobody else can get it.
    listener = socket.create_server(("127.0.0.1", 0))
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    scratch = tempfile.mkdtemp(prefix="aws-")
    for name in [it for it in os.environ if it.startswith(("AWS_", "MINISTACK_", "LAMBDA_")) or it.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ.update(
        GATEWAY_PORT=str(listener.getsockname()[1]),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_ACCOUNT_ID=ACCOUNT,
        S3_DATA_DIR=f"{scratch}/s3",
        STATE_DIR=f"{scratch}/state",
        TMPDIR=scratch,
        LOG_LEVEL=os.environ.get("LOG_LEVEL", "ERROR"),
        IOT_MTLS_ENABLED="0",
    )
    tempfile.tempdir = scratch
    logging.basicConfig(level=logging.ERROR)
    try:
        prepare()
        import hypercorn.asyncio
        import hypercorn.config
        from ministack.app import app

        config = hypercorn.config.Config()
        config.bind = [f"fd://{listener.detach()}"]
        config.loglevel = "ERROR"
        config.graceful_timeout = 1
        logging.getLogger("hypercorn.error").setLevel(logging.ERROR)
        print("ready", endpoint, flush=True)
        asyncio.run(hypercorn.asyncio.serve(Front(app), config))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
