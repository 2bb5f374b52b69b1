"""The schema of hashicorp/aws, read from the bindings of CDK Terrain, which are generated from it.

An attribute's name is in the link to its documentation; a nested block is a type of its own. The result, for the
resources and data sources that are asked for:

    {"resources": {"aws_iam_role": BLOCK}, "data": {...}, "provider": BLOCK, "version": "6.66.0"}
    BLOCK = {"attributes": {NAME: {"type": TYPE, "required": bool, "computed": bool}},
             "blocks": {NAME: {"required": bool, "many": bool, "block": BLOCK}}}
    TYPE  = "string" | "number" | "bool" | ["list", TYPE] | ["map", TYPE]
"""

import json
import pathlib
import re

PACKAGE = "@cdktn/provider-aws."
LINK = re.compile(r"registry\.terraform\.io/providers/hashicorp/aws/([0-9.]+)/docs[^#}]*#(\w+)")


def load(jsii: pathlib.Path, cache: pathlib.Path, resources: set, data: set) -> dict:
    """Reads the bindings once for each selection of types, because they have 153 MB."""
    status = jsii.stat()
    selection = [sorted(resources), sorted(data), status.st_size, status.st_mtime_ns]
    if cache.exists() and (cached := json.loads(cache.read_text()))["selection"] == selection:
        return cached["schema"]
    schema = extract(json.loads(jsii.read_text())["types"], resources, data)
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps({"selection": selection, "schema": schema}))
    return schema


def extract(types: dict, resources: set, data: set) -> dict:
    found = {name.rsplit(".", 1)[1]: each for name, each in types.items() if each["kind"] == "class"}
    versions = set()

    def block_of(kind: str, prefix: str) -> dict | None:
        name = prefix + "".join(part.capitalize() for part in kind.split("_"))
        if name not in found:
            return None
        return block(types, f"{PACKAGE}{found[name]['namespace']}.{name}Config", found[name], versions)

    def blocks_of(kinds: set, prefix: str) -> dict:
        blocks = {kind: block_of(kind.removeprefix("aws_"), prefix) for kind in sorted(kinds)}
        return {kind: each for kind, each in blocks.items() if each}

    schema = {
        "resources": blocks_of(resources, ""),
        "data": blocks_of(data, "DataAws"),
        "provider": block(types, PACKAGE + "provider.AwsProviderConfig", None, versions),
    }
    (schema["version"],) = versions
    return schema


def block(types: dict, name: str, made_by: dict | None, versions: set) -> dict:
    result = {"attributes": {}, "blocks": {}}
    for each in types[name].get("properties", []):
        docs = each["docs"].get("remarks", "") + each["docs"].get("summary", "")
        version, attribute = LINK.search(docs).groups()
        versions.add(version)
        required = not each.get("optional", False)
        kind = without_tokens(each["type"])
        element = kind.get("collection", {}).get("elementtype", kind)
        if "fqn" in element:
            many = "collection" in kind
            result["blocks"][attribute] = {
                "required": required,
                "many": many,
                "block": block(types, element["fqn"], None, versions),
            }
        else:
            result["attributes"][attribute] = {"type": type_of(kind), "required": required, "computed": False}
    for each in (made_by or {}).get("properties", []):
        attribute = re.sub(r"(?<!^)([A-Z])", r"_\1", each["name"]).lower()
        if each.get("static") or attribute.endswith("_input") or attribute in result["attributes"] | result["blocks"]:
            continue
        if (kind := type_of(each["type"])) is not None:
            result["attributes"][attribute] = {"type": kind, "required": False, "computed": True}
    return result


def without_tokens(kind: dict) -> dict:
    """The type without the union that also admits a value which CDK Terrain computes later."""
    if "union" in kind:
        (kind,) = [each for each in kind["union"]["types"] if each.get("fqn") != "cdktn.IResolvable"]
    return kind


def type_of(kind: dict):
    kind = without_tokens(kind)
    match kind:
        case {"primitive": "boolean"} | {"fqn": "cdktn.IResolvable"}:
            return "bool"
        case {"primitive": "any"}:
            return "dynamic"
        case {"primitive": name}:
            return name
        case {"collection": {"kind": outer, "elementtype": inner}}:
            return ["list" if outer == "array" else "map", type_of(inner)]
        case {"fqn": "cdktn.StringMap"}:
            return ["map", "string"]
        case _:
            return None
